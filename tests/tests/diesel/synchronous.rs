//! Diesel over SQLite: what needs no server.

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, InstrumentationEvent, SimpleConnection};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::MigrationHarness;
use routing_core::{AnonymousReads, Mode, Reason, RoutingError, Session};
use routing_diesel::{RoutedConnection, RoutedPool, RoutingErrExt};
use routing_tests::runtime::run;
use routing_tests::schema::{cake, fruit, server};
use routing_tests::world::{Backend, World};

use crate::support::{blocking, oven, sqlite};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Identifiable, AsChangeset, Selectable)]
#[diesel(table_name = cake)]
struct Cake {
    id: i32,
    name: String,
}

#[test]
fn every_way_to_read_reads_a_replica() {
    run(async {
        let on = sqlite().await;
        blocking(|| {
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            let conn = &mut conn;
            let _: Vec<Cake> = cake::table.load(conn).expect("rows");
            let _: Option<Cake> = cake::table.find(1).first(conn).optional().expect("none");
            let _: Vec<(Cake, Option<String>)> = cake::table
                .left_join(fruit::table)
                .select((Cake::as_select(), fruit::name.nullable()))
                .load(conn)
                .expect("rows");
            let _: Vec<String> = cake::table
                .select(cake::name)
                .distinct()
                .order(cake::name)
                .into_boxed()
                .load(conn)
                .expect("rows");
            let _: Vec<i32> = cake::table
                .select(cake::id)
                .union(fruit::table.select(fruit::id))
                .load(conn)
                .expect("rows");
            let _: Vec<(String, i64)> = cake::table
                .group_by(cake::name)
                .select((cake::name, diesel::dsl::count_star()))
                .load(conn)
                .expect("rows");
            let exists = diesel::dsl::exists(cake::table.filter(cake::id.eq(1)));
            let _: bool = diesel::select(exists).get_result(conn).expect("an answer");
            let names: Vec<String> = server::table
                .select(server::name)
                .load_iter::<String, _>(conn)
                .expect("rows")
                .collect::<QueryResult<_>>()
                .expect("rows");
            assert!(names[0].starts_with("replica-"));
            diesel::sql_query("SELECT id, name FROM cake")
                .execute(conn)
                .expect("rows");
            assert!(!session.is_pinned("default"));
        });
        let decisions = on.recorder.take();
        assert_eq!(decisions.len(), 9);
        assert!(
            decisions
                .iter()
                .all(|d| d.node.as_str().starts_with("replica-"))
        );
    });
}

#[test]
fn an_empty_insert_does_not_make_reads_of_the_inserts_after_it() {
    run(async {
        let on = sqlite().await;
        blocking(|| {
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            // Diesel writes `SELECT 1 FROM cake WHERE 1=0` for it.
            let nothing: Vec<diesel::dsl::Eq<cake::name, &str>> = vec![];
            diesel::insert_into(cake::table)
                .values(nothing)
                .execute(&mut conn)
                .expect("nothing");
            let two = vec![cake::name.eq("a"), cake::name.eq("b")];
            let inserted = diesel::insert_into(cake::table)
                .values(two)
                .execute(&mut conn);
            assert_eq!(inserted, Ok(2));
            assert!(session.is_pinned("default"));
        });
    });
}

#[test]
fn save_changes_updates_and_fetches_on_the_primary() {
    run(async {
        let on = sqlite().await;
        blocking(|| {
            let mut conn = on.pool.get_in(&Session::new()).expect("a connection");
            diesel::insert_into(cake::table)
                .values(cake::name.eq("Opera"))
                .execute(&mut conn)
                .expect("an insert");
            let inserted: Cake = cake::table.first(&mut conn).expect("it is there");
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            on.recorder.take();
            let name = "Sacher".to_owned();
            let saved: Cake = Cake { name, ..inserted }
                .save_changes(&mut conn)
                .expect("an update");
            assert_eq!(saved.name, "Sacher");
            assert!(session.is_pinned("default"));
            let decision = on.recorder.only();
            assert_eq!(
                (decision.node.as_str(), decision.reason),
                ("primary", Reason::Write)
            );
        });
    });
}

#[test]
fn migrations_run_on_the_primary_whatever_the_rules_say() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let config = world.config(|config| {
            config
                .mode(Mode::Strict)
                .anonymous_reads(AnonymousReads::Replica)
        });
        let pool = RoutedPool::<SqliteConnection>::new(&config).expect("a pool");
        let (_directory, migrations) = oven();
        let migrations = || migrations.clone();
        blocking(|| {
            let mut conn = pool.get().expect("a connection");
            let ran = conn.run_pending_migrations(migrations()).expect("they run");
            assert_eq!(ran.len(), 1);
            // What has been applied is the primary's to say, whose replicas know nothing of it.
            let mut conn = pool.get().expect("a connection");
            let pending = conn.has_pending_migration(migrations());
            assert!(!pending.expect("an answer"));
            conn.revert_last_migration(migrations())
                .expect("it is reverted");
        });
    });
}

/// In either mode, and for the session's other connections.
#[test]
fn what_migrations_write_is_the_sessions() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let (_directory, migrations) = oven();
        for mode in [Mode::Strict, Mode::Greedy] {
            let config = world.config(|config| config.mode(mode));
            let pool = RoutedPool::<SqliteConnection>::new(&config).expect("a pool");
            blocking(|| {
                let session = Session::new();
                let mut conn = pool.get_in(&session).expect("a connection");
                let of = |conn: &mut RoutedConnection<SqliteConnection>| {
                    let name = server::table.select(server::name);
                    name.first::<String>(conn).expect("a name")
                };
                let pending = conn.has_pending_migration(migrations.clone());
                pending.expect("an answer");
                let mut other = pool.get_in(&session).expect("a connection");
                assert_eq!(of(&mut other), "primary", "{mode:?}");
                // What the connection writes later is no less the session's.
                session.unpin_all();
                assert_ne!(of(&mut other), "primary", "{mode:?}");
                assert_eq!(of(&mut conn), "primary", "{mode:?}");
                diesel::insert_into(cake::table)
                    .values(cake::name.eq(format!("{mode:?}")))
                    .execute(&mut conn)
                    .expect("an insert");
                assert_eq!(of(&mut other), "primary", "{mode:?}");
            });
        }
    });
}

#[test]
fn an_instrumentation_hears_all_connections_and_leaves_none_behind() {
    run(async {
        let on = sqlite().await;
        blocking(|| {
            let heard = Arc::new(Mutex::new(Vec::new()));
            let log = Arc::clone(&heard);
            let mut conn = on.pool.get_in(&Session::new()).expect("a connection");
            conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
                let entry = match event {
                    InstrumentationEvent::StartQuery { query, .. } => query.to_string(),
                    InstrumentationEvent::BeginTransaction { .. } => "begin".into(),
                    InstrumentationEvent::CommitTransaction { .. } => "commit".into(),
                    _ => return,
                };
                log.lock().expect("no panic").push(entry);
            });
            let _: Vec<Cake> = cake::table.load(&mut conn).expect("a read");
            conn.transaction(|conn| {
                diesel::insert_into(cake::table)
                    .values(cake::name.eq("heard"))
                    .execute(conn)
            })
            .expect("a commit");
            let entries = std::mem::take(&mut *heard.lock().expect("no panic"));
            let contains = |text: &str| entries.iter().any(|entry| entry.contains(text));
            assert!(contains("SELECT") && contains("INSERT") && contains("binds: [\"heard\"]"));
            let count = |text: &str| entries.iter().filter(|entry| *entry == text).count();
            assert_eq!((count("begin"), count("commit")), (1, 1), "{entries:?}");

            drop(conn);
            let mut next = on.pool.get_in(&Session::new()).expect("a connection");
            let _: Vec<Cake> = cake::table.load(&mut next).expect("a read");
            next.batch_execute("DELETE FROM cake").expect("a write");
            assert!(
                heard.lock().expect("no panic").is_empty(),
                "nobody listens any more"
            );
        });
    });
}

type RoutedPg = RoutedConnection<PgConnection>;
type RoutedSqlite = RoutedConnection<SqliteConnection>;

#[derive(diesel::MultiConnection)]
enum Any {
    Postgres(RoutedPg),
    Sqlite(RoutedSqlite),
}

#[test]
fn a_connection_to_one_of_several_databases_is_routed() {
    run(async {
        let (on, other) = (sqlite().await, crate::support::postgres().await);
        blocking(|| {
            for (mut conn, recorder) in [
                (
                    Any::Sqlite(on.pool.get_in(&Session::new()).expect("one")),
                    &on.recorder,
                ),
                (
                    Any::Postgres(other.pool.get_in(&Session::new()).expect("one")),
                    &other.recorder,
                ),
            ] {
                let name: String = server::table
                    .select(server::name)
                    .first(&mut conn)
                    .expect("a name");
                assert!(name.starts_with("replica-"));
                diesel::insert_into(cake::table)
                    .values(cake::name.eq("any"))
                    .execute(&mut conn)
                    .expect("an insert");
                let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
                assert_eq!(count, 1);
                let reasons: Vec<_> = recorder.take().iter().map(|d| d.reason).collect();
                assert_eq!(reasons, [Reason::Balanced, Reason::Write, Reason::Pinned]);
            }
        });
    });
}

#[test]
fn callbacks_of_texts_and_of_no_transaction() {
    run(async {
        let on = sqlite().await;
        blocking(|| {
            let log = Arc::new(Mutex::new(Vec::new()));
            let add = |conn: &mut RoutedConnection<SqliteConnection>, name: &'static str| {
                let (one, two) = (Arc::clone(&log), Arc::clone(&log));
                conn.on_commit(move |_| one.lock().expect("no panic").push(format!("{name}+")));
                conn.on_rollback(move || two.lock().expect("no panic").push(format!("{name}-")));
            };
            let take = || std::mem::take(&mut *log.lock().expect("no panic"));
            let mut conn = on.pool.get().expect("a connection");
            add(&mut conn, "outside");
            assert_eq!(
                take(),
                ["outside+"],
                "each statement is committed by itself"
            );

            // Written by hand, they are understood.
            conn.batch_execute("BEGIN").expect("a transaction");
            add(&mut conn, "outer");
            conn.batch_execute("SAVEPOINT s").expect("a savepoint");
            add(&mut conn, "inner");
            conn.batch_execute("ROLLBACK TO s").expect("a rollback");
            assert_eq!(take(), ["inner-"]);
            conn.batch_execute("COMMIT").expect("a commit");
            assert_eq!(take(), ["outer+"]);
            // What is not understood calls nobody.
            conn.batch_execute("BEGIN").expect("a transaction");
            add(&mut conn, "unclear");
            conn.batch_execute("SELECT 1; COMMIT; BEGIN")
                .expect("who knows");
            conn.batch_execute("COMMIT").expect("a commit");
            assert_eq!(take(), Vec::<String>::new());
            // Left open, it is rolled back.
            conn.batch_execute("BEGIN; ").expect("a transaction");
            add(&mut conn, "left");
            conn.batch_execute("INSERT INTO cake (name) VALUES ('left')")
                .expect("an insert");
            drop(conn);
            assert_eq!(take(), ["left-"]);
            let mut conn = on.pool.get().expect("a connection");
            let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
            assert_eq!(count, 0);
        });
    });
}

#[test]
fn errors_come_back_typed_through_diesels_and_the_applications() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let config = world.config(|config| config.mode(Mode::Strict));
        let pool = RoutedPool::<SqliteConnection>::new(&config).expect("a pool");
        blocking(|| {
            let mut conn = pool.get().expect("a connection");
            let error = conn
                .transaction::<(), Error, _>(|_| Ok(()))
                .expect_err("a refusal");
            assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));
            assert!(error.to_string().contains("session.run"), "{error}");

            #[derive(Debug)]
            struct Wrapped(Error);
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
            let error: Box<dyn std::error::Error + Send + Sync> = Box::new(Wrapped(error));
            assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));
            // By the chain of sources alone, as error reporters walk it.
            let mut link: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
            let mut found = false;
            while let Some(error) = link {
                found |= error.is::<RoutingError>();
                link = error.source();
            }
            assert!(found);
        });
    });
}

#[test]
fn sqlites_own_transactions_lock_at_once() {
    run(async {
        let on = sqlite().await;
        blocking(|| {
            let mut conn = on.pool.get().expect("a connection");
            let inserted = conn.immediate_transaction(|conn| {
                assert_eq!(
                    conn.transaction_node().map(|node| node.as_str()),
                    Some("primary")
                );
                diesel::insert_into(cake::table)
                    .values(cake::name.eq("now"))
                    .execute(conn)
            });
            assert_eq!(inserted, Ok(1));
            let failed = conn.exclusive_transaction(|conn| {
                diesel::delete(cake::table).execute(conn)?;
                Err::<(), _>(Error::RollbackTransaction)
            });
            assert_eq!(failed, Err(Error::RollbackTransaction));
            let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
            assert_eq!(count, 1);
            drop(on.world);
        });
    });
}
