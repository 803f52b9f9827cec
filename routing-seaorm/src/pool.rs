//! A node's pool of connections, opened when it is first used.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use routing_core::sql::{CatalogFunction, Dialect};
use routing_core::{
    Connected, Failure, Footing, Generations, NodeConfig, Permit, Pool, PoolConfig, PoolMode, Role,
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
use sqlx::pool::PoolOptions;
use tokio::sync::Mutex;

use crate::failure::of_sqlx;
use crate::statement::dialect_of;

/// How long a node has to answer when it is to be found out whether it is there at all.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

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
    /// One at a time finds out whether the node is there; who waited takes over the answer.
    dialing: Mutex<bool>,
    dials: AtomicU64,
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

/// Where to connect, by driver.
enum Target {
    #[cfg(feature = "sqlx-postgres")]
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
    #[cfg(feature = "sqlx-mysql")]
    MySql(Box<sqlx::mysql::MySqlConnectOptions>),
    #[cfg(feature = "sqlx-sqlite")]
    Sqlite(Box<sqlx::sqlite::SqliteConnectOptions>),
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
            dialing: Mutex::new(true),
            dials: AtomicU64::new(0),
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
            dialing: Mutex::new(true),
            dials: AtomicU64::new(0),
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

    /// The functions of the database, over a connection beside the pool's; none, if it is not
    /// PostgreSQL.
    pub(crate) async fn catalog(&self) -> Result<Vec<CatalogFunction>, DbErr> {
        if self.backend != DbBackend::Postgres {
            return Ok(Vec::new());
        }
        let failed =
            |error: sqlx::Error| DbErr::Query(sea_orm::RuntimeErr::SqlxError(error.into()));
        match self.dedicated().await.map_err(failed)? {
            #[cfg(feature = "sqlx-postgres")]
            Dedicated::Postgres(mut connection) => {
                use routing_core::sql::CATALOG_QUERY;
                use sqlx::{Connection as _, Row as _};

                let rows = sqlx::raw_sql(CATALOG_QUERY).fetch_all(&mut *connection);
                let rows = rows.await.map_err(failed)?;
                // The answer is there, however the farewell goes.
                let _ = connection.close().await;
                let function = |row: sqlx::postgres::PgRow| {
                    Ok(CatalogFunction {
                        schema: row.try_get(0)?,
                        name: row.try_get(1)?,
                        is_volatile: row.try_get(2)?,
                    })
                };
                let functions = rows.into_iter().map(function);
                functions.collect::<Result<_, _>>().map_err(failed)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Whether it is one of SeaORM's mocks, which only an application can hand over.
    pub(crate) fn is_mock(&self) -> bool {
        match &self.source {
            Source::Given(connection) => connection.is_mock_connection(),
            Source::Configured { .. } => false,
        }
    }

    /// Has it closed after a while: nobody is sent to it any more.
    pub(crate) fn retire(&self) {
        if let Source::Configured { opened, .. } = &self.source {
            opened.current().into_iter().for_each(retire);
        }
        self.readers.current().into_iter().for_each(retire);
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

    /// Whether the node answers when somebody wants to connect: one connection beside the pool's,
    /// for a moment. A node that answers that it is full is there.
    pub(crate) async fn is_reachable(&self) -> bool {
        if tokio::runtime::Handle::try_current().is_err() {
            return true;
        }
        let seen = self.dials.load(Ordering::Acquire);
        let mut reachable = self.dialing.lock().await;
        if self.dials.load(Ordering::Acquire) == seen {
            *reachable = match tokio::time::timeout(DIAL_TIMEOUT, self.dial()).await {
                Err(_) => false,
                Ok(Ok(())) => true,
                Ok(Err(error)) => is_an_answer(&error, self.backend),
            };
            self.dials.fetch_add(1, Ordering::Release);
        }
        *reachable
    }

    async fn dial(&self) -> Result<(), sqlx::Error> {
        self.dedicated().await?.close().await
    }

    /// A connection beside the pool's.
    pub(crate) async fn dedicated(&self) -> Result<Dedicated, sqlx::Error> {
        match &self.source {
            Source::Configured { target, .. } => target.connect().await,
            Source::Given(given) => match &given.inner {
                #[cfg(feature = "sqlx-postgres")]
                DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                    let pool = given.get_postgres_connection_pool();
                    let connected = pool.connect_options().connect().await?;
                    Ok(Dedicated::Postgres(Box::new(connected)))
                }
                #[cfg(feature = "sqlx-mysql")]
                DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                    let pool = given.get_mysql_connection_pool();
                    let connected = pool.connect_options().connect().await?;
                    Ok(Dedicated::MySql(Box::new(connected)))
                }
                #[cfg(feature = "sqlx-sqlite")]
                DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                    let pool = given.get_sqlite_connection_pool();
                    let connected = pool.connect_options().connect().await?;
                    Ok(Dedicated::Sqlite(Box::new(connected)))
                }
                _ => Ok(Dedicated::Nothing),
            },
        }
    }
}

/// A connection beside a pool's.
pub(crate) enum Dedicated {
    #[cfg(feature = "sqlx-postgres")]
    Postgres(Box<sqlx::PgConnection>),
    #[cfg(feature = "sqlx-mysql")]
    MySql(Box<sqlx::MySqlConnection>),
    #[cfg(feature = "sqlx-sqlite")]
    Sqlite(Box<sqlx::SqliteConnection>),
    /// To a mock, which is no server.
    Nothing,
}

impl Dedicated {
    async fn close(self) -> Result<(), sqlx::Error> {
        #[cfg(any(
            feature = "sqlx-mysql",
            feature = "sqlx-postgres",
            feature = "sqlx-sqlite"
        ))]
        use sqlx::Connection as _;

        match self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(connection) => connection.close().await,
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(connection) => connection.close().await,
            #[cfg(feature = "sqlx-sqlite")]
            Self::Sqlite(connection) => connection.close().await,
            Self::Nothing => Ok(()),
        }
    }
}

/// Whoever was given the pool just now still has some time to check a connection out.
const GRACE: Duration = Duration::from_secs(30);

/// Has a pool closed that nobody is given any more.
fn retire(pool: &DatabaseConnection) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        // Its connections end with the handle's last clone.
        return;
    };
    let pool = pool.clone();
    runtime.spawn(async move {
        tokio::time::sleep(GRACE).await;
        if let Err(error) = pool.close().await {
            tracing::debug!(target: "routing", %error, "a pool that is not used any more");
        }
    });
}

impl Target {
    /// A replica that is a file is opened read-only, as a hot standby is by itself.
    #[cfg_attr(
        not(feature = "sqlx-sqlite"),
        expect(unused_variables, reason = "a file is all that is opened differently")
    )]
    fn parse(node: &NodeConfig, role: Role) -> Result<(DbBackend, Self), String> {
        let scheme = node.url().split(':').next().unwrap_or_default();
        match scheme {
            #[cfg(feature = "sqlx-postgres")]
            "postgres" | "postgresql" => {
                let options = node.url().parse().map_err(|error| unfit(&error))?;
                Ok((DbBackend::Postgres, Self::Postgres(Box::new(options))))
            }
            #[cfg(feature = "sqlx-mysql")]
            "mysql" | "mariadb" => {
                let options = node.url().parse().map_err(|error| unfit(&error))?;
                Ok((DbBackend::MySql, Self::MySql(Box::new(options))))
            }
            #[cfg(feature = "sqlx-sqlite")]
            "sqlite" => {
                let options: sqlx::sqlite::SqliteConnectOptions =
                    node.url().parse().map_err(|error| unfit(&error))?;
                let options = match role {
                    Role::Primary => options,
                    Role::Replica => options.create_if_missing(false).read_only(true),
                };
                Ok((DbBackend::Sqlite, Self::Sqlite(Box::new(options))))
            }
            other => Err(format!(
                "needs the feature of `routing-seaorm` for `{other}`: \
                 `sqlx-postgres`, `sqlx-mysql` or `sqlx-sqlite`"
            )),
        }
    }

    #[cfg_attr(
        not(any(
            feature = "sqlx-mysql",
            feature = "sqlx-postgres",
            feature = "sqlx-sqlite"
        )),
        expect(clippy::unused_async, reason = "there is nobody to connect to")
    )]
    async fn connect(&self) -> Result<Dedicated, sqlx::Error> {
        // By place and not by reference, so that without a driver there is nothing to match.
        match *self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(ref target) => {
                let connected = for_pooler(target).connect().await?;
                Ok(Dedicated::Postgres(Box::new(connected)))
            }
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(ref target) => Ok(Dedicated::MySql(Box::new(target.connect().await?))),
            #[cfg(feature = "sqlx-sqlite")]
            Self::Sqlite(ref target) => Ok(Dedicated::Sqlite(Box::new(target.connect().await?))),
        }
    }

    fn open(&self, options: &PoolConfig, connected: Connected) -> DatabaseConnection {
        // By place and not by reference, so that without a driver there is nothing to match.
        match *self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(ref target) => {
                let pool = pool_options(options, connected).connect_lazy_with(for_pooler(target));
                sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
            }
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(ref target) => {
                let pool = pool_options(options, connected).connect_lazy_with((**target).clone());
                sea_orm::SqlxMySqlConnector::from_sqlx_mysql_pool(pool)
            }
            #[cfg(feature = "sqlx-sqlite")]
            Self::Sqlite(ref target) => {
                // As SeaORM does: more connections to a database in memory would be more databases.
                let mut options = options.clone();
                options.max_connections.get_or_insert(1);
                let pool = pool_options(&options, connected).connect_lazy_with((**target).clone());
                sea_orm::SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
            }
        }
    }
}

/// PgBouncer refuses a parameter that it does not know; from PostgreSQL 12 on this one is of no use.
#[cfg(feature = "sqlx-postgres")]
fn for_pooler(target: &sqlx::postgres::PgConnectOptions) -> sqlx::postgres::PgConnectOptions {
    target.clone().extra_float_digits(None)
}

/// Who says what a pool's connections are told when they are there.
enum Whose {
    #[cfg_attr(
        not(any(feature = "sqlx-mysql", feature = "sqlx-postgres")),
        expect(dead_code, reason = "nobody asks SQLite where it is")
    )]
    Ours(Connected),
    Theirs,
}

/// A pool like this one, whose connections can only read: PostgreSQL's and MySQL's by the default of
/// their transactions, SQLite's by a pragma. Where a pooler gives each transaction another server
/// process, there is nothing that would last.
#[cfg_attr(
    not(any(feature = "sqlx-mysql", feature = "sqlx-postgres")),
    expect(unused_variables, reason = "SQLite has one way, and no monitor")
)]
fn only_reads(connection: &DatabaseConnection, mode: PoolMode, whose: Whose) -> DatabaseConnection {
    match &connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) if mode == PoolMode::Session => {
            let pool = connection.get_postgres_connection_pool();
            let target = (*pool.connect_options()).clone();
            let options = pool.options().clone();
            let pool = match whose {
                // Once it is there: a pooler hands that on, and no parameter that it does not know.
                Whose::Ours(connected) => options
                    .after_connect(move |connection, _| {
                        connected.tell();
                        Box::pin(async move {
                            let only_read = sqlx::raw_sql("SET default_transaction_read_only = on");
                            only_read.execute(connection).await.map(drop)
                        })
                    })
                    .connect_lazy_with(target),
                Whose::Theirs => options
                    .connect_lazy_with(target.options([("default_transaction_read_only", "on")])),
            };
            sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) if mode == PoolMode::Session => {
            let pool = connection.get_mysql_connection_pool();
            let target = (*pool.connect_options()).clone();
            let options = pool.options().clone().after_connect(move |connection, _| {
                if let Whose::Ours(connected) = &whose {
                    connected.tell();
                }
                Box::pin(async move {
                    let only_read = sqlx::query("SET SESSION TRANSACTION READ ONLY");
                    only_read.execute(connection).await.map(drop)
                })
            });
            let pool = options.connect_lazy_with(target);
            sea_orm::SqlxMySqlConnector::from_sqlx_mysql_pool(pool)
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            let pool = connection.get_sqlite_connection_pool();
            let target = (*pool.connect_options()).clone();
            if target.get_filename().to_string_lossy().contains("memory") {
                // Another connection would be another database.
                return connection.clone();
            }
            let target = target.pragma("query_only", "ON");
            let pool = pool.options().clone().connect_lazy_with(target);
            sea_orm::SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
        }
        _ => connection.clone(),
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

fn unfit(error: &sqlx::Error) -> String {
    error.to_string()
}

fn pool_options<DB: sqlx::Database>(config: &PoolConfig, connected: Connected) -> PoolOptions<DB> {
    let mut options = PoolOptions::new().acquire_timeout(config.acquire_timeout);
    options = options.after_connect(move |_, _| {
        connected.tell();
        Box::pin(std::future::ready(Ok(())))
    });
    if let Some(most) = config.max_connections {
        options = options.max_connections(most);
    }
    if let Some(least) = config.min_connections {
        options = options.min_connections(least);
    }
    if let Some(timeout) = config.idle_timeout {
        options = options.idle_timeout(timeout);
    }
    if let Some(lifetime) = config.max_lifetime {
        options = options.max_lifetime(lifetime);
    }
    if let Some(test) = config.test_before_acquire {
        options = options.test_before_acquire(test);
    }
    options
}

/// Without the driver's options, which hold the password.
impl fmt::Debug for NodePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodePool")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}
