//! How a routed pool is put together.

use std::sync::Arc;

use routing_core::{Context, Routed, RoutedBuilder, Router, RoutingConfig, RoutingError};

use super::driver::AsyncRoutable;
use super::node_pool::{AsyncPool, NodePool};
use super::pool::AsyncRoutedPool;

/// Collects what an [`AsyncRoutedPool`] is made of.
pub type AsyncRoutedPoolBuilder<C> = RoutedBuilder<AsyncRoutedPool<C>>;

impl<C: AsyncRoutable> Routed for AsyncRoutedPool<C> {
    type Pool = NodePool<C>;

    fn over(router: Arc<Router<NodePool<C>>>) -> Self {
        Self {
            set: Arc::clone(router.default_set()),
            router,
            context: Context::default(),
        }
    }
}

impl<C: AsyncRoutable> AsyncRoutedPool<C> {
    /// A pool over the nodes of a configuration, of bb8's pools. No server need be up: each node
    /// is connected to when it is first used.
    ///
    /// Connections to PostgreSQL are made without TLS, as diesel-async does by itself; for TLS hand
    /// over pools: [`from_pools`](Self::from_pools).
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if a URL is not of the database that `C` connects to.
    pub fn new(config: &RoutingConfig) -> Result<Self, RoutingError> {
        Self::builder(config).build()
    }

    /// The same, to be given a clock, an observer or a balancer first.
    pub fn builder(config: &RoutingConfig) -> AsyncRoutedPoolBuilder<C> {
        RoutedBuilder::from_config(config)
    }

    /// A pool over pools that the application made itself, of bb8 or deadpool.
    ///
    /// Give the replicas' pools a short timeout: it is how long a read waits for a replica that is
    /// down, before it goes to the next. With bb8's `retry_connection(false)` it need not wait.
    ///
    /// ```no_run
    /// # #[cfg(feature = "async-postgres")]
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use diesel_async::AsyncPgConnection;
    /// use diesel_async::pooled_connection::AsyncDieselConnectionManager;
    /// use routing_diesel::{AsyncRoutedPool, Mode};
    ///
    /// let open = |url: &str| {
    ///     let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(url);
    ///     bb8::Pool::builder().retry_connection(false).build_unchecked(manager)
    /// };
    /// let pool = AsyncRoutedPool::from_pools(open("postgres://db-1/shop"), [
    ///     open("postgres://db-2/shop"),
    /// ])
    /// .mode(Mode::Strict)
    /// .build()?;
    /// # Ok(()) }
    /// ```
    pub fn from_pools<P: Into<AsyncPool<C>>>(
        primary: P,
        replicas: impl IntoIterator<Item = P>,
    ) -> AsyncRoutedPoolBuilder<C> {
        RoutedBuilder::from_pools(primary.into(), replicas.into_iter().map(Into::into))
    }
}
