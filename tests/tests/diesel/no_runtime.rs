//! diesel-async's adapter outside of a Tokio runtime.

use diesel_async::AsyncPgConnection;
use routing_core::{RoutingConfig, Session};
use routing_diesel::AsyncRoutedPool;
use routing_tests::runtime::run;
use routing_tests::wait::until_blocking;
use routing_tests::world::{Backend, World, patient, patient_probes};

use crate::support::server_of;

type Pool = AsyncRoutedPool<AsyncPgConnection>;

fn is_seen(pool: &Pool) -> bool {
    let status = pool.status();
    let mut nodes = status.sets[0].nodes.iter();
    nodes.all(|node| node.up && node.left_out.is_empty())
}

#[test]
fn monitors_run_and_pools_are_replaced() {
    let world = run(World::new(Backend::Postgres, false));
    let [primary, replica] = world.primary_and_replica();
    let alone = || {
        let config = RoutingConfig::builder().probe(patient_probes());
        config.primary(patient(primary))
    };
    let both = alone().replica(patient(replica).min_connections(1));
    let pool = Pool::new(&both.build().expect("a configuration")).expect("a pool");
    until_blocking("the nodes are probed", || is_seen(&pool));
    let server = run(async {
        let session = Session::new();
        let mut conn = pool.get_in(&session).await.expect("a connection");
        server_of(&mut conn).await
    });
    assert_ne!(server, "primary");
    // The replica's pool gives way to one that keeps no connections.
    let alone = alone().build().expect("a configuration");
    pool.reconfigure(&alone).expect("the replica goes");
    assert_eq!(pool.status().sets[0].nodes.len(), 1);
}
