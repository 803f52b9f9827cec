//! Replicas that are there, and not as they should be.

use std::time::Duration;

use routing_core::{
    Exclusion, FallbackBudget, LagLimits, NodeBuilder, NodeStatus, ProbeRules, RoutingError, Status,
};
use routing_tests::adapter::{Adapter, Shop, Step, until_seen};
use routing_tests::postgres::Cluster;
use routing_tests::proxy::Proxy;
use routing_tests::wait::{self, LIMIT};
use routing_tests::world::{patient, patient_probes};

use crate::own::{Setup, cluster_with_schema, config_of};

on_own_servers! {
    a_replica_that_lags_is_left_out_and_taken_back,
    the_primary_takes_as_many_reads_as_its_budget_allows,
    a_node_of_another_cluster_is_refused,
    a_slow_replica_takes_less,
    who_only_looks_at_the_status_is_told_the_truth,
}

async fn until(setup: &Setup<impl Adapter>, what: &str, is_so: impl Fn(&Status) -> bool) {
    wait::until(what, async || is_so(&setup.db.status())).await;
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
    let mut probe = patient_probes();
    probe.heartbeat = Duration::from_millis(20);
    probe
}

async fn a_replica_that_lags_is_left_out_and_taken_back<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let mut limits = LagLimits::DEFAULT;
    limits.time = Duration::from_secs(10);
    limits.bytes = 4_000;
    let config = || {
        let config = config_of(&cluster, &[]).catch_up_wait(Duration::from_millis(1));
        config.probe(often())
    };
    let setup = Setup::<A>::new(config().lag(limits));
    until_seen(&setup.db).await;
    let lagging = &cluster.replicas()[0];
    lagging.pause().await;
    // A primary that writes nothing has no replica lag, however long.
    setup.clock.advance(3 * limits.time);
    assert_eq!(left_out(&setup.db.status(), "replica-1"), [""; 0]);
    for number in 0..40 {
        let name = format!("{number} {}", "x".repeat(200));
        setup.db.insert(&name).await.expect("an insert");
    }
    setup.clock.advance(3 * limits.time);
    let is_lagging = |status: &Status| left_out(status, "replica-1") == ["lagging"];
    until(&setup, "it lags", is_lagging).await;
    cluster.catch_up_alone(&cluster.replicas()[1]).await;
    until(&setup, "the other one is known to have all", |status| {
        left_out(status, "replica-2").is_empty()
    })
    .await;
    for _ in 0..6 {
        assert_eq!(setup.session().server().await, "replica-2");
    }
    // Who operates it can say that it does not matter now.
    let loose = config().lag(LagLimits::NONE).build();
    let loose = loose.expect("a configuration");
    setup.db.reconfigure(&loose).expect("it is loosened");
    assert!(!is_lagging(&setup.db.status()), "at once");
    let told = [true, false].map(|is| (Exclusion::Lagging, is));
    assert_eq!(setup.recorder.until_exclusions("replica-1", 2), told);
    let strict = config().lag(limits).build().expect("a configuration");
    setup.db.reconfigure(&strict).expect("it is tightened");
    until(&setup, "it lags again", is_lagging).await;
    lagging.resume().await;
    until(&setup, "it is back", |status| !is_lagging(status)).await;
    wait::until("it takes sessions again", async || {
        setup.session().server().await == "replica-1"
    })
    .await;
}

async fn the_primary_takes_as_many_reads_as_its_budget_allows<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let config = config_of(&cluster, &["replica-1", "replica-2"]);
    // The replicas are still slow when the test looks.
    let config = config.slow_start(10 * LIMIT);
    let setup = Setup::<A>::new(config.fallback_budget(FallbackBudget::new(1, 10)));
    until_seen(&setup.db).await;
    for replica in cluster.replicas() {
        cluster.kill(replica);
    }
    let are_down = |status: &Status| {
        let mut replicas = status.sets[0].nodes[1..].iter();
        replicas.all(|replica| !replica.up)
    };
    wait::until("they are down", async || {
        let _any = setup.session().attempt(Step::Server).await;
        are_down(&setup.db.status())
    })
    .await;
    // As many as there can be at once, and from now on no more.
    setup.clock.advance(Duration::from_secs(60));
    setup.clock.stop();
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
    assert_eq!((served, refused), (10, 50));
    setup.clock.go_on();
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
    // A machine that is busy may make one look down again, for a moment.
    let mut by_replicas = 0;
    for _ in 0..200 {
        by_replicas += u32::from(setup.session().server().await.starts_with("replica-"));
        if by_replicas == 20 {
            return;
        }
    }
    panic!("only {by_replicas} of 200 reads went to replicas");
}

async fn a_node_of_another_cluster_is_refused<A: Adapter>() {
    let (cluster, other) = tokio::join!(cluster_with_schema(), Cluster::of_its_own());
    other.create_shop("fault").await;
    let foreign = patient(other.replicas()[0].url("fault")).name("foreign");
    let setup = Setup::<A>::new(config_of(&cluster, &[]).replica(foreign));
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
    let proxy = async |place: usize| Proxy::start(cluster.replicas()[place].port()).await;
    let (slow, other) = (proxy(0).await, proxy(1).await);
    let through = |proxy: &Proxy, name: &str| {
        let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
        patient(url).name(name)
    };
    let config = routing_core::RoutingConfig::builder()
        .probe(patient_probes())
        .primary(patient(cluster.primary().url("fault")))
        .replica(through(&slow, "replica-1"))
        .replica(through(&other, "replica-2"));
    let setup = Setup::<A>::new(config);
    until_seen(&setup.db).await;
    // How long a read takes is for the proxies to say.
    setup.clock.stop();
    let takes = |proxy: &Proxy, millis| proxy.takes(Duration::from_millis(millis), &setup.clock);
    takes(&slow, 8);
    takes(&other, 1);
    let of_new_sessions = async |sessions: usize| {
        let mut there = 0;
        for _ in 0..sessions {
            there += usize::from(setup.session().server().await == "replica-1");
        }
        there
    };
    // A monitor decides when the windows are over, and the machine's clock has it wake.
    let until_part = async |seconds: u64, is_so: fn(f64) -> bool| {
        setup.clock.advance(Duration::from_secs(seconds));
        setup.clock.go_on();
        let is_weighed = |status: &Status| {
            let node = status.node("default", "replica-1").expect("a member");
            is_so(node.part)
        };
        until(&setup, "its share is decided on", is_weighed).await;
        setup.clock.stop();
    };
    // The windows may be over after any of the reads. Those that had too few of them decide nothing, so more
    // are read.
    let until_compared = async |is_so: fn(&NodeStatus) -> bool| {
        wait::until("its reads are compared", async || {
            of_new_sessions(200).await;
            setup.clock.advance(Duration::from_secs(10));
            let status = setup.db.status();
            is_so(status.node("default", "replica-1").expect("a member"))
        })
        .await;
    };
    // A few statements that take long are no slow replica.
    takes(&slow, 5_000);
    assert_eq!(of_new_sessions(40).await, 20);
    takes(&slow, 1);
    assert_eq!(of_new_sessions(40).await, 20);
    until_compared(|node| node.latency.is_some()).await;
    assert!(
        setup.db.status().sets[0]
            .nodes
            .iter()
            .all(|node| node.part >= 1.0)
    );
    assert_eq!(of_new_sessions(40).await, 20);

    takes(&slow, 8);
    until_compared(|node| node.part <= 0.25).await;
    let taken = of_new_sessions(100).await;
    assert!((1..40).contains(&taken), "{taken} of 100");
    // It takes too few to show that it is well again: time gives its share back, and it begins slowly.
    until_part(30, |part| part > 0.25).await;
    until_part(10, |part| part >= 1.0).await;
    takes(&slow, 1);
    assert_eq!(of_new_sessions(40).await, 20);
}
