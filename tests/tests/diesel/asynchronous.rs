//! diesel-async over SQLite.

use diesel::prelude::*;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::MigrationHarness;
use routing_core::{AnonymousReads, Mode, Session};
use routing_diesel::AsyncRoutedPool;
use routing_tests::runtime::run;
use routing_tests::schema::{cake, server};
use routing_tests::world::{Backend, World};

use crate::support::{AsyncSqliteConnection, oven, sqlite_async};

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
        let (_directory, migrations) = oven();
        tokio::spawn(async move {
            let migrations = || migrations.clone();
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
fn what_migrations_write_is_the_sessions() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let config = world.config(|config| config.mode(Mode::Strict));
        let pool = AsyncRoutedPool::<AsyncSqliteConnection>::new(&config).expect("a pool");
        let (_directory, migrations) = oven();
        let session = Session::new();
        let conn = pool.get_in(&session).await.expect("a connection");
        let migrated = tokio::spawn(async move {
            let mut harness = AsyncMigrationHarness::new(conn);
            let pending = harness.has_pending_migration(migrations);
            pending.expect("an answer");
            harness.into_inner()
        });
        let mut conn = migrated.await.expect("no panic");
        let mut other = pool.get_in(&session).await.expect("a connection");
        let name = || server::table.select(server::name);
        let read: String = name().first(&mut other).await.expect("a name");
        assert_eq!(read, "primary");
        session.unpin_all();
        let inserted = diesel::insert_into(cake::table)
            .values(cake::name.eq("Sacher"))
            .execute(&mut conn);
        inserted.await.expect("an insert");
        let read: String = name().first(&mut other).await.expect("a name");
        assert_eq!(read, "primary");
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
