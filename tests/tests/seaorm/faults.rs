//! Nodes that are not there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use routing_core::{NodeBuilder, Reason, RoutingConfigBuilder, RoutingError};
use routing_seaorm::{RoutedConnection, RoutingConfig, RoutingErrExt, Scope, Session};
use routing_tests::clock::MovedClock;
use routing_tests::entity::{cake, server};
use routing_tests::postgres::Cluster;
use routing_tests::recorder::{Recorder, Witness};
use routing_tests::runtime::run;
use routing_tests::sqlite::Files;
use routing_tests::stage::server_of;
use routing_tests::wait::{LIMIT, until};
use routing_tests::world::{patient, patient_probes};
use sea_orm::{
    AccessMode, ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    Statement, TransactionTrait,
};

struct Setup {
    db: RoutedConnection,
    recorder: Arc<Recorder>,
    clock: Arc<MovedClock>,
    _witness: Witness,
}

impl Setup {
    fn new(config: RoutingConfigBuilder) -> Self {
        let config = config.build().expect("a configuration");
        let recorder = Arc::new(Recorder::default());
        let clock = Arc::new(MovedClock::default());
        let db = RoutedConnection::builder(&config)
            .clock(Arc::clone(&clock) as _)
            .observer(Arc::clone(&recorder) as _)
            .build()
            .expect("a connection");
        Self {
            db,
            _witness: Witness::new(&recorder),
            recorder,
            clock,
        }
    }

    fn session(&self) -> RoutedConnection {
        self.db.with_session(&Session::new())
    }
}

/// The first replica is the one that fails, in the test that has one fail.
fn config_of(cluster: &Cluster) -> RoutingConfigBuilder {
    let [one, two] = cluster.replicas() else {
        panic!("there are two replicas");
    };
    RoutingConfig::builder()
        .catch_up_wait(LIMIT)
        .probe(patient_probes())
        .primary(patient(cluster.primary().url("fault")))
        .replica(NodeBuilder::url(one.url("fault")).acquire_timeout(Duration::from_millis(500)))
        .replica(patient(two.url("fault")))
}

async fn cluster_with_schema() -> (Cluster, Setup) {
    let cluster = Cluster::start().await;
    cluster.create_shop("fault").await;
    let setup = Setup::new(config_of(&cluster));
    // Both replicas have been asked what they are.
    let is_unseen = |node: &routing_core::NodeStatus| node.left_out.contains(&"unseen");
    server_of(&setup.db).await;
    until("all nodes are observed", async || {
        !setup.db.status().sets[0].nodes.iter().any(is_unseen)
    })
    .await;
    setup.recorder.take();
    (cluster, setup)
}

#[test]
fn a_killed_replica_costs_no_read_and_is_taken_back() {
    run(async {
        let (cluster, setup) = cluster_with_schema().await;
        // Both replicas have connections in their pools, which the kill breaks.
        let mut sessions = Vec::new();
        until("a session has the first replica", async || {
            let db = setup.session();
            let is_first = server_of(&db).await == "replica-1";
            sessions.push(db);
            is_first && sessions.len() >= 8
        })
        .await;
        let victim = &cluster.replicas()[0];
        cluster.kill(victim);
        for db in &sessions {
            // Who finds it dead may be sent to the primary: the other may be older than what it saw.
            assert_ne!(server_of(db).await, "replica-1");
            assert_eq!(server_of(db).await, "replica-2", "the other one");
        }
        let down = setup.recorder.until_down();
        assert_eq!(
            (down[0].0.as_str(), down[0].1),
            ("replica-1", Duration::from_secs(1))
        );
        let reasons: Vec<_> = setup.recorder.take().iter().map(|d| d.reason).collect();
        assert!(reasons.contains(&Reason::NotCaughtUp), "{reasons:?}");

        // New sessions do not try it while it is down; a named node has no substitute. If its time is
        // over already, one tries it, and it is down for longer.
        setup.clock.stop();
        for _ in 0..4 {
            assert_eq!(server_of(&setup.session()).await, "replica-2");
        }
        let named = setup.db.scoped(Scope::node("replica-1"));
        let _may_be_a_trial = server::Entity::find().one(&named).await;
        let error = server::Entity::find()
            .one(&named)
            .await
            .expect_err("it is down");
        assert!(
            matches!(error.routing(), Some(RoutingError::NodeUnavailable { .. })),
            "{error}"
        );
        // Read-only transactions and streams move on too.
        setup.clock.advance(Duration::from_secs(2));
        setup.clock.go_on();
        let transaction = setup
            .session()
            .begin_with_config(None, Some(AccessMode::ReadOnly))
            .await
            .expect("a transaction");
        assert_eq!(server_of(&transaction).await, "replica-2");
        transaction.commit().await.expect("a commit");
        setup.clock.advance(Duration::from_secs(60));
        let streaming = setup.session();
        let stream = server::Entity::find().stream(&streaming).await;
        let rows: Vec<_> = stream.expect("a stream").try_collect().await.expect("rows");
        assert_eq!(rows[0].name, "replica-2");

        cluster.restart(victim).await;
        setup.clock.advance(Duration::from_secs(60));
        until("it is taken back", async || {
            server_of(&setup.session()).await == "replica-1"
        })
        .await;
        setup.recorder.until_up();
    });
}

#[test]
fn a_transaction_on_a_broken_connection_fails_and_blames_the_node() {
    run(async {
        let (cluster, setup) = cluster_with_schema().await;
        let db = setup.session();
        let transaction = db.begin().await.expect("a transaction");
        cake::named("lost")
            .insert(&transaction)
            .await
            .expect("an insert");
        let rolled_back = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (on_commit, on_rollback) = (Arc::clone(&rolled_back), Arc::clone(&rolled_back));
        transaction.on_commit(move |_| on_commit.lock().expect("no panic").push("commit"));
        transaction.on_rollback(move || on_rollback.lock().expect("no panic").push("rollback"));
        cluster.kill(cluster.primary());
        transaction
            .commit()
            .await
            .expect_err("the connection is gone");
        // Nobody knows whether that commit happened.
        assert!(rolled_back.lock().expect("no panic").is_empty());
        cluster.restart(cluster.primary()).await;
    });
}

#[test]
fn a_missing_sqlite_replica_is_passed_over_and_found_later() {
    run(async {
        let files = Files::create().await;
        let hidden = files.path("hidden");
        std::fs::rename(files.path("replica-1"), &hidden).expect("hidden");
        let setup = Setup::new(
            RoutingConfig::builder()
                .primary(files.primary_url())
                .replica(files.replica_url(0))
                .replica(files.replica_url(1)),
        );
        setup.clock.stop();
        for _ in 0..3 {
            assert_eq!(server_of(&setup.session()).await, "replica-2");
        }
        let down = setup.recorder.until_down();
        assert_eq!(down.len(), 1, "{down:?}");
        std::fs::rename(&hidden, files.path("replica-1")).expect("back");
        setup.clock.advance(Duration::from_secs(2));
        let mut servers = Vec::new();
        for _ in 0..2 {
            servers.push(server_of(&setup.session()).await);
        }
        assert!(
            servers.iter().any(|server| server == "replica-1"),
            "{servers:?}"
        );
    });
}

#[test]
fn a_users_mistakes_take_no_node_down() {
    run(async {
        let (_cluster, setup) = cluster_with_schema().await;
        let db = setup.session();
        let backend = db.get_database_backend();
        for _ in 0..6 {
            let too_few = Statement::from_sql_and_values(
                backend,
                "SELECT $1::int AS a, $2::int AS b",
                [1.into()],
            );
            db.query_one_raw(too_few)
                .await
                .expect_err("a parameter is missing");
            let too_many = cake::Entity::find().filter(cake::Column::Id.is_in(0..70_000));
            too_many.all(&db).await.expect_err("too many parameters");
            let zero = "SELECT '\0'";
            db.execute_unprepared(zero).await.expect_err("a zero byte");
            let pinned = setup.session();
            pinned.pin().expect("a pin");
            db.execute_unprepared(zero).await.expect_err("a zero byte");
        }
        assert!(setup.recorder.down().is_empty());
        assert!(server_of(&db).await.starts_with("replica-"));
    });
}
