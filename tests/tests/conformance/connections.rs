//! New connections of the pools that the router makes.

use routing_core::{RoutingConfig, Scope, Session};
use routing_tests::adapter::{Adapter, Ports, Shop, until_seen};
use routing_tests::world::{Backend, World, patient, patient_probes};

use crate::own::{Setup, cluster_with_schema};

conformance! {
    each_runs_its_own_statements,
}

on_own_servers! {
    each_runs_what_the_configuration_says,
}

/// A replica inherits it, or has its own; and still refuses writes.
async fn each_runs_what_the_configuration_says<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let node = |place: usize| match place {
        0 => patient(cluster.primary().url("fault")),
        place => patient(cluster.replicas()[place - 1].url("fault")),
    };
    let of_replica = [
        "SET statement_timeout = 72000",
        "SET default_transaction_read_only = off",
    ];
    let config = RoutingConfig::builder()
        .probe(patient_probes())
        .primary(node(0).on_connect(["SET statement_timeout = 71000"]))
        .replica(node(1))
        .replica(node(2).on_connect(of_replica));
    let setup = Setup::<A>::new(config);
    until_seen(&setup.db).await;
    for (name, millis, only_reads) in [
        ("primary", 71_000, 0),
        ("replica-1", 71_000, 1),
        ("replica-2", 72_000, 1),
    ] {
        let db = setup.session().scoped(Scope::node(name));
        assert_eq!(db.server().await, name);
        let number = async |setting: &str, then: &str| {
            let sql = format!("SELECT {then} FROM pg_settings WHERE name = '{setting}'");
            db.number(&sql).await.expect("a number")
        };
        let timeout = number("statement_timeout", "setting::bigint").await;
        assert_eq!(timeout, millis, "{name}");
        let is_on = "(setting = 'on')::int::bigint";
        let read_only = number("default_transaction_read_only", is_on).await;
        assert_eq!(read_only, only_reads, "{name}");
    }
}

/// MariaDB and MySQL: a replica's own statements do not make it writable.
async fn each_runs_its_own_statements<A: Adapter>(backend: Backend) {
    if backend != Backend::MySql {
        return;
    }
    let world = World::new(backend, false).await;
    let [primary, replica] = world.primary_and_replica().map(patient);
    let writable = "SET SESSION TRANSACTION READ WRITE";
    let config = RoutingConfig::builder()
        .probe(patient_probes())
        .primary(primary.on_connect(["SET SESSION lock_wait_timeout = 71"]))
        .replica(replica.on_connect(["SET SESSION lock_wait_timeout = 72", writable]));
    let db = A::open(&config.build().expect("a configuration"), Ports::default());
    let db = db.expect("a handle");
    until_seen(&db).await;
    for (name, seconds, only_reads) in [("primary", 71, 0), ("replica-1", 72, 1)] {
        let db = db.with_session(&Session::new()).scoped(Scope::node(name));
        assert_eq!(db.server().await, name);
        for (setting, expected) in [
            ("lock_wait_timeout", seconds),
            ("transaction_read_only", only_reads),
        ] {
            let sql = format!("SELECT CAST(@@SESSION.{setting} AS SIGNED)");
            let found = db.number(&sql).await.expect("a number");
            assert_eq!(found, expected, "{name}: {setting}");
        }
    }
}
