//! How a routed pool is put together.

use std::sync::Arc;

use diesel::r2d2::{ConnectionManager, Pool};
use routing_core::{Context, Routed, RoutedBuilder, Router, RoutingConfig, RoutingError};

use super::node_pool::NodePool;
use super::pool::RoutedPool;
use crate::database::Routable;

/// Collects what a [`RoutedPool`] is made of.
///
/// Its pools are r2d2 pools of Diesel's connection managers.
pub type RoutedPoolBuilder<C> = RoutedBuilder<RoutedPool<C>>;

impl<C: Routable> Routed for RoutedPool<C> {
    type Pool = NodePool<C>;

    fn over(router: Arc<Router<NodePool<C>>>) -> Self {
        Self {
            set: Arc::clone(router.default_set()),
            router,
            context: Context::default(),
        }
    }
}

impl<C: Routable> RoutedPool<C> {
    /// A pool over the nodes of a configuration. No server need be up: each node is connected to
    /// when it is first used.
    ///
    /// SQLite's connections wait up to 5 s for a lock, and replicas' files are opened read-only.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if a URL is not of the database that `C` connects to.
    pub fn new(config: &RoutingConfig) -> Result<Self, RoutingError> {
        Self::builder(config).build()
    }

    /// The same, to be given a clock, an observer or a balancer first.
    pub fn builder(config: &RoutingConfig) -> RoutedPoolBuilder<C> {
        RoutedBuilder::from_config(config)
    }

    /// A pool over pools that the application made itself, with r2d2's own options.
    ///
    /// Give the replicas' pools a short `connection_timeout`: it is how long a read waits for a
    /// replica that is down, before it goes to the next. Make pools with `build_unchecked`, or the
    /// program does not start while one of its servers is down.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use diesel::pg::PgConnection;
    /// use diesel::r2d2::{ConnectionManager, Pool};
    /// use routing_diesel::{Mode, RoutedPool};
    ///
    /// let open = |url: &str| Pool::builder().build_unchecked(ConnectionManager::new(url));
    /// let primary = open("postgres://db-1/shop");
    /// let replica = open("postgres://db-2/shop");
    /// let pool: RoutedPool<PgConnection> = RoutedPool::from_pools(primary, [replica])
    ///     .mode(Mode::Strict)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn from_pools(
        primary: Pool<ConnectionManager<C>>,
        replicas: impl IntoIterator<Item = Pool<ConnectionManager<C>>>,
    ) -> RoutedPoolBuilder<C> {
        RoutedBuilder::from_pools(primary, replicas)
    }
}
