//! Carrying a decision out: a route, its attempts, its waits and retries.

pub(crate) mod announce;
pub(crate) mod attempt;
pub(crate) mod find;
pub(crate) mod next;
pub(crate) mod patience;
pub(crate) mod proof;
pub(crate) mod race;
pub(crate) mod record;
pub(crate) mod retry;
pub(crate) mod route;
pub(crate) mod router;
pub(crate) mod router_builder;
mod state;
pub(crate) mod tables;
pub(crate) mod transaction;
mod wait;
