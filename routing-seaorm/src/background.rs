//! What runs beside the statements: the monitors, and the loading of the functions' catalog.

use std::sync::Arc;

use routing_core::adapter::{Dedicated, spawn_catalog, spawn_monitors};
use routing_core::sql::CatalogFunction;
use routing_core::{Answer, BackgroundTasks, Failure, ReplicaSet, Role, Router};
use sea_orm::sqlx;
#[cfg(any(feature = "sqlx-mysql", feature = "sqlx-postgres"))]
use sqlx::{Connection as _, Row as _};

use crate::dedicated::DedicatedConnection;
use crate::failure::{of_refusal, of_sqlx};
use crate::pool::NodePool;

impl BackgroundTasks for NodePool {
    fn start_monitors(router: &Router<Self>, set: &Arc<ReplicaSet<Self>>) {
        spawn_monitors::<Self, DedicatedConnection>(router, set);
    }

    fn start_catalog(set: &Arc<ReplicaSet<Self>>) {
        spawn_catalog::<Self, DedicatedConnection>(set);
    }
}

impl Dedicated<NodePool> for DedicatedConnection {
    type Error = sqlx::Error;

    async fn connect(pool: &NodePool) -> Result<Self, sqlx::Error> {
        pool.dedicated().await
    }

    /// As text, which a pooler hands on too.
    #[cfg_attr(
        not(any(feature = "sqlx-mysql", feature = "sqlx-postgres")),
        expect(unused_variables, reason = "SQLite is not asked")
    )]
    async fn text(&mut self, query: &str) -> Result<String, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(connection) => {
                let row = sqlx::raw_sql(sqlx::AssertSqlSafe(query))
                    .fetch_one(&mut **connection)
                    .await;
                row?.try_get(0)
            }
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(connection) => {
                let row = sqlx::raw_sql(sqlx::AssertSqlSafe(query))
                    .fetch_one(&mut **connection)
                    .await;
                row?.try_get(0)
            }
            _ => Err(sqlx::Error::RowNotFound),
        }
    }

    async fn functions(self) -> Result<Vec<CatalogFunction>, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(mut connection) => {
                use routing_core::sql::CATALOG_QUERY;

                let rows = sqlx::raw_sql(CATALOG_QUERY).fetch_all(&mut *connection);
                let rows = rows.await?;
                // The rows are there, however the connection ends.
                let _ = connection.close().await;
                let function = |row: sqlx::postgres::PgRow| {
                    Ok(CatalogFunction {
                        schema: row.try_get(0)?,
                        name: row.try_get(1)?,
                        is_volatile: row.try_get(2)?,
                    })
                };
                rows.into_iter().map(function).collect()
            }
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(mut connection) => {
                use routing_core::sql::ROUTINES_QUERY;

                let rows = sqlx::raw_sql(ROUTINES_QUERY).fetch_all(&mut *connection);
                let rows = rows.await?;
                let _ = connection.close().await;
                let function = |row: sqlx::mysql::MySqlRow| {
                    Ok(CatalogFunction::stored(row.try_get(0)?, row.try_get(1)?))
                };
                rows.into_iter().map(function).collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    fn refusal(error: &sqlx::Error, pool: &NodePool, role: Role) -> Failure {
        of_refusal(error, pool.backend(), role)
    }

    fn answer(error: &sqlx::Error, pool: &NodePool, role: Role) -> Answer {
        match of_sqlx(error, pool.backend(), role) {
            Some(failure) => Answer::Failed(failure),
            // A server has sent it, so that it is there.
            None if matches!(error, sqlx::Error::Database(_)) => Answer::Unintelligible,
            None => Answer::Failed(Failure::Unreachable),
        }
    }

    fn timed_out() -> sqlx::Error {
        let error = "the primary did not answer in time";
        sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, error))
    }
}
