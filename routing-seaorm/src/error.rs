//! Routing errors inside SeaORM's, and back.
//!
//! The obvious carrier is `DbErr::Custom`, which keeps only text. `sqlx::Error::Database` would
//! keep the type, but programs downcast what is in it to their driver's error, and the downcast
//! panics on a stranger. So refusals travel as `sqlx::Error::Configuration`, and nodes that cannot
//! be reached as an I/O error, which is what programs that retry take them for.

use std::error::Error;
use std::io;
use std::sync::Arc;

use routing_core::RoutingError;
use routing_core::adapter::find_routing_error;
use sea_orm::{DbErr, RuntimeErr, TransactionError, sqlx};

/// Finds the [`RoutingError`] in an error of SeaORM's, or of the application's.
///
/// Print what it finds, and not the error around it: SeaORM's text for a refusal begins with
/// "Execution Error: error with configuration:", which is about the program's use of the router and
/// not about its configuration.
///
/// It is there for `DbErr`, for `TransactionError` of an error that has it, and for `dyn Error`,
/// which looks through the chain of sources: `(&my_error as &dyn Error).routing()`.
///
/// ```
/// use routing_seaorm::{RoutingErrExt, RoutingError};
/// use sea_orm::DbErr;
///
/// fn explain(error: &DbErr) -> &'static str {
///     match error.routing() {
///         Some(refusal) if refusal.is_unavailable() => "503: nothing was executed, try again later",
///         Some(error) if error.is_outcome_unknown() => "look before you write it again",
///         Some(RoutingError::UnpinnedWrite { .. }) => "pin the session first",
///         Some(_) => "a mistake in the program",
///         // Also a connection that broke under a statement: a write may have been executed.
///         None => "the driver's",
///     }
/// }
/// # assert_eq!(explain(&DbErr::Custom("x".into())), "the driver's");
/// ```
pub trait RoutingErrExt {
    /// Why the router refused, if it did.
    fn routing(&self) -> Option<&RoutingError>;
}

impl RoutingErrExt for DbErr {
    fn routing(&self) -> Option<&RoutingError> {
        match self {
            Self::Conn(RuntimeErr::SqlxError(error))
            | Self::Exec(RuntimeErr::SqlxError(error))
            | Self::Query(RuntimeErr::SqlxError(error)) => in_sqlx(error),
            _ => None,
        }
    }
}

impl<E: RoutingErrExt> RoutingErrExt for TransactionError<E> {
    fn routing(&self) -> Option<&RoutingError> {
        match self {
            Self::Connection(error) => error.routing(),
            Self::Transaction(error) => error.routing(),
        }
    }
}

/// Looks through the chain of sources: for errors that wrap a [`DbErr`].
impl RoutingErrExt for dyn Error + 'static {
    fn routing(&self) -> Option<&RoutingError> {
        find_routing_error(self, |error| {
            let db_err = error.downcast_ref::<DbErr>().and_then(DbErr::routing);
            db_err.or_else(|| error.downcast_ref::<TransactionError<DbErr>>()?.routing())
        })
    }
}

impl RoutingErrExt for dyn Error + Send + Sync + 'static {
    fn routing(&self) -> Option<&RoutingError> {
        let error: &(dyn Error + 'static) = self;
        error.routing()
    }
}

fn in_sqlx(error: &sqlx::Error) -> Option<&RoutingError> {
    match error {
        sqlx::Error::Configuration(source) => source.downcast_ref(),
        sqlx::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// The error as SeaORM reports one.
pub(crate) fn into_db_err(error: RoutingError) -> DbErr {
    if error.is_unavailable() {
        let error = io::Error::new(io::ErrorKind::NotConnected, error);
        DbErr::Conn(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Io(error))))
    } else {
        let error = sqlx::Error::Configuration(Box::new(error));
        DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
    }
}
