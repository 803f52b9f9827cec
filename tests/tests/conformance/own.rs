//! Servers of a test's own, to which it can do anything.

use std::sync::Arc;
use std::time::Duration;

use routing_core::{NodeBuilder, RoutingConfig, RoutingConfigBuilder, Session};
use routing_tests::adapter::{Adapter, Ports};
use routing_tests::clock::MovedClock;
use routing_tests::migration::Migrator;
use routing_tests::postgres::Cluster;
use routing_tests::recorder::Recorder;
use sea_orm_migration::MigratorTrait;

pub(crate) struct Setup<A> {
    pub(crate) db: A,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) clock: Arc<MovedClock>,
}

impl<A: Adapter> Setup<A> {
    pub(crate) fn new(config: RoutingConfigBuilder) -> Self {
        let config = config.build().expect("a configuration");
        let ports = Ports::default();
        let (recorder, clock) = (Arc::clone(&ports.recorder), Arc::clone(&ports.clock));
        let db = A::open(&config, ports).expect("a handle");
        Self {
            db,
            recorder,
            clock,
        }
    }

    pub(crate) fn session(&self) -> A {
        self.db.with_session(&Session::new())
    }
}

pub(crate) fn config_of(cluster: &Cluster) -> RoutingConfigBuilder {
    let fast = |url| NodeBuilder::url(url).acquire_timeout(Duration::from_millis(500));
    RoutingConfig::builder()
        .catch_up_wait(Duration::from_secs(5))
        .primary(fast(cluster.primary().url("fault")))
        .replica(cluster.replicas()[0].url("fault"))
        .replica(cluster.replicas()[1].url("fault"))
}

pub(crate) async fn cluster_with_schema() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.create_database("fault").await;
    let db = sea_orm::Database::connect(cluster.primary().url("fault"))
        .await
        .expect("the primary");
    Migrator::up(&db, None).await.expect("a schema");
    db.close().await.expect("the connection closes");
    cluster.catch_up().await;
    cluster
}
