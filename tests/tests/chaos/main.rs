//! Faults of real servers, while users work: nothing stale, nothing lost, nothing twice.
//!
//! `ROUTING_CHAOS_OPERATIONS` says how many operations each adapter does on each database.

mod failover;
mod ledger;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ledger::{INDEX, TABLE, Tally, User};
use routing_core::{
    LagLimits, NodeBuilder, PinRelease, ProbeRules, RoutingConfig, RoutingConfigBuilder, Status,
};
use routing_tests::adapter::{Adapter, Diesel, DieselAsync, Ports, SeaOrm};
use routing_tests::proxy::{Proxy, Way};
use routing_tests::runtime::run;
use routing_tests::{mariadb, postgres};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const USERS: usize = 12;

/// How many operations an adapter does on a database.
fn operations() -> u64 {
    let given = std::env::var("ROUTING_CHAOS_OPERATIONS").ok();
    given.map_or(6_000, |given| given.parse().expect("a number"))
}

/// What is done to the servers, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Cut(usize),
    HalfClose(usize),
    Slow(usize),
    Refuse(usize),
    Silent(usize),
    Freeze(usize),
    Kill(usize),
    Pause(usize),
    /// Both replicas.
    RefuseReplicas,
}

use Fault::{Cut, Freeze, HalfClose, Kill, Pause, Refuse, RefuseReplicas, Silent, Slow};

const FAULTS: &[Fault] = &[
    Cut(1),
    Slow(2),
    Kill(1),
    Pause(2),
    HalfClose(2),
    Silent(1),
    Freeze(2),
    Refuse(1),
    RefuseReplicas,
    Cut(0),
    Slow(0),
    Refuse(0),
    Silent(0),
    Freeze(0),
    Kill(0),
];

impl Fault {
    /// Whether the primary is in trouble, so that what needs it may fail.
    const fn is_of_primary(self) -> bool {
        match self {
            Cut(node) | HalfClose(node) | Slow(node) | Refuse(node) | Silent(node)
            | Freeze(node) | Kill(node) | Pause(node) => node == 0,
            RefuseReplicas => false,
        }
    }
}

/// The servers of one database, each behind a proxy.
enum Servers {
    Postgres(postgres::Cluster),
    MariaDb(mariadb::Cluster),
}

struct Field {
    servers: Servers,
    proxies: Vec<Proxy>,
    /// Beside the proxies.
    primary: DatabaseConnection,
}

impl Field {
    async fn postgres() -> Self {
        let cluster = postgres::Cluster::start().await;
        cluster.create_database("chaos").await;
        let mut proxies = vec![Proxy::start(cluster.primary().port()).await];
        for replica in cluster.replicas() {
            proxies.push(Proxy::start(replica.port()).await);
        }
        let primary = connect(&cluster.primary().url("chaos")).await;
        Self::with_table(Servers::Postgres(cluster), proxies, primary).await
    }

    async fn mariadb() -> Self {
        let cluster = mariadb::Cluster::start().await;
        cluster.create_database("chaos").await;
        let mut proxies = vec![Proxy::start(cluster.primary().port()).await];
        for replica in cluster.replicas() {
            proxies.push(Proxy::start(replica.port()).await);
        }
        let primary = connect(&cluster.primary().url("chaos")).await;
        Self::with_table(Servers::MariaDb(cluster), proxies, primary).await
    }

    async fn with_table(
        servers: Servers,
        proxies: Vec<Proxy>,
        primary: DatabaseConnection,
    ) -> Self {
        for sql in [TABLE, INDEX] {
            primary.execute_unprepared(sql).await.expect("a table");
        }
        match &servers {
            Servers::Postgres(cluster) => cluster.catch_up().await,
            Servers::MariaDb(cluster) => cluster.catch_up().await,
        }
        Self {
            servers,
            proxies,
            primary,
        }
    }

    fn config(&self) -> RoutingConfigBuilder {
        let url = |proxy: &Proxy| match self.servers {
            Servers::Postgres(_) => {
                format!("postgres://postgres@127.0.0.1:{}/chaos", proxy.port())
            }
            Servers::MariaDb(_) => format!("mysql://app@127.0.0.1:{}/chaos", proxy.port()),
        };
        let node = |proxy| NodeBuilder::url(url(proxy)).max_connections(8);
        RoutingConfig::builder()
            .pin_release(PinRelease::CaughtUp)
            .lag(LagLimits::NONE)
            .primary(node(&self.proxies[0]))
            .replica(node(&self.proxies[1]))
            .replica(node(&self.proxies[2]))
    }

    /// Does something to a server for a while, and undoes it.
    async fn suffer(&self, fault: Fault) {
        let lasts = Duration::from_millis(1_200);
        match fault {
            Cut(node) => self.proxies[node].cut(),
            HalfClose(node) => self.proxies[node].half_close(),
            Slow(node) => {
                self.way(&[node], Way::Slow(Duration::from_millis(40)), lasts)
                    .await
            }
            Refuse(node) => {
                self.proxies[node].cut();
                self.way(&[node], Way::Refused, lasts).await;
            }
            RefuseReplicas => {
                self.proxies[1].cut();
                self.proxies[2].cut();
                self.way(&[1, 2], Way::Refused, lasts).await;
            }
            Silent(node) => self.way(&[node], Way::Silent, 2 * lasts).await,
            Freeze(node) => match &self.servers {
                Servers::Postgres(cluster) => {
                    cluster.freeze(pg(cluster, node));
                    tokio::time::sleep(2 * lasts).await;
                    cluster.thaw(pg(cluster, node));
                }
                Servers::MariaDb(cluster) => {
                    cluster.freeze(maria(cluster, node));
                    tokio::time::sleep(2 * lasts).await;
                    cluster.thaw(maria(cluster, node));
                }
            },
            Kill(node) => match &self.servers {
                Servers::Postgres(cluster) => {
                    cluster.kill(pg(cluster, node));
                    tokio::time::sleep(lasts).await;
                    cluster.restart(pg(cluster, node)).await;
                }
                Servers::MariaDb(cluster) => {
                    cluster.kill(maria(cluster, node));
                    tokio::time::sleep(lasts).await;
                    cluster.restart(maria(cluster, node)).await;
                }
            },
            Pause(node) => match &self.servers {
                Servers::Postgres(cluster) => {
                    pg(cluster, node).pause().await;
                    tokio::time::sleep(lasts).await;
                    pg(cluster, node).resume().await;
                }
                Servers::MariaDb(cluster) => {
                    maria(cluster, node).pause().await;
                    tokio::time::sleep(lasts).await;
                    maria(cluster, node).resume().await;
                }
            },
        }
    }

    async fn way(&self, nodes: &[usize], way: Way, lasts: Duration) {
        for &node in nodes {
            self.proxies[node].set(way);
        }
        tokio::time::sleep(lasts).await;
        for &node in nodes {
            self.proxies[node].set(Way::Open);
        }
    }
}

/// How often each number of a user is in the ledger.
async fn ledger(primary: &DatabaseConnection, who: usize) -> Vec<(i64, i64)> {
    let sql =
        format!("SELECT number, count(*) AS count FROM ledger WHERE who = {who} GROUP BY number");
    let statement = Statement::from_string(primary.get_database_backend(), sql);
    let rows = primary.query_all_raw(statement).await.expect("the ledger");
    let get = |row: &sea_orm::QueryResult, column| row.try_get("", column).expect("a number");
    rows.iter()
        .map(|row| (get(row, "number"), get(row, "count")))
        .collect()
}

fn set_to_work<A: Adapter>(
    db: &A,
    tally: &Arc<Tally>,
    deadline: Duration,
) -> Vec<JoinHandle<User<A>>> {
    let user = |id| User {
        db: db.clone(),
        id,
        tally: Arc::clone(tally),
        deadline,
        number: 0,
        acknowledged: Vec::new(),
        token: Vec::new(),
    };
    (0..USERS).map(|id| tokio::spawn(user(id).work())).collect()
}

/// What was acknowledged is there, and nothing is there twice; says how much was.
async fn checked<A: Adapter>(
    users: Vec<JoinHandle<User<A>>>,
    primary: &DatabaseConnection,
) -> usize {
    let mut acknowledged = 0;
    for user in users {
        let user = user.await.expect("no panic");
        let ledger = ledger(primary, user.id).await;
        for number in &user.acknowledged {
            assert!(
                ledger.iter().any(|(there, _)| there == number),
                "{}: {number} of {} was acknowledged, and is lost",
                A::NAME,
                user.id
            );
        }
        acknowledged += user.acknowledged.len();
        let twice: Vec<_> = ledger.iter().filter(|(_, count)| *count != 1).collect();
        assert!(twice.is_empty(), "{}: twice: {twice:?}", A::NAME);
    }
    acknowledged
}

async fn connect(url: &str) -> DatabaseConnection {
    Database::connect(url).await.expect("the primary")
}

fn pg(cluster: &postgres::Cluster, node: usize) -> &postgres::Server {
    match node {
        0 => cluster.primary(),
        replica => &cluster.replicas()[replica - 1],
    }
}

fn maria(cluster: &mariadb::Cluster, node: usize) -> &mariadb::Server {
    match node {
        0 => cluster.primary(),
        replica => &cluster.replicas()[replica - 1],
    }
}

/// Waits until everything is as it should be, by what the router says.
async fn recovered<A: Adapter>(db: &A) -> Duration {
    let is_well = |status: &Status| {
        let mut nodes = status.sets[0].nodes.iter();
        !status.read_only() && nodes.all(|node| node.up && node.left_out.is_empty())
    };
    let begun = Instant::now();
    while !is_well(&db.status()) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{:#?}",
            db.status()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

/// Others would make everything late.
static ALONE: Mutex<()> = Mutex::const_new(());

/// All faults, again and again, until the users have done their work.
async fn chaos<A: Adapter>(field: Field, faults: &[Fault]) {
    let _alone = ALONE.lock().await;

    let mut probe = ProbeRules::DEFAULT;
    probe.timeout = Duration::from_millis(500);
    probe.suspect_after = Duration::from_millis(150);
    let config = field
        .config()
        .probe(probe)
        .build()
        .expect("a configuration");
    let db = A::open(&config, Ports::default()).expect("a handle");
    let tally = Arc::new(Tally::default());
    let deadline = probe.deadline() + Duration::from_millis(250);
    let users = set_to_work(&db, &tally, deadline);
    let (mut rounds, mut late) = (0, Vec::new());
    while tally.operations() < operations() || rounds == 0 {
        for &fault in faults {
            let of_primary = fault.is_of_primary();
            tally.may_fail.store(of_primary, Ordering::Release);
            let before = tally.late_reads.load(Ordering::Relaxed);
            field.suffer(fault).await;
            recovered(&db).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            late.push((fault, tally.late_reads.load(Ordering::Relaxed) - before));
        }
        rounds += 1;
    }
    tally.is_enough.store(true, Ordering::Release);
    let acknowledged = checked(users, &field.primary).await;
    let wrong = tally.wrong.lock().expect("no panic inside");
    println!(
        "{}: {} operations in {rounds} rounds, {acknowledged} writes acknowledged, {} writes and {} \
         reads failed, {} reads late, slowest {} ms; late by fault: {:?}; connections: {:?}",
        A::NAME,
        tally.operations(),
        tally.failed_writes.load(Ordering::Relaxed),
        tally.failed_reads.load(Ordering::Relaxed),
        tally.late_reads.load(Ordering::Relaxed),
        tally.slowest.load(Ordering::Relaxed) / 1_000,
        late.iter()
            .filter(|(_, count)| *count > 0)
            .collect::<Vec<_>>(),
        field
            .proxies
            .iter()
            .map(Proxy::accepted)
            .collect::<Vec<_>>(),
    );
    assert!(wrong.is_empty(), "{}: {wrong:#?}", A::NAME);
    assert!(acknowledged * 10 > usize::try_from(operations()).expect("so many") / 5);
}

/// A thread that waits inside a C library waits for as long as its server says nothing.
fn without_silence() -> Vec<Fault> {
    let is_silence = |fault: &&Fault| matches!(fault, Silent(_) | Freeze(_));
    FAULTS
        .iter()
        .filter(|fault| !is_silence(fault))
        .copied()
        .collect()
}

#[test]
fn seaorm_on_postgres() {
    run(async { chaos::<SeaOrm>(Field::postgres().await, FAULTS).await });
}

#[test]
fn diesel_async_on_postgres() {
    run(async { chaos::<DieselAsync>(Field::postgres().await, FAULTS).await });
}

#[test]
fn diesel_on_postgres() {
    run(async { chaos::<Diesel>(Field::postgres().await, &without_silence()).await });
}

#[test]
fn seaorm_on_mariadb() {
    run(async { chaos::<SeaOrm>(Field::mariadb().await, FAULTS).await });
}

#[test]
fn diesel_async_on_mariadb() {
    run(async { chaos::<DieselAsync>(Field::mariadb().await, FAULTS).await });
}
