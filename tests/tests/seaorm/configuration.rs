//! Bad input, and routing switched off.

use routing_core::{
    ConfigProblem, LagLimits, Mode, Reason, RoutingConfig, RoutingError, Rules, SetBuilder,
};
use routing_seaorm::{RoutedConnection, RoutingErrExt, Scope};
use routing_tests::entity::cake;
use routing_tests::runtime::run;
use routing_tests::stage::{Backend, Stage, server_of};
use routing_tests::world::patient_probes;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, Database, DatabaseConnection, DbErr, EntityTrait,
    PaginatorTrait, TransactionTrait,
};

conformance! {
    disabled_routing_is_one_pool_without_rules,
    an_unmanaged_set_takes_anything,
    given_connections_are_routed_too,
}

async fn disabled_routing_is_one_pool_without_rules(backend: Backend) {
    let stage = Stage::with(backend, |config| config.mode(Mode::Strict).enabled(false)).await;
    let (db, session) = stage.session();
    cake::named("unpinned")
        .insert(&db)
        .await
        .expect("no rule forbids it");
    assert!(!session.is_pinned("default"));
    assert_eq!(server_of(&db).await, "primary");
    // Scopes do nothing, as there is nothing to override.
    for scope in [
        Scope::replica(),
        Scope::node("replica-1"),
        Scope::node("nobody"),
    ] {
        assert_eq!(server_of(&db.scoped(scope)).await, "primary");
    }
    cake::named("frozen")
        .insert(&db.scoped(Scope::frozen()))
        .await
        .expect("no rule forbids it");
    let transaction = db.begin().await.expect("a transaction");
    cake::named("inside")
        .insert(&transaction)
        .await
        .expect("an insert");
    transaction.commit().await.expect("a commit");
    let decisions = stage.recorder.take();
    let reasons: Vec<_> = decisions.iter().map(|decision| decision.reason).collect();
    assert!(
        reasons.iter().all(|reason| *reason == Reason::Disabled),
        "{reasons:?}"
    );
}

async fn an_unmanaged_set_takes_anything(backend: Backend) {
    let stage = Stage::with(backend, |config| {
        let place = tempfile::tempdir().expect("a directory").keep();
        let url = format!("sqlite://{}/unmanaged.db?mode=rwc", place.display());
        config
            .mode(Mode::Strict)
            .set("unmanaged", SetBuilder::new().primary(url).unmanaged())
    })
    .await;
    let db = stage.db.on_set("unmanaged").expect("the set is there");
    db.execute_unprepared("CREATE TABLE t (a integer)")
        .await
        .expect("a table");
    db.execute_unprepared("INSERT INTO t VALUES (1)")
        .await
        .expect("an insert");
    assert_eq!(stage.recorder.take()[0].reason, Reason::Unmanaged);
    let place = db
        .get_sqlite_connection_pool()
        .connect_options()
        .get_filename()
        .to_owned();
    db.primary().clone().close().await.expect("closed");
    std::fs::remove_dir_all(place.parent().expect("a directory")).expect("removed");
}

async fn given_connections_are_routed_too(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let mut given = Vec::new();
    let config = stage.config();
    for node in config.default_set().replicas() {
        given.push(Database::connect(node.url()).await.expect("a connection"));
    }
    let primary = Database::connect(config.default_set().primary().url())
        .await
        .expect("a connection");
    let mut rules = Rules::default();
    rules.mode = Mode::Strict;
    rules.probe = patient_probes();
    // Other tests write to the same servers, so a replica may lag behind the monitor's first sample.
    rules.lag = LagLimits::NONE;
    let db = RoutedConnection::from_connections(primary, given)
        .rules("default", rules)
        .build()
        .expect("a connection");
    let session = routing_core::Session::new();
    let db = db.with_session(&session);
    assert!(server_of(&db).await.starts_with("replica-"));
    let error = cake::named("x").insert(&db).await.expect_err("a refusal");
    assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));
}

#[test]
fn mistakes_in_given_connections_are_reported_together() {
    run(async {
        let memory = || Database::connect("sqlite::memory:");
        let primary = memory().await.expect("a database");
        let error = RoutedConnection::from_connections(primary, [DatabaseConnection::default()])
            .named_replica("twice", 1, memory().await.expect("a database"))
            .named_replica("twice", 0, memory().await.expect("a database"))
            .set("default", DatabaseConnection::default(), [])
            .build()
            .expect_err("mistakes");
        let RoutingError::Config(problems) = error else {
            panic!("{error}")
        };
        let paths: Vec<_> = problems
            .iter()
            .map(|problem| problem.path.as_str())
            .collect();
        assert_eq!(
            paths,
            ["sets.default.replicas[0]", "sets.default.primary"],
            "{problems:?}"
        );
    });
}

#[test]
fn an_exhausted_pool_is_named_and_nothing_is_lost() {
    run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Greedy).await;
        // One connection to the primary, as SeaORM has it, and it is taken.
        let (db, _session) = stage.session();
        let transaction = db.begin().await.expect("a transaction");
        cake::named("inside")
            .insert(&transaction)
            .await
            .expect("an insert");
        let (waiting, _session) = stage.session();
        let error = cake::named("waits")
            .insert(&waiting)
            .await
            .expect_err("no connection");
        assert!(
            matches!(error, DbErr::ConnectionAcquire(_)),
            "the driver's own error: {error}"
        );
        assert!(stage.recorder.down().is_empty(), "the node is not to blame");
        let status = db.status();
        let pool = status.sets[0].nodes[0].pool.expect("it is open");
        assert_eq!((pool.connections, pool.idle), (1, 0));
        transaction.commit().await.expect("a commit");
        assert_eq!(cake::Entity::find().count(&db).await.expect("a count"), 1);
        cake::named("again")
            .insert(&waiting)
            .await
            .expect("an insert");
    });
}

#[test]
fn a_closed_connection_says_so() {
    run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Greedy).await;
        let (db, _session) = stage.session();
        server_of(&db).await;
        db.ping().await.expect("the primary answers");
        stage.db.close_by_ref().await.expect("closed");
        let error = cake::Entity::find()
            .all(&db)
            .await
            .expect_err("it is closed");
        assert!(error.to_string().contains("closed"), "{error}");
        let error = cake::named("x")
            .insert(&db)
            .await
            .expect_err("it is closed");
        assert!(error.to_string().contains("closed"), "{error}");
    });
}

#[test]
fn a_url_that_does_not_fit_its_driver_is_a_mistake_in_the_configuration() {
    let config = RoutingConfig::builder()
        .primary("sqlite://x.db?mode=nonsense")
        .replica("sqlite://y.db?cache=nonsense")
        .build()
        .expect("URLs");
    let error = RoutedConnection::new(&config).expect_err("they do not fit");
    let RoutingError::Config(problems) = error else {
        panic!("{error}")
    };
    let paths: Vec<_> = problems
        .iter()
        .map(|ConfigProblem { path, .. }| path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["sets.default.primary.url", "sets.default.replicas[0].url"]
    );
}

#[test]
fn a_connection_does_not_print_its_passwords() {
    let config = RoutingConfig::builder()
        .primary("postgres://app:secret@127.0.0.1/shop")
        .replica("postgres://127.0.0.1:6000")
        .build()
        .expect("URLs");
    let db = RoutedConnection::new(&config).expect("a connection");
    let text = format!("{db:?} {config:?} {:?}", RoutedConnection::builder(&config));
    assert!(text.contains("replica-1"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
