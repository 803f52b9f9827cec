//! Replicas that come and go.

use routing_core::{Exclusion, Mode, NodeBuilder, PinRelease, RoutingConfig, RoutingError};
use routing_tests::adapter::{Adapter, Begin, End, Outcome, Shop, Step, until_seen};
use routing_tests::wait::{LIMIT, until};
use routing_tests::world::{Backend, World, patient, patient_probes};

use crate::own::{Setup, cluster_with_schema};

conformance! {
    one_server_can_be_the_primary_and_a_replica,
}

/// As in a staging environment, by consent.
async fn one_server_can_be_the_primary_and_a_replica<A: Adapter>(backend: Backend) {
    let world = World::new(backend, false).await;
    let [primary, _] = world.primary_and_replica();
    let twice = RoutingConfig::builder()
        .allow_same_server(true)
        .mode(Mode::Greedy)
        .pin_release(PinRelease::CaughtUp)
        .catch_up_wait(LIMIT)
        .probe(patient_probes())
        .primary(patient(primary))
        .replica(patient(primary));
    let setup = Setup::<A>::new(twice);
    until_seen(&setup.db).await;
    let db = setup.session();
    setup.recorder.take();
    assert_eq!(db.count().await, 0);
    assert_eq!(setup.recorder.only().node, "replica-1");
    db.insert("a cake").await.expect("an insert");
    assert_eq!(db.count().await, 1);
    let last = setup.recorder.take().pop().expect("a decision");
    assert_eq!(
        last.node == "replica-1",
        backend != Backend::Sqlite,
        "{last:?}"
    );
}

on_own_servers! {
    replicas_come_and_go_while_work_goes_on,
}

async fn replicas_come_and_go_while_work_goes_on<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let node = |name: &'static str, place: usize| {
        patient(cluster.replicas()[place].url("fault")).name(name)
    };
    let base = || {
        RoutingConfig::builder()
            .catch_up_wait(LIMIT)
            .probe(patient_probes())
            .primary(patient(cluster.primary().url("fault")))
    };
    let setup = Setup::<A>::new(base().replica(node("replica-1", 0)));
    until_seen(&setup.db).await;
    let held = setup.session();
    assert_eq!(held.server().await, "replica-1");

    // One comes, and takes sessions as soon as it has been seen.
    let both = base()
        .replica(node("replica-1", 0))
        .replica(node("replica-2", 1));
    setup
        .db
        .reconfigure(&both.build().expect("a configuration"))
        .expect("it is added");
    until("it takes sessions", async || {
        setup.session().server().await == "replica-2"
    })
    .await;

    // One is drained: it takes nothing new, and comes back.
    setup.db.drain("replica-1", true).expect("it is known");
    for _ in 0..4 {
        assert_eq!(setup.session().server().await, "replica-2");
    }
    let left_out = |name| {
        let status = setup.db.status();
        status
            .node("default", name)
            .expect("a node")
            .left_out
            .clone()
    };
    assert_eq!(left_out("replica-1"), ["draining"]);
    setup.db.drain("replica-1", true).expect("it is known");
    setup.db.drain("replica-1", false).expect("it is known");
    let told = [true, false].map(|is| (Exclusion::Draining, is));
    assert_eq!(setup.recorder.until_exclusions("replica-1", 2), told);
    let error = setup.db.drain("nobody", true).expect_err("it is not known");
    assert!(matches!(error, RoutingError::UnknownNode { .. }));

    // One goes, while a transaction is open on it.
    let reading = held.clone();
    let steps = vec![
        Step::Server,
        Step::Rows("SELECT 1 FROM cake, generate_series(1, 3000000)".into()),
        Step::Server,
    ];
    let open = tokio::spawn(async move {
        reading
            .transaction(Begin::ReadOnly, steps, End::Commit)
            .await
    });
    let only = base().replica(node("replica-2", 1));
    setup
        .db
        .reconfigure(&only.build().expect("a configuration"))
        .expect("it goes");
    let outcomes = open.await.expect("no panic");
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    let failed = outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Failed(_)));
    assert!(!failed, "{outcomes:?}");
    for _ in 0..4 {
        assert_eq!(setup.session().server().await, "replica-2");
    }
    assert!(setup.db.status().node("default", "replica-1").is_none());

    // What cannot be changed is said, all at once, and nothing is.
    let wrong = RoutingConfig::builder()
        .mode(Mode::Strict)
        .primary(NodeBuilder::url(cluster.replicas()[0].url("postgres")).name("another"))
        .replica(node("replica-2", 0));
    let error = setup
        .db
        .reconfigure(&wrong.build().expect("a configuration"));
    let Err(RoutingError::Config(problems)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert_eq!(setup.session().server().await, "replica-2");
}
