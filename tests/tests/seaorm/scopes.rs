//! Overrides, and that they end.

use futures_util::{FutureExt, TryStreamExt};
use routing_core::{Mode, Reason, RoutingError, Session};
use routing_seaorm::{RoutingErrExt, Scope};
use routing_tests::entity::{cake, server};
use routing_tests::stage::{Backend, Stage, server_of};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, TransactionTrait};

conformance! {
    a_primary_scope_reads_and_writes_there_without_a_pin,
    a_replica_scope_reads_there_despite_a_pin,
    a_node_scope_has_no_substitute,
    a_frozen_scope_adds_no_pins,
    scopes_nest_and_the_innermost_that_applies_wins,
    scopes_end_with_what_runs_in_them,
    ambiguous_statements_can_be_declared_reads,
    a_scope_can_be_of_one_set,
    streams_carry_their_context,
}

async fn a_primary_scope_reads_and_writes_there_without_a_pin(backend: Backend) {
    for mode in [Mode::Greedy, Mode::Strict] {
        let stage = Stage::new(backend, mode).await;
        let (db, session) = stage.session();
        let primary = db.scoped(Scope::primary());
        assert_eq!(server_of(&primary).await, "primary");
        cake::named("log line")
            .insert(&primary)
            .await
            .expect("an insert");
        assert!(!session.is_pinned("default"));
        assert!(server_of(&db).await.starts_with("replica-"));
        assert_eq!(Scope::primary().run(server_of(&db)).await, "primary");
    }
}

async fn a_replica_scope_reads_there_despite_a_pin(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    cake::named("pins").insert(&db).await.expect("an insert");
    stage.recorder.take();
    let report = db.scoped(Scope::replica());
    assert!(server_of(&report).await.starts_with("replica-"));
    assert_eq!(stage.recorder.only().reason, Reason::Forced);
    // A write inside follows the mode, and later reads inside stay.
    cake::named("inside")
        .insert(&report)
        .await
        .expect("an insert");
    assert!(server_of(&report).await.starts_with("replica-"));
    assert_eq!(server_of(&db).await, "primary");
    assert!(session.is_pinned("default"));

    let stage = Stage::new(backend, Mode::Strict).await;
    let (db, _session) = stage.session();
    let error = cake::named("inside")
        .insert(&db.scoped(Scope::replica()))
        .await
        .expect_err("a refusal");
    assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));
}

async fn a_node_scope_has_no_substitute(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    for name in ["replica-2", "replica-1", "primary"] {
        assert_eq!(server_of(&db.scoped(Scope::node(name))).await, name);
    }
    let error = cake::named("x")
        .insert(&db.scoped(Scope::node("replica-1")))
        .await
        .expect_err("a refusal");
    match error.routing() {
        Some(RoutingError::WriteOnReplica { node, .. }) => assert_eq!(node.as_str(), "replica-1"),
        other => panic!("{other:?}"),
    }
    cake::named("x")
        .insert(&db.scoped(Scope::node("primary")))
        .await
        .expect("an insert");
    assert!(!session.is_pinned("default"), "as a scope on the primary");
    let error = server::Entity::find()
        .one(&db.scoped(Scope::node("replica-9")))
        .await
        .expect_err("there is none");
    assert!(error.to_string().contains("`replica-2`"), "{error}");
}

async fn a_frozen_scope_adds_no_pins(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    let frozen = db.scoped(Scope::frozen());
    let error = cake::named("x")
        .insert(&frozen)
        .await
        .expect_err("a refusal");
    assert!(
        matches!(error.routing(), Some(RoutingError::Frozen { .. })),
        "{error}"
    );
    assert!(!session.is_pinned("default"));
    assert!(server_of(&frozen).await.starts_with("replica-"));
    let pin = Scope::frozen().call(|| session.pin("default"));
    assert!(matches!(pin, Err(RoutingError::Frozen { kind: None, .. })));

    // What is pinned already may go on.
    session.pin("default").expect("a pin");
    cake::named("x").insert(&frozen).await.expect("an insert");
    Scope::frozen()
        .call(|| session.pin("default"))
        .expect("nothing new");
}

async fn scopes_nest_and_the_innermost_that_applies_wins(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    Scope::primary()
        .run(async {
            assert_eq!(server_of(&db).await, "primary");
            Scope::replica()
                .run(async {
                    assert!(server_of(&db).await.starts_with("replica-"));
                    // `replica` does not apply to a write, so `primary` does.
                    cake::named("nested").insert(&db).await.expect("an insert");
                    assert!(!session.is_pinned("default"));
                    let named = Scope::node("replica-2").run(server_of(&db));
                    assert_eq!(named.await, "replica-2");
                })
                .await;
            assert_eq!(server_of(&db).await, "primary");
        })
        .await;
    // A handle's scopes are inside those of its caller.
    let handle = db.scoped(Scope::node("replica-1"));
    assert_eq!(Scope::primary().run(server_of(&handle)).await, "replica-1");
}

async fn scopes_end_with_what_runs_in_them(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, _session) = stage.session();

    let failed: Result<(), sea_orm::DbErr> = Scope::primary()
        .run(async {
            db.execute_unprepared("SELECT no_such_column FROM server")
                .await?;
            Ok(())
        })
        .await;
    failed.expect_err("there is no such column");
    assert!(server_of(&db).await.starts_with("replica-"));

    let panicked = tokio::spawn({
        let db = db.clone();
        async move {
            let inner = tokio::spawn(Scope::primary().run(async { panic!("in the scope") }));
            inner.await.expect_err("a panic");
            server_of(&db).await
        }
    });
    assert!(panicked.await.expect("no panic").starts_with("replica-"));

    // Dropped before its end.
    let mut cancelled = Box::pin(Scope::primary().run(async {
        let _ = server_of(&db).await;
        std::future::pending::<()>().await;
    }));
    assert!(cancelled.as_mut().now_or_never().is_none());
    drop(cancelled);
    assert!(server_of(&db).await.starts_with("replica-"));

    // Side by side, each has its own.
    let (one, other) = tokio::join!(
        Scope::primary().run(server_of(&db)),
        Scope::node("replica-2").run(server_of(&db)),
    );
    assert_eq!((one.as_str(), other.as_str()), ("primary", "replica-2"));
}

async fn ambiguous_statements_can_be_declared_reads(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    let declared = db.scoped(Scope::ambiguous_to_replica());
    let ambiguous = match backend {
        Backend::Postgres => "SELECT pg_sleep(0)",
        Backend::MariaDb => "SELECT sleep(0)",
        Backend::Sqlite => "SELECT changes()",
    };
    declared
        .execute_unprepared(ambiguous)
        .await
        .expect("an answer");
    assert!(!session.is_pinned("default"));
    assert!(stage.recorder.only().node.as_str().starts_with("replica-"));

    // A transaction is read-only there, and says so.
    let transaction = declared.begin().await.expect("a transaction");
    assert!(transaction.node().as_str().starts_with("replica-"));
    assert!(server_of(&transaction).await.starts_with("replica-"));
    let error = cake::named("x")
        .insert(&transaction)
        .await
        .expect_err("a refusal");
    assert!(
        matches!(
            error.routing(),
            Some(RoutingError::WriteInReadOnlyTransaction { .. })
        ),
        "{error}"
    );
    transaction.commit().await.expect("a commit");
    assert!(!session.is_pinned("default"));

    // Weak: not inside a primary scope, and not once the session is pinned.
    stage.recorder.take();
    Scope::primary()
        .run(declared.execute_unprepared(ambiguous))
        .await
        .expect("an answer");
    assert_eq!(stage.recorder.only().node.as_str(), "primary");
    cake::named("a known write")
        .insert(&declared)
        .await
        .expect("an insert");
    assert!(session.is_pinned("default"));
    stage.recorder.take();
    declared
        .execute_unprepared(ambiguous)
        .await
        .expect("an answer");
    assert_eq!(stage.recorder.only().node.as_str(), "primary");
}

async fn a_scope_can_be_of_one_set(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, _session) = stage.session();
    let scope = || Scope::primary().on(["other"]);
    assert!(scope().run(server_of(&db)).await.starts_with("replica-"));
    let both = Scope::primary().on(["other", "default"]);
    assert_eq!(both.run(server_of(&db)).await, "primary");
}

async fn streams_carry_their_context(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let session = Session::new();
    // Each poll runs in the session, also when the stream is polled outside of it.
    let lookups = futures_util::stream::unfold((stage.db.clone(), 0), |(db, n)| async move {
        (n < 3).then_some(())?;
        let server = server_of(&db).await;
        Some((Ok::<_, ()>(server), (db, n + 1)))
    });
    let servers: Vec<String> = session.run(lookups).try_collect().await.expect("servers");
    assert_eq!(servers.len(), 3);
    for server in servers {
        assert!(server.starts_with("replica-"), "{server}");
    }
}
