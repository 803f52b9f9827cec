//! What an error of SeaORM's says of the node it came from.

use routing_core::{Failure, Role, rolls_back_on_mysql};
use sea_orm::{ConnAcquireErr, DbBackend, DbErr, RuntimeErr, sqlx};

/// What a query's error means for routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The user's error: the node is fine.
    Users,
    /// The node's.
    Failure(Failure),
    /// No connection within the time allowed: the pool is exhausted, or the node cannot be
    /// reached. The driver does not tell which: it goes on trying while a connection is refused.
    TimedOut,
}

/// `role` is that of the node.
pub(crate) fn verdict(error: &DbErr, backend: DbBackend, role: Role) -> Verdict {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Verdict::TimedOut,
        // Somebody closed the pool; the node is not to blame.
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => {
            Verdict::Failure(Failure::Busy)
        }
        // Only what happens before a statement is sent is a `Conn`.
        DbErr::Conn(RuntimeErr::SqlxError(error)) => {
            Verdict::Failure(of_refusal(error, backend, role))
        }
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            of_sqlx(error, backend, role).map_or(Verdict::Users, Verdict::Failure)
        }
        _ => Verdict::Users,
    }
}

/// What it says that no connection was made, whoever has refused it: nothing was sent.
pub(crate) fn of_refusal(error: &sqlx::Error, backend: DbBackend, role: Role) -> Failure {
    match of_sqlx(error, backend, role) {
        Some(certain @ (Failure::Busy | Failure::Starting)) => certain,
        // A pooler says everything with one code.
        _ => match Failure::from_refused_connection(&error.to_string()) {
            Failure::Busy => Failure::Busy,
            _ => Failure::Unreachable,
        },
    }
}

/// Whether MySQL or MariaDB has rolled the whole transaction back, as it does for a deadlock's victim.
pub(crate) fn is_deadlock(error: &DbErr) -> bool {
    rolls_back_on_mysql(mysql_number(error), "")
}

/// Whether MySQL or MariaDB has not understood a statement: `ER_PARSE_ERROR`.
pub(crate) fn is_mysql_syntax_error(error: &DbErr) -> bool {
    mysql_number(error) == Some(1064)
}

#[cfg_attr(
    not(feature = "sqlx-mysql"),
    expect(unused_variables, reason = "only MySQL's errors have a number")
)]
fn mysql_number(error: &DbErr) -> Option<u16> {
    #[cfg(feature = "sqlx-mysql")]
    if let DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) =
        error
        && let sqlx::Error::Database(error) = &**error
    {
        let error = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?;
        return Some(error.number());
    }
    None
}

pub(crate) fn of_sqlx(error: &sqlx::Error, backend: DbBackend, role: Role) -> Option<Failure> {
    match error {
        // Not `Protocol`: it is what the driver says of too many parameters, or of a zero byte.
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            Some(Failure::Lost)
        }
        sqlx::Error::Database(error) => of_database(&**error, backend, role),
        _ => None,
    }
}

#[cfg_attr(
    not(feature = "sqlx-postgres"),
    expect(unused_variables, reason = "only PostgreSQL's standbys cancel reads")
)]
fn of_database(
    error: &dyn sqlx::error::DatabaseError,
    backend: DbBackend,
    role: Role,
) -> Option<Failure> {
    match backend {
        #[cfg(feature = "sqlx-postgres")]
        DbBackend::Postgres => {
            use sqlx::postgres::{PgDatabaseError, PgSeverity};

            let error = error.try_downcast_ref::<PgDatabaseError>()?;
            let is_fatal = matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic);
            Failure::from_sqlstate(error.code(), is_fatal, error.message(), role)
        }
        #[cfg(feature = "sqlx-mysql")]
        DbBackend::MySql => {
            let error = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?;
            Failure::from_mysql_error(error.number(), error.message())
        }
        DbBackend::Sqlite => Failure::from_sqlite_code(error.code()?.parse().ok()?),
        _ => None,
    }
}
