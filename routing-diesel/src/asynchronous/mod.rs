//! diesel-async's connections, over bb8 or deadpool.

mod checkouts;
mod connection;
mod control;
mod dedicated;
mod driver;
mod ending;
mod execution;
#[cfg(feature = "async-mysql")]
mod mysql;
mod nesting;
mod node_pool;
mod pool;
#[cfg(feature = "async-postgres")]
mod postgres;
#[cfg(feature = "async-sqlite")]
mod sqlite;
mod statements;
mod traits;
mod transaction_manager;
mod watched;

pub use connection::AsyncRoutedConnection;
pub use driver::AsyncRoutable;
pub use node_pool::AsyncPool;
pub use pool::{AsyncRoutedPool, AsyncRoutedPoolBuilder};
#[cfg(feature = "async-postgres")]
pub use postgres::AsyncTransactionBuilder;
pub use transaction_manager::RoutedTransactionManager;
