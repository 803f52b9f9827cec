//! State that a session has left in a connection: no statement runs without it.

use routing_core::{AnonymousReads, Mode, PinRelease, Reason, RoutingError, Scope};
use routing_tests::adapter::{Adapter, Begin, End, Outcome, Scene, Shop, Step};
use routing_tests::world::Backend;

conformance! {
    what_is_left_in_a_connection_is_not_left_behind,
    state_outlasts_the_pin_of_its_session,
    state_outside_of_a_session_stays_with_its_connection,
    a_transactions_own_state_ends_with_it,
    a_transaction_that_reads_may_have_state_of_its_own,
    nothing_runs_without_state_that_is_gone,
}

/// Statements that leave something in the connection.
const fn leaving(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Postgres => &[
            "SET search_path TO public",
            "SELECT set_config('shop.tenant', 'b', false)",
            "CREATE TEMP TABLE hidden (a int)",
            "LISTEN cakes",
            "SELECT pg_advisory_lock(4711)",
            "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
            "DO $$ BEGIN PERFORM set_config('shop.tenant', 'c', false); END $$",
        ],
        Backend::MySql => &[
            "SET SESSION sql_mode = ''",
            "SET @tenant = 'b'",
            "CREATE TEMPORARY TABLE hidden (a int)",
            "SELECT GET_LOCK('routing', 0)",
        ],
        Backend::Sqlite => &["CREATE TEMP TABLE hidden (a)", "PRAGMA cache_size = 100"],
    }
}

/// Whether the adapter's callers keep their connections, so that state can be relied on.
fn keeps_connections<A: Adapter>() -> bool {
    A::NAME.starts_with("Diesel") || A::NAME.starts_with("diesel")
}

fn servers(outcomes: &[Outcome]) -> Vec<&str> {
    let names = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Server(name) => Some(name.as_str()),
        Outcome::Failed(failed) => panic!("{failed:?}"),
        _ => None,
    });
    names.collect()
}

async fn what_is_left_in_a_connection_is_not_left_behind<A: Adapter>(backend: Backend) {
    let released = |config: routing_core::RoutingConfigBuilder| {
        config.mode(Mode::Greedy).pin_release(PinRelease::CaughtUp)
    };
    let scene = Scene::<A>::with(backend, released).await;
    for statement in leaving(backend) {
        let (db, _session) = scene.session();
        let outcomes = db
            .run(vec![
                Step::Server,
                Step::Execute((*statement).to_owned()),
                Step::Server,
                Step::Scoped(Scope::replica(), vec![Step::Server]),
                Step::Transaction(Begin::ReadOnly, vec![Step::Server], End::Commit),
            ])
            .await;
        let [before, after @ ..] = &servers(&outcomes)[..] else {
            panic!("{outcomes:?}");
        };
        assert!(before.starts_with("replica-"), "{statement}: {before}");
        assert_eq!(after, ["primary"; 3], "{statement}");
        let decisions = scene.recorder.take();
        let reasons = decisions.iter().map(|decision| decision.reason);
        let by_state = reasons.filter(|reason| *reason == Reason::SessionState);
        assert_eq!(by_state.count(), 3, "{statement}: {decisions:?}");
    }
    // What leaves nothing there does not keep the session.
    let (db, _session) = scene.session();
    let steps = vec![Step::Insert("a cake".into()), Step::Server];
    let outcomes = db.run(steps).await;
    let is_released = servers(&outcomes)[0].starts_with("replica-");
    assert_eq!(
        is_released,
        backend != Backend::Sqlite,
        "it has no positions"
    );
}

/// Nothing was written, so that the pin is released at once.
async fn state_outlasts_the_pin_of_its_session<A: Adapter>(backend: Backend) {
    let released =
        |config: routing_core::RoutingConfigBuilder| config.pin_release(PinRelease::CaughtUp);
    let scene = Scene::<A>::with(backend, released).await;
    for statement in leaving(backend) {
        let (db, _session) = scene.session();
        db.pin().expect("a pin");
        let steps = vec![Step::Execute((*statement).to_owned()), Step::Server];
        let outcomes = db.run(steps).await;
        assert_eq!(servers(&outcomes), ["primary"], "{statement}");
    }
}

async fn state_outside_of_a_session_stays_with_its_connection<A: Adapter>(backend: Backend) {
    let anonymous = |config: routing_core::RoutingConfigBuilder| {
        config
            .mode(Mode::Greedy)
            .anonymous_reads(AnonymousReads::Replica)
    };
    let scene = Scene::<A>::with(backend, anonymous).await;
    let steps = |statement: &str| vec![Step::Execute(statement.to_owned()), Step::Server];
    for statement in leaving(backend) {
        let outcomes = scene.db.run(steps(statement)).await;
        let is_kept = servers(&outcomes) == ["primary"];
        assert_eq!(is_kept, keeps_connections::<A>(), "{statement}");
        // Another connection has nothing of it.
        assert!(
            scene.db.server().await.starts_with("replica-"),
            "{statement}"
        );
    }
}

async fn a_transactions_own_state_ends_with_it<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres {
        return;
    }
    let released = |config: routing_core::RoutingConfigBuilder| {
        config.mode(Mode::Greedy).pin_release(PinRelease::CaughtUp)
    };
    let scene = Scene::<A>::with(backend, released).await;
    let (db, _session) = scene.session();
    for (number, statement) in [
        "SET LOCAL search_path TO public",
        "SELECT set_config('shop.tenant', 'b', true)",
        "DECLARE c CURSOR FOR SELECT 1",
        "SET CONSTRAINTS ALL DEFERRED",
    ]
    .into_iter()
    .enumerate()
    {
        let inside = vec![
            Step::Execute(statement.to_owned()),
            Step::Insert(format!("cake {number}")),
        ];
        let steps = vec![
            Step::Transaction(Begin::Plain, inside, End::Commit),
            Step::Server,
        ];
        let outcomes = db.run(steps).await;
        assert!(servers(&outcomes)[0].starts_with("replica-"), "{statement}");
    }
}

/// Row-level security for each request, on replicas.
async fn a_transaction_that_reads_may_have_state_of_its_own<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres {
        return;
    }
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    let own = [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET LOCAL search_path TO public",
        "SELECT set_config('shop.tenant', 'b', true)",
        "SAVEPOINT one",
        "RELEASE SAVEPOINT one",
        "DECLARE c CURSOR FOR SELECT 1",
        "MOVE 1 IN c",
        "CLOSE c",
        "PREPARE p AS SELECT 1",
        "LOCK TABLE cake IN ACCESS SHARE MODE",
    ];
    let mut steps: Vec<_> = own.map(|sql| Step::Execute(sql.into())).into();
    let tenant = "SELECT CAST(count(*) AS bigint) FROM (SELECT current_setting('shop.tenant') AS is) t \
                  WHERE t.is = 'b'";
    steps.push(Step::Number(tenant.into()));
    steps.push(Step::Server);
    let outcomes = db.transaction(Begin::ReadOnly, steps, End::Commit).await;
    assert!(
        servers(&outcomes)[0].starts_with("replica-"),
        "{outcomes:?}"
    );
    let numbers: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Count(number) => Some(*number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1], "the setting is there");
    assert!(!session.is_pinned("default"));

    // What would let it write, or outlives it, stays refused.
    for refused in [
        "SET TRANSACTION READ WRITE",
        "SET LOCAL transaction_read_only = off",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SET search_path TO public",
        "LOCK TABLE cake IN SHARE MODE",
    ] {
        let steps = vec![Step::Execute(refused.into())];
        let outcomes = db.transaction(Begin::ReadOnly, steps, End::Rollback).await;
        let is_refused = outcomes.iter().any(|outcome| match outcome {
            Outcome::Failed(failed) => matches!(
                failed.routing,
                Some(RoutingError::WriteInReadOnlyTransaction { .. })
            ),
            _ => false,
        });
        assert!(is_refused, "{refused}: {outcomes:?}");
    }
}

async fn nothing_runs_without_state_that_is_gone<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres || !keeps_connections::<A>() {
        return;
    }
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, _session) = scene.session();
    let outcomes = db
        .run(vec![
            Step::Execute("SET search_path TO public".into()),
            Step::Scoped(Scope::node("replica-1"), vec![Step::Server]),
            Step::Execute("SELECT pg_terminate_backend(pg_backend_pid())".into()),
            Step::Server,
            Step::Insert("without it".into()),
            Step::Transaction(Begin::ReadOnly, vec![Step::Server], End::Commit),
        ])
        .await;
    let refusals: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Failed(failed) => Some(failed.routing.as_ref()),
            _ => None,
        })
        .collect();
    let [
        Some(RoutingError::StateElsewhere { node, .. }),
        None,
        rest @ ..,
    ] = &refusals[..]
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!(*node, "replica-1");
    assert!(!rest.is_empty(), "{outcomes:?}");
    for refusal in rest {
        let is_lost = matches!(refusal, Some(RoutingError::StateLost { .. }));
        assert!(is_lost, "{outcomes:?}");
    }
    assert_eq!(db.count().await, 0, "another connection serves");
}
