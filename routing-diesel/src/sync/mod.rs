//! Diesel's own connections, over r2d2.

mod builder;
mod catalog;
mod connection;
mod control;
mod execution;
mod extensions;
mod node_pool;
mod pool;
mod probing;
mod slots;
mod traits;

pub use builder::RoutedPoolBuilder;
pub use connection::RoutedConnection;
pub use pool::RoutedPool;
