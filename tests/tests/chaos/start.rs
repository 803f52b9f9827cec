//! A process that starts after a failover, with the configuration of before, on MariaDB or MySQL.

use routing_core::{RoutingConfig, RoutingError, Session};
use routing_tests::adapter::{Adapter, Diesel, DieselAsync, Ports, SeaOrm, Shop};
use routing_tests::mysql::Server;
use routing_tests::runtime::run;
use routing_tests::wait::{LIMIT, until};
use routing_tests::world::patient_probes;

use super::field::{Field, Servers};

async fn written(server: &Server) -> i64 {
    server.number("SELECT count(*) FROM chaos.ledger").await
}

/// Whether the first writes of a process go where they belong.
async fn writes_go_to<A: Adapter>(field: &Field, server: &Server, when: &str) {
    // Only a position tells that a replica has caught up, not the time.
    let config = field.config().time_pin(10 * LIMIT);
    let config = config.probe(patient_probes());
    let config = config.build().expect("a configuration");
    let before = written(server).await;
    for number in 1..=5 {
        let db = A::open(&config, Ports::default()).expect("a handle");
        let wrote = db.execute("INSERT INTO ledger VALUES (-1, 1)").await;
        wrote.unwrap_or_else(|error| panic!("{}, {when}: {error:?}", A::NAME));
        let nodes = &db.status().sets[0].nodes;
        assert_eq!(nodes[0].name, server.name(), "{}, {when}", A::NAME);
        let now = written(server).await;
        assert_eq!(now - before, number, "{}, {when}", A::NAME);
    }
    reads_come_back::<A>(&config, server, when).await;
}

/// A replica catches up with what a session has written.
async fn reads_come_back<A: Adapter>(config: &RoutingConfig, primary: &Server, when: &str) {
    let db = A::open(config, Ports::default()).expect("a handle");
    let session = Session::new();
    let db = db.with_session(&session);
    let wrote = db.execute("INSERT INTO ledger VALUES (-5, 1)").await;
    wrote.unwrap_or_else(|error| panic!("{}, {when}: {error:?}", A::NAME));
    let count = written(primary).await;
    until(
        format_args!("{}: a replica reads, {when}", A::NAME),
        async || {
            let number = db.number("SELECT count(*) FROM ledger").await;
            assert_eq!(number.expect("a number"), count, "{}, {when}", A::NAME);
            db.server().await != primary.name()
        },
    )
    .await;
}

/// Two servers take writes, and nobody can tell which of them is the primary.
async fn nobody_is_written_to<A: Adapter>(field: &Field, servers: [&Server; 2]) {
    let before = [written(servers[0]).await, written(servers[1]).await];
    let config = field.config().probe(patient_probes());
    let config = config.build().expect("a configuration");
    let db = A::open(&config, Ports::default()).expect("a handle");
    let refused = db.execute("INSERT INTO ledger VALUES (-4, 1)").await;
    let error = refused.expect_err("nobody knows who is the primary");
    match &error.routing {
        Some(RoutingError::PrimaryUnavailable { .. }) => {
            assert!(error.text.contains("undecided"), "{error:?}");
        }
        other => panic!("{}: {other:?}", A::NAME),
    }
    let now = [written(servers[0]).await, written(servers[1]).await];
    assert_eq!(now, before, "{}", A::NAME);
}

async fn a_process_that_starts_after_a_failover_finds_the_primary<A: Adapter>() {
    let field = Field::mysql().await;
    let Servers::MySql(cluster) = &field.servers else {
        unreachable!("it is no PostgreSQL");
    };
    let (old, new) = (cluster.primary(), &cluster.replicas()[1]);
    let labelled = "INSERT INTO chaos.ledger VALUES (-6, 1)";
    old.write_labelled(labelled).await;
    writes_go_to::<A>(&field, old, "as configured").await;
    cluster.switch_over(new).await;
    new.write_labelled(labelled).await;
    writes_go_to::<A>(&field, new, "the old one is read-only").await;
    cluster.kill(old);
    writes_go_to::<A>(&field, new, "the old one is down").await;
    cluster.restart(old).await;
    // It takes writes, and has none of what was written since; then each has what the other lacks.
    old.stop_replication().await;
    old.accept_writes().await;
    new.execute("INSERT INTO chaos.ledger VALUES (-2, 1)").await;
    nobody_is_written_to::<A>(&field, [old, new]).await;
    old.write_apart("INSERT INTO chaos.ledger VALUES (-3, 1)")
        .await;
    nobody_is_written_to::<A>(&field, [old, new]).await;
    // Until somebody decides.
    old.refuse_writes().await;
    writes_go_to::<A>(&field, new, "the old one is read-only again").await;
}

#[test]
fn a_process_that_starts_after_a_failover_finds_the_primary_seaorm() {
    run(a_process_that_starts_after_a_failover_finds_the_primary::<
        SeaOrm,
    >());
}

#[test]
fn a_process_that_starts_after_a_failover_finds_the_primary_diesel() {
    run(a_process_that_starts_after_a_failover_finds_the_primary::<
        Diesel,
    >());
}

#[test]
fn a_process_that_starts_after_a_failover_finds_the_primary_diesel_async() {
    run(a_process_that_starts_after_a_failover_finds_the_primary::<
        DieselAsync,
    >());
}
