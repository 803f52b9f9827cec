//! Whose pin it is, and what it does.

use routing_core::{
    AnonymousReads, LatePin, Mode, PinReason, Reason, Role, RoutingError, Session,
    in_current_session,
};
use routing_seaorm::{RoutedConnection, RoutingErrExt, Scope};
use routing_tests::entity::cake;
use routing_tests::stage::{Backend, Stage, server_of};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, PaginatorTrait};

conformance! {
    strict_mode_refuses_before_any_server_sees_the_statement,
    strict_mode_takes_writes_of_a_pinned_session,
    ambient_sessions_are_found_by_handles_without_one,
    pins_never_leak_between_concurrent_sessions,
    one_session_spans_two_sets,
    late_pins_are_denied_when_asked,
    anonymous_reads_can_go_to_replicas,
    unpin_all_makes_a_session_new,
    a_primary_can_take_its_share_of_reads,
}

async fn strict_mode_refuses_before_any_server_sees_the_statement(backend: Backend) {
    let stage = Stage::new(backend, Mode::Strict).await;
    let (in_session, session) = stage.session();
    for db in [&in_session, &stage.db] {
        let error = cake::named("refused")
            .insert(db)
            .await
            .expect_err("a refusal");
        let refusal = error.routing().expect("a routing error");
        assert!(refusal.is_unpinned_write(), "{refusal}");
        let text = error.to_string();
        assert!(text.contains("session.pin(\"default\")"), "{text}");
        assert!(text.contains("INSERT"), "{text}");
    }
    assert!(!session.is_pinned("default"));
    assert!(stage.recorder.take().is_empty(), "nothing went anywhere");
    assert_eq!(stage.recorder.refusals().len(), 2);
    let count = cake::Entity::find().count(stage.db.primary()).await;
    assert_eq!(count.expect("a count"), 0);
    // The refusal leaves the session as it was: it still reads from a replica.
    assert!(server_of(&in_session).await.starts_with("replica-"));
}

async fn strict_mode_takes_writes_of_a_pinned_session(backend: Backend) {
    let stage = Stage::new(backend, Mode::Strict).await;
    let (db, session) = stage.session();
    session.pin("other").expect("a pin");
    let error = cake::named("x")
        .insert(&db)
        .await
        .expect_err("another set's pin");
    assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));

    session.pin("default").expect("a pin");
    let pin = session.pinned("default").expect("a pin");
    assert_eq!(pin.reason, PinReason::Declared);
    assert!(pin.is_new());
    cake::named("taken").insert(&db).await.expect("an insert");
    assert_eq!(server_of(&db).await, "primary");
}

async fn ambient_sessions_are_found_by_handles_without_one(backend: Backend) {
    async fn handler(db: &RoutedConnection) -> (String, String) {
        let before = server_of(db).await;
        cake::named("ambient").insert(db).await.expect("an insert");
        (before, server_of(db).await)
    }

    let stage = Stage::new(backend, Mode::Greedy).await;
    let session = Session::new();
    let (before, after) = session.run(handler(&stage.db)).await;
    assert!(before.starts_with("replica-"));
    assert_eq!(after, "primary");
    assert!(session.is_pinned("default"));
    assert!(Session::current().is_none());

    // A spawned task is outside, unless it is given the session.
    let session = Session::new();
    session
        .run(async {
            let db = stage.db.clone();
            let outside = tokio::spawn(async move { server_of(&db).await });
            assert_eq!(outside.await.expect("no panic"), "primary");
            let db = stage.db.clone();
            let inside = tokio::spawn(in_current_session(async move { server_of(&db).await }));
            assert!(inside.await.expect("no panic").starts_with("replica-"));
        })
        .await;

    // A handle's own session goes first.
    let (own, _session) = stage.session();
    let pinned = Session::new();
    pinned.pin("default").expect("a pin");
    assert!(pinned.run(server_of(&own)).await.starts_with("replica-"));
}

async fn pins_never_leak_between_concurrent_sessions(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let tasks: Vec<_> = (0..48)
        .map(|number| {
            let db = stage.db.clone();
            tokio::spawn(Session::new().run(async move {
                let writes = number % 3 == 0;
                let session = Session::current().expect("a session");
                for round in 0..4 {
                    let before = server_of(&db).await;
                    let expected = if writes && round > 0 {
                        "primary"
                    } else {
                        "replica-"
                    };
                    assert!(before.starts_with(expected), "{number}/{round}: {before}");
                    if writes {
                        let name = format!("{number} {round}");
                        cake::named(name).insert(&db).await.expect("an insert");
                    }
                    tokio::task::yield_now().await;
                }
                assert_eq!(session.is_pinned("default"), writes);
            }))
        })
        .collect();
    for task in tasks {
        task.await.expect("no assertion failed");
    }
}

async fn one_session_spans_two_sets(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    let other = db.on_set("other").expect("the set is there");
    assert_eq!(other.set_name().as_str(), "other");

    cake::named("there")
        .insert(&other)
        .await
        .expect("an insert");
    assert!(session.is_pinned("other"));
    assert!(!session.is_pinned("default"));
    assert!(server_of(&db).await.starts_with("replica-"));
    let here = cake::Entity::find().count(&db).await.expect("a count");
    let there = cake::Entity::find().count(&other).await.expect("a count");
    assert_eq!((here, there), (0, 1));

    cake::named("here").insert(&db).await.expect("an insert");
    let mut pins: Vec<_> = session.pins().into_iter().map(|(set, _)| set).collect();
    pins.sort();
    assert_eq!(pins, ["default", "other"]);

    let error = db.on_set("ohter").expect_err("there is no such set");
    match error.routing().expect("a routing error") {
        RoutingError::UnknownSet { set, known } => {
            assert_eq!(set.as_str(), "ohter");
            assert_eq!(known.len(), 2);
        }
        other => panic!("{other}"),
    }
}

async fn late_pins_are_denied_when_asked(backend: Backend) {
    let stage = Stage::with(backend, |config| config.late_pin(LatePin::Deny)).await;
    let (db, session) = stage.session();
    cake::Entity::find().all(&db).await.expect("a read");
    let error = cake::named("late")
        .insert(&db)
        .await
        .expect_err("a refusal");
    assert!(
        matches!(error.routing(), Some(RoutingError::LatePin { .. })),
        "{error}"
    );
    assert!(matches!(
        session.pin("default"),
        Err(RoutingError::LatePin { .. })
    ));

    // In time: the pin comes first, and the order of later reads and writes does not matter.
    let (db, session) = stage.session();
    session.pin("default").expect("a pin");
    cake::Entity::find().all(&db).await.expect("a read");
    cake::named("in time").insert(&db).await.expect("an insert");

    // A log line does not count.
    let (db, _session) = stage.session();
    cake::Entity::find().all(&db).await.expect("a read");
    cake::named("log")
        .insert(&db.scoped(Scope::primary()))
        .await
        .expect("an insert");

    let stage = Stage::with(backend, |config| config.late_pin(LatePin::Warn)).await;
    let (db, _session) = stage.session();
    cake::Entity::find().all(&db).await.expect("a read");
    cake::named("late").insert(&db).await.expect("an insert");
    assert_eq!(stage.recorder.late_pins(), 1);
}

async fn anonymous_reads_can_go_to_replicas(backend: Backend) {
    let stage = Stage::with(backend, |config| {
        config.anonymous_reads(AnonymousReads::Replica)
    })
    .await;
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(server_of(&stage.db).await);
    }
    servers.sort();
    assert_eq!(
        servers,
        ["replica-1", "replica-1", "replica-2", "replica-2"]
    );
}

async fn unpin_all_makes_a_session_new(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    cake::named("one").insert(&db).await.expect("an insert");
    session.unpin_all();
    assert!(session.pins().is_empty());
    assert!(server_of(&db).await.starts_with("replica-"));
    assert_eq!(
        stage.recorder.take().last().map(|d| d.reason),
        Some(Reason::Balanced)
    );
}

async fn a_primary_can_take_its_share_of_reads(backend: Backend) {
    let stage = Stage::with(backend, |config| config.primary_read_weight(2)).await;
    for _ in 0..8 {
        let (db, session) = stage.session();
        let first = server_of(&db).await;
        assert_eq!(
            server_of(&db).await,
            first,
            "affinity holds for the primary too"
        );
        assert!(!session.is_pinned("default"));
    }
    let decisions = stage.recorder.take();
    let primary = decisions.iter().filter(|d| d.role == Role::Primary).count();
    assert_eq!(primary, decisions.len() / 2);
}

/// Typed errors survive the way through SeaORM's, the transaction's and the application's.
#[test]
fn typed_errors_come_back() {
    routing_tests::runtime::run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Strict).await;
        let (db, _session) = stage.session();

        let error = db
            .transaction_async(async |_| Ok::<_, DbErr>(()))
            .await
            .expect_err("a refusal");
        assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));

        #[derive(Debug)]
        struct Wrapped(DbErr);
        impl std::fmt::Display for Wrapped {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the order was not placed")
            }
        }
        impl std::error::Error for Wrapped {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = cake::named("x").insert(&db).await.expect_err("a refusal");
        let error: Box<dyn std::error::Error + Send + Sync> = Box::new(Wrapped(error));
        assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));
    });
}
