//! Servers that fall silent in the middle of something.
//!
//! Synchronous Diesel waits for them inside its C library, which cannot be interrupted.

use std::sync::Arc;
use std::time::Duration;

use routing_core::{NodeBuilder, ProbeRules, RoutingConfig, RoutingConfigBuilder, RoutingError};
use routing_tests::adapter::{Adapter, Begin, End, Log, Outcome, Shop, Step, until_seen};
use routing_tests::postgres::{Cluster, Server};
use routing_tests::proxy::{Proxy, Way};

use crate::own::{Setup, cluster_with_schema};

on_own_servers! {
    awaited:
    a_transaction_ends_although_its_server_does_not_answer,
    a_read_leaves_a_silent_replica_that_is_taken_out,
}

/// Longer than a suite beside it can delay anything, and shorter than a hang.
const LIMIT: Duration = Duration::from_secs(30);

async fn behind_proxy(server: &Server) -> (Arc<Proxy>, String) {
    let proxy = Proxy::start(server.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
    (Arc::new(proxy), url)
}

fn config_of(primary: String, cluster: &Cluster) -> RoutingConfigBuilder {
    let mut probe = ProbeRules::DEFAULT;
    probe.suspect_after = Duration::from_millis(50);
    probe.timeout = Duration::from_millis(300);
    RoutingConfig::builder()
        .probe(probe)
        .primary(primary)
        .replica(NodeBuilder::url(cluster.replicas()[1].url("fault")).name("replica-2"))
}

async fn a_transaction_ends_although_its_server_does_not_answer<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let (proxy, url) = behind_proxy(cluster.primary()).await;
    let setup = Setup::<A>::new(config_of(url, &cluster));
    until_seen(&setup.db).await;
    // A commit after a statement that failed is preceded by a question.
    let insert = Step::Insert("once".into());
    let nothing = Step::Execute("SELECT 1 / 0".into());
    for (number, (end, last)) in [
        (End::Rollback, &insert),
        (End::Commit, &insert),
        (End::Commit, &nothing),
    ]
    .into_iter()
    .enumerate()
    {
        let log = Log::default();
        let steps = vec![
            Step::Log(log.clone(), "x"),
            last.clone(),
            Step::Way(Arc::clone(&proxy), Way::Silent),
        ];
        let db = setup.session();
        let transaction = db.transaction(Begin::Plain, steps, end);
        let outcomes = tokio::time::timeout(LIMIT, transaction).await;
        let outcomes = outcomes.expect("it ends");
        let called = log.take();
        match (end, outcomes.last()) {
            // The connection is gone, and what it began with it.
            (End::Rollback, _) => assert_eq!(called, ["x-"], "{outcomes:?}"),
            (_, Some(Outcome::Failed(failed))) => {
                let routing = failed.routing.as_ref();
                let is_unknown = routing.is_some_and(RoutingError::is_outcome_unknown);
                assert!(is_unknown, "{failed:?}");
                assert!(called.is_empty(), "{called:?}");
            }
            (_, outcome) => panic!("{outcome:?}"),
        }
        proxy.set(Way::Open);
        let is_back = async {
            while let Err(error) = setup.session().insert(&format!("back {number}")).await {
                assert!(error.routing.is_some(), "{error:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let is_back = tokio::time::timeout(LIMIT, is_back).await;
        assert!(
            is_back.is_ok(),
            "it takes no writes: {:#?}",
            setup.db.status()
        );
        if end == End::Rollback {
            let inserted = "SELECT count(*) FROM cake WHERE name = 'once'";
            let db = setup.session();
            db.pin().expect("a pin");
            assert_eq!(db.number(inserted).await.expect("a number"), 0);
        }
    }
}

async fn a_read_leaves_a_silent_replica_that_is_taken_out<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let (proxy, url) = behind_proxy(&cluster.replicas()[0]).await;
    let primary = cluster.primary().url("fault");
    let config = || config_of(primary.clone(), &cluster);
    let both = config().replica(NodeBuilder::url(url).name("replica-1"));
    let setup = Setup::<A>::new(both);
    until_seen(&setup.db).await;
    let reader = loop {
        let session = setup.session();
        if session.server().await == "replica-1" {
            break session;
        }
    };
    setup.recorder.take();
    proxy.set(Way::Silent);
    let reading = tokio::spawn(async move { reader.server().await });
    while setup.recorder.take().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let without = config().build().expect("a configuration");
    setup.db.reconfigure(&without).expect("it goes");
    let server = tokio::time::timeout(LIMIT, reading).await;
    let server = server.expect("it does not wait for who is gone");
    assert_ne!(server.expect("no panic"), "replica-1");
    // Nobody keeps a connection to it, as is seen when it answers.
    proxy.set(Way::Open);
    let is_left = async {
        while proxy.open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let is_left = tokio::time::timeout(LIMIT, is_left).await;
    assert!(is_left.is_ok(), "{} connections are open", proxy.open());
}
