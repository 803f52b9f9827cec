//! An error of the toy ORM's, or a refusal of the router's.

use std::fmt;

use routing_core::RoutingError;

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
