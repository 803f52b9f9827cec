//! Replicas that are there, and not as they should be.

use std::time::Duration;

use routing_core::{
    Exclusion, FallbackBudget, LagLimits, NodeBuilder, ProbeRules, RoutingError, Status,
};
use routing_tests::adapter::{Adapter, Shop, Step, until_seen};
use routing_tests::postgres::Cluster;
use routing_tests::proxy::{Proxy, Way};

use crate::own::{Setup, cluster_with_schema, config_of};

on_own_servers! {
    a_replica_that_lags_is_left_out_and_taken_back,
    the_primary_takes_as_many_reads_as_its_budget_allows,
    a_node_of_another_cluster_is_refused,
    a_slow_replica_takes_less,
    who_only_looks_at_the_status_is_told_the_truth,
}

async fn until(setup: &Setup<impl Adapter>, what: &str, is_so: impl Fn(&Status) -> bool) {
    let come = async {
        while !is_so(&setup.db.status()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let come = tokio::time::timeout(Duration::from_secs(30), come).await;
    assert!(come.is_ok(), "{what}: {:#?}", setup.db.status());
}

fn left_out(status: &Status, node: &str) -> Vec<&'static str> {
    let node = status.node("default", node);
    node.expect("it is a member").left_out.clone()
}

/// No statement has been run.
async fn who_only_looks_at_the_status_is_told_the_truth<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let node = |name: &str, url: String| NodeBuilder::url(url).name(name);
    let config = |replicas: usize| {
        let config = routing_core::RoutingConfig::builder()
            .primary(node("primary", cluster.primary().url("fault")));
        let added = (0..replicas).fold(config, |config, number| {
            let name = format!("replica-{}", number + 1);
            config.replica(node(&name, cluster.replicas()[number].url("fault")))
        });
        let mut probe = often();
        probe.timeout = Duration::from_millis(500);
        added.probe(probe)
    };
    cluster.kill(cluster.primary());
    let setup = Setup::<A>::new(config(1));
    until(&setup, "the primary is lost", Status::read_only).await;
    until(&setup, "the replica is well", |status| {
        left_out(status, "replica-1").is_empty()
    })
    .await;
    let more = config(2).build().expect("a configuration");
    setup.db.reconfigure(&more).expect("one is added");
    until(&setup, "it is observed", |status| {
        let added = status.node("default", "replica-2").expect("a member");
        added.left_out.is_empty() && added.says == Some("replica")
    })
    .await;
    cluster.restart(cluster.primary()).await;
    until(&setup, "it is back", |status| !status.read_only()).await;
}

fn often() -> ProbeRules {
    let mut probe = ProbeRules::DEFAULT;
    probe.heartbeat = Duration::from_millis(20);
    probe
}

async fn a_replica_that_lags_is_left_out_and_taken_back<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let mut limits = LagLimits::DEFAULT;
    limits.time = Duration::from_millis(200);
    limits.bytes = 4_000;
    let config = || {
        let config = config_of(&cluster).catch_up_wait(Duration::from_millis(1));
        config.probe(often())
    };
    let setup = Setup::<A>::new(config().lag(limits));
    until_seen(&setup.db).await;
    let lagging = &cluster.replicas()[0];
    lagging.pause().await;
    // A primary that writes nothing has no replica lag, however long.
    tokio::time::sleep(3 * limits.time).await;
    assert_eq!(left_out(&setup.db.status(), "replica-1"), [""; 0]);
    for number in 0..40 {
        let name = format!("{number} {}", "x".repeat(200));
        setup.db.insert(&name).await.expect("an insert");
    }
    let is_lagging = |status: &Status| left_out(status, "replica-1") == ["lagging"];
    until(&setup, "it lags", is_lagging).await;
    for _ in 0..6 {
        assert_eq!(setup.session().server().await, "replica-2");
    }
    // Who operates it can say that it does not matter now.
    let loose = config().lag(LagLimits::NONE).build();
    let loose = loose.expect("a configuration");
    setup.db.reconfigure(&loose).expect("it is loosened");
    assert!(!is_lagging(&setup.db.status()), "at once");
    let told = [true, false].map(|is| ("replica-1".into(), Exclusion::Lagging, is));
    assert_eq!(setup.recorder.until_exclusions(2), told);
    let strict = config().lag(limits).build().expect("a configuration");
    setup.db.reconfigure(&strict).expect("it is tightened");
    until(&setup, "it lags again", is_lagging).await;
    lagging.resume().await;
    until(&setup, "it is back", |status| !is_lagging(status)).await;
    let taken_back = async { while setup.session().server().await != "replica-1" {} };
    let limit = Duration::from_secs(30);
    let taken_back = tokio::time::timeout(limit, taken_back).await;
    taken_back.expect("it takes sessions again");
}

async fn the_primary_takes_as_many_reads_as_its_budget_allows<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let setup = Setup::<A>::new(config_of(&cluster).fallback_budget(FallbackBudget::new(1, 10)));
    until_seen(&setup.db).await;
    for replica in cluster.replicas() {
        cluster.kill(replica);
    }
    let are_down = |status: &Status| {
        let mut replicas = status.sets[0].nodes[1..].iter();
        replicas.all(|replica| !replica.up)
    };
    let tell = async {
        while !are_down(&setup.db.status()) {
            let _any = setup.session().attempt(Step::Server).await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, tell)
        .await
        .expect("they are down");
    // As many as there can be at once.
    setup.clock.advance(Duration::from_secs(60));
    let begun = tokio::time::Instant::now();
    let (mut served, mut refused) = (0, 0);
    for _ in 0..60 {
        match setup.session().attempt(Step::Server).await {
            Ok(()) => served += 1,
            Err(error) => match error.routing {
                Some(RoutingError::FallbackSpent { .. }) => refused += 1,
                _ => panic!("{error:?}"),
            },
        }
    }
    let refilled = begun.elapsed().as_secs() + 1;
    assert!((10..=10 + refilled).contains(&served), "{served} served");
    assert!(refused > 0);
    // What the primary has to do anyway is not counted.
    for number in 0..3 {
        let written = setup.db.insert(&format!("cake {number}")).await;
        written.expect("an insert");
    }
    for replica in cluster.replicas() {
        cluster.restart(replica).await;
    }
    let are_up = |status: &Status| {
        let mut replicas = status.sets[0].nodes[1..].iter();
        replicas.all(|replica| replica.up && replica.left_out.is_empty())
    };
    until(&setup, "they are back", are_up).await;
    // They take ever more of their share.
    let status = setup.db.status();
    assert!(status.sets[0].nodes[1..].iter().all(|node| node.part < 1.0));
    for _ in 0..20 {
        assert!(setup.session().server().await.starts_with("replica-"));
    }
}

async fn a_node_of_another_cluster_is_refused<A: Adapter>() {
    let (cluster, other) = tokio::join!(cluster_with_schema(), Cluster::start());
    other.create_database("fault").await;
    let foreign = NodeBuilder::url(other.replicas()[0].url("fault")).name("foreign");
    let setup = Setup::<A>::new(config_of(&cluster).replica(foreign));
    until_seen(&setup.db).await;
    let is_foreign = |status: &Status| left_out(status, "foreign") == ["foreign"];
    until(&setup, "it is foreign", is_foreign).await;
    for _ in 0..12 {
        setup.session().server().await;
    }
    let decisions = setup.recorder.take();
    assert!(
        decisions
            .iter()
            .all(|decision| decision.node.as_str() != "foreign")
    );
}

async fn a_slow_replica_takes_less<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let slow = Proxy::start(cluster.replicas()[0].port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/fault", slow.port());
    let config = routing_core::RoutingConfig::builder()
        .primary(cluster.primary().url("fault"))
        .replica(NodeBuilder::url(url).name("replica-1"))
        .replica(cluster.replicas()[1].url("fault"));
    let setup = Setup::<A>::new(config);
    until_seen(&setup.db).await;
    let read = async |count: usize| {
        let sessions: Vec<_> = (0..count).map(|_| setup.session()).collect();
        let reads = sessions.iter().map(Shop::server);
        let servers = futures_util::future::join_all(reads).await;
        servers
            .iter()
            .filter(|server| *server == "replica-1")
            .count()
    };
    // Some find out how fast it is.
    slow.set(Way::Slow(Duration::from_millis(100)));
    let part = |status: &Status| status.node("default", "replica-1").expect("a member").part;
    let is_noticed = async {
        while part(&setup.db.status()) > 0.25 {
            read(4).await;
        }
    };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, is_noticed)
        .await
        .expect("it is noticed");
    let taken = read(100).await;
    assert!((1..40).contains(&taken), "{taken} of 100");
    // Who takes some can show that he is well again.
    slow.set(Way::Open);
    let is_well = async {
        while part(&setup.db.status()) < 1.0 {
            read(4).await;
        }
    };
    tokio::time::timeout(limit, is_well)
        .await
        .expect("it is forgotten");
}
