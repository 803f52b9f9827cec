//! A connection to a node beside its pool.

use sea_orm::sqlx;
#[cfg(any(
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
use sqlx::Connection as _;

/// A connection, by driver.
pub(crate) enum DedicatedConnection {
    #[cfg(feature = "sqlx-postgres")]
    Postgres(Box<sqlx::PgConnection>),
    #[cfg(feature = "sqlx-mysql")]
    MySql(Box<sqlx::MySqlConnection>),
    #[cfg(feature = "sqlx-sqlite")]
    Sqlite(Box<sqlx::SqliteConnection>),
    /// To a mock, which is no server.
    Nothing,
}

impl DedicatedConnection {
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
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
