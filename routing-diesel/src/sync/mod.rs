//! Diesel's own connections, over r2d2.

mod catalog;
mod checkouts;
mod connection;
mod control;
mod execution;
mod extensions;
mod lent;
mod node_pool;
mod pool;
mod probing;
mod traits;

pub use connection::RoutedConnection;
pub use pool::{RoutedPool, RoutedPoolBuilder};
