//! Servers of a test's own, to which it can do anything.

use std::sync::Arc;
use std::time::Duration;

use routing_core::{NodeBuilder, RoutingConfig, RoutingConfigBuilder, Session};
use routing_tests::adapter::{Adapter, Ports};
use routing_tests::clock::MovedClock;
use routing_tests::postgres::{Cluster, Server};
use routing_tests::recorder::{Recorder, Witness};
use routing_tests::wait::LIMIT;
use routing_tests::world::{patient, patient_probes};

pub(crate) struct Setup<A> {
    pub(crate) db: A,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) clock: Arc<MovedClock>,
    _witness: Witness,
}

impl<A: Adapter> Setup<A> {
    pub(crate) fn new(config: RoutingConfigBuilder) -> Self {
        let config = config.build().expect("a configuration");
        let ports = Ports::default();
        let (recorder, clock) = (Arc::clone(&ports.recorder), Arc::clone(&ports.clock));
        let db = A::open(&config, ports).expect("a handle");
        Self {
            db,
            _witness: Witness::new(&recorder),
            recorder,
            clock,
        }
    }

    pub(crate) fn session(&self) -> A {
        self.db.with_session(&Session::new())
    }
}

/// Nodes that are waited for, however long they take, but for those that the test makes fail.
pub(crate) fn config_of(cluster: &Cluster, fails: &[&str]) -> RoutingConfigBuilder {
    let node = |server: &Server| {
        let url = server.url("fault");
        if fails.contains(&server.name()) {
            NodeBuilder::url(url).acquire_timeout(BRIEF)
        } else {
            patient(url)
        }
    };
    RoutingConfig::builder()
        .catch_up_wait(LIMIT)
        .probe(patient_probes())
        .primary(node(cluster.primary()))
        .replica(node(&cluster.replicas()[0]))
        .replica(node(&cluster.replicas()[1]))
}

/// How long a connection to a node is waited for that fails.
const BRIEF: Duration = Duration::from_millis(500);

pub(crate) async fn cluster_with_schema() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.create_shop("fault").await;
    cluster
}
