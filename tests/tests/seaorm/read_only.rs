//! A handle that only reads.

use futures_util::TryStreamExt;
use routing_core::{Mode, NodeBuilder, RoutingConfig, RoutingError, Scope};
use routing_seaorm::{ReadOnly, RoutedConnection, RoutingErrExt};
use routing_tests::entity::{cake, server};
use routing_tests::runtime::run;
use routing_tests::stage::{Backend, Stage, server_of};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, Database, DbBackend, EntityTrait, PaginatorTrait,
    QuerySelect, SqlxMySqlConnector, Statement, sqlx,
};

conformance! {
    a_read_only_handle_reads_where_the_session_does,
    a_read_only_handle_refuses_what_is_not_a_read,
    its_connections_can_only_read,
}

async fn a_read_only_handle_reads_where_the_session_does(backend: Backend) {
    let stage = Stage::lagging(backend, Mode::Greedy).await;
    stage.pause().await;
    let (db, _session) = stage.session();
    let reader: ReadOnly = db.read_only();
    assert!(server_of(&reader).await.starts_with("replica-"));
    cake::named("mine").insert(&db).await.expect("an insert");
    // It belongs to the session of the handle it was made from.
    assert_eq!(server_of(&reader).await, "primary");
    let count = cake::Entity::find().count(&reader).await;
    assert_eq!(count.expect("a count"), 1);
    let streamed: Vec<_> = server::Entity::find()
        .stream(&reader)
        .await
        .expect("a stream")
        .try_collect()
        .await
        .expect("rows");
    assert_eq!(streamed.len(), 1);
    stage.resume().await;
}

async fn a_read_only_handle_refuses_what_is_not_a_read(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    session.pin("default").expect("a pin");
    let reader = db.read_only();
    let mut refused = vec![
        cake::named("x").insert(&reader).await.map(drop),
        reader
            .execute_unprepared("DELETE FROM cake")
            .await
            .map(drop),
        reader
            .query_all_raw(Statement::from_string(
                reader.get_database_backend(),
                "SELECT no_such_function_here()",
            ))
            .await
            .map(drop),
    ];
    if backend != Backend::Sqlite {
        let locked = cake::Entity::find().lock_exclusive().all(&reader).await;
        refused.push(locked.map(drop));
    }
    for outcome in refused {
        let error = outcome.expect_err("a refusal");
        let typed = matches!(
            error.routing(),
            Some(RoutingError::WriteInReadOnlyScope { .. })
        );
        assert!(typed, "{error}");
    }
    assert!(stage.recorder.take().is_empty(), "nothing went anywhere");
}

/// What a text hides from the rule, the server refuses.
async fn its_connections_can_only_read(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    session.pin("default").expect("a pin");
    let hide = match backend {
        // A view is read like a table, whatever the function behind it does.
        Backend::Postgres => [
            "CREATE FUNCTION bake() RETURNS int LANGUAGE sql AS \
             $$ INSERT INTO cake (name) VALUES ('hidden') RETURNING id $$",
            "CREATE VIEW baked AS SELECT bake() AS id",
        ],
        Backend::MySql => [
            "CREATE FUNCTION bake() RETURNS int MODIFIES SQL DATA \
             BEGIN INSERT INTO cake (name) VALUES ('hidden'); RETURN 1; END",
            "CREATE VIEW baked AS SELECT bake() AS id",
        ],
        // SQLite has no function that writes.
        Backend::Sqlite => return,
    };
    for sql in hide {
        db.execute_unprepared(sql).await.expect("it is hidden");
    }
    let error = db
        .read_only()
        .execute_unprepared("SELECT * FROM baked")
        .await;
    let error = error.expect_err("it writes").to_string();
    assert!(error.to_lowercase().contains("read"), "{error}");
    let count = cake::Entity::find().count(&db).await;
    assert_eq!(count.expect("a count"), 0);
    // The same statement where writing is allowed.
    db.execute_unprepared("SELECT * FROM baked")
        .await
        .expect("it writes");
}

/// What the application tells each connection, a time zone for instance, holds for reads too.
#[test]
fn pools_that_were_handed_over_keep_their_hook() {
    run(async {
        let stage = Stage::new(Backend::MySql, Mode::Greedy).await;
        let config = stage.config();
        let url = config.default_set().primary().url();
        let options = sqlx::mysql::MySqlPoolOptions::new().after_connect(|connection, _| {
            Box::pin(async move {
                let zone = sqlx::query("SET time_zone = '+05:00'");
                zone.execute(connection).await.map(drop)
            })
        });
        let pool = options.connect(url).await.expect("a pool");
        let primary = SqlxMySqlConnector::from_sqlx_mysql_pool(pool);
        let db = RoutedConnection::from_connections(primary, [])
            .build()
            .expect("a handle");
        let sql = "SELECT @@time_zone = '+05:00' AS is_there";
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let row = db
            .read_only()
            .query_one_raw(statement)
            .await
            .expect("an answer");
        let is_there: i64 = row
            .expect("a row")
            .try_get("", "is_there")
            .expect("a number");
        assert_eq!(is_there, 1);
    });
}

/// Whatever the configuration tells a connection, a replica's only reads.
#[test]
fn nothing_makes_a_replica_of_sqlites_writable() {
    run(async {
        let dir = tempfile::TempDir::new().expect("a directory");
        let url = |name: &str| format!("sqlite://{}/{name}.db?mode=rwc", dir.path().display());
        for name in ["primary", "replica"] {
            let file = Database::connect(url(name)).await.expect("a file");
            file.execute_unprepared("CREATE TABLE t (a)")
                .await
                .expect("a table");
            file.close().await.expect("closed");
        }
        let tells = ["PRAGMA query_only = OFF", "CREATE TEMP TABLE mine (a)"];
        let config = RoutingConfig::builder()
            .primary(NodeBuilder::url(url("primary")).on_connect(tells))
            .replica(url("replica"))
            .build()
            .expect("a configuration");
        let db = RoutedConnection::new(&config).expect("a handle");
        let replica = db.scoped(Scope::node("replica-1"));
        let sql =
            "SELECT query_only AS a FROM pragma_query_only UNION ALL SELECT count(*) FROM mine";
        let declared = replica.scoped(Scope::ambiguous_to_replica());
        let statement = Statement::from_string(DbBackend::Sqlite, sql);
        let rows = declared.query_all_raw(statement).await.expect("an answer");
        let seen: Vec<i64> = rows
            .iter()
            .map(|row| row.try_get("", "a").expect("a number"))
            .collect();
        assert_eq!(seen, [1, 0], "it only reads, and has run what it was told");
    });
}
