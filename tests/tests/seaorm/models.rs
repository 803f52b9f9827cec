//! Queries through models go where they belong, unchanged.

use futures_util::{StreamExt, TryStreamExt};
use routing_core::{Mode, Reason, Role, RoutingError, Session, StatementKind};
use routing_seaorm::{RoutedConnection, RoutingErrExt};
use routing_tests::entity::{cake, fruit};
use routing_tests::runtime::run;
use routing_tests::stage::{Backend, Stage, server_of};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    AccessMode, ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait,
    FromQueryResult, IntoActiveModel, LoaderTrait, MockDatabase, ModelTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, SelectExt, Set, Statement, StreamTrait, TransactionTrait,
};

with_returning! {
    streams_carry_their_context,
    reads_go_to_a_replica_and_writes_to_the_primary,
    every_way_to_read_reads_a_replica,
    every_way_to_write_writes_to_the_primary,
    a_session_reads_its_own_writes_from_paused_replicas,
    nested_saves_are_one_transaction_on_the_primary,
    raw_sql_is_told_apart_by_its_text,
    statements_without_a_session_stay_on_the_primary,
}

async fn reads_go_to_a_replica_and_writes_to_the_primary(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();

    let replica = server_of(&db).await;
    assert!(replica.starts_with("replica-"), "{replica}");
    let decision = stage.recorder.only();
    assert_eq!(decision.node.as_str(), replica);
    assert_eq!(decision.reason, Reason::Balanced);

    // The session stays there.
    for _ in 0..4 {
        assert_eq!(server_of(&db).await, replica);
        assert_eq!(stage.recorder.only().reason, Reason::Affine);
    }

    cake::named("Opera").insert(&db).await.expect("an insert");
    let decision = stage.recorder.only();
    assert_eq!(decision.kind, StatementKind::Insert);
    assert_eq!(
        (decision.role, decision.reason),
        (Role::Primary, Reason::Write)
    );

    assert!(session.is_pinned("default"));
    assert_eq!(server_of(&db).await, "primary");
    assert_eq!(stage.recorder.only().reason, Reason::Pinned);

    // Another session is not.
    let (db, _session) = stage.session();
    assert!(server_of(&db).await.starts_with("replica-"));
}

async fn every_way_to_read_reads_a_replica(backend: Backend) {
    let stage = Stage::lagging(backend, Mode::Greedy).await;
    let seed = stage.db.primary();
    for name in ["Opera", "Sacher", "Battenberg"] {
        let cake = cake::named(name).insert(seed).await.expect("a cake");
        for fruit in ["cherry", "apricot"] {
            let fruit = fruit::ActiveModel {
                name: Set(fruit.to_owned()),
                cake_id: Set(cake.id),
                ..Default::default()
            };
            fruit.insert(seed).await.expect("a fruit");
        }
    }
    stage.catch_up().await;
    stage.pause().await;
    // Whoever sees this one has asked the primary.
    cake::named("of the primary")
        .insert(seed)
        .await
        .expect("a cake");

    let (db, session) = stage.session();
    let all = cake::Entity::find().all(&db).await.expect("cakes");
    assert_eq!(all.len(), 3);
    let one = cake::Entity::find_by_id(all[0].id).one(&db).await;
    assert_eq!(one.expect("a cake").expect("a cake"), all[0]);
    let ordered = cake::Entity::find()
        .filter(cake::Column::Name.ne("Opera"))
        .order_by_desc(cake::Column::Name)
        .limit(2)
        .all(&db)
        .await
        .expect("cakes");
    assert_eq!(ordered.len(), 2);
    assert_eq!(cake::Entity::find().count(&db).await.expect("a count"), 3);
    assert!(cake::Entity::find().exists(&db).await.expect("an answer"));

    let related = all[0].find_related(fruit::Entity).all(&db).await;
    assert_eq!(related.expect("fruits").len(), 2);
    let with_related = cake::Entity::find()
        .find_with_related(fruit::Entity)
        .all(&db)
        .await
        .expect("cakes with fruits");
    assert_eq!(with_related.len(), 3);
    let also = fruit::Entity::find()
        .find_also_related(cake::Entity)
        .all(&db)
        .await;
    assert_eq!(also.expect("fruits with cakes").len(), 6);
    let loaded = all.load_many(fruit::Entity, &db).await.expect("fruits");
    assert_eq!(loaded.iter().map(Vec::len).sum::<usize>(), 6);

    let pages = cake::Entity::find()
        .order_by_asc(cake::Column::Id)
        .paginate(&db, 2);
    assert_eq!(pages.num_items().await.expect("a number"), 3);
    assert_eq!(pages.fetch_page(1).await.expect("a page").len(), 1);
    let mut cursor = cake::Entity::find().cursor_by(cake::Column::Id);
    assert_eq!(cursor.first(2).all(&db).await.expect("cakes").len(), 2);

    let streamed: Vec<_> = cake::Entity::find()
        .stream(&db)
        .await
        .expect("a stream")
        .try_collect()
        .await
        .expect("cakes");
    assert_eq!(streamed, all);
    let paged: Vec<Vec<cake::Model>> = cake::Entity::find()
        .order_by_asc(cake::Column::Id)
        .paginate(&db, 2)
        .into_stream()
        .try_collect()
        .await
        .expect("pages");
    assert_eq!(paged.iter().map(Vec::len).sum::<usize>(), 3);

    #[derive(FromQueryResult)]
    struct Sum {
        fruits: i64,
    }
    let sum = fruit::Entity::find()
        .select_only()
        .column_as(Expr::col(fruit::Column::Id).count(), "fruits")
        .into_model::<Sum>()
        .one(&db)
        .await
        .expect("a sum")
        .expect("a sum");
    assert_eq!(sum.fruits, 6);

    assert!(!session.is_pinned("default"));
    let decisions = stage.recorder.take();
    assert!(decisions.len() >= 15, "{}", decisions.len());
    for decision in &decisions {
        assert_eq!(decision.role, Role::Replica, "{decision:?}");
    }
    stage.resume().await;
}

async fn every_way_to_write_writes_to_the_primary(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let write_kinds = |expected: &[StatementKind]| {
        let decisions = stage.recorder.take();
        for decision in &decisions {
            assert_eq!(decision.role, Role::Primary, "{decision:?}");
        }
        let kinds: Vec<_> = decisions.iter().map(|decision| decision.kind).collect();
        assert_eq!(kinds, expected);
    };
    use StatementKind::{Delete, Insert, Update};

    let (db, _session) = stage.session();
    let opera = cake::named("Opera").insert(&db).await.expect("an insert");
    write_kinds(&[Insert]);

    let (db, _session) = stage.session();
    let mut change = opera.clone().into_active_model();
    change.name = Set("Opéra".to_owned());
    let opera = change.update(&db).await.expect("an update");
    assert_eq!(opera.name, "Opéra");
    write_kinds(&[Update]);

    let (db, _session) = stage.session();
    let saved = cake::named("Sacher").save(&db).await.expect("a save");
    assert!(saved.id.is_unchanged());
    write_kinds(&[Insert]);

    let (db, _session) = stage.session();
    cake::Entity::insert_many([cake::named("one"), cake::named("two")])
        .exec(&db)
        .await
        .expect("inserts");
    write_kinds(&[Insert]);

    let (db, _session) = stage.session();
    cake::Entity::insert(cake::named("one"))
        .on_conflict(
            OnConflict::column(cake::Column::Name)
                .update_column(cake::Column::Name)
                .to_owned(),
        )
        .exec_with_returning(&db)
        .await
        .expect("an upsert");
    write_kinds(&[Insert]);

    let (db, _session) = stage.session();
    cake::Entity::update_many()
        .col_expr(cake::Column::Name, Expr::value("three"))
        .filter(cake::Column::Name.eq("two"))
        .exec(&db)
        .await
        .expect("an update");
    write_kinds(&[Update]);

    let (db, _session) = stage.session();
    cake::Entity::delete_many()
        .filter(cake::Column::Name.eq("three"))
        .exec(&db)
        .await
        .expect("a deletion");
    opera.delete(&db).await.expect("a deletion");
    write_kinds(&[Delete, Delete]);
}

async fn a_session_reads_its_own_writes_from_paused_replicas(backend: Backend) {
    let stage = Stage::lagging(backend, Mode::Greedy).await;
    stage.pause().await;
    for round in 0..20 {
        let (db, _session) = stage.session();
        let before = cake::Entity::find().count(&db).await.expect("a count");
        assert_eq!(before, 0, "a replica, which sees none of it");
        let name = format!("cake {round}");
        let inserted = cake::named(&name).insert(&db).await.expect("an insert");
        let found = cake::Entity::find_by_id(inserted.id).one(&db).await;
        assert_eq!(found.expect("an answer"), Some(inserted.clone()));
        let mut change = inserted.into_active_model();
        change.name = Set(format!("{name}, changed"));
        let changed = change.update(&db).await.expect("an update");
        let found = cake::Entity::find()
            .filter(cake::Column::Name.eq(&changed.name))
            .one(&db)
            .await;
        assert_eq!(found.expect("an answer"), Some(changed));
    }
    stage.resume().await;
}

async fn nested_saves_are_one_transaction_on_the_primary(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    let saved = cake::ActiveModel::builder()
        .set_name("Black Forest")
        .add_fruit(fruit::ActiveModel::builder().set_name("cherry"))
        .add_fruit(fruit::ActiveModel::builder().set_name("kirsch"))
        .save(&db)
        .await
        .expect("a save");
    assert!(session.is_pinned("default"));
    for decision in stage.recorder.take() {
        assert_eq!(decision.role, Role::Primary, "{decision:?}");
    }
    let cake_id = saved.id.clone().unwrap();
    let fruits = fruit::Entity::find()
        .filter(fruit::Column::CakeId.eq(cake_id))
        .count(&db)
        .await;
    assert_eq!(fruits.expect("a count"), 2);
}

async fn raw_sql_is_told_apart_by_its_text(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let backend = stage.db.get_database_backend();
    let raw = |sql: &str| Statement::from_string(backend, sql);

    let reads = [
        "SELECT name FROM server",
        "WITH s AS (SELECT name FROM server) SELECT name FROM s",
        "select name from server -- FOR UPDATE",
    ];
    for sql in reads {
        let (db, session) = stage.session();
        let row = db.query_one_raw(raw(sql)).await.expect(sql).expect(sql);
        let server: String = row.try_get("", "name").expect("a name");
        assert!(server.starts_with("replica-"), "{sql}: {server}");
        assert!(!session.is_pinned("default"), "{sql}");
    }

    // What a method is called says nothing: these all return rows.
    let writes = [
        "INSERT INTO cake (name) VALUES ('raw') RETURNING name",
        "UPDATE cake SET name = 'raw' WHERE name = 'raw' RETURNING name",
        "WITH x AS (SELECT 1) INSERT INTO cake (name) VALUES ('with') RETURNING name",
        "DELETE FROM cake WHERE name = 'with' RETURNING name",
    ];
    for sql in writes {
        let (db, session) = stage.session();
        db.query_one_raw(raw(sql)).await.expect(sql).expect(sql);
        assert!(session.is_pinned("default"), "{sql}");
        assert_eq!(server_of(&db).await, "primary");
    }

    let (db, session) = stage.session();
    let insert = "INSERT INTO cake (name) VALUES ('streamed') RETURNING name";
    let rows: Vec<_> = db
        .stream_raw(raw(insert))
        .await
        .expect(insert)
        .try_collect()
        .await
        .expect(insert);
    assert_eq!(rows.len(), 1);
    assert!(session.is_pinned("default"));

    // Nobody knows what this one does.
    let (db, session) = stage.session();
    let unknown = match backend {
        DbBackend::Postgres => "SELECT set_config('routing.test', 'x', false)",
        _ => "SELECT last_insert_rowid()",
    };
    db.execute_unprepared(unknown).await.expect(unknown);
    assert!(session.is_pinned("default"));
}

async fn statements_without_a_session_stay_on_the_primary(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    assert_eq!(server_of(&stage.db).await, "primary");
    assert_eq!(stage.recorder.only().reason, Reason::NoSession);
    cake::named("anonymous")
        .insert(&stage.db)
        .await
        .expect("an insert");
    assert_eq!(stage.recorder.only().reason, Reason::Write);
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

/// What is refused after some rows cannot be run again, but is known from then on.
#[test]
fn a_stream_that_turns_out_to_write_is_known_for_the_next_time() {
    run(async {
        let stage = Stage::new(Backend::Postgres, Mode::Greedy).await;
        for sql in [
            "CREATE FUNCTION bake() RETURNS int LANGUAGE sql AS \
             $$ INSERT INTO cake (name) VALUES ('hidden ' || random()) RETURNING id $$",
            "CREATE VIEW late AS SELECT CASE n WHEN 2 THEN bake() ELSE n END AS id \
             FROM generate_series(1, 3) AS g (n)",
        ] {
            stage.db.execute_unprepared(sql).await.expect("it is made");
        }
        stage.catch_up().await;
        let rows = |db: RoutedConnection| async move {
            let sql = Statement::from_string(DbBackend::Postgres, "SELECT id FROM late");
            let mut stream = db.stream_raw(sql).await.expect("a first row");
            let mut rows = Vec::new();
            while let Some(row) = stream.next().await {
                rows.push(row.is_ok());
            }
            rows
        };
        let (db, session) = stage.session();
        assert_eq!(rows(db.clone()).await, [true, false]);
        assert!(!session.is_pinned("default"));
        assert_eq!(stage.recorder.disguised().len(), 1);
        assert_eq!(rows(db).await, [true, true, true]);
        assert!(session.is_pinned("default"));

        // In a read-only transaction it is the typed error.
        let sql = "SELECT id AS other FROM late";
        let (db, _session) = stage.session();
        let transaction = db.begin_with_config(None, Some(AccessMode::ReadOnly)).await;
        let transaction = transaction.expect("a transaction");
        let sql = Statement::from_string(DbBackend::Postgres, sql);
        let stream = transaction.stream_raw(sql).await.expect("a stream");
        let error = stream.try_collect::<Vec<_>>().await.expect_err("a refusal");
        assert!(matches!(
            error.routing(),
            Some(RoutingError::WriteInReadOnlyTransaction { .. })
        ));
    });
}

/// As the README has it for unit tests.
#[test]
fn a_mock_is_routed() {
    run(async {
        let cake = cake::Model {
            id: 1,
            name: "Sacher".to_owned(),
        };
        let mock = MockDatabase::new(DbBackend::Postgres)
            .append_query_results([[cake.clone()], [cake.clone()]])
            .into_connection();
        let db = RoutedConnection::from_connections(mock, []);
        let db = db.mode(Mode::Greedy).build().expect("a connection");
        let db = db.with_session(&Session::new());
        let inserted = cake::named("Sacher").insert(&db).await;
        assert_eq!(inserted.expect("an insert"), cake);
        let found = cake::Entity::find().one(&db).await;
        assert_eq!(found.expect("a read"), Some(cake));
    });
}
