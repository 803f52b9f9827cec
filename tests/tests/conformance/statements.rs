//! What becomes of statements whose text does not say all.

use routing_core::sql::TableName;
use routing_core::{
    Delegate, Mode, PinReason, PoolMode, Reason, Role, RoutingConfig, RoutingConfigBuilder,
    RoutingError, Scope, Session, SetName, StatementKind,
};
use routing_tests::adapter::{
    Adapter, Begin, Diesel, End, Outcome, Ports, Scene, Shop, Step, until_seen,
};
use routing_tests::mysql::Flavor;
use routing_tests::pgbouncer::PgBouncer;
use routing_tests::wait::{LIMIT, until};
use routing_tests::world::{Backend, World, patient, patient_probes};
use std::sync::Arc;

conformance! {
    a_disguised_write_runs_once_on_the_primary_and_is_known_from_then_on,
    a_disguised_write_is_a_write_in_strict_mode_and_in_every_scope,
    a_disguised_write_in_a_read_only_transaction_is_refused,
    functions_are_what_the_user_says,
    functions_are_what_the_catalog_says,
    a_stored_function_is_not_taken_for_another_servers_own,
    the_catalog_is_asked_for_in_the_background,
    a_replica_that_is_none_refuses_writes,
    a_pooler_in_transaction_mode_can_stand_between,
    a_pooler_that_knows_prepared_statements_can_stand_between,
    tables_lead_to_their_set,
}

/// Makes a view that inserts a cake when it is read; SQLite has no such thing.
async fn hide<A: Adapter>(db: &A, backend: Backend) -> bool {
    let function = match backend {
        Backend::Postgres => {
            "CREATE FUNCTION bake() RETURNS int LANGUAGE sql AS \
             $$ INSERT INTO cake (name) VALUES ('hidden ' || random()) RETURNING id $$"
        }
        Backend::MySql => {
            "CREATE FUNCTION bake() RETURNS int MODIFIES SQL DATA \
             BEGIN INSERT INTO cake (name) VALUES (concat('hidden ', rand())); RETURN 1; END"
        }
        Backend::Sqlite => return false,
    };
    let primary = db.scoped(Scope::primary());
    primary.execute(function).await.expect("a function");
    let view = "CREATE VIEW baked AS SELECT bake() AS id";
    primary.execute(view).await.expect("a view");
    true
}

const DISGUISED: &str = "SELECT id FROM baked";

async fn a_disguised_write_runs_once_on_the_primary_and_is_known_from_then_on<A: Adapter>(
    backend: Backend,
) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    if !hide(&scene.db, backend).await {
        return;
    }
    scene.world.catch_up().await;
    scene.recorder.take();

    let (db, session) = scene.session();
    assert_eq!(db.rows(DISGUISED).await.expect("a row"), 1);
    let decisions = scene.recorder.take();
    let [first, second] = &decisions[..] else {
        panic!("{decisions:?}");
    };
    assert_eq!(
        (first.role, first.kind),
        (Role::Replica, StatementKind::Select)
    );
    assert_eq!(
        (second.role, second.kind, second.reason),
        (Role::Primary, StatementKind::DisguisedWrite, Reason::Write)
    );
    let pin = session.pinned("default").expect("a pin");
    assert_eq!(pin.reason, PinReason::Write);
    assert_eq!(db.count().await, 1, "it ran once");
    assert_eq!(scene.recorder.disguised(), [(first.node.clone(), true)]);

    // Another session, another value, another case: the shape is known.
    scene.recorder.take();
    let (other, _session) = scene.session();
    assert_eq!(other.rows("select id from  baked").await.expect("a row"), 1);
    assert_eq!(scene.recorder.only().kind, StatementKind::DisguisedWrite);
    assert!(scene.recorder.disguised().is_empty());
    // The replica is well.
    assert!(scene.recorder.down().is_empty());
    let (reader, _session) = scene.session();
    assert!(reader.server().await.starts_with("replica-"));
    // Text that is not prepared heals as well.
    let (db, _session) = scene.session();
    let before = scene.db.count().await;
    db.execute("SELECT id AS other FROM baked")
        .await
        .expect("it runs");
    assert_eq!(scene.db.count().await, before + 1);
}

async fn a_disguised_write_is_a_write_in_strict_mode_and_in_every_scope<A: Adapter>(
    backend: Backend,
) {
    let scene = Scene::<A>::new(backend, Mode::Strict).await;
    if !hide(&scene.db, backend).await {
        return;
    }
    scene.world.catch_up().await;
    let (db, session) = scene.session();
    let shapes = [
        (DISGUISED, db.clone()),
        ("SELECT id FROM baked AS b", db.scoped(Scope::replica())),
        (
            "SELECT id FROM baked AS c",
            db.scoped(Scope::node("replica-1")),
        ),
        ("SELECT id FROM baked AS d", db.scoped(Scope::read_only())),
    ];
    for (sql, db) in shapes {
        // The second time it is known, and refused before any server sees it.
        for _ in 0..2 {
            let error = db.rows(sql).await.expect_err("a refusal");
            let refusal = error.routing.unwrap_or_else(|| panic!("{}", error.text));
            let kind = match refusal {
                RoutingError::UnpinnedWrite { kind, .. }
                | RoutingError::WriteOnReplica { kind, .. }
                | RoutingError::WriteInReadOnlyScope { kind, .. } => kind,
                other => panic!("{other}"),
            };
            assert_eq!(kind, StatementKind::DisguisedWrite);
        }
    }
    assert!(!session.is_pinned("default"));
    assert_eq!(scene.db.count().await, 0);
}

async fn a_disguised_write_in_a_read_only_transaction_is_refused<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    if !hide(&scene.db, backend).await {
        return;
    }
    scene.world.catch_up().await;
    let (db, session) = scene.session();
    let steps = vec![Step::Server, Step::Rows(DISGUISED.to_owned())];
    let outcomes = db.transaction(Begin::ReadOnly, steps, End::Rollback).await;
    let [Outcome::Server(server), Outcome::Failed(failed)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert!(server.starts_with("replica-"));
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
    assert!(!session.is_pinned("default"));
    assert_eq!(scene.recorder.disguised().len(), 1);
    assert!(scene.recorder.down().is_empty());
    assert_eq!(scene.db.count().await, 0);
}

/// Makes a function that only reads, and does not say so.
async fn price<A: Adapter>(db: &A, backend: Backend, volatility: &str) -> bool {
    let function = match backend {
        Backend::Postgres => {
            format!("CREATE FUNCTION price() RETURNS int {volatility} LANGUAGE sql AS 'SELECT 7'")
        }
        Backend::MySql => "CREATE FUNCTION price() RETURNS int RETURN 7".to_owned(),
        Backend::Sqlite => return false,
    };
    let primary = db.scoped(Scope::primary());
    primary.execute(&function).await.expect("a function");
    true
}

async fn functions_are_what_the_user_says<A: Adapter>(backend: Backend) {
    let settings = |config: RoutingConfigBuilder| {
        config
            .reading_functions(["price"])
            .writing_functions(["lower"])
    };
    let scene = Scene::<A>::with(backend, settings).await;
    if price(&scene.db, backend, "VOLATILE").await {
        scene.world.catch_up().await;
        let (db, session) = scene.session();
        assert_eq!(db.rows("SELECT price()").await.expect("a row"), 1);
        assert!(!session.is_pinned("default"));
        // The catalog says that it is volatile; the user knows better.
        db.load_functions().await.expect("functions");
        assert_eq!(db.rows("SELECT price()").await.expect("a row"), 1);
        assert!(!session.is_pinned("default"));
    }
    let (db, session) = scene.session();
    db.execute("SELECT lower('A')").await.expect("a text");
    assert!(session.is_pinned("default"));
}

async fn functions_are_what_the_catalog_says<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres {
        return;
    }
    // Nobody asks but the test.
    let scene = Scene::<A>::with(backend, |config| config.load_functions(false)).await;
    let (db, session) = scene.session();
    db.load_functions().await.expect("functions");
    price(&db, backend, "STABLE").await;
    let note = "CREATE FUNCTION note() RETURNS int LANGUAGE sql AS \
                $$ INSERT INTO cake (name) VALUES ('noted ' || random()) RETURNING id $$";
    scene.db.execute(note).await.expect("a function");
    let aggregate = "CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql AS 'SELECT note()'; \
                     CREATE AGGREGATE noting (int) (sfunc = step, stype = int, initcond = '0')";
    scene.db.execute(aggregate).await.expect("an aggregate");
    scene.world.catch_up().await;

    // Until it is there, all are writes.
    db.rows("SELECT price()").await.expect("a row");
    assert!(session.is_pinned("default"));
    db.load_functions().await.expect("functions");
    let reads = |sql: &'static str| {
        let (db, session) = scene.session();
        async move {
            db.rows(sql).await.expect("a row");
            !session.is_pinned("default")
        }
    };
    assert!(reads("SELECT price() FROM cake").await);
    assert!(reads("SELECT public.price()").await);
    // The catalog itself calls every aggregate immutable. No replica is asked about either.
    for write in ["SELECT note()", "SELECT noting(1)"] {
        scene.recorder.take();
        assert!(!reads(write).await);
        assert_eq!(scene.recorder.only().kind, StatementKind::FunctionCall);
    }
    // An overload that writes spoils the name.
    let overload = "CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql AS 'SELECT note()'";
    scene.db.execute(overload).await.expect("a function");
    assert!(reads("SELECT length(lower('A'))").await);
    db.load_functions().await.expect("functions");
    assert!(!reads("SELECT length(lower('A'))").await);
    scene.world.catch_up().await;
    assert!(reads("SELECT length(pg_catalog.lower('A'))").await);
}

/// MySQL has one of the two names built in, and MariaDB the other.
async fn a_stored_function_is_not_taken_for_another_servers_own<A: Adapter>(backend: Backend) {
    if backend != Backend::MySql {
        return;
    }
    let name = match Flavor::current() {
        Flavor::MariaDb => "bin_to_uuid",
        Flavor::MySql => "sformat",
    };
    let scene = Scene::<A>::with(backend, |config| config.load_functions(false)).await;
    let note = format!(
        "CREATE FUNCTION {name}(x int) RETURNS int MODIFIES SQL DATA \
         BEGIN INSERT INTO cake (name) VALUES ('noted'); RETURN x; END"
    );
    scene.db.execute(&note).await.expect("a function");
    scene.world.catch_up().await;
    let (db, session) = scene.session();
    db.load_functions().await.expect("functions");
    scene.recorder.take();
    let call = format!("SELECT {}(1)", name.to_uppercase());
    db.rows(&call).await.expect("a row");
    // No replica was asked to run it.
    assert_eq!(scene.recorder.only().kind, StatementKind::FunctionCall);
    assert!(session.is_pinned("default"));
    assert_eq!(db.count().await, 1);
    // The schema `sys` has one of that name. MariaDB 10.11 has it nowhere else.
    let (db, _session) = scene.session();
    scene.recorder.take();
    let _unknown_there = db.rows("SELECT length(format_bytes(1024))").await;
    assert_eq!(scene.recorder.only().kind, StatementKind::Select);
}

async fn the_catalog_is_asked_for_in_the_background<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres {
        return;
    }
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    // Through another handle: this one has asked for nothing as yet.
    let maker = A::open(&scene.world.config(|config| config), Ports::default());
    price(&maker.expect("a handle"), backend, "STABLE").await;
    scene.world.catch_up().await;
    // It asks when it is first used.
    let fresh = A::open(&scene.world.config(|config| config), Ports::default());
    let fresh = fresh.expect("a handle");
    until("the catalog comes", async || {
        let session = Session::new();
        let db = fresh.with_session(&session);
        db.rows("SELECT price()").await.expect("a row");
        !session.is_pinned("default")
    })
    .await;
}

async fn a_replica_that_is_none_refuses_writes<A: Adapter>(backend: Backend) {
    let world = World::new(backend, false).await;
    let db = A::open(&world.misconfigured(), Ports::default()).expect("a handle");
    let session = Session::new();
    let reader = db.with_session(&session);
    // The view is there on both, and the one that is taken for a replica could write.
    let direct = A::open(&world.other_alone(), Ports::default()).expect("a handle");
    if !(hide(&db, backend).await && hide(&direct, backend).await) {
        return;
    }
    assert_eq!(reader.rows(DISGUISED).await.expect("a row"), 1);
    assert!(session.is_pinned("default"));
    assert_eq!(reader.count().await, 1);
    assert_eq!(direct.count().await, 0, "nothing was written there");
}

/// From PgBouncer 1.21 on, with `max_prepared_statements`, each driver may prepare its statements by name.
async fn a_pooler_that_knows_prepared_statements_can_stand_between<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres {
        return;
    }
    let world = World::new(backend, false).await;
    let [primary, replica] = world.primary_and_replica();
    let databases = [("shop", primary, ""), ("replica", replica, "")];
    let pooler = PgBouncer::with_prepared_statements(&databases, 2);
    let node = |name| patient(pooler.url(name)).pool_mode(PoolMode::Transaction);
    let config = RoutingConfig::builder()
        .mode(Mode::Greedy)
        .catch_up_wait(LIMIT)
        .probe(patient_probes())
        .primary(node("shop"))
        .replica(node("replica"));
    let config = config.build().expect("a configuration");
    let ports = Ports::default();
    let recorder = Arc::clone(&ports.recorder);
    let db = A::open(&config, ports).expect("a handle");
    until_seen(&db).await;
    recorder.take();
    // More callers than the pooler has server processes: each statement may meet another one.
    let callers = (0..4).map(|caller| {
        let db = db.clone();
        tokio::spawn(async move {
            for round in 0..5 {
                let session = Session::new();
                let db = db.with_session(&session);
                let before = db.count().await;
                let name = format!("{caller} in round {round}");
                db.insert(&name).await.expect("an insert");
                assert!(db.count().await > before, "{}", A::NAME);
                let steps = vec![Step::Count, Step::Insert(format!("{name}, once more"))];
                let outcomes = db.transaction(Begin::Plain, steps, End::Commit).await;
                let is_done = |outcome: &Outcome| !matches!(outcome, Outcome::Failed(_));
                assert!(outcomes.iter().all(is_done), "{}: {outcomes:?}", A::NAME);
                let steps = vec![Step::Count, Step::Count];
                let outcomes = db.transaction(Begin::ReadOnly, steps, End::Commit).await;
                assert!(outcomes.iter().all(is_done), "{}: {outcomes:?}", A::NAME);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no panic");
    }
    assert_eq!(db.scoped(Scope::primary()).count().await, 40);
    let decisions = recorder.take();
    let on_replica = decisions
        .iter()
        .filter(|decision| decision.role == Role::Replica);
    assert!(on_replica.count() > 0, "the first read of a session");
}

async fn a_pooler_in_transaction_mode_can_stand_between<A: Adapter>(backend: Backend) {
    if backend != Backend::Postgres {
        return;
    }
    let world = World::new(backend, false).await;
    let [primary, replica] = world.primary_and_replica();
    let other = world.other_primary();
    let direct = A::open(&world.other_alone(), Ports::default()).expect("a handle");
    let maker = A::open(&world.config(|config| config), Ports::default()).expect("a handle");
    assert!(hide(&maker, backend).await && hide(&direct, backend).await);
    world.catch_up().await;
    // The last is no replica, and is told so by the pooler.
    let only_read = "SET default_transaction_read_only = on";
    let pooler = PgBouncer::start(&[
        ("shop", primary, ""),
        ("replica", replica, ""),
        ("lie", other, only_read),
    ]);
    for name in ["replica", "lie"] {
        let ports = Ports::default();
        let recorder = Arc::clone(&ports.recorder);
        let node = |name| patient(pooler.url(name)).pool_mode(PoolMode::Transaction);
        let config = RoutingConfig::builder()
            // Asked what it is, it would be left out.
            .positions(name != "lie")
            .probe(patient_probes())
            .primary(node("shop"))
            .replica(node(name));
        let config = config.build().expect("a configuration");
        let db = A::open(&config, ports).expect("a handle");
        let session = Session::new();
        let db = db.with_session(&session);
        let before = maker.count().await;
        db.execute("SELECT count(*) FROM cake")
            .await
            .expect("it runs");
        assert_eq!(recorder.only().role, Role::Replica);
        // A write that its text hides is refused there, and runs on the primary.
        db.execute(DISGUISED).await.expect("it heals");
        assert_eq!(recorder.disguised().len(), 1, "{name}");
        assert_eq!(maker.count().await, before + 1);
        // The other drivers prepare each statement by a name, which is known to one server process.
        if A::NAME != Diesel::NAME {
            continue;
        }
        assert_eq!(db.count().await, before + 1);
        db.insert(&format!("through the pooler to {name}"))
            .await
            .expect("an insert");
        let steps = vec![Step::Count, Step::Insert(format!("together with {name}"))];
        let outcomes = db.transaction(Begin::Plain, steps, End::Commit).await;
        assert!(
            matches!(outcomes[..], [Outcome::Count(_), Outcome::Done]),
            "{outcomes:?}"
        );
    }
    assert_eq!(direct.count().await, 0, "nothing was written there");
}

/// Fruit is in the other set, and so is what belongs to `eu`.
#[derive(Debug)]
struct Orchard;

impl Delegate for Orchard {
    fn set_of_table(&self, table: &TableName<'_>) -> Option<SetName> {
        if table.is("fruit") {
            Some("other".into())
        } else if table.is("cake") {
            Some(SetName::default())
        } else {
            None
        }
    }

    fn set_of_key(&self, key: &str) -> Option<SetName> {
        (key == "eu").then(|| "other".into())
    }
}

async fn tables_lead_to_their_set<A: Adapter>(backend: Backend) {
    let world = World::new(backend, false).await;
    let by_delegate = Ports {
        delegate: Some(Arc::new(Orchard)),
        ..Ports::default()
    };
    let listed = world.with_tables(&["fruit"]);
    for (config, ports) in [
        (world.config(|config| config), by_delegate),
        (listed, Ports::default()),
    ] {
        let recorder = Arc::clone(&ports.recorder);
        let has_delegate = ports.delegate.is_some();
        let db = A::open(&config, ports).expect("a handle");
        let fruit = db.rows("SELECT id FROM fruit").await;
        if A::NAME == "SeaORM" {
            assert_eq!(fruit.expect("rows"), 0);
            assert_eq!(recorder.only().set.as_str(), "other");
        } else {
            // A connection of Diesel's is of one set.
            let error = fruit.expect_err("a refusal").routing;
            assert!(
                matches!(error, Some(RoutingError::CrossSet { .. })),
                "{error:?}"
            );
        }
        assert_eq!(db.count().await, 0);
        assert_eq!(recorder.only().set.as_str(), "default");
        // A handle that was told its set stays there.
        let other = db.on_set("other").expect("a set");
        assert_eq!(other.rows("SELECT id FROM fruit").await.expect("rows"), 0);
        assert_eq!(recorder.only().set.as_str(), "other");
        let eu = db.for_key("eu").expect("a set");
        eu.rows("SELECT id FROM fruit").await.map_or_else(
            |_| assert!(!has_delegate),
            |_| {
                let set = recorder.only().set;
                assert!(set.as_str() == "other");
            },
        );
        recorder.take();

        // Two sets in one statement, or in one transaction.
        let join = "SELECT f.id FROM fruit f JOIN cake c ON c.id = f.cake_id";
        for db in [&db, &other] {
            let error = db.rows(join).await.expect_err("a refusal");
            let refusal = error.routing.expect("a routing error");
            assert!(
                matches!(refusal, RoutingError::CrossSet { .. }),
                "{refusal}"
            );
        }
        let steps = vec![Step::Count, Step::Rows("SELECT id FROM fruit".to_owned())];
        let outcomes = db.transaction(Begin::Plain, steps, End::Rollback).await;
        let [Outcome::Count(0), Outcome::Failed(failed)] = &outcomes[..] else {
            panic!("{outcomes:?}");
        };
        let refusal = failed.routing.as_ref().expect("a routing error");
        assert!(
            matches!(refusal, RoutingError::CrossSet { .. }),
            "{refusal}"
        );
    }
}
