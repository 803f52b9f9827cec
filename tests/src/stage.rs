//! What a test of the conformance suite runs on: a routed connection over real servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use routing_core::{Mode, RoutingConfigBuilder, Session, SetBuilder};
use routing_seaorm::{RoutedConnection, RoutingConfig};
use sea_orm::{ConnectionTrait, EntityTrait};
use sea_orm_migration::MigratorTrait;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::entity::server;
use crate::migration::Migrator;
use crate::postgres::Cluster;
use crate::recorder::Recorder;
use crate::sqlite::Files;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a test has to know all of them")]
pub enum Backend {
    /// A primary and two streaming hot standbys.
    Postgres,
    /// A primary file and two copies.
    Sqlite,
}

/// A routed connection to a primary and two replicas that have the shop's schema.
#[derive(Debug)]
pub struct Stage {
    /// The connection; it has no session.
    pub db: RoutedConnection,
    /// What it decides.
    pub recorder: Arc<Recorder>,
    config: RoutingConfig,
    servers: Servers,
}

#[derive(Debug)]
enum Servers {
    Postgres {
        cluster: &'static Cluster,
        _turn: Turn,
    },
    Sqlite(Files),
}

/// Pausing a standby is everybody's business: who does it has the cluster for himself.
#[derive(Debug)]
enum Turn {
    Shared {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Alone {
        _guard: RwLockWriteGuard<'static, ()>,
    },
}

static CLUSTER_TURN: RwLock<()> = RwLock::const_new(());

impl Stage {
    /// A stage in this mode, whose replicas replay.
    pub async fn new(backend: Backend, mode: Mode) -> Self {
        Self::with(backend, |config| config.mode(mode)).await
    }

    /// A stage with more settings.
    pub async fn with(
        backend: Backend,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        Self::build(backend, false, settings).await
    }

    /// A stage whose replicas can be [paused](Self::pause).
    pub async fn lagging(backend: Backend, mode: Mode) -> Self {
        Self::build(backend, true, |config| config.mode(mode)).await
    }

    async fn build(
        backend: Backend,
        alone: bool,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        let (servers, urls, other) = match backend {
            Backend::Postgres => postgres(alone).await,
            Backend::Sqlite => sqlite().await,
        };
        let config = settings(nodes(RoutingConfig::builder(), urls))
            .set("other", other_set(other))
            .build()
            .expect("a right configuration");
        let recorder = Arc::new(Recorder::default());
        let db = RoutedConnection::builder(&config)
            .observer(Arc::clone(&recorder) as _)
            .build()
            .expect("a connection");
        for set in ["default", "other"] {
            let db = db.on_set(set).expect("the set is there");
            Migrator::up(db.primary(), None).await.expect("a schema");
        }
        let stage = Self {
            db,
            recorder,
            config,
            servers,
        };
        stage.catch_up().await;
        stage
    }

    /// A handle with a session of its own.
    #[must_use]
    pub fn session(&self) -> (RoutedConnection, Session) {
        let session = Session::new();
        (self.db.with_session(&session), session)
    }

    /// What the connection was made from.
    #[must_use]
    pub const fn config(&self) -> &RoutingConfig {
        &self.config
    }

    /// Waits until the replicas that are not paused have everything.
    pub async fn catch_up(&self) {
        match &self.servers {
            Servers::Postgres { cluster, .. } => cluster.catch_up().await,
            Servers::Sqlite(files) => files.catch_up().await,
        }
    }

    /// Holds all replicas where they are; on PostgreSQL the stage must be
    /// [`lagging`](Self::lagging).
    pub async fn pause(&self) {
        match &self.servers {
            Servers::Postgres { cluster, _turn } => {
                assert!(matches!(_turn, Turn::Alone { .. }), "use `Stage::lagging`");
                for replica in cluster.replicas() {
                    replica.pause().await;
                }
            }
            Servers::Sqlite(files) => (0..2).for_each(|index| files.pause(index)),
        }
    }

    /// Lets them go on.
    pub async fn resume(&self) {
        match &self.servers {
            Servers::Postgres { cluster, .. } => {
                for replica in cluster.replicas() {
                    replica.resume().await;
                }
            }
            Servers::Sqlite(files) => (0..2).for_each(|index| files.resume(index)),
        }
    }
}

/// The name of the server that answers a read through this connection: it is asked itself.
pub async fn server_of<C: ConnectionTrait>(db: &C) -> String {
    server::Entity::find()
        .one(db)
        .await
        .expect("an answer")
        .expect("the server's row")
        .name
}

type Urls = [String; 3];

async fn postgres(alone: bool) -> (Servers, Urls, Urls) {
    static LAST: AtomicU32 = AtomicU32::new(0);

    let cluster = Cluster::shared().await;
    let turn = if alone {
        Turn::Alone {
            _guard: CLUSTER_TURN.write().await,
        }
    } else {
        Turn::Shared {
            _guard: CLUSTER_TURN.read().await,
        }
    };
    // One that failed while it was paused must not stop the others.
    for replica in cluster.replicas() {
        replica.resume().await;
    }
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let names = [format!("stage_{number}"), format!("stage_{number}_other")];
    let mut urls = Vec::new();
    for name in &names {
        cluster.create_database(name).await;
        urls.push([
            cluster.primary().url(name),
            cluster.replicas()[0].url(name),
            cluster.replicas()[1].url(name),
        ]);
    }
    let (other, default) = (urls.pop(), urls.pop());
    let servers = Servers::Postgres {
        cluster,
        _turn: turn,
    };
    (
        servers,
        default.expect("two databases"),
        other.expect("two databases"),
    )
}

async fn sqlite() -> (Servers, Urls, Urls) {
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
        urls,
        [other, String::new(), String::new()],
    )
}

fn nodes(config: RoutingConfigBuilder, [primary, one, two]: Urls) -> RoutingConfigBuilder {
    config.primary(primary).replica(one).replica(two)
}

fn other_set([primary, one, two]: Urls) -> SetBuilder {
    let set = SetBuilder::new().primary(primary);
    if one.is_empty() {
        set
    } else {
        set.replica(one).replica(two)
    }
}
