//! Pools that the application made itself.

use std::pin::Pin;

use diesel::connection::{Connection, SimpleConnection};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool, TestCustomizer};
use diesel::sql_types::Integer;
use diesel::sqlite::SqliteConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, PoolError};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use routing_core::{NodeBuilder, ProbeRules, RoutingConfig, RoutingError, Rules, Session};
use routing_diesel::{AsyncRoutedPool, RoutedPool, RoutingErrExt};
use routing_tests::runtime::run;
use routing_tests::schema::{cake, server};
use routing_tests::wait::{until, until_blocking};
use routing_tests::world::{Backend, World, patient_probes};

use crate::support::{AsyncSqliteConnection, blocking, server_of};

fn urls(config: &RoutingConfig) -> (String, String) {
    let set = config.default_set();
    (
        set.primary().url().to_owned(),
        set.replicas()[0].url().to_owned(),
    )
}

#[test]
fn r2d2_pools_are_routed() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let (primary, replica) = urls(&world.config(|config| config));
        let open = |url: &str| {
            let manager = ConnectionManager::<SqliteConnection>::new(url);
            Pool::builder().max_size(2).build_unchecked(manager)
        };
        let pool = RoutedPool::from_pools(open(&primary), [open(&replica)])
            .build()
            .expect("a pool");
        blocking(|| {
            let mut conn = pool.get_in(&Session::new()).expect("a connection");
            let name: String = server::table
                .select(server::name)
                .first(&mut conn)
                .expect("one");
            assert_eq!(name, "replica-1");
        });
    });
}

/// Diesel's way to test: one connection, in a transaction that is never committed.
#[test]
fn a_pool_in_a_test_transaction_keeps_it() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let (primary, _) = urls(&world.config(|config| config));
        let manager = ConnectionManager::<SqliteConnection>::new(&primary);
        let pool = Pool::builder()
            .max_size(1)
            .connection_customizer(Box::new(TestCustomizer))
            .build_unchecked(manager);
        let pool = RoutedPool::from_pools(pool, [])
            .enabled(false)
            .build()
            .expect("a pool");
        blocking(|| {
            for round in 1..=3 {
                let mut conn = pool.get().expect("a connection");
                conn.transaction(|conn| {
                    diesel::insert_into(cake::table)
                        .values(cake::name.eq(format!("cake {round}")))
                        .execute(conn)
                })
                .expect("a savepoint");
                let lost = conn.transaction(|conn| {
                    diesel::delete(cake::table).execute(conn)?;
                    Err::<(), _>(diesel::result::Error::RollbackTransaction)
                });
                lost.expect_err("rolled back");
                let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
                assert_eq!(count, round);
            }
            let mut conn = pool.get().expect("a connection");
            for (end, expected) in [("ROLLBACK", 3), ("COMMIT", 0), ("ROLLBACK", 0)] {
                for sql in ["BEGIN", "DELETE FROM cake", end] {
                    conn.batch_execute(sql).expect("a statement");
                }
                let count = cake::table.count().get_result::<i64>(&mut conn);
                assert_eq!(count, Ok(expected), "{end}");
            }
            assert_eq!(committed_cakes(&primary), 0, "nothing was committed");
        });
    });
}

/// The connections of an asynchronous pool are in a test transaction, too.
#[derive(Debug)]
struct InTestTransaction;

impl bb8::CustomizeConnection<AsyncSqliteConnection, PoolError> for InTestTransaction {
    fn on_acquire<'a>(
        &'a self,
        connection: &'a mut AsyncSqliteConnection,
    ) -> Pin<Box<dyn Future<Output = Result<(), PoolError>> + Send + 'a>> {
        let begun = diesel_async::AsyncConnection::begin_test_transaction(connection);
        Box::pin(async { begun.await.map_err(PoolError::QueryError) })
    }
}

#[test]
fn an_asynchronous_pool_in_a_test_transaction_keeps_it() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let (primary, _) = urls(&world.config(|config| config));
        let manager = AsyncDieselConnectionManager::<AsyncSqliteConnection>::new(&primary);
        let pool = bb8::Pool::builder()
            .max_size(1)
            .connection_customizer(Box::new(InTestTransaction))
            .build_unchecked(manager);
        let pool = AsyncRoutedPool::from_pools(pool, [])
            .enabled(false)
            .build()
            .expect("a pool");
        let count = async || {
            let mut conn = pool.get().await.expect("a connection");
            let count = cake::table.count();
            diesel_async::RunQueryDsl::get_result::<i64>(count, &mut conn).await
        };
        for (end, expected) in [
            ("ROLLBACK", 0),
            ("COMMIT", 1),
            ("ROLLBACK", 1),
            ("COMMIT", 2),
        ] {
            let mut conn = pool.get().await.expect("a connection");
            let insert = "INSERT INTO cake (name) SELECT 'cake ' || count(*) FROM cake";
            for sql in ["BEGIN", insert, end] {
                let done = SimpleAsyncConnection::batch_execute(&mut conn, sql).await;
                done.expect("a statement");
            }
            drop(conn);
            assert_eq!(count().await, Ok(expected), "{end}");
        }
        blocking(|| assert_eq!(committed_cakes(&primary), 0, "nothing was committed"));
    });
}

/// What a connection of its own sees.
fn committed_cakes(url: &str) -> i64 {
    let mut beside = SqliteConnection::establish(url).expect("a connection");
    let count = cake::table.count();
    count.get_result(&mut beside).expect("a count")
}

#[test]
fn bb8_and_deadpool_pools_are_routed() {
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let (primary, replica) = urls(&world.config(|config| config));
        let manager = |url: &str| AsyncDieselConnectionManager::<AsyncPgConnection>::new(url);
        let bb8 = |url: &str| bb8::Pool::builder().build_unchecked(manager(url));
        let deadpool = |url: &str| {
            let pool: Result<deadpool::managed::Pool<_>, _> =
                deadpool::managed::Pool::builder(manager(url)).build();
            pool.expect("a pool")
        };
        for pool in [
            AsyncRoutedPool::from_pools(bb8(&primary), [bb8(&replica)]),
            AsyncRoutedPool::from_pools(deadpool(&primary), [deadpool(&replica)]),
        ] {
            let mut rules = Rules::default();
            rules.probe = patient_probes();
            let pool = pool.rules("default", rules).build().expect("a pool");
            let mut conn = pool.get_in(&Session::new()).await.expect("a connection");
            assert_eq!(server_of(&mut conn).await, "replica-1");
        }
    });
}

#[test]
fn a_url_of_another_database_is_a_mistake_in_the_configuration() {
    let config = RoutingConfig::builder()
        .primary("postgres://127.0.0.1/shop")
        .replica("postgres://127.0.0.1:6000")
        .build()
        .expect("URLs");
    let error = RoutedPool::<SqliteConnection>::new(&config).expect_err("they do not fit");
    let RoutingError::Config(problems) = error else {
        panic!("{error}");
    };
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[1].path, "sets.default.replicas[0].url");
    assert!(
        problems[0].message.contains("is of PostgreSQL"),
        "{}",
        problems[0]
    );
}

#[test]
fn a_pool_does_not_print_its_passwords() {
    let config = RoutingConfig::builder()
        .primary("postgres://app:secret@127.0.0.1/shop")
        .replica("postgres://127.0.0.1:6000")
        .build()
        .expect("URLs");
    let pool = RoutedPool::<PgConnection>::new(&config).expect("a pool");
    let asynchronous = AsyncRoutedPool::<AsyncPgConnection>::new(&config).expect("a pool");
    let text = format!("{pool:?} {asynchronous:?} {:?}", pool.get());
    assert!(text.contains("replica-1"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

/// A replica that hangs holds the thread that asks it, until its connection breaks; and nothing else.
#[test]
fn a_probe_that_is_not_answered_keeps_no_other_alive() {
    use std::io::{Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    /// Holds back what arrives while it is `frozen`, and then sets `is_held`.
    fn copy(
        mut from: std::net::TcpStream,
        mut to: std::net::TcpStream,
        [frozen, is_held]: &[AtomicBool; 2],
    ) {
        let mut buffer = [0; 8192];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            while frozen.load(Ordering::SeqCst) {
                is_held.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(10));
            }
            if to.write_all(&buffer[..n]).is_err() {
                return;
            }
        }
    }
    let threads = |wanted: &str| {
        let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.starts_with(wanted))
            .count()
    };
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let (primary, replica) = urls(&world.config(|config| config));
        let (front, database) = replica.rsplit_once('/').expect("a database");
        let real = front.rsplit_once('@').expect("a host").1.to_owned();
        let gate = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = gate.local_addr().expect("an address").port();
        let gates = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let freezes = Arc::clone(&gates);
        std::thread::spawn(move || {
            for client in gate.incoming() {
                let client = client.expect("a client");
                let server = std::net::TcpStream::connect(&real).expect("the replica");
                let ends = (
                    client.try_clone().expect("it"),
                    server.try_clone().expect("it"),
                );
                let (one, two) = (Arc::clone(&freezes), Arc::clone(&freezes));
                std::thread::spawn(move || copy(client, server, &one));
                std::thread::spawn(move || copy(ends.1, ends.0, &two));
            }
        });
        let mut often = ProbeRules::DEFAULT;
        often.heartbeat = Duration::from_millis(50);
        let named = |name: &str, url: String| NodeBuilder::url(url).name(name);
        let hangs = format!("postgres://postgres@127.0.0.1:{port}/{database}");
        let config = RoutingConfig::builder()
            .probe(often)
            .primary(named("answers", primary.clone()))
            .replica(named("hangs", hangs))
            .build()
            .expect("a configuration");
        blocking(|| {
            let pool = RoutedPool::<PgConnection>::new(&config).expect("a pool");
            let session = Session::new();
            session.pin("default").expect("a pin");
            let mut conn = pool.get_in(&session).expect("a connection");
            let _: i64 = cake::table.count().get_result(&mut conn).expect("a count");
            assert!(threads("routing-answers") > 1);
            let [frozen, is_held] = &*gates;
            frozen.store(true, Ordering::SeqCst);
            until_blocking("the probe hangs", || is_held.load(Ordering::SeqCst));
        });
        // One is r2d2's, which goes when its next work is due.
        until(
            "who asks a node that answers ends with the router",
            async || threads("routing-answers") <= 1,
        )
        .await;
    });
}

/// Diesel's own pools keep such a transaction, as it is not counted as broken.
#[test]
fn a_test_transaction_ends_with_its_connection() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let (primary, _) = urls(&world.config(|config| config));
        let config = RoutingConfig::builder().primary(NodeBuilder::url(primary).max_connections(1));
        let config = config.build().expect("a configuration");
        let insert = || diesel::insert_into(cake::table).values(cake::name.eq("Sacher"));
        blocking(|| {
            let pool = RoutedPool::<SqliteConnection>::new(&config).expect("a pool");
            let mut conn = pool.get().expect("a connection");
            conn.begin_test_transaction().expect("a transaction");
            insert().execute(&mut conn).expect("an insert");
            drop(conn);
            let mut conn = pool.get().expect("a connection");
            let count = cake::table.count().get_result::<i64>(&mut conn);
            assert_eq!(count, Ok(0));
        });
        let pool = AsyncRoutedPool::<AsyncSqliteConnection>::new(&config).expect("a pool");
        let mut conn = pool.get().await.expect("a connection");
        let begun = diesel_async::AsyncConnection::begin_test_transaction(&mut conn).await;
        begun.expect("a transaction");
        let inserted = diesel_async::RunQueryDsl::execute(insert(), &mut conn).await;
        inserted.expect("an insert");
        drop(conn);
        let mut conn = pool.get().await.expect("a connection");
        let count = cake::table.count();
        let count = diesel_async::RunQueryDsl::get_result::<i64>(count, &mut conn).await;
        assert_eq!(count, Ok(0));
    });
}

/// The error has the node, and its cause.
#[test]
fn an_exhausted_pool_is_named() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let (primary, _) = urls(&world.config(|config| config));
        let node = NodeBuilder::url(primary).max_connections(1);
        let node = node.acquire_timeout(std::time::Duration::from_millis(20));
        let config = RoutingConfig::builder().primary(node);
        let config = config.build().expect("a configuration");
        let is_named = |error: diesel::result::Error| match error.routing() {
            Some(error @ RoutingError::NodeUnavailable { node, cause, .. }) => {
                assert!(error.is_unavailable() && cause.is_some(), "{error:?}");
                assert_eq!(node, "primary");
            }
            other => panic!("{other:?}"),
        };
        let insert = || diesel::insert_into(cake::table).values(cake::name.eq("Sacher"));
        blocking(|| {
            let pool = RoutedPool::<SqliteConnection>::new(&config).expect("a pool");
            // To open the only connection may take longer than a statement waits.
            let mut holds = pool.get().expect("a connection");
            until_blocking("an insert", || insert().execute(&mut holds).is_ok());
            let mut waits = pool.get().expect("a connection");
            is_named(insert().execute(&mut waits).expect_err("no connection"));
        });
        let pool = AsyncRoutedPool::<AsyncSqliteConnection>::new(&config).expect("a pool");
        let mut holds = pool.get().await.expect("a connection");
        until("a delete", async || {
            let delete = diesel::delete(cake::table);
            let deleted = diesel_async::RunQueryDsl::execute(delete, &mut holds);
            deleted.await.is_ok()
        })
        .await;
        let mut waits = pool.get().await.expect("a connection");
        let inserted = diesel_async::RunQueryDsl::execute(insert(), &mut waits).await;
        is_named(inserted.expect_err("no connection"));
    });
}

#[test]
fn a_dedicated_connection_is_none_of_the_pools() {
    run(async {
        let world = World::new(Backend::Sqlite, false).await;
        let (primary, _) = urls(&world.config(|config| config));
        let node = NodeBuilder::url(primary).max_connections(1);
        let node = node.on_connect(["PRAGMA cache_size = 17"]);
        let config = RoutingConfig::builder().primary(node);
        let config = config.build().expect("a configuration");
        let cache_size = || diesel::dsl::sql::<Integer>("PRAGMA cache_size");
        let states = |status: routing_core::Status| {
            let pool = status.sets[0].nodes[0].pool;
            pool.map(|pool| (pool.connections, pool.idle))
        };
        blocking(|| {
            let pool = RoutedPool::<SqliteConnection>::new(&config).expect("a pool");
            assert_eq!(states(pool.status()), None, "none is open");
            let mut holds = pool.get().expect("a connection");
            diesel::delete(cake::table)
                .execute(&mut holds)
                .expect("a delete");
            assert_eq!(states(pool.status()), Some((1, 0)));
            let mut own = pool.dedicated_connection().expect("another");
            let size = RunQueryDsl::get_result::<i32>(cache_size(), &mut own);
            assert_eq!(size, Ok(17), "it is set up");
            drop(holds);
            assert_eq!(states(pool.status()), Some((1, 1)));
        });
        let pool = AsyncRoutedPool::<AsyncSqliteConnection>::new(&config).expect("a pool");
        let mut holds = pool.get().await.expect("a connection");
        let deleted = diesel_async::RunQueryDsl::execute(diesel::delete(cake::table), &mut holds);
        deleted.await.expect("a delete");
        assert_eq!(states(pool.status()), Some((1, 0)));
        let mut own = pool.dedicated_connection().await.expect("another");
        let size = diesel_async::RunQueryDsl::get_result::<i32>(cache_size(), &mut own).await;
        assert_eq!(size, Ok(17), "it is set up");
        drop(holds);
        assert_eq!(states(pool.status()), Some((1, 1)));
    });
}
