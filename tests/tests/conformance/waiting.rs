//! Statements that wait in a pool for a connection.

use std::time::Duration;

use routing_core::{NodeBuilder, Scope};
use routing_tests::adapter::{Adapter, Shop, until_seen};
use routing_tests::proxy::{Proxy, Way};
use routing_tests::wait::{until, within};
use routing_tests::world::{attentive, patient};
use sea_orm::{ConnectionTrait, Database, Statement};

use crate::own::{Setup, cluster_with_schema};

on_own_servers! {
    a_statement_leaves_the_pool_of_a_node_that_goes_down,
}

const SLEEP: &str = "SELECT count(*) FROM pg_sleep(600)";

async fn a_statement_leaves_the_pool_of_a_node_that_goes_down<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let replica = &cluster.replicas()[0];
    let proxy = Proxy::start(replica.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
    // Nothing in the test takes as long as a statement would wait.
    let node = NodeBuilder::url(url).max_connections(1);
    let node = node.acquire_timeout(Duration::from_secs(600));
    let primary = patient(cluster.primary().url("fault"));
    let setup = Setup::<A>::new(attentive().primary(primary).replica(node));
    until_seen(&setup.db).await;

    let sleeps = setup.db.scoped(Scope::node("replica-1"));
    let sleeper = tokio::spawn(async move { sleeps.number(SLEEP).await });
    let beside = Database::connect(replica.url("fault")).await;
    let beside = beside.expect("a connection");
    until("the only connection is taken", async || {
        let active = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
        let active = Statement::from_string(beside.get_database_backend(), active);
        beside.query_one_raw(active).await.expect("an answer").is_some()
    })
    .await;

    setup.recorder.take();
    let waits = setup.session();
    let waiter = tokio::spawn(async move { waits.server().await });
    assert_eq!(setup.recorder.until_decided().await.node, "replica-1");
    proxy.set(Way::Silent);
    let server = within("it does not wait on", waiter).await;
    assert_eq!(server.expect("no panic"), "primary");
    proxy.cut();
    let _ended = within("the sleeper ends", sleeper).await;
}
