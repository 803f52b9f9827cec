//! The servers that a test runs on: a primary and two replicas with the shop's schema, and a second
//! replica set beside them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use routing_core::{NodeBuilder, ProbeRules, RoutingConfig, RoutingConfigBuilder, SetBuilder};
use sea_orm::Database;
use sea_orm_migration::MigratorTrait;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::migration::Migrator;
use crate::sqlite::Files;
use crate::{mariadb, postgres};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a test has to know all of them")]
pub enum Backend {
    /// PostgreSQL: a primary and two streaming hot standbys.
    Postgres,
    /// MariaDB: a primary and two replicas that follow it by GTID.
    MariaDb,
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
    Postgres(&'static postgres::Cluster, Turn),
    MariaDb(&'static mariadb::Cluster, Turn),
    Sqlite(Files),
}

/// Of the primary and the replicas, if there are any.
type Urls = [String; 3];

/// Pausing a replica is everybody's business: who does it has the cluster for himself.
#[derive(Debug)]
enum Turn {
    Shared {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Alone {
        _guard: RwLockWriteGuard<'static, ()>,
    },
}

impl Turn {
    async fn take(lock: &'static RwLock<()>, alone: bool) -> Self {
        if alone {
            Self::Alone {
                _guard: lock.write().await,
            }
        } else {
            Self::Shared {
                _guard: lock.read().await,
            }
        }
    }
}

impl World {
    /// Databases that nobody else uses. Only who is `alone` can [pause](Self::pause) replicas.
    pub async fn new(backend: Backend, alone: bool) -> Self {
        let (servers, urls) = match backend {
            Backend::Postgres => on_postgres(alone).await,
            Backend::MariaDb => on_mariadb(alone).await,
            Backend::Sqlite => on_sqlite().await,
        };
        for [primary, ..] in &urls {
            let db = Database::connect(primary).await.expect("the primary");
            Migrator::up(&db, None).await.expect("a schema");
            db.close().await.expect("the connection closes");
        }
        let world = Self {
            backend,
            servers,
            urls,
        };
        world.catch_up().await;
        world
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
            .primary(primary)
            .replica(other);
        config.build().expect("a right configuration")
    }

    /// A configuration of the other set's primary and nothing else.
    #[must_use]
    pub fn other_alone(&self) -> RoutingConfig {
        let [_, [other, ..]] = &self.urls;
        let config = RoutingConfig::builder().primary(other);
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
            Servers::MariaDb(cluster, _) => cluster.catch_up().await,
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
            Servers::Postgres(cluster, turn) => {
                turn.is_alone();
                cluster.replicas()[index].pause().await;
            }
            Servers::MariaDb(cluster, turn) => {
                turn.is_alone();
                cluster.replicas()[index].pause().await;
            }
            Servers::Sqlite(files) => files.pause(index),
        }
    }

    /// Ends all connections to one replica but the tests' own.
    pub async fn cut_one(&self, index: usize) {
        match &self.servers {
            Servers::Postgres(cluster, turn) => {
                turn.is_alone();
                cluster.replicas()[index].cut().await;
            }
            Servers::MariaDb(cluster, turn) => {
                turn.is_alone();
                cluster.replicas()[index].cut().await;
            }
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
            Servers::MariaDb(cluster, _) => cluster.replicas()[index].resume().await,
            Servers::Sqlite(files) => files.resume(index),
        }
    }
}

impl Turn {
    fn is_alone(&self) {
        assert!(matches!(self, Self::Alone { .. }), "others use the cluster");
    }
}

/// A number for a database's name.
fn number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

async fn on_postgres(alone: bool) -> (Servers, [Urls; 2]) {
    static TURN: RwLock<()> = RwLock::const_new(());

    let cluster = postgres::Cluster::shared().await;
    let turn = Turn::take(&TURN, alone).await;
    // One that failed while it was paused must not stop the others.
    for replica in cluster.replicas() {
        replica.resume().await;
    }
    let number = number();
    let names = [format!("stage_{number}"), format!("stage_{number}_other")];
    for name in &names {
        cluster.create_database(name).await;
    }
    let urls = names.map(|name| {
        let [one, two] = cluster.replicas() else {
            panic!("there are two replicas");
        };
        [cluster.primary().url(&name), one.url(&name), two.url(&name)]
    });
    (Servers::Postgres(cluster, turn), urls)
}

async fn on_mariadb(alone: bool) -> (Servers, [Urls; 2]) {
    static TURN: RwLock<()> = RwLock::const_new(());

    let cluster = mariadb::Cluster::shared().await;
    let turn = Turn::take(&TURN, alone).await;
    for replica in cluster.replicas() {
        replica.resume().await;
    }
    let number = number();
    let names = [format!("stage_{number}"), format!("stage_{number}_other")];
    for name in &names {
        cluster.create_database(name).await;
    }
    let urls = names.map(|name| {
        let [one, two] = cluster.replicas() else {
            panic!("there are two replicas");
        };
        [cluster.primary().url(&name), one.url(&name), two.url(&name)]
    });
    (Servers::MariaDb(cluster, turn), urls)
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
    (
        Servers::Sqlite(files),
        [urls, [other, String::new(), String::new()]],
    )
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

/// Nothing fails on these servers, whatever else the machine does: who answers late is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn patient(url: &str) -> NodeBuilder {
    NodeBuilder::url(url).acquire_timeout(PATIENCE)
}

fn patient_probes() -> ProbeRules {
    let mut probe = ProbeRules::DEFAULT;
    probe.timeout = PATIENCE;
    probe.suspect_after = PATIENCE;
    probe
}
