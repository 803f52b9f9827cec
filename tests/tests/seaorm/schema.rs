//! Migrations and schema discovery are the primary's.

use routing_core::{LatePin, Mode, Role, StatementKind};
use routing_tests::entity::{cake, fruit};
use routing_tests::migration::Migrator;
use routing_tests::stage::{Backend, Stage};
use sea_orm::{ConnectionTrait, DatabaseExecutor, EntityTrait, PaginatorTrait};
use sea_orm_migration::{MigratorTrait, SchemaManager};

conformance! {
    migrations_run_on_the_primary,
    a_migrated_session_sees_the_new_schema,
    the_schema_is_compared_with_the_primarys,
    an_executor_pins_whatever_the_rules_say,
}

async fn migrations_run_on_the_primary(backend: Backend) {
    let stage = Stage::lagging(backend, Mode::Greedy).await;
    stage.pause().await;
    let (db, _session) = stage.session();
    Migrator::down(&db, None).await.expect("no tables");
    // The replicas still have them, and would say that nothing is pending.
    let pending = Migrator::get_pending_migrations(db.primary()).await;
    assert_eq!(pending.expect("an answer").len(), 2);
    Migrator::up(&db, Some(1)).await.expect("one table");
    let executor = DatabaseExecutor::from(&db);
    let manager = SchemaManager::new(executor);
    assert!(manager.has_table("cake").await.expect("an answer"));
    assert!(!manager.has_table("fruit").await.expect("an answer"));
    stage.resume().await;
}

async fn a_migrated_session_sees_the_new_schema(backend: Backend) {
    let stage = Stage::lagging(backend, Mode::Greedy).await;
    stage.pause().await;
    let (db, session) = stage.session();
    Migrator::refresh(&db).await.expect("new tables");
    assert!(session.is_pinned("default"));
    assert_eq!(cake::Entity::find().count(&db).await.expect("a count"), 0);

    let (db, session) = stage.session();
    db.execute_unprepared("CREATE TABLE extra (id integer)")
        .await
        .expect("a table");
    let decision = stage.recorder.take().pop().expect("a decision");
    assert_eq!(
        (decision.kind, decision.role),
        (StatementKind::Ddl, Role::Primary)
    );
    assert!(session.is_pinned("default"));
    db.execute_unprepared("SELECT * FROM extra")
        .await
        .expect("the table");
    stage.resume().await;
}

async fn the_schema_is_compared_with_the_primarys(backend: Backend) {
    let stage = Stage::lagging(backend, Mode::Greedy).await;
    stage.pause().await;
    let (db, _session) = stage.session();
    Migrator::down(&db, None).await.expect("no tables");
    db.get_schema_builder()
        .register(cake::Entity)
        .register(fruit::Entity)
        .sync(&db)
        .await
        .expect("the tables are made");
    assert_eq!(fruit::Entity::find().count(&db).await.expect("a count"), 0);
    stage.resume().await;
}

async fn an_executor_pins_whatever_the_rules_say(backend: Backend) {
    let stage = Stage::with(backend, |config| {
        config.mode(Mode::Strict).late_pin(LatePin::Deny)
    })
    .await;
    let (db, session) = stage.session();
    cake::Entity::find().count(&db).await.expect("a count");
    DatabaseExecutor::from(&db)
        .execute_unprepared("INSERT INTO cake (name) VALUES ('executor')")
        .await
        .expect("an insert");
    assert!(session.is_pinned("default"));
    assert_eq!(cake::Entity::find().count(&db).await.expect("a count"), 1);
}
