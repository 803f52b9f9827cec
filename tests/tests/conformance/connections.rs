//! New connections of the pools that the router makes.

use routing_core::{RoutingConfig, Scope};
use routing_tests::adapter::{Adapter, Shop, until_seen};
use routing_tests::world::{patient, patient_probes};

use crate::own::{Setup, cluster_with_schema};

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
