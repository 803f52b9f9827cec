//! Where a node is, and how its pools are opened, by driver.

use std::sync::Arc;

use routing_core::{Connected, NodeConfig, PoolConfig, PoolMode, Role};
use sea_orm::{DatabaseConnection, DatabaseConnectionType, DbBackend, sqlx};
#[cfg(any(
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
use sqlx::ConnectOptions as _;
use sqlx::pool::PoolOptions;

use crate::dedicated::DedicatedConnection;

/// Where to connect, by driver.
pub(crate) enum Target {
    #[cfg(feature = "sqlx-postgres")]
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
    #[cfg(feature = "sqlx-mysql")]
    MySql(Box<sqlx::mysql::MySqlConnectOptions>),
    #[cfg(feature = "sqlx-sqlite")]
    Sqlite(Box<sqlx::sqlite::SqliteConnectOptions>),
}

impl Target {
    /// A replica that is a file is opened read-only, as a hot standby is by itself.
    #[cfg_attr(
        not(feature = "sqlx-sqlite"),
        expect(unused_variables, reason = "a file is all that is opened differently")
    )]
    pub(crate) fn parse(node: &NodeConfig, role: Role) -> Result<(DbBackend, Self), String> {
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
    /// A connection for the router's own questions, which are not the application's statements.
    pub(crate) async fn connect(&self) -> Result<DedicatedConnection, sqlx::Error> {
        // By place and not by reference, so that without a driver there is nothing to match.
        match *self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(ref target) => {
                let target = for_pooler(target).disable_statement_logging();
                let connected = target.connect().await?;
                Ok(DedicatedConnection::Postgres(Box::new(connected)))
            }
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(ref target) => {
                let target = (**target).clone().disable_statement_logging();
                Ok(DedicatedConnection::MySql(Box::new(
                    target.connect().await?,
                )))
            }
            #[cfg(feature = "sqlx-sqlite")]
            Self::Sqlite(ref target) => {
                let target = (**target).clone().disable_statement_logging();
                Ok(DedicatedConnection::Sqlite(Box::new(
                    target.connect().await?,
                )))
            }
        }
    }

    pub(crate) fn open(&self, options: &PoolConfig, connected: Connected) -> DatabaseConnection {
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
pub(crate) enum Whose {
    #[cfg_attr(
        not(any(
            feature = "sqlx-mysql",
            feature = "sqlx-postgres",
            feature = "sqlx-sqlite"
        )),
        expect(dead_code, reason = "there is nobody to connect to")
    )]
    Ours(Connected, Arc<[String]>),
    Theirs,
}

/// A pool like this one, whose connections can only read: PostgreSQL's and MySQL's by the default of
/// their transactions, SQLite's by a pragma. `None` where that is not possible: a pooler gives each
/// transaction another server process, and another connection to a database in memory is another database.
#[cfg_attr(
    not(any(feature = "sqlx-mysql", feature = "sqlx-postgres")),
    expect(unused_variables, reason = "SQLite has no pooler in front of it")
)]
pub(crate) fn only_reads(
    connection: &DatabaseConnection,
    mode: PoolMode,
    whose: Whose,
) -> Option<DatabaseConnection> {
    match &connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) if mode == PoolMode::Session => {
            let pool = connection.get_postgres_connection_pool();
            let target = (*pool.connect_options()).clone();
            let options = pool.options().clone();
            let pool = match whose {
                // Once it is there: a pooler hands that on, and no parameter that it does not know.
                Whose::Ours(connected, statements) => {
                    let last = Some("SET default_transaction_read_only = on");
                    set_up(options, connected, statements, last).connect_lazy_with(target)
                }
                Whose::Theirs => options
                    .connect_lazy_with(target.options([("default_transaction_read_only", "on")])),
            };
            Some(sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(
                pool,
            ))
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) if mode == PoolMode::Session => {
            let Whose::Ours(connected, statements) = whose else {
                // The application's own hook would be lost, which nobody can ask a pool for.
                return None;
            };
            let pool = connection.get_mysql_connection_pool();
            let target = (*pool.connect_options()).clone();
            let last = Some("SET SESSION TRANSACTION READ ONLY");
            let options = set_up(pool.options().clone(), connected, statements, last);
            let pool = options.connect_lazy_with(target);
            Some(sea_orm::SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            let pool = connection.get_sqlite_connection_pool();
            let target = (*pool.connect_options()).clone();
            if is_in_memory(&target) {
                // Another connection would be another database.
                return None;
            }
            let options = pool.options().clone();
            let pool = match whose {
                Whose::Ours(connected, statements) => {
                    let last = Some("PRAGMA query_only = ON");
                    set_up(options, connected, statements, last).connect_lazy_with(target)
                }
                Whose::Theirs => options.connect_lazy_with(target.pragma("query_only", "ON")),
            };
            Some(sea_orm::SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
        }
        _ => None,
    }
}

/// Of a database in memory, which the driver's options say nowhere but here.
#[cfg(feature = "sqlx-sqlite")]
fn is_in_memory(target: &sqlx::sqlite::SqliteConnectOptions) -> bool {
    format!("{target:?}").contains("in_memory: true")
}

fn unfit(error: &sqlx::Error) -> String {
    error.to_string()
}

/// Has each new connection run the configuration's statements, and then this one, which nothing undoes.
fn set_up<DB>(
    options: PoolOptions<DB>,
    connected: Connected,
    statements: Arc<[String]>,
    last: Option<&'static str>,
) -> PoolOptions<DB>
where
    DB: sqlx::Database,
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    options.after_connect(move |connection, _| {
        connected.tell();
        let statements = Arc::clone(&statements);
        Box::pin(async move {
            for statement in statements.iter().map(String::as_str).chain(last) {
                let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
                statement.execute(&mut *connection).await?;
            }
            Ok(())
        })
    })
}

fn pool_options<DB>(config: &PoolConfig, connected: Connected) -> PoolOptions<DB>
where
    DB: sqlx::Database,
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    let mut options = PoolOptions::new().acquire_timeout(config.acquire_timeout);
    options = set_up(
        options,
        connected,
        config.on_connect.as_slice().into(),
        None,
    );
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
