//! Diesel and diesel-async, bare against routed.

use std::cell::{Cell, RefCell};
use std::future::Future;

use ::diesel::connection::{Connection, LoadConnection, SimpleConnection};
use ::diesel::pg::PgConnection;
use ::diesel::prelude::*;
use ::diesel::r2d2::{ConnectionManager, Pool};
use ::diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use futures_util::future::try_join_all;
use routing_core::{RoutingConfig, Session};
use routing_diesel::{AsyncRoutedPool, RoutedPool};
use routing_tests::postgres::Cluster;
use routing_tests::schema::cake;
use tokio::task::JoinSet;

use crate::turns::{Pair, pair};

const TURNS: usize = 151;

const SCHEMA: &str = "CREATE TABLE cake (id serial PRIMARY KEY, name text NOT NULL);
    INSERT INTO cake VALUES (1, 'Opera')";

/// Prints microseconds per query, and how much of the bare throughput is left.
pub(crate) async fn table(effort: f64) {
    println!(
        "{:34}{:>7}{:>11}{:>11}{:>13}{:>12}",
        "Diesel, find", "tasks", "bare µs", "routed µs", "throughput", "extra ns"
    );
    let turns = ((TURNS as f64 * effort) as usize).max(3);
    let work = |queries: usize| ((queries as f64 * effort) as usize).max(8);

    memory(turns, work(2_000)).await;

    let cluster = Cluster::start().await;
    cluster.create_database("bench").await;
    PgConnection::establish(&cluster.primary().url("bench"))
        .and_then(|mut primary| {
            let made = primary.batch_execute(SCHEMA);
            made.map_err(ConnectionError::CouldntSetupConfiguration)
        })
        .expect("the schema");
    cluster.catch_up().await;
    let config = RoutingConfig::builder()
        .primary(cluster.primary().url("bench"))
        .replica(cluster.replicas()[0].url("bench"))
        .build()
        .expect("a configuration");
    let url = cluster.replicas()[0].url("bench");

    postgres(turns, work(400), &url, &config).await;
    asynchronous(turns, &work, &url, &config).await;
}

async fn memory(turns: usize, work: usize) {
    let manager = ConnectionManager::<SqliteConnection>::new("file:bench?mode=memory&cache=shared");
    let pool = Pool::builder().max_size(3).build(manager).expect("a pool");
    let mut seed = pool.get().expect("a connection");
    seed.batch_execute(SCHEMA).expect("the schema");
    let routed = RoutedPool::from_pools(pool.clone(), [pool.clone()])
        .build()
        .expect("a pool");
    let bare = RefCell::new(pool.get().expect("a connection"));
    let conn = RefCell::new(routed.get_in(&Session::new()).expect("a connection"));
    let measured = pair(
        turns,
        work,
        |work| sync(work, || by_type(&mut *bare.borrow_mut())),
        |work| sync(work, || by_type(&mut *conn.borrow_mut())),
    )
    .await;
    row("sync, SQLite, static query", 1, &measured);
    let measured = pair(
        turns,
        work,
        |work| sync(work, || by_text(&mut *bare.borrow_mut())),
        |work| sync(work, || by_text(&mut *conn.borrow_mut())),
    )
    .await;
    row("sync, SQLite, dynamic query", 1, &measured);
}

/// The process behind a connection stays on the core that it began on, which may be the client's or
/// another, and that makes a difference of two. So the turns go round over several connections.
async fn postgres(turns: usize, work: usize, url: &str, config: &RoutingConfig) {
    const CONNECTIONS: usize = 8;

    let pool = Pool::new(ConnectionManager::<PgConnection>::new(url)).expect("a pool");
    let routed = RoutedPool::<PgConnection>::new(config).expect("a pool");
    let bare = [(); CONNECTIONS].map(|()| RefCell::new(pool.get().expect("a connection")));
    let conns = [(); CONNECTIONS].map(|()| {
        let conn = routed.get_in(&Session::new());
        RefCell::new(conn.expect("a connection"))
    });
    let (turn, other) = (Cell::new(0), Cell::new(0));
    let next = |turn: &Cell<usize>| {
        turn.set(turn.get() + 1);
        turn.get() % CONNECTIONS
    };
    let measured = pair(
        turns,
        work,
        |work| {
            let bare = &bare[next(&turn)];
            sync(work, || on_postgres(&mut *bare.borrow_mut()))
        },
        |work| {
            let conn = &conns[next(&other)];
            sync(work, || on_postgres(&mut *conn.borrow_mut()))
        },
    )
    .await;
    row("sync, PostgreSQL, a standby", 1, &measured);
}

async fn asynchronous(
    turns: usize,
    work: &impl Fn(usize) -> usize,
    url: &str,
    config: &RoutingConfig,
) {
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(url);
    let pool = bb8::Pool::builder().build(manager).await.expect("a pool");
    let routed = AsyncRoutedPool::<AsyncPgConnection>::new(config).expect("a pool");

    let measured = pair(
        turns,
        work(400),
        |work| {
            let pool = pool.clone();
            async move { sequential(&mut *pool.get().await.expect("a connection"), work).await }
        },
        |work| {
            let pool = routed.clone();
            async move {
                let conn = pool.get_in(&Session::new()).await;
                sequential(&mut conn.expect("a connection"), work).await;
            }
        },
    )
    .await;
    row("async, PostgreSQL, a standby", 1, &measured);

    // Each task has a connection for a moment, as a request does.
    let measured = pair(
        turns,
        work(1_600),
        |work| {
            let pool = pool.clone();
            tasks(work, move || {
                let pool = pool.clone();
                async move { sequential(&mut *pool.get().await.expect("a connection"), 10).await }
            })
        },
        |work| {
            let pool = routed.clone();
            tasks(work, move || {
                let pool = pool.clone();
                async move {
                    let conn = pool.get_in(&Session::new()).await;
                    sequential(&mut conn.expect("a connection"), 10).await;
                }
            })
        },
    )
    .await;
    row("async, PostgreSQL, 10 per checkout", 8, &measured);

    let bare = pool.get().await.expect("a connection");
    let conn = routed.get_in(&Session::new()).await.expect("a connection");
    let measured = pair(
        turns,
        work(400),
        |work| joined(&*bare, work),
        |work| joined(&conn, work),
    )
    .await;
    row("async, PostgreSQL, pipelined", 1, &measured);
    let measured = pair(
        turns,
        work(400),
        |work| one_by_one(&conn, work),
        |work| joined(&conn, work),
    )
    .await;
    println!(
        "{:34}{:>7}{:>11.2}{:>11.2}{:>13.2}",
        "  joined against one by one",
        1,
        measured.bare.as_secs_f64() * 1e6,
        measured.routed.as_secs_f64() * 1e6,
        measured.throughput,
    );
}

fn row(name: &str, tasks: usize, measured: &Pair) {
    let (bare, routed) = (measured.bare.as_secs_f64(), measured.routed.as_secs_f64());
    println!(
        "{name:34}{tasks:>7}{:>11.2}{:>11.2}{:>13.3}{:>12.0}",
        bare * 1e6,
        routed * 1e6,
        measured.throughput,
        // From the ratio within the turns, which what else the machine does hits less.
        bare * (1.0 / measured.throughput - 1.0) * 1e9,
    );
}

async fn sync(work: usize, mut query: impl FnMut()) {
    for _ in 0..work {
        query();
    }
}

/// A query whose type stands for its text.
fn by_type<C: Connection<Backend = Sqlite> + LoadConnection>(conn: &mut C) {
    let found: (i32, String) = cake::table.find(1).first(conn).expect("a cake");
    assert_eq!(found.0, 1);
}

/// A query whose text has to be built.
fn by_text<C: Connection<Backend = Sqlite> + LoadConnection>(conn: &mut C) {
    let query = cake::table.filter(cake::id.eq(1)).into_boxed();
    let found: (i32, String) = query.first(conn).expect("a cake");
    assert_eq!(found.0, 1);
}

fn on_postgres<C: Connection<Backend = ::diesel::pg::Pg> + LoadConnection>(conn: &mut C) {
    let found: (i32, String) = cake::table.find(1).first(conn).expect("a cake");
    assert_eq!(found.0, 1);
}

macro_rules! find {
    ($conn:expr) => {
        diesel_async::RunQueryDsl::first::<(i32, String)>(cake::table.find(1), $conn)
    };
}

async fn sequential<C>(conn: &mut C, work: usize)
where
    C: diesel_async::AsyncConnection<Backend = ::diesel::pg::Pg>,
{
    for _ in 0..work {
        find!(conn).await.expect("a cake");
    }
}

async fn one_by_one<C>(conn: &C, work: usize)
where
    for<'c> &'c C: diesel_async::AsyncConnectionCore<Backend = ::diesel::pg::Pg>,
{
    for _ in 0..work {
        find!(&mut &*conn).await.expect("a cake");
    }
}

async fn joined<C>(conn: &C, work: usize)
where
    for<'c> &'c C: diesel_async::AsyncConnectionCore<Backend = ::diesel::pg::Pg>,
{
    let queries = (0..work).map(|_| async { find!(&mut &*conn).await });
    try_join_all(queries).await.expect("cakes");
}

/// Eight tasks that share the work, ten queries at a time.
async fn tasks<F>(work: usize, unit: impl Fn() -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let unit = unit.clone();
        tasks.spawn(async move {
            for _ in 0..(work / 80).max(1) {
                unit().await;
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
}
