//! Transactions that the server, or the way to it, has ended before the program does.

use std::sync::{Arc, Mutex};

use diesel::connection::{LoadConnection, SimpleConnection};
use diesel::mysql::MysqlConnection;
use diesel::pg::{Pg, PgConnection};
use diesel::result::Error;
use diesel::{Connection, ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::{
    AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as AsyncText,
};
use futures_util::StreamExt;
use routing_diesel::{AsyncRoutedPool, RoutedConnection, RoutedPool};
use routing_tests::postgres::Cluster;
use routing_tests::proxy::{Proxy, Way};
use routing_tests::runtime::run;
use routing_tests::schema::cake;
use routing_tests::wait::{LIMIT, until, until_blocking, within};
use routing_tests::world::{Backend, World, attentive, patient};

use crate::support::{blocking, postgres, postgres_async, server_of, sqlite_async};

fn insert<C>(conn: &mut C, name: &str) -> QueryResult<usize>
where
    C: Connection<Backend = Pg>,
{
    let query = diesel::insert_into(cake::table).values(cake::name.eq(name));
    diesel::RunQueryDsl::execute(query, conn)
}

fn count<C>(conn: &mut C) -> QueryResult<i64>
where
    C: Connection<Backend = Pg> + LoadConnection,
{
    diesel::RunQueryDsl::get_result(cake::table.count(), conn)
}

/// Ends the connection that the statement runs on.
fn break_off<C: SimpleConnection>(conn: &mut C) {
    let broken = conn.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())");
    broken.expect_err("it is gone");
}

/// As code that knows Diesel's traits alone.
fn in_general<C>(conn: &mut C) -> QueryResult<QueryResult<usize>>
where
    C: Connection<Backend = Pg>,
{
    conn.transaction(|conn| {
        insert(conn, "before")?;
        break_off(conn);
        Ok(insert(conn, "after"))
    })
}

#[test]
fn no_statement_runs_outside_of_a_transaction_whose_connection_broke() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let mut conn = on.pool.get().expect("a connection");
            let mut after = None;
            let ended = conn.transaction(|conn| {
                insert(conn, "before")?;
                break_off(conn);
                after = Some(insert(conn, "after"));
                Ok::<_, Error>(())
            });
            let is_lost = |outcome: &Error| matches!(outcome, Error::BrokenTransactionManager);
            assert!(after.expect("it ran").is_err_and(|error| is_lost(&error)));
            assert!(ended.is_err_and(|error| is_lost(&error)));
            assert_eq!(count(&mut conn), Ok(0), "it has another connection");

            let mut conn = on.pool.get().expect("a connection");
            let ended = in_general(&mut conn);
            assert!(ended.is_err_and(|error| is_lost(&error)));
            assert_eq!(count(&mut conn), Ok(0), "it has another connection");
        });
    });
}

/// A primary behind a proxy, and a pool that notices when it falls silent.
struct Behind<P> {
    cluster: Cluster,
    proxy: Proxy,
    pool: P,
}

macro_rules! behind {
    ($name:ident, $pool:ty) => {
        async fn $name() -> Behind<$pool> {
            let cluster = Cluster::of_its_own().await;
            cluster.create_shop("fault").await;
            let proxy = Proxy::start(cluster.primary().port()).await;
            let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
            let replica = patient(cluster.replicas()[0].url("fault"));
            let config = attentive().primary(patient(url)).replica(replica);
            let config = config.build().expect("a configuration");
            let pool = <$pool>::new(&config).expect("a pool");
            Behind {
                cluster,
                proxy,
                pool,
            }
        }
    };
}

behind!(behind, RoutedPool<PgConnection>);
behind!(behind_async, AsyncRoutedPool<AsyncPgConnection>);

#[test]
fn the_primary_itself_is_in_the_open_transaction() {
    run(async {
        let Behind {
            cluster: _cluster,
            proxy,
            pool,
        } = behind().await;
        blocking(|| {
            let is_up = |is: bool| {
                let seen = || pool.status().sets[0].nodes[0].up == is;
                until_blocking(format!("it is up: {is}"), seen);
            };
            let mut conn = pool.get().expect("a connection");
            is_up(true);
            let rolled_back = conn.transaction(|conn| {
                insert(conn, "before")?;
                // Its connections are given up, and that of the transaction has survived.
                proxy.set(Way::Silent);
                is_up(false);
                proxy.set(Way::Open);
                is_up(true);
                insert(conn.primary()?, "at the primary")?;
                assert_eq!(count(conn), Ok(2));
                Err::<(), _>(Error::RollbackTransaction)
            });
            assert_eq!(rolled_back, Err(Error::RollbackTransaction));
            assert_eq!(count(&mut conn), Ok(0));
        });
    });
}

#[test]
fn the_primary_itself_is_in_the_open_transaction_of_diesel_async() {
    run(async {
        let Behind {
            cluster: _cluster,
            proxy,
            pool,
        } = behind_async().await;
        let is_up = async |is: bool| {
            let seen = async || pool.status().sets[0].nodes[0].up == is;
            until(format!("it is up: {is}"), seen).await;
        };
        let mut conn = pool.get().await.expect("a connection");
        is_up(true).await;
        let rolled_back = conn.transaction(async |conn| {
            let cake = |name| diesel::insert_into(cake::table).values(cake::name.eq(name));
            cake("before").execute(conn).await?;
            proxy.set(Way::Silent);
            is_up(false).await;
            proxy.set(Way::Open);
            is_up(true).await;
            cake("at the primary")
                .execute(conn.primary().await?)
                .await?;
            let seen = cake::table.count().get_result::<i64>(conn).await;
            assert_eq!(seen, Ok(2));
            Err::<(), _>(Error::RollbackTransaction)
        });
        assert_eq!(rolled_back.await, Err(Error::RollbackTransaction));
        let left = cake::table.count().get_result::<i64>(&mut conn).await;
        assert_eq!(left, Ok(0));
    });
}

fn refused(outcome: QueryResult<()>) -> Error {
    outcome.expect_err("it is not committed")
}

/// A program retries a commit that was refused, as one does: nothing may acknowledge it.
#[test]
fn a_commit_that_was_refused_is_never_acknowledged() {
    run(async {
        let Behind {
            cluster,
            proxy: _proxy,
            pool,
        } = behind().await;
        let mut conn = pool.get().expect("a connection");
        blocking(|| {
            conn.batch_execute("BEGIN").expect("a transaction");
            insert(&mut conn, "before").expect("an insert");
        });
        let replica = &cluster.replicas()[0];
        cluster.promote(replica).await;
        let is_followed = async || pool.status().sets[0].nodes[0].name == "replica-1";
        until("the promoted one is the primary", is_followed).await;
        blocking(|| {
            refused(conn.batch_execute("COMMIT"));
            refused(conn.batch_execute("COMMIT"));
            insert(&mut conn, "after").expect_err("it is not outside of it either");
            conn.batch_execute("ROLLBACK").expect("the way out");
            assert_eq!(count(&mut conn), Ok(0));
        });
    });
}

/// The connection of a transaction that was begun as text is gone: only a text leads out of it.
#[test]
fn a_commit_that_was_lost_is_never_acknowledged() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let mut conn = on.pool.get().expect("a connection");
            conn.batch_execute("BEGIN").expect("a transaction");
            insert(&mut conn, "before").expect("an insert");
            break_off(&mut conn);
            refused(conn.batch_execute("COMMIT"));
            refused(conn.batch_execute("COMMIT"));
            insert(&mut conn, "after").expect_err("it is not outside of it either");
            conn.batch_execute("ROLLBACK").expect("the way out");
            assert_eq!(count(&mut conn), Ok(0));
        });
    });
}

#[test]
fn a_commit_that_was_lost_is_never_acknowledged_by_diesel_async() {
    run(async {
        let on = postgres_async().await;
        let mut conn = on.pool.get().await.expect("a connection");
        let cake = |name| diesel::insert_into(cake::table).values(cake::name.eq(name));
        let begun = AsyncText::batch_execute(&mut conn, "BEGIN").await;
        begun.expect("a transaction");
        cake("before").execute(&mut conn).await.expect("an insert");
        let inner = conn.primary().await.expect("the transaction's own");
        let end = "SELECT pg_terminate_backend(pg_backend_pid())";
        let ended = AsyncText::batch_execute(inner, end).await;
        ended.expect_err("it is gone");
        refused(AsyncText::batch_execute(&mut conn, "COMMIT").await);
        refused(AsyncText::batch_execute(&mut conn, "COMMIT").await);
        let after = cake("after").execute(&mut conn).await;
        after.expect_err("it is not outside of it either");
        let out = AsyncText::batch_execute(&mut conn, "ROLLBACK").await;
        out.expect("the way out");
        let left = cake::table.count().get_result::<i64>(&mut conn).await;
        assert_eq!(left, Ok(0));
    });
}

/// SQLite does not end a transaction whose commit it refuses.
#[test]
fn a_commit_that_sqlite_refuses_leaves_its_transaction_open() {
    run(async {
        let on = sqlite_async().await;
        let mut conn = on.pool.get().await.expect("a connection");
        for sql in [
            "CREATE TABLE crumb (cake int REFERENCES cake DEFERRABLE INITIALLY DEFERRED)",
            "PRAGMA foreign_keys = ON",
            "BEGIN",
            "INSERT INTO crumb VALUES (4711)",
        ] {
            let done = AsyncText::batch_execute(&mut conn, sql).await;
            done.expect("it is done");
        }
        let called = Arc::new(Mutex::new(Vec::new()));
        let (one, other) = (Arc::clone(&called), Arc::clone(&called));
        conn.on_commit(move |_| one.lock().expect("no panic").push("commit"));
        conn.on_rollback(move || other.lock().expect("no panic").push("rollback"));
        let refused = AsyncText::batch_execute(&mut conn, "COMMIT").await;
        refused.expect_err("there is no such cake");
        assert!(called.lock().expect("no panic").is_empty(), "it is open");
        let mended = AsyncText::batch_execute(&mut conn, "DELETE FROM crumb").await;
        mended.expect("nothing refers to it");
        let committed = AsyncText::batch_execute(&mut conn, "COMMIT").await;
        committed.expect("a commit");
        assert_eq!(*called.lock().expect("no panic"), ["commit"]);
    });
}

/// Diesel goes on counting a transaction that a text has ended, and MySQL ignores a savepoint outside of
/// one.
#[test]
fn after_a_commit_by_hand_on_mysql_the_next_transaction_is_one() {
    run(async {
        let world = World::new(Backend::MySql, false).await;
        let config = world.config(|config| config.mode(routing_core::Mode::Greedy));
        let pool = RoutedPool::<MysqlConnection>::new(&config).expect("a pool");
        blocking(|| {
            let mut conn = pool.get().expect("a connection");
            let insert = |conn: &mut RoutedConnection<MysqlConnection>, name: &str| {
                let query = diesel::insert_into(cake::table).values(cake::name.eq(name));
                diesel::RunQueryDsl::execute(query, conn)
            };
            let by_hand = conn.transaction(|conn| {
                insert(conn, "by hand")?;
                conn.batch_execute("COMMIT")
            });
            by_hand.expect("it is committed");
            let undone = conn.transaction(|conn| {
                insert(conn, "undone")?;
                Err::<(), _>(Error::RollbackTransaction)
            });
            undone.expect_err("it is rolled back");
            let count = cake::table.count();
            let count: i64 = diesel::RunQueryDsl::get_result(count, &mut conn).expect("a count");
            assert_eq!(count, 1);
        });
    });
}

/// A transaction in a text is not tracked, and still the session sees what it has committed.
#[test]
fn a_commit_outside_of_a_tracked_transaction_is_seen_by_its_session() {
    run(async {
        let world = World::new(Backend::Postgres, true).await;
        let config = world.config(|config| {
            let config = config.mode(routing_core::Mode::Greedy);
            config.pin_release(routing_core::PinRelease::CaughtUp)
        });
        let pool = AsyncRoutedPool::<AsyncPgConnection>::new(&config).expect("a pool");
        let session = routing_core::Session::new();
        session.expect_hand_over();
        let mut conn = pool.get_in(&session).await.expect("a connection");
        let text = "BEGIN; INSERT INTO cake (name) VALUES ('untracked')";
        let begun = AsyncText::batch_execute(&mut conn, text).await;
        begun.expect("a transaction");
        // What the session has to see until here is known, and is there.
        session.when_settled().await;
        // Somebody commits, so that the server sends the log up to there.
        let mut anyone = pool.get().await.expect("a connection");
        let cake = diesel::insert_into(cake::table).values(cake::name.eq("another"));
        cake.execute(&mut anyone).await.expect("an insert");
        let serves = async || {
            let mut other = pool.get_in(&session).await.expect("a connection");
            server_of(&mut other).await.starts_with("replica-")
        };
        until("a replica has it", serves).await;
        world.pause().await;
        let committed = AsyncText::batch_execute(&mut conn, "COMMIT").await;
        committed.expect("a commit");
        let mut other = pool.get_in(&session).await.expect("a connection");
        let count = cake::table.count().get_result::<i64>(&mut other).await;
        assert_eq!(count, Ok(2));
        world.resume().await;
    });
}

#[test]
fn statements_beside_others_go_on_after_a_commit_that_was_refused() {
    run(async {
        let Behind {
            cluster,
            proxy: _proxy,
            pool,
        } = behind_async().await;
        let mut conn = pool.get().await.expect("a connection");
        let cake = |name| diesel::insert_into(cake::table).values(cake::name.eq(name));
        let committed = conn.transaction(async |conn| {
            cake("before").execute(conn).await?;
            cluster.promote(&cluster.replicas()[0]).await;
            let is_followed = async || pool.status().sets[0].nodes[0].name == "replica-1";
            until("the promoted one is the primary", is_followed).await;
            Ok::<_, Error>(())
        });
        committed.await.expect_err("another is the primary");
        let beside = cake::table.count().get_result::<i64>(&mut &conn).await;
        assert_eq!(beside, Ok(0));
    });
}

/// A row is all that `get_result` takes, and yet the statement is over.
#[test]
fn a_write_whose_only_row_was_read_lets_its_session_go_back_to_replicas() {
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let config = world.config(|config| {
            let config = config.mode(routing_core::Mode::Greedy);
            let config = config.pin_release(routing_core::PinRelease::CaughtUp);
            config.catch_up_wait(LIMIT)
        });
        let pool = AsyncRoutedPool::<AsyncPgConnection>::new(&config).expect("a pool");
        let session = routing_core::Session::new();
        let mut conn = pool.get_in(&session).await.expect("a connection");
        let cake = diesel::insert_into(cake::table).values(cake::name.eq("a cake"));
        let id = cake.returning(cake::id).get_result::<i32>(&mut conn).await;
        id.expect("its number");
        assert!(server_of(&mut conn).await.starts_with("replica-"));
    });
}

#[test]
fn a_commit_that_was_refused_is_never_acknowledged_by_diesel_async() {
    run(async {
        let Behind {
            cluster,
            proxy: _proxy,
            pool,
        } = behind_async().await;
        let mut conn = pool.get().await.expect("a connection");
        let cake = |name| diesel::insert_into(cake::table).values(cake::name.eq(name));
        let begun = AsyncText::batch_execute(&mut conn, "BEGIN").await;
        begun.expect("a transaction");
        cake("before").execute(&mut conn).await.expect("an insert");
        cluster.promote(&cluster.replicas()[0]).await;
        let is_followed = async || pool.status().sets[0].nodes[0].name == "replica-1";
        until("the promoted one is the primary", is_followed).await;
        refused(AsyncText::batch_execute(&mut conn, "COMMIT").await);
        refused(AsyncText::batch_execute(&mut conn, "COMMIT").await);
        let after = cake("after").execute(&mut conn).await;
        after.expect_err("it is not outside of it either");
        let out = AsyncText::batch_execute(&mut conn, "ROLLBACK").await;
        out.expect("the way out");
        let left = cake::table.count().get_result::<i64>(&mut conn).await;
        assert_eq!(left, Ok(0));
    });
}

#[test]
fn after_a_lost_commit_on_mysql_a_connection_goes_on() {
    run(async {
        let world = World::new(Backend::MySql, false).await;
        let config = world.config(|config| config);
        let pool = RoutedPool::<MysqlConnection>::new(&config).expect("a pool");
        blocking(|| {
            let mut conn = pool.get().expect("a connection");
            let insert = |conn: &mut RoutedConnection<MysqlConnection>, name: &str| {
                let query = diesel::insert_into(cake::table).values(cake::name.eq(name));
                diesel::RunQueryDsl::execute(query, conn)
            };
            let lost = conn.transaction(|conn| {
                insert(conn, "before")?;
                let killed = conn.batch_execute("KILL CONNECTION_ID()");
                killed.expect_err("it is gone");
                Ok::<_, Error>(())
            });
            lost.expect_err("it is not committed");
            let done = conn.transaction(|conn| insert(conn, "after"));
            assert_eq!(done, Ok(1));
            let names = cake::table.select(cake::name);
            let names = diesel::RunQueryDsl::load::<String>(names, &mut conn);
            assert_eq!(names, Ok(vec!["after".to_owned()]));
        });
    });
}

/// MySQL and MariaDB roll back when they answer a commit with an error; the program may commit again.
#[test]
fn a_commit_by_text_that_fails_on_mysql_has_rolled_back() {
    run(async {
        let world = World::new(Backend::MySql, true).await;
        let config = world.config(|config| config.mode(routing_core::Mode::Greedy));
        let [primary, _] = world.primary_and_replica();
        let admin = primary.replace("app@", "admin@");
        // No transaction can commit under this lock, and a session waits for it so long.
        let lock = |admin: &mut MysqlConnection| {
            let locked = admin.batch_execute("FLUSH TABLES WITH READ LOCK");
            locked.expect("a lock");
        };
        let begin = "SET SESSION lock_wait_timeout = 1";
        let insert = "INSERT INTO cake (name) VALUES ('lost')";
        let pool = RoutedPool::<MysqlConnection>::new(&config).expect("a pool");
        let log = Log::default();
        blocking(|| {
            let mut admin = MysqlConnection::establish(&admin).expect("the administrator");
            let mut conn = pool.get().expect("a connection");
            for text in [begin, "BEGIN", insert] {
                conn.batch_execute(text).expect(text);
            }
            let (one, other) = (Arc::clone(&log), Arc::clone(&log));
            conn.on_commit(move |_| one.lock().expect("no panic").push("commit"));
            conn.on_rollback(move || other.lock().expect("no panic").push("rollback"));
            lock(&mut admin);
            conn.batch_execute("COMMIT").expect_err("it waits in vain");
            admin.batch_execute("UNLOCK TABLES").expect("unlocked");
            conn.batch_execute("COMMIT").expect("of nothing");
            let count = cake::table.count();
            let count: i64 = diesel::RunQueryDsl::get_result(count, &mut conn).expect("a count");
            assert_eq!(count, 0);
        });
        assert_eq!(*log.lock().expect("no panic"), ["rollback"]);

        let pool = AsyncRoutedPool::<AsyncMysqlConnection>::new(&config).expect("a pool");
        let mut admin = blocking(|| MysqlConnection::establish(&admin).expect("the administrator"));
        let mut conn = pool.get().await.expect("a connection");
        for text in [begin, "BEGIN", insert] {
            AsyncText::batch_execute(&mut conn, text).await.expect(text);
        }
        let (one, other) = (Arc::clone(&log), Arc::clone(&log));
        conn.on_commit(move |_| one.lock().expect("no panic").push("commit"));
        conn.on_rollback(move || other.lock().expect("no panic").push("rollback, once more"));
        blocking(|| lock(&mut admin));
        let failed = AsyncText::batch_execute(&mut conn, "COMMIT").await;
        failed.expect_err("it waits in vain");
        blocking(|| admin.batch_execute("UNLOCK TABLES")).expect("unlocked");
        let again = AsyncText::batch_execute(&mut conn, "COMMIT").await;
        again.expect("of nothing");
        let left = cake::table.count().get_result::<i64>(&mut conn).await;
        assert_eq!(left, Ok(0));
        assert_eq!(
            *log.lock().expect("no panic"),
            ["rollback", "rollback, once more"]
        );
    });
}

/// The callbacks that have run.
type Log = Arc<Mutex<Vec<&'static str>>>;

#[test]
fn rows_that_have_failed_fail_their_transaction() {
    run(async {
        let on = postgres_async().await;
        let mut conn = on.pool.get().await.expect("a connection");
        let log = Log::default();
        let done = conn.transaction(async |conn| {
            let (one, other) = (Arc::clone(&log), Arc::clone(&log));
            conn.on_commit(move |_| one.lock().expect("no panic").push("commit"));
            conn.on_rollback(move || other.lock().expect("no panic").push("rollback"));
            let number = diesel::dsl::sql::<diesel::sql_types::Integer>(
                "1 / (x - 3) FROM generate_series(1, 5) x",
            );
            let mut rows = diesel::select(number).load_stream::<i32>(conn).await?;
            let mut failed = 0;
            // As a program that reads on after an error.
            while let Some(row) = rows.next().await {
                failed += u32::from(row.is_err());
            }
            assert_eq!(failed, 1);
            Ok::<_, Error>(())
        });
        let _either = within("it ends", done).await;
        assert_eq!(*log.lock().expect("no panic"), ["rollback"]);
    });
}

#[test]
fn rows_that_are_still_read_may_fail_their_transaction() {
    run(async {
        let on = postgres_async().await;
        let mut conn = on.pool.get().await.expect("a connection");
        let log = Log::default();
        let mut held = None;
        let done = conn.transaction(async |conn| {
            let (one, other) = (Arc::clone(&log), Arc::clone(&log));
            conn.on_commit(move |_| one.lock().expect("no panic").push("commit"));
            conn.on_rollback(move || other.lock().expect("no panic").push("rollback"));
            let number = diesel::dsl::sql::<diesel::sql_types::Integer>(
                "1 / (x - 3) FROM generate_series(1, 5) x",
            );
            let mut rows = diesel::select(number).load_stream::<i32>(conn).await?;
            rows.next().await.expect("a row")?;
            held = Some(rows);
            Ok::<_, Error>(())
        });
        let _either = within("it ends", done).await;
        drop(held);
        assert_eq!(*log.lock().expect("no panic"), ["rollback"]);
    });
}
