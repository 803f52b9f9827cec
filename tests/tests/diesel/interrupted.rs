//! Transactions that do not end as they were meant to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Integer};
use diesel_async::{
    AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, TransactionManager,
};
use futures_util::TryStreamExt;
use routing_core::{Mode, NodeBuilder, PinRelease, RoutingConfig, Session};
use routing_diesel::{AsyncRoutedConnection, AsyncRoutedPool, RoutedTransactionManager};
use routing_tests::adapter::{Adapter, Ports, SeaOrm, Shop};
use routing_tests::clock::MovedClock;
use routing_tests::proxy::{Proxy, Way};
use routing_tests::runtime::run;
use routing_tests::schema::cake;
use routing_tests::wait::{LIMIT, until};
use routing_tests::world::{Backend, World, patient_probes};
use tokio::sync::Notify;

use crate::support::{blocking, postgres, postgres_async, server_of, sqlite};

type Conn = AsyncRoutedConnection<AsyncPgConnection>;
type Log = Arc<Mutex<Vec<&'static str>>>;

fn take(log: &Log) -> Vec<&'static str> {
    std::mem::take(&mut *log.lock().expect("no panic"))
}

async fn insert(conn: &mut Conn, name: &str) -> QueryResult<usize> {
    diesel::insert_into(cake::table)
        .values(cake::name.eq(name.to_owned()))
        .execute(conn)
        .await
}

async fn names(pool: &AsyncRoutedPool<AsyncPgConnection>) -> Vec<String> {
    let mut conn = pool.get().await.expect("a connection");
    let names = cake::table.select(cake::name).order(cake::id);
    names.load(&mut conn).await.expect("names")
}

fn register(conn: &mut Conn, log: &Log) {
    let (one, other) = (Arc::clone(log), Arc::clone(log));
    conn.on_commit(move |_| one.lock().expect("no panic").push("commit"));
    conn.on_rollback(move || other.lock().expect("no panic").push("rollback"));
}

/// Diesel's errors of this kind are equal to nothing.
fn is_lost<T>(outcome: &QueryResult<T>) -> bool {
    matches!(outcome, Err(Error::BrokenTransactionManager))
}

/// Lets a future run until it gets so far, and drops it there.
async fn interrupt_at<T>(here: &Notify, future: impl Future<Output = T>) {
    tokio::select! {
        _ = future => panic!("it is still running"),
        () = here.notified() => {}
    }
}

/// Lets a future run until it is so, and drops it there.
async fn interrupt_when<T>(
    what: &str,
    is_so: impl AsyncFnMut() -> bool,
    future: impl Future<Output = T>,
) {
    tokio::select! {
        _ = future => panic!("it is still running"),
        () = until(what, is_so) => {}
    }
}

#[test]
fn a_dropped_savepoint_loses_its_transaction_and_says_so() {
    run(async {
        let here = Notify::new();
        let on = postgres_async().await;
        let log = Log::default();
        let mut conn = on.pool.get().await.expect("a connection");
        let outcome = conn
            .transaction(async |conn| {
                register(conn, &log);
                insert(conn, "a").await?;
                interrupt_at(
                    &here,
                    conn.transaction(async |conn| {
                        insert(conn, "b").await?;
                        here.notify_one();
                        std::future::pending::<()>().await;
                        Ok::<_, Error>(())
                    }),
                )
                .await;
                assert!(is_lost(&insert(conn, "c").await));
                Ok::<_, Error>(())
            })
            .await;
        assert!(is_lost(&outcome));
        assert_eq!(take(&log), ["rollback"]);
        // From here on all is well, and the closure's own error goes first.
        insert(&mut conn, "after").await.expect("an insert");
        let outcome: Result<(), _> = conn
            .transaction(async |conn| {
                interrupt_at(
                    &here,
                    conn.transaction(async |_| {
                        here.notify_one();
                        std::future::pending::<()>().await;
                        Ok::<_, Error>(())
                    }),
                )
                .await;
                Err(Error::NotFound)
            })
            .await;
        assert_eq!(outcome, Err(Error::NotFound));
        conn.transaction(async |conn| insert(conn, "again").await)
            .await
            .expect("a commit");
        assert_eq!(names(&on.pool).await, ["after", "again"]);
    });
}

/// Polls a future so many times at most.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = times;
    std::future::poll_fn(|cx| {
        left -= 1;
        match future.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        }
    })
    .await
}

#[test]
fn a_handle_goes_on_wherever_its_transaction_was_dropped() {
    run(async {
        let on = postgres_async().await;
        let mut committed = 0;
        for times in 1..60 {
            let mut conn = on.pool.get().await.expect("a connection");
            let done = poll_times(
                conn.transaction(async |conn| {
                    insert(conn, &format!("{times}")).await?;
                    conn.transaction(async |conn| insert(conn, &format!("{times} in")).await)
                        .await
                }),
                times,
            )
            .await;
            committed += usize::from(done.is_some());
            // The same handle is outside of it now, and what it writes stays written.
            insert(&mut conn, &format!("after {times}"))
                .await
                .expect("an insert");
            conn.transaction(async |conn| insert(conn, &format!("again {times}")).await)
                .await
                .expect("a commit");
            drop(conn);
            let names = names(&on.pool).await;
            assert!(names.contains(&format!("after {times}")), "{times}");
            assert!(names.contains(&format!("again {times}")), "{times}");
            let (outer, inner) = (format!("{times}"), format!("{times} in"));
            assert_eq!(names.contains(&outer), names.contains(&inner), "{times}");
            if committed > 3 {
                break;
            }
        }
        assert!(committed > 3);
    });
}

#[test]
fn what_a_text_has_set_is_there_for_the_next_statement() {
    run(async {
        let on = postgres_async().await;
        let mut conn = on.pool.get().await.expect("a connection");
        conn.batch_execute("SET application_name = 'one'; SET work_mem = '5MB'")
            .await
            .expect("two settings");
        let set = diesel::dsl::sql::<diesel::sql_types::Text>("current_setting('work_mem')");
        let set = diesel::select(set).get_result::<String>(&mut conn).await;
        assert_eq!(set.as_deref(), Ok("5MB"));
    });
}

#[test]
fn after_a_dropped_transaction_the_program_is_outside_of_it() {
    run(async {
        let here = Notify::new();
        let on = postgres_async().await;
        let log = Log::default();
        let mut conn = on.pool.get().await.expect("a connection");
        interrupt_at(
            &here,
            conn.transaction(async |conn| {
                register(conn, &log);
                insert(conn, "lost").await?;
                here.notify_one();
                std::future::pending::<()>().await;
                Ok::<_, Error>(())
            }),
        )
        .await;
        insert(&mut conn, "one").await.expect("an insert");
        assert_eq!(take(&log), ["rollback"]);
        conn.transaction(async |conn| insert(conn, "two").await)
            .await
            .expect("a commit");
        drop(conn);
        assert_eq!(names(&on.pool).await, ["one", "two"]);
    });
}

#[test]
fn what_nobody_has_seen_the_end_of_is_asked_before_a_commit_is_believed() {
    run(async {
        let on = postgres_async().await;
        let log = Log::default();
        let mut conn = on.pool.get().await.expect("a connection");
        // A statement that waits, is dropped, and then fails on the server.
        let mut beside = on.pool.get().await.expect("a connection");
        let lock = "SELECT pg_advisory_lock(7)";
        beside.batch_execute(lock).await.expect("a lock");
        let failing =
            "SELECT pg_advisory_xact_lock(7), 1 / (SELECT count(*) FROM cake WHERE id < 0)";
        let outcome = conn
            .transaction(async |conn| {
                register(conn, &log);
                insert(conn, "lost").await?;
                let waiters = "SELECT count(*) AS count FROM pg_locks \
                               WHERE locktype = 'advisory' AND NOT granted";
                let waits = async || {
                    let waiters = diesel::sql_query(waiters).get_result::<Waiters>(&mut beside);
                    waiters.await.expect("a number").count > 0
                };
                let statement = diesel::sql_query(failing).execute(conn);
                interrupt_when("it waits", waits, statement).await;
                let unlock = "SELECT pg_advisory_unlock(7)";
                beside.batch_execute(unlock).await.expect("a lock");
                Ok::<_, Error>(())
            })
            .await;
        assert_eq!(outcome, Ok(()), "as PostgreSQL has it");
        assert_eq!(take(&log), ["rollback"]);
        // One that fails after its first row, which is not looked at.
        let rows = diesel::dsl::sql::<Integer>("10 / (3 - x) FROM generate_series(1, 5) AS x");
        let outcome = conn
            .transaction(async |conn| {
                register(conn, &log);
                insert(conn, "lost").await?;
                let stream = diesel::select(rows).load_stream::<i32>(conn).await?;
                let _ = stream.try_collect::<Vec<_>>().await;
                Ok::<_, Error>(())
            })
            .await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(take(&log), ["rollback"]);
        // And one that is well, whose only row is taken.
        let outcome = conn
            .transaction(async |conn| {
                register(conn, &log);
                insert(conn, "kept").await?;
                cake::table.count().get_result::<i64>(conn).await
            })
            .await;
        assert_eq!(outcome, Ok(1));
        assert_eq!(take(&log), ["commit"]);
    });
}

#[test]
fn an_interrupted_statement_on_mysql_loses_its_transaction() {
    run(async {
        let world = World::new(Backend::MySql, false).await;
        let config = world.config(|config| config.mode(Mode::Greedy));
        let pool = AsyncRoutedPool::<AsyncMysqlConnection>::new(&config).expect("a pool");
        let beside = SeaOrm::open(&config, Ports::default()).expect("a handle");
        let mut conn = pool.get().await.expect("a connection");
        let outcome = conn
            .transaction(async |conn| {
                conn.batch_execute("INSERT INTO cake (name) VALUES ('a')")
                    .await?;
                let sleep = diesel::sql_query("SELECT SLEEP(600)").execute(conn);
                let runs = async || {
                    let sql = "SELECT count(*) FROM information_schema.processlist \
                               WHERE info LIKE '%SLEEP(600)%' AND id <> connection_id()";
                    beside.number(sql).await.expect("a number") > 0
                };
                interrupt_when("it runs", runs, sleep).await;
                let outside = conn
                    .batch_execute("INSERT INTO cake (name) VALUES ('b')")
                    .await;
                assert!(is_lost(&outside));
                Ok::<_, Error>(())
            })
            .await;
        assert!(is_lost(&outcome));
        // Dropped while it is asked whether the connection works, it is not used again.
        for polls in 1..12 {
            let mut conn = pool.get().await.expect("a connection");
            let mut wrong = Box::pin(diesel::sql_query("SELECTT 1").execute(&mut conn));
            let mut left = polls;
            std::future::poll_fn(|cx| {
                left -= 1;
                match wrong.as_mut().poll(cx) {
                    std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
                    _ => std::task::Poll::Ready(()),
                }
            })
            .await;
            drop(wrong);
            let nowhere = conn.batch_execute("INSERT INTO nowhere VALUES (1)").await;
            nowhere.expect_err("there is no such table");
        }
        let count = cake::table.count().get_result::<i64>(&mut conn).await;
        assert_eq!(count, Ok(0));
    });
}

/// A pool stops waiting while it asks a silent server whether a connection works; the answer comes later.
#[test]
fn an_answer_that_comes_too_late_acknowledges_nothing() {
    run(async {
        let world = World::new(Backend::MySql, false).await;
        let [primary, _] = world.primary_and_replica();
        let (server, database) = primary.rsplit_once('/').expect("a database");
        let (_, port) = server.rsplit_once(':').expect("a port");
        let proxy = Proxy::start(port.parse().expect("a port")).await;
        let url = format!(
            "mysql://app@127.0.0.1:{}/{database}?prefer_socket=false",
            proxy.port()
        );
        // Its only connection, which is waited for so long.
        let node = NodeBuilder::url(url).max_connections(1);
        let node = node.acquire_timeout(Duration::from_secs(2));
        let config = RoutingConfig::builder()
            .probe(patient_probes())
            .primary(node);
        let config = config.build().expect("a configuration");
        let clock = Arc::new(MovedClock::default());
        let pool = AsyncRoutedPool::<AsyncMysqlConnection>::builder(&config);
        let pool = pool.clock(Arc::clone(&clock) as _).build().expect("a pool");
        let write = async |sql: &str| {
            let mut conn = pool.get().await.expect("a handle");
            conn.batch_execute(sql).await
        };
        until("it takes writes", async || {
            write("INSERT INTO cake (name) VALUES ('a') ON DUPLICATE KEY UPDATE name = name")
                .await
                .is_ok()
        })
        .await;
        proxy.set(Way::Silent);
        let silent = write("INSERT INTO nowhere VALUES (1)").await;
        silent.expect_err("the server is silent");
        proxy.set(Way::Open);
        clock.advance(Duration::from_secs(60));
        until("it answers", async || {
            let written = write("INSERT INTO nowhere VALUES (1)").await;
            let error = written.expect_err("there is no such table");
            error.to_string().contains("nowhere")
        })
        .await;
    });
}

/// How a transaction asks for the lock that another has.
#[derive(Clone, Copy)]
enum Asks {
    ByUpdate,
    /// The server says that there is a deadlock among the rows, after it has said which columns they have.
    ByReading,
}

#[test]
fn a_deadlocks_victim_writes_nothing_outside_of_its_transaction() {
    run(deadlock(Asks::ByUpdate));
}

#[test]
fn a_deadlocks_victim_that_reads_rows_writes_nothing_outside_of_its_transaction() {
    run(deadlock(Asks::ByReading));
}

async fn deadlock(asks: Asks) {
    let world = World::new(Backend::MySql, false).await;
    let config = world.config(|config| config.mode(Mode::Greedy));
    let pool = AsyncRoutedPool::<AsyncMysqlConnection>::new(&config).expect("a pool");
    let mut conn = pool.get().await.expect("a connection");
    conn.batch_execute("INSERT INTO cake (id, name) VALUES (1, 'a'), (2, 'b')")
        .await
        .expect("two cakes");
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let bakers = [(1, 2), (2, 1)].map(|(first, second)| {
        let (pool, barrier) = (pool.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            let mut conn = pool.get().await.expect("a connection");
            conn.transaction(async |conn| {
                let lock = |id| diesel::update(cake::table.find(id)).set(cake::name.eq(cake::name));
                lock(first).execute(conn).await?;
                barrier.wait().await;
                let deadlocked = match asks {
                    Asks::ByUpdate => lock(second).execute(conn).await.is_err(),
                    Asks::ByReading => {
                        // Of all rows, so that the server finds the lock only when it reads them.
                        let all = cake::table.filter(cake::name.ne("").or(cake::id.eq(second)));
                        let ids = all.select(cake::id).for_update();
                        ids.load::<i32>(conn).await.is_err()
                    }
                };
                // Whoever ignores the error would write this for good.
                let wrote = diesel::insert_into(cake::table)
                    .values(cake::name.eq(format!("after {first}")))
                    .execute(conn)
                    .await;
                assert_eq!(wrote.is_err(), deadlocked);
                Ok::<_, Error>(())
            })
            .await
        })
    });
    let mut failed = 0;
    for baker in bakers {
        let outcome = baker.await.expect("no panic");
        failed += usize::from(is_lost(&outcome));
    }
    assert_eq!(failed, 1, "one is the victim");
    let count = cake::table.count().get_result::<i64>(&mut conn).await;
    assert_eq!(count, Ok(3));
}

#[test]
fn a_transaction_that_was_begun_as_text_is_lost_until_a_text_rolls_it_back() {
    run(async {
        let world = World::new(Backend::MySql, false).await;
        let config = world.config(|config| config.mode(Mode::Greedy));
        let pool = AsyncRoutedPool::<AsyncMysqlConnection>::new(&config).expect("a pool");
        let mut conn = pool.get().await.expect("a connection");
        let insert =
            |name: &'static str| diesel::insert_into(cake::table).values(cake::name.eq(name));
        for ends in [&["ROLLBACK"][..], &["COMMIT", "COMMIT", "ROLLBACK"]] {
            conn.batch_execute("BEGIN").await.expect("a transaction");
            // The server goes on for a while, and keeps what it has locked.
            let name = ["in it", "in it again"][ends.len() / 2];
            insert(name).execute(&mut conn).await.expect("an insert");
            // MySQL's connections do not survive that.
            let slow = "INSERT INTO cake (id, name) VALUES (-1, CONCAT('slow', sleep(10)))";
            let sleeping = poll_times(conn.batch_execute(slow), 1).await;
            assert!(sleeping.is_none(), "{sleeping:?}");
            let after = insert("after it").execute(&mut conn).await;
            assert!(is_lost(&after), "{after:?}");
            for &end in ends {
                // A commit is refused, however often it is repeated.
                let ended = conn.batch_execute(end).await;
                assert_eq!(ended.is_ok(), end == "ROLLBACK", "{ended:?}");
            }
            insert(ends[0]).execute(&mut conn).await.expect("an insert");
        }
        let names = cake::table.select(cake::name).order(cake::name);
        let names = names.load::<String>(&mut conn).await;
        assert_eq!(names, Ok(vec!["COMMIT".into(), "ROLLBACK".into()]));
    });
}

#[test]
fn statements_beside_others_do_not_join_a_transaction_that_was_dropped() {
    run(async {
        let on = postgres_async().await;
        let mut conn = on.pool.get_in(&Session::new()).await.expect("a connection");
        let here = Notify::new();
        let transaction = conn.transaction(async |conn| {
            insert(conn, "in it").await?;
            here.notify_one();
            std::future::pending::<()>().await;
            Ok::<_, Error>(())
        });
        interrupt_at(&here, transaction).await;
        let beside = diesel::insert_into(cake::table).values(cake::name.eq("beside"));
        let beside = beside.execute(&mut &conn).await;
        assert!(is_lost(&beside), "{beside:?}");
        insert(&mut conn, "after").await.expect("an insert");
        let beside = diesel::insert_into(cake::table).values(cake::name.eq("beside"));
        assert_eq!(beside.execute(&mut &conn).await, Ok(1));
        drop(conn);
        assert_eq!(names(&on.pool).await, ["after", "beside"]);
    });
}

/// A server may commit what was asked for by a future that was dropped, at any time.
#[test]
fn a_commit_that_was_dropped_keeps_its_sessions_on_the_primary() {
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let released = |config: routing_core::RoutingConfigBuilder| {
            let config = config.mode(Mode::Greedy).pin_release(PinRelease::CaughtUp);
            config.catch_up_wait(LIMIT)
        };
        let config = world.config(released);
        let pool = AsyncRoutedPool::<AsyncPgConnection>::new(&config).expect("a pool");
        let (began, ends) = (Session::new(), Session::new());
        let mut conn = pool.get().await.expect("a connection");
        let begin = RoutedTransactionManager::begin_transaction(&mut conn);
        let begun = began.run(begin).await;
        begun.expect("a transaction");
        insert(&mut conn, "in it").await.expect("an insert");
        let commit = ends.run(RoutedTransactionManager::commit_transaction(&mut conn));
        assert!(poll_times(commit, 1).await.is_none(), "it is on its way");
        for (session, what) in [(&began, "began it"), (&ends, "ends it")] {
            let mut other = pool.get_in(session).await.expect("a connection");
            assert_eq!(server_of(&mut other).await, "primary", "who {what}");
        }
    });
}

#[test]
fn a_transaction_in_the_middle_of_a_text_does_not_go_back_to_the_pool() {
    run(async {
        let on = postgres().await;
        let innocent = |name: &str| {
            let mut conn = on.pool.get_in(&Session::new()).expect("a connection");
            let inserted = diesel::insert_into(cake::table).values(cake::name.eq(name));
            diesel::RunQueryDsl::execute(inserted, &mut conn).expect("an insert");
        };
        blocking(|| {
            let mut conn = on.pool.get().expect("a connection");
            conn.batch_execute("BEGIN; INSERT INTO cake (name) VALUES ('left')")
                .expect("a transaction that nobody counts");
            drop(conn);
            innocent("one");
            let mut conn = on.pool.get().expect("a connection");
            let begin = diesel::sql_query("BEGIN");
            let rows: QueryResult<Vec<Nothing>> = diesel::RunQueryDsl::load(begin, &mut conn);
            rows.expect("no rows");
            drop(conn);
            innocent("two");
            let mut conn = on.pool.get().expect("a connection");
            let count = diesel::RunQueryDsl::get_result::<i64>(cake::table.count(), &mut conn);
            assert_eq!(count, Ok(2));
        });
    });
}

#[derive(QueryableByName)]
struct Waiters {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Nothing {
    #[diesel(sql_type = Integer)]
    #[expect(dead_code, reason = "there are no rows")]
    none: i32,
}

#[test]
fn a_transaction_that_sqlite_ends_by_itself_is_over() {
    run(async {
        let on = sqlite().await;
        blocking(|| {
            let log = Log::default();
            let mut conn = on.pool.get().expect("a connection");
            let insert = "INSERT INTO cake (id, name) VALUES (1, 'a')";
            let ended = conn.transaction(|conn| {
                let other = Arc::clone(&log);
                conn.on_rollback(move || other.lock().expect("no panic").push("rollback"));
                conn.batch_execute(insert)?;
                conn.batch_execute("INSERT OR ROLLBACK INTO cake (id, name) VALUES (1, 'b')")
            });
            ended.expect_err("it is rolled back");
            conn.transaction(|conn| {
                let other = Arc::clone(&log);
                conn.on_commit(move |_| other.lock().expect("no panic").push("commit"));
                conn.batch_execute(insert)
            })
            .expect("a commit");
            assert_eq!(take(&log), ["rollback", "commit"]);
            let twice = conn.transaction(|conn| conn.batch_execute(insert));
            let unique = DatabaseErrorKind::UniqueViolation;
            assert!(matches!(twice, Err(Error::DatabaseError(kind, _)) if kind == unique));
        });
    });
}

#[test]
fn a_savepoint_goes_on_after_a_rollback_to_it() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let log = Log::default();
            let mut conn = on.pool.get().expect("a connection");
            let add = |conn: &mut routing_diesel::RoutedConnection<_>, name| {
                let (one, other) = (Arc::clone(&log), Arc::clone(&log));
                conn.on_commit(move |_| one.lock().expect("no panic").push(name));
                conn.on_rollback(move || other.lock().expect("no panic").push("rollback"));
            };
            conn.batch_execute("BEGIN -- by hand")
                .expect("a transaction");
            conn.batch_execute("SAVEPOINT s").expect("a savepoint");
            add(&mut conn, "gone");
            conn.batch_execute("ROLLBACK TO s").expect("a rollback");
            assert_eq!(take(&log), ["rollback"]);
            add(&mut conn, "kept");
            conn.batch_execute("RELEASE s").expect("a release");
            conn.batch_execute("COMMIT").expect("a commit");
            assert_eq!(take(&log), ["kept"]);
        });
    });
}
