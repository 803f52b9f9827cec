//! A transaction stays on its node.

use routing_core::{Mode, Reason, RoutingError, Scope, Session};
use routing_tests::adapter::{Adapter, Begin, End, Failed, Outcome, Scene, Shop, Step};
use routing_tests::world::Backend;

conformance! {
    everything_in_a_transaction_runs_on_its_connection,
    transactions_commit_and_roll_back,
    savepoints_nest,
    a_read_only_transaction_uses_a_replica,
    a_write_in_a_read_only_transaction_is_refused_first,
    a_pinned_session_reads_only_on_the_primary,
    a_dropped_transaction_is_rolled_back,
    a_strict_transaction_needs_a_pin,
    a_session_that_writes_in_anothers_transaction_is_pinned,
}

fn insert(name: &str) -> Step {
    Step::Insert(name.to_owned())
}

fn refused(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed(Failed {
            routing: Some(RoutingError::WriteInReadOnlyTransaction { .. }),
            ..
        })
    )
}

async fn everything_in_a_transaction_runs_on_its_connection<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::lagging(backend, Mode::Greedy).await;
    scene.world.pause().await;
    let (db, session) = scene.session();
    // No scope gets a statement out of its transaction.
    let mut steps = vec![insert("uncommitted"), Step::Count];
    for scope in [Scope::replica(), Scope::node("replica-1"), Scope::frozen()] {
        steps.push(Step::Scoped(scope, vec![Step::Count]));
    }
    let outcomes = db.transaction(Begin::Plain, steps, End::Commit).await;
    assert_eq!(
        format!("{outcomes:?}"),
        "[Done, Count(1), Count(1), Count(1), Count(1)]"
    );
    assert!(session.is_pinned("default"));
    let decisions = scene.recorder.take();
    assert_eq!(decisions[0].reason, Reason::Write);
    assert!(
        decisions[1..]
            .iter()
            .all(|decision| decision.reason == Reason::Transaction),
        "{decisions:?}"
    );
    assert_eq!(db.count().await, 1);
    scene.world.resume().await;
}

async fn transactions_commit_and_roll_back<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, _session) = scene.session();
    let kept = db.transaction(Begin::Plain, vec![insert("kept")], End::Commit);
    assert!(matches!(kept.await[..], [Outcome::Done]));
    let lost = db.transaction(Begin::Plain, vec![insert("lost")], End::Rollback);
    assert!(matches!(lost.await[..], [Outcome::Done]));
    assert_eq!(db.count().await, 1);
    // One connection begins, ends and begins again.
    let steps = vec![
        Step::Transaction(Begin::Plain, vec![insert("two")], End::Commit),
        Step::Count,
        Step::Transaction(Begin::Plain, vec![insert("lost")], End::Rollback),
        Step::Transaction(Begin::Plain, vec![insert("three")], End::Commit),
        Step::Count,
    ];
    let outcomes = format!("{:?}", db.run(steps).await);
    assert_eq!(outcomes, "[Done, Count(2), Done, Done, Count(3)]");
}

async fn savepoints_nest<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, _session) = scene.session();
    let innermost = Step::Transaction(Begin::Plain, vec![insert("innermost")], End::Rollback);
    let inner = vec![insert("inner"), innermost, Step::Count];
    let steps = vec![
        insert("outer"),
        Step::Transaction(Begin::Plain, inner, End::Commit),
        Step::Transaction(Begin::Plain, vec![insert("failed")], End::Rollback),
        Step::Count,
    ];
    let outcomes = db.transaction(Begin::Plain, steps, End::Commit).await;
    assert_eq!(
        format!("{outcomes:?}"),
        "[Done, Done, Done, Count(2), Done, Count(2)]"
    );
    assert_eq!(db.count().await, 2);
}

async fn a_read_only_transaction_uses_a_replica<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    let steps = vec![
        Step::Server,
        Step::Transaction(Begin::Plain, vec![Step::Server], End::Commit),
        Step::Server,
    ];
    let outcomes = db
        .transaction(Begin::ReadOnly, steps.clone(), End::Commit)
        .await;
    let [
        Outcome::Server(one),
        Outcome::Server(two),
        Outcome::Server(three),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert!(one.starts_with("replica-"), "{one}");
    assert_eq!((one, one), (two, three));
    assert!(!session.is_pinned("default"));

    // Without a session it is the primary's, and read-only all the same.
    let steps = vec![Step::Server, insert("x")];
    let outcomes = scene
        .db
        .transaction(Begin::ReadOnly, steps, End::Rollback)
        .await;
    let [Outcome::Server(server), write] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(server, "primary");
    assert!(refused(write), "{write:?}");
}

async fn a_write_in_a_read_only_transaction_is_refused_first<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    let steps = vec![
        insert("x"),
        Step::Transaction(Begin::Plain, vec![insert("x")], End::Rollback),
        // No server saw any of it, so the transaction is still good.
        Step::Server,
    ];
    let outcomes = db.transaction(Begin::ReadOnly, steps, End::Commit).await;
    let [one, two, Outcome::Server(_)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert!(refused(one) && refused(two), "{outcomes:?}");
    assert!(!session.is_pinned("default"));
    assert_eq!(scene.recorder.refusals().len(), 2);
}

async fn a_pinned_session_reads_only_on_the_primary<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::lagging(backend, Mode::Greedy).await;
    scene.world.pause().await;
    let (db, _session) = scene.session();
    db.insert("mine").await.expect("an insert");
    let outcomes = db.transaction(Begin::ReadOnly, vec![Step::Count], End::Commit);
    assert_eq!(format!("{:?}", outcomes.await), "[Count(1)]");
    scene.world.resume().await;
}

async fn a_dropped_transaction_is_rolled_back<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, _session) = scene.session();
    for _ in 0..3 {
        let lost = db.transaction(Begin::Plain, vec![insert("lost"), Step::Count], End::Drop);
        assert_eq!(format!("{:?}", lost.await), "[Done, Count(1)]");
    }
    assert_eq!(db.count().await, 0);
    db.insert("kept").await.expect("nothing is locked");
}

async fn a_strict_transaction_needs_a_pin<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Strict).await;
    let (db, session) = scene.session();
    let outcomes = db.transaction(Begin::Plain, vec![], End::Commit).await;
    let [Outcome::Failed(failed)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert!(
        failed
            .routing
            .as_ref()
            .is_some_and(RoutingError::is_unpinned_write)
    );
    session.pin("default").expect("a pin");
    let outcomes = db.transaction(Begin::Plain, vec![insert("x")], End::Commit);
    assert!(matches!(outcomes.await[..], [Outcome::Done]));
}

async fn a_session_that_writes_in_anothers_transaction_is_pinned<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::lagging(backend, Mode::Greedy).await;
    scene.world.pause().await;
    // As a middleware does that opens a transaction around the handler.
    let session = Session::new();
    let handler = Step::InSession(session.clone(), vec![insert("handler")]);
    let outcomes = scene
        .db
        .transaction(Begin::Plain, vec![handler], End::Commit);
    assert!(matches!(outcomes.await[..], [Outcome::Done]));
    assert_eq!(session.run(scene.db.count()).await, 1);
    scene.world.resume().await;
}
