//! What a transaction calls when it has ended.

use routing_core::Mode;
use routing_tests::adapter::{Adapter, Begin, End, Log, Outcome, Scene, Shop, Step};
use routing_tests::world::Backend;

conformance! {
    a_commit_calls_back_in_order_after_the_acknowledgement,
    a_rollback_or_a_drop_calls_back,
    savepoints_take_their_own_with_them,
    a_commit_that_the_server_turns_into_a_rollback_is_one,
    a_commit_that_fails_is_a_rollback,
}

fn insert(name: &str) -> Step {
    Step::Insert(name.to_owned())
}

async fn a_commit_calls_back_in_order_after_the_acknowledgement<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let steps = vec![
        Step::Log(log.clone(), "one"),
        Step::Log(log.clone(), "two"),
        insert("x"),
    ];
    scene.db.transaction(Begin::Plain, steps, End::Commit).await;
    assert_eq!(log.take(), ["one+default", "two+default"]);
    // A later transaction on the same connection has its own.
    let other = scene.db.on_set("other").expect("the set is there");
    let one = vec![Step::Log(log.clone(), "one")];
    let two = vec![Step::Log(log.clone(), "two")];
    let steps = vec![
        Step::Transaction(Begin::Plain, one, End::Commit),
        Step::Transaction(Begin::Plain, two, End::Rollback),
    ];
    other.run(steps).await;
    assert_eq!(log.take(), ["one+other", "two-"]);
}

async fn a_rollback_or_a_drop_calls_back<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let log = Log::default();
    for end in [End::Rollback, End::Drop] {
        let steps = vec![Step::Log(log.clone(), "x"), insert("x")];
        scene.db.transaction(Begin::Plain, steps, end).await;
        assert_eq!(log.take(), ["x-"]);
    }
}

async fn savepoints_take_their_own_with_them<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let gone = vec![Step::Log(log.clone(), "gone"), insert("gone")];
    let kept = vec![Step::Log(log.clone(), "kept"), insert("kept")];
    let steps = vec![
        Step::Log(log.clone(), "outer"),
        Step::Transaction(Begin::Plain, gone, End::Rollback),
        Step::Transaction(Begin::Plain, kept, End::Commit),
    ];
    scene.db.transaction(Begin::Plain, steps, End::Commit).await;
    assert_eq!(log.take(), ["gone-", "outer+default", "kept+default"]);
}

async fn a_commit_that_the_server_turns_into_a_rollback_is_one<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let steps = vec![
        Step::Log(log.clone(), "x"),
        insert("twice"),
        insert("twice"),
    ];
    let outcomes = scene.db.transaction(Begin::Plain, steps, End::Commit).await;
    // PostgreSQL answers this with a rollback and no error; the others commit the first insert.
    assert!(matches!(
        outcomes[..],
        [_, _, Outcome::Failed(_)] | [_, Outcome::Failed(_)]
    ));
    let (expected, left) = match backend {
        Backend::Postgres => ("x-", 0),
        Backend::MySql | Backend::Sqlite => ("x+default", 1),
    };
    assert_eq!(log.take(), [expected]);
    assert_eq!(scene.db.count().await, left);

    // A savepoint that takes the failure with it saves the rest.
    let failing = vec![Step::Execute("no such statement".into())];
    let steps = vec![
        Step::Log(log.clone(), "y"),
        Step::Transaction(Begin::Plain, failing, End::Rollback),
        insert("saved"),
    ];
    scene.db.transaction(Begin::Plain, steps, End::Commit).await;
    assert_eq!(log.take(), ["y+default"]);
}

/// PostgreSQL checks a deferred constraint when it commits.
async fn a_commit_that_fails_is_a_rollback<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres {
        return;
    }
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let defer = "ALTER TABLE fruit ALTER CONSTRAINT fruit_cake DEFERRABLE INITIALLY DEFERRED";
    scene.db.execute(defer).await.expect("it is deferred");
    let log = Log::default();
    let orphan = "INSERT INTO fruit (name, cake_id) VALUES ('plum', 99)";
    let steps = vec![
        Step::Log(log.clone(), "x"),
        Step::Execute(orphan.into()),
        Step::Execute("SELECT 1".into()),
    ];
    let transaction = Step::Transaction(Begin::Plain, steps, End::Commit);
    // The connection can be used again.
    let outcomes = scene.db.run(vec![transaction, Step::Count]).await;
    assert!(
        matches!(outcomes[..], [.., Outcome::Failed(_), Outcome::Count(0)]),
        "{outcomes:?}"
    );
    assert_eq!(log.take(), ["x-"]);
}
