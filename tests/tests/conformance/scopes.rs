//! Overrides, and that they end.

use futures_util::FutureExt;
use routing_core::{Mode, Reason, RoutingError, Scope, StatementKind};
use routing_tests::adapter::{Adapter, Begin, End, Outcome, Scene, Shop, Step};
use routing_tests::world::Backend;

conformance! {
    a_primary_scope_reads_and_writes_there_without_a_pin,
    a_replica_scope_reads_there_despite_a_pin,
    a_node_scope_has_no_substitute,
    a_frozen_scope_adds_no_pins,
    a_read_only_scope_refuses_what_is_not_a_read,
    scopes_nest_and_the_innermost_that_applies_wins,
    scopes_end_with_what_runs_in_them,
    ambiguous_statements_can_be_declared_reads,
    a_scope_can_be_of_one_set,
    a_transaction_that_counts_as_a_read_is_read_only_on_its_server,
}

async fn a_primary_scope_reads_and_writes_there_without_a_pin<A: Adapter>(backend: Backend) {
    for mode in [Mode::Greedy, Mode::Strict] {
        let scene = Scene::<A>::new(backend, mode).await;
        let (db, session) = scene.session();
        let primary = db.scoped(Scope::primary());
        assert_eq!(primary.server().await, "primary");
        primary.insert("log line").await.expect("an insert");
        assert!(!session.is_pinned("default"));
        assert!(db.server().await.starts_with("replica-"));
        assert_eq!(Scope::primary().run(db.server()).await, "primary");
    }
}

async fn a_replica_scope_reads_there_despite_a_pin<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    db.insert("pins").await.expect("an insert");
    scene.recorder.take();
    let report = db.scoped(Scope::replica());
    assert!(report.server().await.starts_with("replica-"));
    assert_eq!(scene.recorder.only().reason, Reason::Forced);
    // A write inside follows the mode, and later reads inside stay.
    report.insert("inside").await.expect("an insert");
    assert!(report.server().await.starts_with("replica-"));
    assert_eq!(db.server().await, "primary");
    assert!(session.is_pinned("default"));

    // Who holds one world and waits for another may wait for who waits for the first.
    drop(scene);
    let scene = Scene::<A>::new(backend, Mode::Strict).await;
    let (db, _session) = scene.session();
    let refused = db.scoped(Scope::replica()).insert("inside").await;
    let error = refused.expect_err("a refusal").routing;
    assert!(error.is_some_and(|error| error.is_unpinned_write()));
}

async fn a_node_scope_has_no_substitute<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    for name in ["replica-2", "replica-1", "primary"] {
        assert_eq!(db.scoped(Scope::node(name)).server().await, name);
    }
    // One connection goes from node to node.
    let steps = ["replica-2", "replica-1", "primary", "replica-2"];
    let steps = steps.map(|name| Step::Scoped(Scope::node(name), vec![Step::Server]));
    let servers = format!("{:?}", db.run(steps.into()).await);
    assert_eq!(
        servers,
        "[Server(\"replica-2\"), Server(\"replica-1\"), Server(\"primary\"), Server(\"replica-2\")]"
    );
    let refused = db.scoped(Scope::node("replica-1")).insert("x").await;
    match refused.expect_err("a refusal").routing {
        Some(RoutingError::WriteOnReplica { node, .. }) => assert_eq!(node.as_str(), "replica-1"),
        other => panic!("{other:?}"),
    }
    let primary = db.scoped(Scope::node("primary"));
    primary.insert("x").await.expect("an insert");
    assert!(!session.is_pinned("default"), "as a scope on the primary");
    let nobody = db.scoped(Scope::node("replica-9"));
    let error = nobody
        .attempt(Step::Server)
        .await
        .expect_err("there is none");
    assert!(error.text.contains("`replica-2`"), "{}", error.text);
}

async fn a_frozen_scope_adds_no_pins<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    let frozen = db.scoped(Scope::frozen());
    let error = frozen.insert("x").await.expect_err("a refusal");
    assert!(
        matches!(error.routing, Some(RoutingError::Frozen { .. })),
        "{error:?}"
    );
    assert!(!session.is_pinned("default"));
    assert!(frozen.server().await.starts_with("replica-"));
    let error = frozen.pin().expect_err("a refusal");
    assert!(matches!(
        error.routing,
        Some(RoutingError::Frozen { kind: None, .. })
    ));

    // What is pinned already may go on.
    session.pin("default").expect("a pin");
    frozen.insert("x").await.expect("an insert");
    frozen.pin().expect("nothing new");
}

async fn a_read_only_scope_refuses_what_is_not_a_read<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    session.pin("default").expect("a pin");
    let reader = db.scoped(Scope::read_only());
    assert_eq!(reader.server().await, "primary", "it is pinned");
    let writes = [
        Step::Insert("x".into()),
        Step::Execute("SELECT no_such_function_here()".into()),
        Step::Transaction(Begin::Plain, vec![Step::Insert("x".into())], End::Drop),
        Step::Scoped(Scope::primary(), vec![Step::Insert("x".into())]),
    ];
    for write in writes {
        let error = reader.attempt(write).await.expect_err("a refusal");
        let refused = matches!(
            error.routing,
            Some(RoutingError::WriteInReadOnlyScope { .. })
        );
        assert!(refused, "{error:?}");
    }
    let steps = vec![Step::Server, Step::Count];
    let outcomes = reader
        .transaction(Begin::ReadOnly, steps, End::Commit)
        .await;
    assert!(
        matches!(outcomes[..], [Outcome::Server(_), Outcome::Count(0)]),
        "{outcomes:?}"
    );
}

async fn scopes_nest_and_the_innermost_that_applies_wins<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    let inner = vec![
        Step::Server,
        // `replica` does not apply to a write, so `primary` does.
        Step::Insert("nested".into()),
        Step::Scoped(Scope::node("replica-2"), vec![Step::Server]),
    ];
    let steps = vec![
        Step::Server,
        Step::Scoped(Scope::replica(), inner),
        Step::Server,
    ];
    let outcomes = db.run(vec![Step::Scoped(Scope::primary(), steps)]).await;
    let [
        Outcome::Server(first),
        Outcome::Server(replica),
        Outcome::Done,
        Outcome::Server(named),
        Outcome::Server(last),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!([first, named, last], ["primary", "replica-2", "primary"]);
    assert!(replica.starts_with("replica-"));
    assert!(!session.is_pinned("default"));
    // A handle's scopes are inside those of its caller.
    let handle = db.scoped(Scope::node("replica-1"));
    assert_eq!(Scope::primary().run(handle.server()).await, "replica-1");
}

async fn scopes_end_with_what_runs_in_them<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, _session) = scene.session();

    let failing = db.execute("SELECT no_such_column FROM server");
    let failed = Scope::primary().run(failing).await;
    assert!(
        failed
            .expect_err("there is no such column")
            .routing
            .is_none()
    );
    assert!(db.server().await.starts_with("replica-"));

    let panicked = tokio::spawn({
        let db = db.clone();
        async move {
            let inner = tokio::spawn(Scope::primary().run(async { panic!("in the scope") }));
            inner.await.expect_err("a panic");
            db.server().await
        }
    });
    assert!(panicked.await.expect("no panic").starts_with("replica-"));

    // Dropped before its end.
    let mut cancelled = Box::pin(Scope::primary().run(async {
        let _ = db.server().await;
        std::future::pending::<()>().await;
    }));
    assert!(cancelled.as_mut().now_or_never().is_none());
    drop(cancelled);
    assert!(db.server().await.starts_with("replica-"));

    // Side by side, each has its own.
    let (one, other) = tokio::join!(
        Scope::primary().run(db.server()),
        Scope::node("replica-2").run(db.server()),
    );
    assert_eq!((one.as_str(), other.as_str()), ("primary", "replica-2"));
}

async fn ambiguous_statements_can_be_declared_reads<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    let declared = db.scoped(Scope::ambiguous_to_replica());
    let ambiguous = match backend {
        Backend::Postgres => "SELECT pg_stat_clear_snapshot()",
        Backend::MySql => "SELECT load_file('/none')",
        Backend::Sqlite => "SELECT * FROM pragma_journal_mode",
    };
    declared.execute(ambiguous).await.expect("an answer");
    assert!(!session.is_pinned("default"));
    assert!(scene.recorder.only().node.as_str().starts_with("replica-"));

    // A transaction is read-only there, and says so: a write that gets past the rule is refused by
    // the server.
    let steps = vec![Step::Server, Step::Insert("x".into()), Step::Server];
    let outcomes = declared.transaction(Begin::Plain, steps, End::Commit).await;
    let [
        Outcome::Server(one),
        Outcome::Failed(refused),
        Outcome::Server(two),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert!(one.starts_with("replica-"));
    assert_eq!(one, two);
    let refused = &refused.routing;
    assert!(matches!(
        refused,
        Some(RoutingError::WriteInReadOnlyTransaction { .. })
    ));
    assert!(!session.is_pinned("default"));

    // Weak: not inside a primary scope, and not once the session is pinned.
    scene.recorder.take();
    Scope::primary()
        .run(declared.execute(ambiguous))
        .await
        .expect("an answer");
    assert_eq!(scene.recorder.only().node.as_str(), "primary");
    declared.insert("a known write").await.expect("an insert");
    assert!(session.is_pinned("default"));
    scene.recorder.take();
    declared.execute(ambiguous).await.expect("an answer");
    assert_eq!(scene.recorder.only().node.as_str(), "primary");
}

async fn a_scope_can_be_of_one_set<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, _session) = scene.session();
    let other = Scope::primary().on(["other"]);
    assert!(other.run(db.server()).await.starts_with("replica-"));
    let both = Scope::primary().on(["other", "default"]);
    assert_eq!(both.run(db.server()).await, "primary");
}

/// What a text hides from the rule, the server refuses, be it the primary.
async fn a_transaction_that_counts_as_a_read_is_read_only_on_its_server<A: Adapter>(
    backend: Backend,
) {
    let hide = match backend {
        Backend::Postgres => {
            "CREATE FUNCTION bake() RETURNS int LANGUAGE sql AS \
             $$ INSERT INTO cake (name) VALUES ('hidden') RETURNING id $$"
        }
        Backend::MySql => {
            "CREATE FUNCTION bake() RETURNS int MODIFIES SQL DATA \
             BEGIN INSERT INTO cake (name) VALUES ('hidden'); RETURN 1; END"
        }
        // SQLite has no function that writes.
        Backend::Sqlite => return,
    };
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    scene.db.execute(hide).await.expect("a function");
    let view = "CREATE VIEW baked AS SELECT bake() AS id";
    scene.db.execute(view).await.expect("a view");
    let write = || Step::Execute("SELECT * FROM baked".into());
    // Without a session, so that it is the primary's.
    let declared = scene.db.scoped(Scope::ambiguous_to_replica());
    for (db, begin) in [(&declared, Begin::Plain), (&scene.db, Begin::ReadOnly)] {
        let outcomes = db
            .transaction(begin, vec![Step::Server, write()], End::Rollback)
            .await;
        let [Outcome::Server(server), Outcome::Failed(failed)] = &outcomes[..] else {
            panic!("{outcomes:?}");
        };
        assert_eq!(server, "primary");
        // The first time the server refuses it; then it is known for what it is.
        assert!(
            matches!(
                failed.routing,
                Some(RoutingError::WriteInReadOnlyTransaction {
                    kind: StatementKind::DisguisedWrite,
                    ..
                })
            ),
            "{failed:?}"
        );
    }
    assert_eq!(scene.db.count().await, 0);
    let outcomes = scene
        .db
        .transaction(Begin::Plain, vec![write()], End::Commit)
        .await;
    assert!(matches!(outcomes[..], [Outcome::Done]), "{outcomes:?}");
    assert_eq!(scene.db.count().await, 1);
}
