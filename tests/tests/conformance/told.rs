//! Positions that a query of the application's tells.

use std::time::Duration;

use routing_core::{PinRelease, Position, Reach, Status};
use routing_tests::adapter::{Adapter, Shop, until_seen};
use routing_tests::postgres::Cluster;
use routing_tests::wait::until;
use sea_orm::ConnectionTrait;

use crate::own::{Setup, cluster_with_schema, config_of};

on_own_servers! {
    auroras_own_words_are_positions,
}

/// The query that the guide has for Aurora PostgreSQL.
fn query() -> &'static str {
    let guide = include_str!("../../../docs/reading-your-writes.md");
    let (_, query) = guide
        .split_once("-- Aurora PostgreSQL\n")
        .expect("it is there");
    query.split("\n```").next().expect("the query")
}

/// What Aurora's functions would say of these servers, by their documentation ("aurora_replica_status", *Amazon
/// Aurora User Guide*).
const IMITATION: &str = "
CREATE FUNCTION aurora_db_instance_identifier() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT current_setting('cluster_name') $$;
CREATE FUNCTION aurora_replica_status() RETURNS TABLE
    (server_id text, session_id text, durable_lsn bigint, current_read_lsn bigint)
LANGUAGE sql VOLATILE AS $$
    SELECT current_setting('cluster_name'), 'a-reader', NULL::bigint,
        (pg_last_wal_replay_lsn() - '0/0')::bigint WHERE pg_is_in_recovery()
    UNION ALL
    SELECT current_setting('cluster_name'), 'MASTER_SESSION_ID',
        CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_lsn() - '0/0')::bigint END, NULL
        WHERE NOT pg_is_in_recovery()
    UNION ALL
    SELECT 'another', 'another-reader', NULL, 1
$$";

async fn cluster() -> Cluster {
    let cluster = cluster_with_schema().await;
    let primary = sea_orm::Database::connect(cluster.primary().url("fault")).await;
    let primary = primary.expect("the primary");
    primary
        .execute_unprepared(IMITATION)
        .await
        .expect("functions");
    primary.close().await.expect("the connection closes");
    cluster.catch_up().await;
    cluster
}

async fn auroras_own_words_are_positions<A: Adapter>() {
    let cluster = cluster().await;
    let config = config_of(&cluster, &["primary"])
        .catch_up_wait(Duration::ZERO)
        .pin_release(PinRelease::CaughtUp)
        .probe_query(query());
    let setup = Setup::<A>::new(config);
    until_seen(&setup.db).await;
    let position = |status: &Status, node: &str| {
        let node = status.node("default", node).expect("a member");
        node.position
            .as_deref()
            .map(|text| text.parse::<Position>().expect("a position"))
    };
    // It is a number, and of no system or timeline.
    let told = position(&setup.db.status(), "replica-1").expect("it is told");
    assert_eq!(told.reaches(&Position::number(1)), Reach::Yes);
    assert_eq!(setup.db.status().sets[0].system, None);

    // A write is kept on the primary until a replica has it.
    for replica in cluster.replicas() {
        replica.pause().await;
    }
    let db = setup.session();
    assert!(db.server().await.starts_with("replica-"));
    db.insert("told").await.expect("an insert");
    assert_eq!(db.server().await, "primary");
    for replica in cluster.replicas() {
        replica.resume().await;
    }
    until("a replica has it", async || {
        // One that does not have it would say 0.
        let server = db.server().await;
        assert_eq!(db.count().await, 1, "{server}");
        server.starts_with("replica-")
    })
    .await;

    // The role is told, too.
    cluster.kill(cluster.primary());
    let promoted = &cluster.replicas()[0];
    cluster.promote(promoted).await;
    until("the promoted one takes writes", async || {
        setup.session().insert("after").await.is_ok()
    })
    .await;
    let status = setup.db.status();
    assert_eq!(status.sets[0].nodes[0].name, promoted.name());
}
