//! A node's pool of connections, opened when it is first used.

use std::fmt;

use routing_core::adapter::{PoolSource, SingleDial};
use routing_core::sql::Dialect;
use routing_core::{
    Failure, NodeConfig, OpenPool, Permit, Pool, PoolEpochs, PoolKey, PoolMode, PoolState, Role,
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
use crate::opened::Opened;
use crate::statement::dialect_of;
use crate::target::{Target, Whose, only_reads};

/// A pool that needs neither a server nor a runtime before a statement is sent to it.
#[expect(
    unnameable_types,
    reason = "it is what a connection is routed over, and nobody else's business"
)]
pub struct NodePool {
    backend: DbBackend,
    source: PoolSource<Opened, Target>,
    /// Beside the pool, for handles that only read.
    readers: PoolEpochs<Opened>,
    /// The pools that were lent by reference. In a box, as the list takes half a kilobyte.
    lent: Box<boxcar::Vec<OpenPool<Opened>>>,
    dial: SingleDial,
}

impl Pool for NodePool {
    type Given = DatabaseConnection;

    fn configured(node: &NodeConfig, role: Role) -> Result<Self, String> {
        let (backend, target) = Target::parse(node, role)?;
        Ok(Self::over(backend, PoolSource::configured(node, target)))
    }

    fn given(connection: DatabaseConnection) -> Result<Self, String> {
        if matches!(connection.inner, DatabaseConnectionType::Disconnected) {
            return Err("is a disconnected connection".into());
        }
        let backend = connection.get_database_backend();
        // Its role has no bearing: the application decides what its connections may do.
        let given = Opened::new(connection, Role::Primary);
        Ok(Self::over(backend, PoolSource::given(given)))
    }

    fn is_of(&self, node: &NodeConfig) -> bool {
        self.source.is_of(node)
    }

    fn dialect(&self) -> Option<Dialect> {
        dialect_of(self.backend)
    }

    fn can_be_probed(&self) -> bool {
        match &self.source {
            PoolSource::Configured { .. } => true,
            PoolSource::Given(connection) => match &connection.inner {
                #[cfg(feature = "sqlx-postgres")]
                DatabaseConnectionType::SqlxPostgresPoolConnection(_) => true,
                #[cfg(feature = "sqlx-mysql")]
                DatabaseConnectionType::SqlxMySqlPoolConnection(_) => true,
                _ => false,
            },
        }
    }

    fn state(&self) -> Option<PoolState> {
        let opened = self.source.current()?;
        let state = |connections: u32, idle: usize| PoolState {
            connections,
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
        };
        match &opened.inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                let pool = opened.get_postgres_connection_pool();
                Some(state(pool.size(), pool.num_idle()))
            }
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                let pool = opened.get_mysql_connection_pool();
                Some(state(pool.size(), pool.num_idle()))
            }
            #[cfg(feature = "sqlx-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                let pool = opened.get_sqlite_connection_pool();
                Some(state(pool.size(), pool.num_idle()))
            }
            _ => None,
        }
    }

    fn retire(&self) {
        self.source.retire(Opened::supersede);
        self.readers.retire(Opened::supersede);
    }
}

impl NodePool {
    fn over(backend: DbBackend, source: PoolSource<Opened, Target>) -> Self {
        Self {
            backend,
            source,
            readers: PoolEpochs::default(),
            lent: Box::default(),
            dial: SingleDial::default(),
        }
    }

    pub(crate) const fn backend(&self) -> DbBackend {
        self.backend
    }

    /// The pool for a statement that may be sent.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "it uses the permit up")]
    pub(crate) fn permitted(&self, permit: Permit<'_, Self>, only_reads: bool) -> OpenPool<Opened> {
        let key = permit.pool_key();
        if only_reads {
            self.reader(key)
        } else {
            self.connection(key)
        }
    }

    #[inline]
    pub(crate) fn connection(&self, key: PoolKey<'_, Self>) -> OpenPool<Opened> {
        let open = |node: &NodeConfig, target: &Target, role| {
            let (options, connected) = (node.pool(), key.connected());
            let opened = target.open(options, connected.clone());
            let reader = match role {
                Role::Primary => None,
                // A server that is configured as a replica, and is none, refuses a write, too.
                Role::Replica => {
                    let whose = Whose::Ours(connected, options.on_connect.as_slice().into());
                    only_reads(&opened, options.pool_mode, whose)
                }
            };
            Opened::new(reader.unwrap_or(opened), role)
        };
        self.source.get(key, open, Opened::supersede)
    }

    /// The pool by reference, which stays open for as long as this.
    pub(crate) fn lend(&self, key: PoolKey<'_, Self>) -> &DatabaseConnection {
        if let PoolSource::Given(pool) = &self.source {
            return pool;
        }
        let pool = self.connection(key);
        let lent = self.lent.iter().find(|(_, lent)| lent.is_same(&pool));
        let index = lent.map(|(index, _)| index);
        &self.lent[index.unwrap_or_else(|| self.lent.push(pool))]
    }

    /// A pool beside the other, whose connections can only read; a replica's can no more anyway.
    fn reader(&self, key: PoolKey<'_, Self>) -> OpenPool<Opened> {
        let pool = self.connection(key);
        let (mode, whose) = match &self.source {
            PoolSource::Configured { .. } if pool.role == Role::Replica => return pool,
            PoolSource::Configured { node, .. } => {
                let options = node.pool();
                let statements = options.on_connect.as_slice().into();
                (options.pool_mode, Whose::Ours(key.connected(), statements))
            }
            PoolSource::Given(_) => (PoolMode::Session, Whose::Theirs),
        };
        if let Some(reader) = self
            .readers
            .current()
            .filter(|reader| reader.epoch() >= key.epoch())
        {
            return reader;
        }
        let Some(reader) = only_reads(&pool, mode, whose) else {
            return pool;
        };
        let open = |role| Opened::new(reader, role);
        self.readers.get(key, open, Opened::supersede)
    }

    /// Whether it is one of SeaORM's mocks, which only an application can hand over.
    pub(crate) fn is_mock(&self) -> bool {
        match &self.source {
            PoolSource::Given(connection) => connection.is_mock_connection(),
            PoolSource::Configured { .. } => false,
        }
    }

    /// Closes the pool for good. One that was never used is opened for it, which connects to
    /// nothing, as it would otherwise open later.
    pub(crate) async fn close(&self, key: PoolKey<'_, Self>) -> Result<(), DbErr> {
        let closed = match self.readers.current() {
            Some(reader) => reader.close_by_ref().await,
            None => Ok(()),
        };
        closed.and(self.connection(key).close_by_ref().await)
    }

    /// Whether the node takes a connection beside the pool's, or answers that it is full.
    pub(crate) async fn is_reachable(&self) -> bool {
        let dial = || async {
            let connected = match self.dedicated().await {
                Ok(connection) => connection.close().await,
                Err(error) => Err(error),
            };
            match connected {
                Err(error) if !is_an_answer(&error, self.backend) => Err(error.to_string()),
                _ => Ok(()),
            }
        };
        self.dial.failure(dial).await.is_none()
    }

    /// A connection beside the pool's.
    pub(crate) async fn dedicated(&self) -> Result<DedicatedConnection, sqlx::Error> {
        match &self.source {
            PoolSource::Configured { opener, .. } => opener.connect().await,
            PoolSource::Given(given) => match &given.inner {
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
