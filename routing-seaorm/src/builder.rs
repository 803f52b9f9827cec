//! How a routed connection is put together.

use std::sync::Arc;

use routing_core::{Context, Routed, RoutedBuilder, Router, RoutingConfig, RoutingError};
use sea_orm::DatabaseConnection;

use crate::handle::RoutedConnection;
use crate::pool::NodePool;

/// Collects what a [`RoutedConnection`] is made of.
///
/// Its pools are [`DatabaseConnection`]s: of any driver that SeaORM has, but not `Disconnected`.
pub type RoutedConnectionBuilder = RoutedBuilder<RoutedConnection>;

impl Routed for RoutedConnection {
    type Pool = NodePool;

    fn over(router: Arc<Router<NodePool>>) -> Self {
        Self {
            set: Arc::clone(router.default_set()),
            router,
            context: Context::default(),
            read_only: false,
        }
    }
}

impl RoutedConnection {
    /// A connection to the nodes of a configuration. No server need be up: each node is connected
    /// to when it is first used.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if a URL does not fit its driver, or if the driver's feature is
    /// not enabled.
    pub fn new(config: &RoutingConfig) -> Result<Self, RoutingError> {
        Self::builder(config).build()
    }

    /// The same, to be given a clock, an observer or a balancer first.
    pub fn builder(config: &RoutingConfig) -> RoutedConnectionBuilder {
        RoutedBuilder::from_config(config)
    }

    /// A connection over pools that the application opened itself, with SeaORM's own options.
    ///
    /// Give the replicas' pools a short `acquire_timeout`: it is how long a read waits for a
    /// replica that is down, before it goes to the next.
    ///
    /// ```no_run
    /// # use routing_seaorm::{Mode, RoutedConnection};
    /// # use sea_orm::Database;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let primary = Database::connect("postgres://db-1/shop").await?;
    /// let replica = Database::connect("postgres://db-2/shop").await?;
    /// let db = RoutedConnection::from_connections(primary, [replica])
    ///     .mode(Mode::Strict)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn from_connections(
        primary: DatabaseConnection,
        replicas: impl IntoIterator<Item = DatabaseConnection>,
    ) -> RoutedConnectionBuilder {
        RoutedBuilder::from_pools(primary, replicas)
    }
}
