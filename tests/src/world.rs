//! The servers that a test runs on: a primary and two replicas with the shop's schema, and a second
//! replica set beside them.

use std::mem::take;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use routing_core::{
    BreakerRules, NodeBuilder, ProbeRules, RoutingConfig, RoutingConfigBuilder, SetBuilder,
};
use sea_orm::Database;
use sea_orm_migration::MigratorTrait;

use crate::lease::{Idle, Lease, Servers as _};
use crate::migration::Migrator;
use crate::sqlite::Files;
use crate::wait::LIMIT;
use crate::{mysql, postgres};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a test has to know all of them")]
pub enum Backend {
    /// PostgreSQL: a primary and two streaming hot standbys.
    Postgres,
    /// MariaDB, or a MySQL that the environment's `SERVERS` names: a primary and two replicas that follow it by GTID.
    MySql,
    /// SQLite: a primary file and two copies.
    Sqlite,
}

/// The servers, and this test's databases on them.
#[derive(Debug)]
pub struct World {
    backend: Backend,
    servers: Servers,
    urls: [Urls; 2],
}

#[derive(Debug)]
enum Servers {
    Postgres(Lease<postgres::Cluster>, [String; 2]),
    MySql(Lease<mysql::Cluster>),
    Sqlite(Files),
}

/// Of the primary and the replicas, if there are any.
type Urls = [String; 3];

impl World {
    /// Makes databases for this test. With `alone` the test has the servers for itself too, and can
    /// [pause](Self::pause) replicas.
    pub async fn new(backend: Backend, alone: bool) -> Self {
        let (servers, urls) = match backend {
            Backend::Postgres => on_postgres(alone).await,
            Backend::MySql => on_mysql(alone).await,
            Backend::Sqlite => on_sqlite().await,
        };
        Self {
            backend,
            servers,
            urls,
        }
    }

    /// Which database it is.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// A configuration with both sets, and these settings of the default one.
    pub fn config(
        &self,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> RoutingConfig {
        let [_, other] = &self.urls;
        settings(self.default_set())
            .set("other", other_set(other))
            .build()
            .expect("a right configuration")
    }

    fn default_set(&self) -> RoutingConfigBuilder {
        let [[primary, one, two], _] = &self.urls;
        RoutingConfig::builder()
            .probe(patient_probes())
            .time_pin(10 * LIMIT)
            .primary(patient(primary))
            .replica(patient(one))
            .replica(patient(two))
    }

    /// The URLs of the default set's primary and of its first replica.
    #[must_use]
    pub fn primary_and_replica(&self) -> [&str; 2] {
        let [[primary, one, _], _] = &self.urls;
        [primary, one]
    }

    /// The URL of the other set's primary.
    #[must_use]
    pub fn other_primary(&self) -> &str {
        let [_, [other, ..]] = &self.urls;
        other
    }

    /// A configuration whose replica is none: the other set's primary, which takes writes. It is not
    /// asked what it is, or it would be left out.
    #[must_use]
    pub fn misconfigured(&self) -> RoutingConfig {
        let [[primary, ..], [other, ..]] = &self.urls;
        let config = RoutingConfig::builder()
            .positions(false)
            .primary(patient(primary))
            .replica(patient(other));
        config.build().expect("a right configuration")
    }

    /// A configuration of the other set's primary and nothing else.
    #[must_use]
    pub fn other_alone(&self) -> RoutingConfig {
        let [_, [other, ..]] = &self.urls;
        let config = RoutingConfig::builder().primary(patient(other));
        config.build().expect("a right configuration")
    }

    /// A configuration with both sets, and these tables in the other one.
    #[must_use]
    pub fn with_tables(&self, tables: &[&str]) -> RoutingConfig {
        let [_, other] = &self.urls;
        self.default_set()
            .set("other", other_set(other).tables(tables.iter().copied()))
            .build()
            .expect("a right configuration")
    }

    /// Waits until the replicas that are not paused have everything.
    pub async fn catch_up(&self) {
        match &self.servers {
            Servers::Postgres(cluster, _) => cluster.catch_up().await,
            Servers::MySql(cluster) => cluster.catch_up().await,
            Servers::Sqlite(files) => files.catch_up().await,
        }
    }

    /// Holds all replicas where they are.
    pub async fn pause(&self) {
        for index in 0..2 {
            self.pause_one(index).await;
        }
    }

    /// Holds one replica where it is.
    pub async fn pause_one(&self, index: usize) {
        match &self.servers {
            Servers::Postgres(cluster, _) => cluster.alone_with().replicas()[index].pause().await,
            Servers::MySql(cluster) => cluster.alone_with().replicas()[index].pause().await,
            Servers::Sqlite(files) => files.pause(index),
        }
    }

    /// Ends all connections to one replica but the tests' own.
    pub async fn cut_one(&self, index: usize) {
        match &self.servers {
            Servers::Postgres(cluster, _) => cluster.alone_with().replicas()[index].cut().await,
            Servers::MySql(cluster) => cluster.alone_with().replicas()[index].cut().await,
            Servers::Sqlite(_) => {}
        }
    }

    /// Lets them go on.
    pub async fn resume(&self) {
        for index in 0..2 {
            self.resume_one(index).await;
        }
    }

    /// Lets one go on.
    pub async fn resume_one(&self, index: usize) {
        match &self.servers {
            Servers::Postgres(cluster, _) => cluster.replicas()[index].resume().await,
            Servers::MySql(cluster) => cluster.replicas()[index].resume().await,
            Servers::Sqlite(files) => files.resume(index),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let is_failure = thread::panicking();
        match &mut self.servers {
            Servers::Postgres(cluster, _) if is_failure => cluster.report(),
            Servers::MySql(cluster) if is_failure => cluster.report(),
            Servers::Postgres(cluster, names) => {
                for name in names {
                    cluster.give_shop_back(take(name));
                }
            }
            Servers::MySql(_) | Servers::Sqlite(_) => {}
        }
    }
}

/// Names for databases.
fn names() -> [String; 2] {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    [format!("stage_{number}"), format!("stage_{number}_other")]
}

async fn on_postgres(alone: bool) -> (Servers, [Urls; 2]) {
    static IDLE: Idle<postgres::Cluster> = Idle::new();

    let cluster = Lease::new(&IDLE, alone).await;
    let names = [cluster.take_shop().await, cluster.take_shop().await];
    let urls = names.each_ref().map(|name| cluster.urls(name));
    (Servers::Postgres(cluster, names), urls)
}

async fn on_mysql(alone: bool) -> (Servers, [Urls; 2]) {
    static IDLE: Idle<mysql::Cluster> = Idle::new();

    let cluster = Lease::new(&IDLE, alone).await;
    let names = names();
    for name in &names {
        cluster.create_shop(name).await;
    }
    let urls = names.map(|name| cluster.urls(&name));
    (Servers::MySql(cluster), urls)
}

async fn on_sqlite() -> (Servers, [Urls; 2]) {
    let files = Files::create().await;
    let urls = [
        files.primary_url(),
        files.replica_url(0),
        files.replica_url(1),
    ];
    // The other set is one file, beside the first: what it has is its own.
    let beside = files.path("other");
    let other = format!("sqlite://{}?mode=rwc", beside.display());
    for primary in [&urls[0], &other] {
        let db = Database::connect(primary).await.expect("the primary");
        Migrator::up(&db, None).await.expect("a schema");
        db.close().await.expect("the connection closes");
    }
    files.catch_up().await;
    let other = [other, String::new(), String::new()];
    (Servers::Sqlite(files), [urls, other])
}

fn other_set([primary, one, two]: &Urls) -> SetBuilder {
    let set = SetBuilder::new()
        .probe(patient_probes())
        .primary(patient(primary));
    if one.is_empty() {
        set
    } else {
        set.replica(patient(one)).replica(patient(two))
    }
}

/// A node that does not fail in this test, whatever else the machine does: a late answer is waited for.
pub fn patient(url: impl Into<String>) -> NodeBuilder {
    NodeBuilder::url(url).acquire_timeout(LIMIT)
}

/// Probe settings for such nodes.
#[must_use]
pub const fn patient_probes() -> ProbeRules {
    let mut probe = ProbeRules::DEFAULT;
    probe.timeout = LIMIT;
    probe.suspect_after = LIMIT;
    probe
}

/// A configuration by which the silence of a server is noticed after some seconds, and no earlier than a
/// busy machine answers.
pub fn attentive() -> RoutingConfigBuilder {
    let mut probe = ProbeRules::DEFAULT;
    probe.suspect_after = Duration::from_millis(500);
    probe.timeout = Duration::from_secs(4);
    RoutingConfig::builder()
        .probe(probe)
        .primary_breaker(BreakerRules::REPLICA)
}
