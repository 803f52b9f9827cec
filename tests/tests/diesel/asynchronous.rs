//! diesel-async over SQLite.

use diesel::prelude::*;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use routing_core::{AnonymousReads, Mode, Session};
use routing_diesel::AsyncRoutedPool;
use routing_tests::runtime::run;
use routing_tests::schema::{cake, server};
use routing_tests::world::{Backend, World};

use crate::support::{AsyncSqliteConnection, sqlite_async};

#[test]
fn migrations_run_on_the_primary_whatever_the_rules_say() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let config = world.config(|config| {
            config
                .mode(Mode::Strict)
                .anonymous_reads(AnonymousReads::Replica)
        });
        let pool = AsyncRoutedPool::<AsyncSqliteConnection>::new(&config).expect("a pool");
        let directory = tempfile::tempdir().expect("a directory");
        let first = directory.path().join("2026-01-01-000000_oven");
        std::fs::create_dir(&first).expect("a directory");
        std::fs::write(first.join("up.sql"), "CREATE TABLE oven (id integer)").expect("a file");
        std::fs::write(first.join("down.sql"), "DROP TABLE oven").expect("a file");
        tokio::spawn(async move {
            let migrations =
                || FileBasedMigrations::from_path(directory.path()).expect("migrations");
            let conn = pool.get().await.expect("a connection");
            let mut harness = AsyncMigrationHarness::new(conn);
            let ran = harness
                .run_pending_migrations(migrations())
                .expect("they run");
            assert_eq!(ran.len(), 1);
            let conn = pool.get().await.expect("a connection");
            let mut harness = AsyncMigrationHarness::new(conn);
            assert!(
                !harness
                    .has_pending_migration(migrations())
                    .expect("an answer")
            );
        })
        .await
        .expect("no panic");
    });
}

#[test]
fn queries_borrow_what_they_like() {
    run(async {
        let on = sqlite_async().await;
        let mut conn = on.pool.get_in(&Session::new()).await.expect("a connection");
        for name in ["a".to_owned(), "b".to_owned()] {
            let inserted = diesel::insert_into(cake::table)
                .values(cake::name.eq(name.as_str()))
                .execute(&mut conn);
            inserted.await.expect("an insert");
        }
        // A query that is not `Send` while its future is.
        let wanted = std::rc::Rc::new("a".to_owned());
        let query = cake::table
            .filter(cake::name.eq(&*wanted))
            .select(cake::name)
            .into_boxed();
        let found: Vec<String> = query.load(&mut conn).await.expect("rows");
        assert_eq!(found, ["a"]);
        let server: String = server::table
            .select(server::name)
            .first(&mut conn)
            .await
            .expect("a name");
        assert_eq!(server, "primary");
    });
}
