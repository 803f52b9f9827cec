//! Routing errors inside Diesel's, and back.
//!
//! The obvious carrier is `DatabaseError`, which programs that retry look at; but what is in it can
//! only be asked for its texts. So a routing error travels as a `QueryBuilderError`. Diesel's
//! `source()` skips the box that is in there, and goes on with what the box says is its source:
//! the box is a carrier, and its source the error itself.
//!
//! A write in a read-only transaction is the exception, as a server would refuse it too, and programs match on
//! that. It is found again by its text.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use routing_core::RoutingError;
use routing_core::adapter::{OrmErrors, find_routing_error};

use crate::failure::{is_deadlock, is_mysql_syntax_error};

/// Finds the [`RoutingError`] in an error of Diesel's, or of the application's.
///
/// It is there for Diesel's error and for `dyn Error`, which looks through the chain of sources:
/// `(&my_error as &dyn Error).routing()`.
///
/// ```
/// use diesel::result::Error;
/// use routing_diesel::{RoutingErrExt, RoutingError};
///
/// fn explain(error: &Error) -> &'static str {
///     match error.routing() {
///         Some(refusal) if refusal.is_unavailable() => "503: nothing was executed, try again later",
///         Some(error) if error.is_outcome_unknown() => "look before you write it again",
///         Some(RoutingError::UnpinnedWrite { .. }) => "pin the session first",
///         Some(_) => "a mistake in the program",
///         // Also a connection that broke under a statement: a write may have been executed.
///         None => "the driver's",
///     }
/// }
/// # assert_eq!(explain(&Error::NotFound), "the driver's");
/// ```
pub trait RoutingErrExt {
    /// Why the router refused, if it did.
    fn routing(&self) -> Option<&RoutingError>;
}

impl RoutingErrExt for Error {
    fn routing(&self) -> Option<&RoutingError> {
        match self {
            Self::QueryBuilderError(boxed) => {
                let carrier = boxed.downcast_ref::<Carrier>()?;
                carrier.0.downcast_ref()
            }
            Self::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, information) => {
                refused_as_the_server_would(information.message())
            }
            Self::RollbackErrorOnCommit {
                rollback_error,
                commit_error,
            } => commit_error.routing().or_else(|| rollback_error.routing()),
            _ => None,
        }
    }
}

/// Looks through the chain of sources: for errors that wrap one of Diesel's.
impl RoutingErrExt for dyn StdError + 'static {
    fn routing(&self) -> Option<&RoutingError> {
        find_routing_error(self, |error| error.downcast_ref::<Error>()?.routing())
    }
}

impl RoutingErrExt for dyn StdError + Send + Sync + 'static {
    fn routing(&self) -> Option<&RoutingError> {
        let error: &(dyn StdError + 'static) = self;
        error.routing()
    }
}

#[derive(Debug)]
struct Carrier(Box<dyn StdError + Send + Sync>);

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Carrier {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// The error as Diesel reports one.
pub(crate) fn into_diesel(error: RoutingError) -> Error {
    if !matches!(error, RoutingError::WriteInReadOnlyTransaction { .. }) {
        return Error::QueryBuilderError(Box::new(Carrier(Box::new(error))));
    }
    let text = error.to_string();
    let mut refusals = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
    if !refusals.contains_key(&text) {
        refusals.insert(text.clone(), Box::leak(Box::new(error)));
    }
    let information = Box::new(Refused(text));
    Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, information)
}

/// Those that were made in the server's stead, by their texts. They are kept for good: there is one for each
/// node and kind of statement.
static REFUSALS: Mutex<BTreeMap<String, &'static RoutingError>> = Mutex::new(BTreeMap::new());

fn refused_as_the_server_would(text: &str) -> Option<&'static RoutingError> {
    let refusals = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
    refusals.get(text).copied()
}

/// What the server's error would tell.
struct Refused(String);

impl DatabaseErrorInformation for Refused {
    fn message(&self) -> &str {
        &self.0
    }

    fn details(&self) -> Option<&str> {
        None
    }

    fn hint(&self) -> Option<&str> {
        None
    }

    fn table_name(&self) -> Option<&str> {
        None
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        None
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}

/// Diesel's errors.
pub(crate) enum Orm {}

impl OrmErrors for Orm {
    type Error = Error;

    fn refused(error: RoutingError) -> Error {
        into_diesel(error)
    }

    fn is_syntax_error(error: &Error) -> bool {
        is_mysql_syntax_error(error)
    }

    fn is_deadlock(error: &Error) -> bool {
        is_deadlock(error)
    }
}
