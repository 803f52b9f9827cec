//! SeaORM, bare against routed.

use std::future::Future;
use std::sync::Arc;

use routing_seaorm::{RoutedConnection, RoutingConfig, Session};
use routing_tests::entity::cake;
use routing_tests::migration::Migrator;
use routing_tests::postgres::Cluster;
use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, DatabaseConnection, EntityTrait, Set};
use sea_orm_migration::MigratorTrait;
use tokio::task::JoinSet;

use crate::turns::{Pair, pair};

const TURNS: usize = 151;

/// Prints microseconds per query, and how much of the bare throughput is left.
pub(crate) async fn table(effort: f64) {
    println!(
        "{:34}{:>7}{:>11}{:>11}{:>13}{:>19}",
        "SeaORM, find_by_id", "tasks", "bare µs", "routed µs", "throughput", "extra allocations"
    );
    let turns = ((TURNS as f64 * effort) as usize).max(3);
    let work = |queries: usize| ((queries as f64 * effort) as usize).max(8);

    let memory = memory().await;
    let routed = RoutedConnection::from_connections(memory.clone(), [memory.clone()])
        .build()
        .expect("a connection")
        .with_session(&Session::new());
    let measured = one_task(turns, work(400), &memory, &routed).await;
    row(
        "SQLite in memory, a replica",
        1,
        &measured,
        extra(&memory, &routed).await,
    );

    let cluster = Cluster::start().await;
    cluster.create_database("bench").await;
    let primary = connect(&cluster.primary().url("bench")).await;
    seed(&primary).await;
    cluster.catch_up().await;
    let bare = connect(&cluster.replicas()[0].url("bench")).await;
    let config = RoutingConfig::builder()
        .primary(cluster.primary().url("bench"))
        .replica(cluster.replicas()[0].url("bench"))
        .build()
        .expect("a configuration");
    let routed = RoutedConnection::new(&config).expect("a connection");
    let session = routed.with_session(&Session::new());
    let measured = one_task(turns, work(400), &bare, &session).await;
    row(
        "PostgreSQL, a standby",
        1,
        &measured,
        extra(&bare, &session).await,
    );

    let pinned = Session::new();
    pinned.pin("default").expect("a pin");
    let pinned = routed.with_session(&pinned);
    let measured = one_task(turns, work(400), &primary, &pinned).await;
    row(
        "PostgreSQL, pinned",
        1,
        &measured,
        extra(&primary, &pinned).await,
    );

    let measured = pair(
        turns,
        work(1_600),
        |work| tasks(work, || bare.clone()),
        |work| tasks(work, || routed.with_session(&Session::new())),
    )
    .await;
    row(
        "PostgreSQL, a standby",
        8,
        &measured,
        extra(&bare, &session).await,
    );
}

fn row(name: &str, tasks: usize, measured: &Pair, extra: i64) {
    println!(
        "{name:34}{tasks:>7}{:>11.2}{:>11.2}{:>13.3}{extra:>19}",
        measured.bare.as_secs_f64() * 1e6,
        measured.routed.as_secs_f64() * 1e6,
        measured.throughput,
    );
}

async fn query<C: ConnectionTrait>(db: &C) {
    let cake = cake::Entity::find_by_id(1).one(db).await;
    assert!(cake.expect("an answer").is_some());
}

async fn queries<C: ConnectionTrait>(db: &C, work: usize) {
    for _ in 0..work {
        query(db).await;
    }
}

async fn one_task(
    turns: usize,
    work: usize,
    bare: &DatabaseConnection,
    routed: &RoutedConnection,
) -> Pair {
    pair(
        turns,
        work,
        |work| queries(bare, work),
        |work| queries(routed, work),
    )
    .await
}

/// Eight tasks, each with a handle of its own, that share the work.
async fn tasks<C: ConnectionTrait + Send + 'static>(work: usize, handle: impl Fn() -> C) {
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let db = Arc::new(handle());
        tasks.spawn(async move { queries(&*db, work / 8).await });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
}

/// How many more allocations a query makes on this thread, over many.
async fn extra(bare: &DatabaseConnection, routed: &RoutedConnection) -> i64 {
    const QUERIES: usize = 200;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..QUERIES {
        with.push(counted(query(routed)).await);
        without.push(counted(query(bare)).await);
    }
    with.sort_unstable();
    without.sort_unstable();
    with[QUERIES / 2] - without[QUERIES / 2]
}

/// The allocations made while a future is polled.
async fn counted(future: impl Future<Output = ()>) -> i64 {
    let mut future = std::pin::pin!(future);
    let mut total = 0;
    std::future::poll_fn(|cx| {
        let mut polled = std::task::Poll::Pending;
        let counted = allocation_counter::measure(|| polled = future.as_mut().poll(cx));
        total += counted.count_total as i64;
        polled
    })
    .await;
    total
}

async fn connect(url: &str) -> DatabaseConnection {
    Database::connect(url).await.expect("a connection")
}

async fn memory() -> DatabaseConnection {
    let memory = connect("sqlite::memory:").await;
    seed(&memory).await;
    memory
}

async fn seed(db: &DatabaseConnection) {
    Migrator::up(db, None).await.expect("a schema");
    let cake = cake::ActiveModel {
        name: Set("Opera".to_owned()),
        ..Default::default()
    };
    cake.insert(db).await.expect("a cake");
}
