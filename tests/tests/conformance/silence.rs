//! Servers that fall silent in the middle of something.
//!
//! Synchronous Diesel waits for them inside its C library, which cannot be interrupted.

use std::sync::Arc;
use std::time::Duration;

use routing_core::{NodeBuilder, RoutingConfigBuilder, RoutingError};
use routing_tests::adapter::{Adapter, Begin, End, Log, Outcome, Shop, Step, until_seen};
use routing_tests::postgres::{Cluster, Server};
use routing_tests::proxy::{Proxy, Way};
use routing_tests::wait::{until, within};
use routing_tests::world::{attentive, patient};

use crate::own::{Setup, cluster_with_schema};

on_own_servers! {
    awaited:
    a_transaction_ends_although_its_server_does_not_answer,
    a_read_leaves_a_silent_replica_that_is_taken_out,
}

async fn behind_proxy(server: &Server) -> (Arc<Proxy>, String) {
    let proxy = Proxy::start(server.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
    (Arc::new(proxy), url)
}

fn config_of(primary: String, cluster: &Cluster) -> RoutingConfigBuilder {
    attentive()
        .primary(patient(primary))
        .replica(patient(cluster.replicas()[1].url("fault")).name("replica-2"))
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
        let outcomes = within("it ends", transaction).await;
        let called = log.take();
        match (end, outcomes.last()) {
            // The connection is gone, and what it began with it.
            (End::Rollback, _) => assert_eq!(called, ["x-"], "{outcomes:?}"),
            // The commit was not sent, as the question before it was not answered.
            (_, Some(Outcome::Failed(failed))) if number == 2 => {
                let routing = failed.routing.as_ref();
                let is_lost = matches!(routing, Some(RoutingError::TransactionLost { .. }));
                assert!(is_lost, "{failed:?}");
                assert_eq!(called, ["x-"]);
            }
            (_, Some(Outcome::Failed(failed))) => {
                let routing = failed.routing.as_ref();
                let is_unknown = routing.is_some_and(RoutingError::is_outcome_unknown);
                assert!(is_unknown, "{failed:?}");
                assert!(called.is_empty(), "{called:?}");
            }
            (_, outcome) => panic!("{outcome:?}"),
        }
        proxy.set(Way::Open);
        until("it takes writes", async || {
            let written = setup.session().insert(&format!("back {number}")).await;
            if let Err(error) = &written {
                assert!(error.routing.is_some(), "{error:?}");
            }
            written.is_ok()
        })
        .await;
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
    // A statement waits in the pool for a connection for so long.
    let brief = Duration::from_secs(1);
    let leaving = NodeBuilder::url(url).acquire_timeout(brief);
    let both = config().replica(leaving.name("replica-1"));
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
    setup.recorder.until_decided().await;
    let without = config().build().expect("a configuration");
    setup.db.reconfigure(&without).expect("it goes");
    let server = within("it does not wait for who is gone", reading).await;
    assert_ne!(server.expect("no panic"), "replica-1");
    // Nobody keeps a connection to it, as is seen when it answers.
    proxy.set(Way::Open);
    until("its connections are closed", async || proxy.open() == 0).await;
}
