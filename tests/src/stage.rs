//! What SeaORM's own tests run on: a routed connection over real servers.

use std::sync::Arc;

use routing_core::{Mode, RoutingConfigBuilder, Session};
use routing_seaorm::{RoutedConnection, RoutingConfig};
use sea_orm::{ConnectionTrait, EntityTrait};

use crate::entity::server;
use crate::recorder::{Recorder, Witness};
pub use crate::world::Backend;
use crate::world::World;

/// A routed connection to a primary and two replicas that have the shop's schema.
#[derive(Debug)]
pub struct Stage {
    /// The connection; it has no session.
    pub db: RoutedConnection,
    /// What it decides.
    pub recorder: Arc<Recorder>,
    config: RoutingConfig,
    world: World,
    _witness: Witness,
}

impl Stage {
    /// A stage in this mode, whose replicas replay.
    pub async fn new(backend: Backend, mode: Mode) -> Self {
        Self::with(backend, |config| config.mode(mode)).await
    }

    /// A stage with more settings.
    pub async fn with(
        backend: Backend,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        Self::build(World::new(backend, false).await, settings)
    }

    /// A stage whose replicas can be [paused](Self::pause).
    pub async fn lagging(backend: Backend, mode: Mode) -> Self {
        Self::lagging_with(backend, |config| config.mode(mode)).await
    }

    /// A stage of that kind with more settings.
    pub async fn lagging_with(
        backend: Backend,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        Self::build(World::new(backend, true).await, settings)
    }

    fn build(
        world: World,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        let config = world.config(settings);
        let recorder = Arc::new(Recorder::default());
        let db = RoutedConnection::builder(&config)
            .observer(Arc::clone(&recorder) as _)
            .build()
            .expect("a connection");
        Self {
            db,
            _witness: Witness::new(&recorder),
            recorder,
            config,
            world,
        }
    }

    /// A handle with a session of its own.
    #[must_use]
    pub fn session(&self) -> (RoutedConnection, Session) {
        let session = Session::new();
        (self.db.with_session(&session), session)
    }

    /// What the connection was made from.
    #[must_use]
    pub const fn config(&self) -> &RoutingConfig {
        &self.config
    }

    /// Waits until the replicas that are not paused have everything.
    pub async fn catch_up(&self) {
        self.world.catch_up().await;
    }

    /// Holds all replicas where they are; the stage must be [`lagging`](Self::lagging).
    pub async fn pause(&self) {
        self.world.pause().await;
    }

    /// Lets them go on.
    pub async fn resume(&self) {
        self.world.resume().await;
    }
}

/// The name of the server that answers a read through this connection: it is asked itself.
pub async fn server_of<C: ConnectionTrait>(db: &C) -> String {
    server::Entity::find()
        .one(db)
        .await
        .expect("an answer")
        .expect("the server's row")
        .name
}
