//! An error of the toy ORM's, or a refusal of the router's.

use std::fmt;

use routing_core::RoutingError;
use routing_core::adapter::OrmErrors;

#[derive(Debug)]
pub(super) enum Error {
    Driver(rusqlite::Error),
    Routing(RoutingError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) => error.fmt(f),
            Self::Routing(error) => error.fmt(f),
        }
    }
}

/// The toy ORM's errors.
pub(super) enum Orm {}

impl OrmErrors for Orm {
    type Error = Error;

    fn refused(error: RoutingError) -> Error {
        Error::Routing(error)
    }
}
