//! Shared parts of the adapters. Applications do not use them.
//!
//! An adapter implements [`Pool`](crate::Pool) for its pool of connections to one node, and
//! [`AsyncConnections`] or [`BlockingConnections`] for the connections of one caller. [`run`] and
//! [`run_in`] then send its statements, outside and inside of a transaction.

pub(crate) mod builder;
mod driver;
mod engine;
mod fate;
mod find;
mod handle;
mod implicit_commit;
mod inside;
mod level;
mod open_transaction;
pub(crate) mod pool;
mod pool_source;
pub(crate) mod reconfigure;
mod rows;
pub(crate) mod status;
#[cfg(feature = "tokio")]
mod tokio;
mod unanswered;

pub use driver::{
    ABORTED_QUESTION, AsyncConnections, AsyncStatement, Attempt, BlockingConnections, BoxError,
    Connections, Done, ErrorOf, OrmErrors,
};
pub use engine::{Call, connect, connect_blocking, run, run_blocking};
pub use find::find_routing_error;
pub use handle::Handle;
pub use inside::{run_in, run_in_blocking};
pub use level::{Level, Pending};
pub use open_transaction::OpenTransaction;
pub use pool_source::PoolSource;
pub use rows::{NextRow, WatchedRows};
#[cfg(feature = "tokio")]
pub use tokio::background::{TokioTimer, enter_runtime, run_to_end, spawn};
#[cfg(feature = "tokio")]
pub use tokio::dedicated::{Dedicated, load_functions, spawn_catalog, spawn_monitors};
#[cfg(feature = "tokio")]
pub use tokio::dial::SingleDial;
#[cfg(feature = "tokio")]
pub use tokio::home::Home;
pub use unanswered::Unanswered;
