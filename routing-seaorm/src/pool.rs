//! A node's pool of connections, opened when it is first used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use routing_core::adapter::{SingleDial, TokioTimer, spawn, spawn_catalog, spawn_monitors};
use routing_core::sql::Dialect;
use routing_core::{
    Connected, Failure, Footing, Generations, NodeConfig, Permit, Pool, PoolConfig, PoolMode,
    ReplicaSet, Role, Router, Timer,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseConnectionType, DbBackend, DbErr, sqlx,
};
#[cfg(any(
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
use sqlx::ConnectOptions as _;

use crate::dedicated::DedicatedConnection;
use crate::failure::of_sqlx;
use crate::statement::dialect_of;
use crate::target::{Target, Whose, only_reads};

/// A pool that needs neither a server nor a runtime before a statement is sent to it.
#[expect(
    unnameable_types,
    reason = "it is what a connection is routed over, and nobody else's business"
)]
pub struct NodePool {
    backend: DbBackend,
    source: Source,
    /// Beside the pool, for handles that only read.
    readers: Generations<DatabaseConnection>,
    dial: SingleDial,
}

enum Source {
    Configured {
        url: String,
        target: Target,
        options: PoolConfig,
        opened: Generations<DatabaseConnection>,
    },
    Given(DatabaseConnection),
}

impl Pool for NodePool {
    type Given = DatabaseConnection;

    fn configured(node: &NodeConfig, role: Role) -> Result<Self, String> {
        let (backend, target) = Target::parse(node, role)?;
        Ok(Self {
            backend,
            source: Source::Configured {
                url: node.url().to_owned(),
                target,
                options: node.pool().clone(),
                opened: Generations::default(),
            },
            readers: Generations::default(),
            dial: SingleDial::default(),
        })
    }

    fn given(connection: DatabaseConnection) -> Result<Self, String> {
        if matches!(connection.inner, DatabaseConnectionType::Disconnected) {
            return Err("is a disconnected connection".into());
        }
        Ok(Self {
            backend: connection.get_database_backend(),
            source: Source::Given(connection),
            readers: Generations::default(),
            dial: SingleDial::default(),
        })
    }

    fn is_of(&self, node: &NodeConfig) -> bool {
        match &self.source {
            Source::Configured { url, options, .. } => url == node.url() && options == node.pool(),
            Source::Given(_) => false,
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        dialect_of(self.backend)
    }

    fn can_be_probed(&self) -> bool {
        match &self.source {
            Source::Configured { .. } => true,
            Source::Given(connection) => match &connection.inner {
                #[cfg(feature = "sqlx-postgres")]
                DatabaseConnectionType::SqlxPostgresPoolConnection(_) => true,
                #[cfg(feature = "sqlx-mysql")]
                DatabaseConnectionType::SqlxMySqlPoolConnection(_) => true,
                _ => false,
            },
        }
    }
    fn start_monitors(router: &Router<Self>, set: &Arc<ReplicaSet<Self>>) {
        spawn_monitors::<Self, DedicatedConnection>(router, set);
    }

    fn start_catalog(set: &Arc<ReplicaSet<Self>>) {
        spawn_catalog::<Self, DedicatedConnection>(set);
    }

    fn retire(&self, _: Connected) {
        if let Source::Configured { opened, .. } = &self.source {
            opened.current().into_iter().for_each(retire);
        }
        self.readers.current().into_iter().for_each(retire);
    }
}

impl NodePool {
    pub(crate) const fn backend(&self) -> DbBackend {
        self.backend
    }

    /// The pool for a statement that may be sent.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "it uses the permit up")]
    pub(crate) fn permitted<'a>(
        &'a self,
        permit: Permit<'_, Self>,
        only_reads: bool,
    ) -> &'a DatabaseConnection {
        let footing = permit.footing();
        if only_reads {
            self.reader(footing)
        } else {
            self.connection(footing)
        }
    }

    #[inline]
    pub(crate) fn connection(&self, footing: Footing<'_, Self>) -> &DatabaseConnection {
        match &self.source {
            Source::Given(connection) => connection,
            Source::Configured {
                target,
                options,
                opened,
                ..
            } => {
                let open = |role| {
                    let connected = footing.connected();
                    let opened = target.open(options, connected.clone());
                    match role {
                        Role::Primary => opened,
                        // What calls itself a replica, and is none, refuses a write all the same.
                        Role::Replica => {
                            only_reads(&opened, options.pool_mode, Whose::Ours(connected))
                        }
                    }
                };
                opened.get(footing, open, retire)
            }
        }
    }

    /// A pool beside the other, whose connections can only read; a replica's can no more anyway.
    fn reader(&self, footing: Footing<'_, Self>) -> &DatabaseConnection {
        let connection = self.connection(footing);
        let open = |role| match (&self.source, role) {
            (Source::Configured { .. }, Role::Replica) => connection.clone(),
            (Source::Configured { options, .. }, Role::Primary) => {
                let whose = Whose::Ours(footing.connected());
                only_reads(connection, options.pool_mode, whose)
            }
            (Source::Given(_), _) => only_reads(connection, PoolMode::Session, Whose::Theirs),
        };
        self.readers.get(footing, open, retire)
    }

    /// Whether it is one of SeaORM's mocks, which only an application can hand over.
    pub(crate) fn is_mock(&self) -> bool {
        match &self.source {
            Source::Given(connection) => connection.is_mock_connection(),
            Source::Configured { .. } => false,
        }
    }

    /// Closes the pool for good. One that was never used is opened for it, which connects to
    /// nothing, as it would otherwise open later.
    pub(crate) async fn close(&self, footing: Footing<'_, Self>) -> Result<(), DbErr> {
        let closed = match self.readers.current() {
            Some(reader) => reader.close_by_ref().await,
            None => Ok(()),
        };
        closed.and(self.connection(footing).close_by_ref().await)
    }

    /// Whether the node takes a connection beside the pool's, or answers that it is full.
    pub(crate) async fn is_reachable(&self) -> bool {
        let dial = || async {
            let connected = match self.dedicated().await {
                Ok(connection) => connection.close().await,
                Err(error) => Err(error),
            };
            connected.map_or_else(|error| is_an_answer(&error, self.backend), |()| true)
        };
        self.dial.is_reachable(dial).await
    }

    /// A connection beside the pool's.
    pub(crate) async fn dedicated(&self) -> Result<DedicatedConnection, sqlx::Error> {
        match &self.source {
            Source::Configured { target, .. } => target.connect().await,
            Source::Given(given) => match &given.inner {
                #[cfg(feature = "sqlx-postgres")]
                DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                    let pool = given.get_postgres_connection_pool();
                    let connected = pool.connect_options().connect().await?;
                    Ok(DedicatedConnection::Postgres(Box::new(connected)))
                }
                #[cfg(feature = "sqlx-mysql")]
                DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                    let pool = given.get_mysql_connection_pool();
                    let connected = pool.connect_options().connect().await?;
                    Ok(DedicatedConnection::MySql(Box::new(connected)))
                }
                #[cfg(feature = "sqlx-sqlite")]
                DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                    let pool = given.get_sqlite_connection_pool();
                    let connected = pool.connect_options().connect().await?;
                    Ok(DedicatedConnection::Sqlite(Box::new(connected)))
                }
                _ => Ok(DedicatedConnection::Nothing),
            },
        }
    }
}

/// Whoever was given the pool just now still has some time to check a connection out.
const GRACE: Duration = Duration::from_secs(30);

/// Has a pool closed that nobody is given any more.
fn retire(pool: &DatabaseConnection) {
    let pool = pool.clone();
    // Without a runtime, its connections end with the last clone of the pool.
    let _ = spawn(async move {
        let _over = TokioTimer::within(GRACE, std::future::pending::<()>()).await;
        if let Err(error) = pool.close().await {
            tracing::debug!(target: "routing", %error, "a pool that is not used any more");
        }
    });
}

/// Whether the server said no, rather than nothing, and not because it is starting or stopping.
fn is_an_answer(error: &sqlx::Error, backend: DbBackend) -> bool {
    match (error, of_sqlx(error, backend, Role::Primary)) {
        (_, Some(Failure::Starting | Failure::Unreachable | Failure::Lost)) => false,
        (sqlx::Error::Database(_), _) => backend != DbBackend::Sqlite,
        _ => false,
    }
}

/// Without the driver's options, which hold the password.
impl fmt::Debug for NodePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodePool")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}
