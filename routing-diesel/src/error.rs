//! Routing errors inside Diesel's, and back.
//!
//! The obvious carrier is `DatabaseError`, which programs that retry look at; but what is in it can
//! only be asked for its texts. So a routing error travels as a `QueryBuilderError`. Diesel's
//! `source()` skips the box that is in there, and goes on with what the box says is its source:
//! the box is a carrier, and its source the error itself.

use std::error::Error as StdError;
use std::fmt;

use diesel::result::Error;
use routing_core::adapter::{BoxError, OrmErrors, find_routing_error};
use routing_core::{NodeName, RoutingError, SetName};

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

/// No connection could be had from a node's pool, and there was no other node to ask.
///
/// It is the source of a [`diesel::result::Error`], and the pool's own error is its source.
#[derive(Debug)]
#[non_exhaustive]
pub struct CheckoutError {
    /// The replica set.
    pub set: SetName,
    /// The node whose pool it is.
    pub node: NodeName,
    source: Box<dyn StdError + Send + Sync>,
}

impl CheckoutError {
    pub(crate) fn new(
        set: &SetName,
        node: &NodeName,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            set: set.clone(),
            node: node.clone(),
            source: source.into(),
        }
    }
}

impl fmt::Display for CheckoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, node, source } = self;
        write!(f, "set `{set}`: no connection to `{node}`: {source}")
    }
}

impl StdError for CheckoutError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
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
pub(crate) fn into_diesel(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::QueryBuilderError(Box::new(Carrier(Box::new(error))))
}

/// Diesel's errors.
pub(crate) enum Orm {}

impl OrmErrors for Orm {
    type Error = Error;

    fn refused(error: RoutingError) -> Error {
        into_diesel(error)
    }

    fn no_connection(set: &SetName, node: &NodeName, error: BoxError) -> Error {
        into_diesel(CheckoutError::new(set, node, error))
    }

    fn is_syntax_error(error: &Error) -> bool {
        is_mysql_syntax_error(error)
    }

    fn is_deadlock(error: &Error) -> bool {
        is_deadlock(error)
    }
}
