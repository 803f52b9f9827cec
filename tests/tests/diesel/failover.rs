//! A server that dies under a connection that is checked out.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::AsyncPgConnection;
use routing_core::{NodeBuilder, RoutingConfig, Session};
use routing_diesel::{AsyncRoutedPool, RoutedPool};
use routing_tests::postgres::{Cluster, Server};
use routing_tests::runtime::run;
use routing_tests::schema::server;
use routing_tests::wait::LIMIT;
use routing_tests::world::{patient, patient_probes};

use crate::support::{blocking, server_of};

async fn cluster() -> (Cluster, RoutingConfig) {
    let cluster = Cluster::start().await;
    cluster.create_database("failover").await;
    let [one, two] = cluster.replicas() else {
        panic!("there are two replicas");
    };
    // Long enough for a busy machine, and the time that it takes to leave one that is gone.
    let wait = Duration::from_secs(5);
    let replica = |url: String| NodeBuilder::url(url).acquire_timeout(wait);
    let config = RoutingConfig::builder()
        .catch_up_wait(LIMIT)
        .probe(patient_probes())
        .primary(patient(cluster.primary().url("failover")))
        .replica(replica(one.url("failover")))
        .replica(replica(two.url("failover")))
        .build()
        .expect("a configuration");
    (cluster, config)
}

fn named<'c>(cluster: &'c Cluster, name: &str) -> &'c Server {
    let mut replicas = cluster.replicas().iter();
    replicas
        .find(|server| server.name() == name)
        .expect("a replica")
}

#[test]
fn a_read_goes_on_elsewhere_from_a_connection_that_breaks() {
    run(async {
        let (cluster, config) = cluster().await;
        blocking(|| {
            let pool = RoutedPool::<PgConnection>::new(&config).expect("a pool");
            let mut conn = pool.get_in(&Session::new()).expect("a connection");
            let mut ask = || -> QueryResult<String> {
                let names = server::table.select(server::name);
                names.first(&mut conn)
            };
            let first = ask().expect("a name");
            cluster.kill(named(&cluster, &first));
            // The other may be older than what was seen: it is asked where it is first.
            assert_ne!(ask().expect("a name"), first);
            let second = ask().expect("a name");
            assert!(
                second.starts_with("replica-") && second != first,
                "{second}"
            );
            cluster.kill(named(&cluster, &second));
            assert_eq!(ask().expect("a name"), "primary");
        });
    });
}

#[test]
fn the_same_without_blocking_and_pipelined() {
    run(async {
        let (cluster, config) = cluster().await;
        let pool = AsyncRoutedPool::<AsyncPgConnection>::new(&config).expect("a pool");
        let mut conn = pool.get_in(&Session::new()).await.expect("a connection");
        let first = server_of(&mut conn).await;
        cluster.kill(named(&cluster, &first));
        assert_ne!(server_of(&mut conn).await, first);
        let second = server_of(&mut conn).await;
        assert!(
            second.starts_with("replica-") && second != first,
            "{second}"
        );
        cluster.kill(named(&cluster, &second));
        let names = server::table.select(server::name);
        let ask = || async { diesel_async::RunQueryDsl::first::<String>(names, &mut &conn).await };
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!(
            (one.as_deref(), other.as_deref()),
            (Ok("primary"), Ok("primary"))
        );
    });
}
