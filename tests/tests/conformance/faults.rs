//! Nodes that are not there, and futures that are dropped.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use routing_core::{
    Failure, NoReplica, NodeBuilder, PinRelease, ProbeRules, Reason, Role, RoutingConfig,
    RoutingError, Scope, Session,
};
use routing_tests::adapter::{Adapter, Begin, End, Log, Outcome, Scene, Shop, Step, until_seen};
use routing_tests::wait::{until, within};
use routing_tests::world::{Backend, patient, patient_probes};
use sea_orm::ConnectionTrait;

use crate::own::{Setup, cluster_with_schema, config_of};

conformance! {
    work_that_is_dropped_at_any_await_leaves_nothing_behind,
    a_users_error_on_a_replica_is_the_users,
}

/// Polls a future as often as it wakes, and drops it if it is still pending after so many polls.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => {
            polls += 1;
            if polls < times {
                Poll::Pending
            } else {
                Poll::Ready(None)
            }
        }
    })
    .await
}

async fn work_that_is_dropped_at_any_await_leaves_nothing_behind<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, routing_core::Mode::Greedy).await;
    let log = Log::default();
    let mut finished = 0;
    for times in 1..400 {
        let (db, session) = scene.session();
        let inner = vec![Step::Insert(format!("inner {times}")), Step::Count];
        let steps = vec![
            Step::Log(log.clone(), "x"),
            Step::Insert(format!("cake {times}")),
            Step::Transaction(Begin::Plain, inner, End::Commit),
            Step::Count,
        ];
        let work = vec![
            Step::Server,
            Step::Transaction(Begin::Plain, steps, End::Commit),
            Step::Transaction(Begin::ReadOnly, vec![Step::Server], End::Commit),
            Step::Count,
        ];
        let done = poll_times(db.run(work), times).await;
        // A transaction that was dropped is rolled back or, if nobody knows, silent; never both.
        let called = log.take();
        assert!(called.len() <= 1, "{called:?}");
        match done {
            Some(outcomes) => {
                finished += 1;
                let failed = outcomes
                    .iter()
                    .any(|outcome| matches!(outcome, Outcome::Failed(_)));
                assert!(!failed, "{outcomes:?}");
                assert_eq!(called, ["x+default"]);
            }
            None => assert!(session.is_pinned("default") || called.is_empty()),
        }
        // Whatever was open is rolled back, and its connection can be used again.
        if times % 10 == 0 || finished > 3 {
            let (fresh, other) = scene.session();
            assert!(!other.is_pinned("default"));
            fresh.server().await;
            fresh
                .insert(&format!("after {times}"))
                .await
                .expect("an insert");
            // A row that was not committed, in a connection that came back half-way, would show.
            let steps = vec![Step::Count, Step::Server];
            let outcomes = fresh.transaction(Begin::Plain, steps, End::Commit).await;
            let [Outcome::Count(_), Outcome::Server(server)] = &outcomes[..] else {
                panic!("{outcomes:?}");
            };
            assert_eq!(server, "primary");
        }
        if finished > 3 {
            break;
        }
    }
    assert!(finished > 0, "some run to their end");
}

async fn a_users_error_on_a_replica_is_the_users<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, routing_core::Mode::Greedy).await;
    let (db, session) = scene.session();
    for _ in 0..5 {
        let error = db.execute("SELECT * FROM nowhere").await;
        let error = error.expect_err("there is no such table");
        assert!(error.routing.is_none(), "{error:?}");
        assert_eq!(scene.recorder.take().len(), 1, "it was tried once");
    }
    assert!(scene.recorder.down().is_empty());
    assert!(!session.is_pinned("default"));
    assert!(db.server().await.starts_with("replica-"));
}

on_own_servers! {
    a_killed_replica_costs_no_read_and_is_taken_back,
    a_session_that_loses_its_replica_does_not_go_back,
    a_standby_that_crashes_unnoticed_shows_no_session_less,
    replicas_that_were_never_up_are_passed_over,
    without_the_primary_reads_go_on_and_writes_fail_typed,
    a_commit_on_a_broken_connection_is_unknown,
    a_server_that_is_full_is_not_down,
    what_a_probe_was_told_is_named,
    a_primary_that_ends_all_its_connections_is_not_down,
    a_replica_that_never_answers_is_passed_over,
    a_read_that_replay_cancels_is_answered_by_another_node,
    what_a_standby_does_not_run_goes_to_the_primary,
    serializable_sessions_read_on_the_primary,
}

async fn a_session_that_loses_its_replica_does_not_go_back<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let wait = Duration::from_millis(20);
    let config = config_of(&cluster, &["replica-1", "replica-2"]);
    let setup = Setup::<A>::new(config.catch_up_wait(wait));
    let reader = setup.session();
    let mut at = String::new();
    until("the reader has a replica", async || {
        at = reader.server().await;
        at.starts_with("replica-")
    })
    .await;
    let home = usize::from(at == "replica-2");
    let other = &cluster.replicas()[1 - home];
    other.pause().await;
    setup.db.insert("seen").await.expect("an insert");
    cluster.catch_up().await;
    assert_eq!(reader.count().await, 1);
    cluster.kill(&cluster.replicas()[home]);
    for _ in 0..10 {
        assert_eq!(
            reader.count().await,
            1,
            "the other one is behind what was seen"
        );
        assert_eq!(reader.server().await, "primary");
    }
    other.resume().await;
    cluster.catch_up_alone(other).await;
    // The next reads wait for what is there.
    until("it comes back to a replica", async || {
        assert_eq!(reader.count().await, 1);
        reader.server().await == other.name()
    })
    .await;
    assert_eq!(reader.count().await, 1);
}

/// It is back before anybody has asked how it is, and shows what it had at its last restart point. Pools
/// replace the connections that they find dead, and tell nobody.
async fn a_standby_that_crashes_unnoticed_shows_no_session_less<A: Adapter>() {
    // It has no such table yet, or the table without the row; also for what may be a write.
    for (has_table, is_ambiguous) in [(false, false), (true, false), (true, true)] {
        let cluster = cluster_with_schema().await;
        if is_ambiguous {
            let db = sea_orm::Database::connect(cluster.primary().url("fault")).await;
            let db = db.expect("the primary");
            let function =
                "CREATE FUNCTION shown(int) RETURNS bool LANGUAGE sql VOLATILE AS 'SELECT true'";
            db.execute_unprepared(function).await.expect("a function");
            db.close().await.expect("the connection closes");
        }
        if has_table {
            for server in [cluster.primary()].into_iter().chain(cluster.replicas()) {
                let checkpoint = sea_orm::sqlx::query("CHECKPOINT").execute(server.admin());
                checkpoint.await.expect("a checkpoint");
                cluster.catch_up().await;
            }
        }
        let mut seldom = patient_probes();
        seldom.heartbeat = Duration::from_secs(600);
        let config = config_of(&cluster, &[]).pin_release(PinRelease::CaughtUp);
        let setup = Setup::<A>::new(config.probe(seldom));
        until_seen(&setup.db).await;
        let db = setup.session();
        db.insert("mine").await.expect("an insert");
        let home = db.server().await;
        assert_eq!(db.count().await, 1);
        let replica = cluster.replicas().iter().find(|one| one.name() == home);
        let replica = replica.expect("it has caught up");
        // What it has received it replays again, but not at once.
        replica.set("recovery_min_apply_delay", "1h").await;
        cluster.kill(replica);
        cluster.restart(replica).await;
        if is_ambiguous {
            let db = db.scoped(Scope::ambiguous_to_replica());
            let shown = db.number("SELECT count(*) FROM cake WHERE shown(id)").await;
            assert!(matches!(shown, Ok(1) | Err(_)), "{shown:?}");
        }
        assert_eq!(db.count().await, 1, "on whichever node");
        assert_ne!(db.server().await, home);
    }
}

async fn a_killed_replica_costs_no_read_and_is_taken_back<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let setup = Setup::<A>::new(config_of(&cluster, &["replica-1"]));
    until_seen(&setup.db).await;
    // Both replicas have connections in their pools, which the kill breaks.
    let mut sessions = Vec::new();
    until("a session has the first replica", async || {
        let db = setup.session();
        let is_first = db.server().await == "replica-1";
        sessions.push(db);
        is_first && sessions.len() >= 8
    })
    .await;
    let victim = &cluster.replicas()[0];
    cluster.kill(victim);
    for db in &sessions {
        // Who finds it dead may be sent to the primary: the other may be older than what it saw.
        assert_ne!(db.server().await, "replica-1");
        assert_eq!(db.server().await, "replica-2", "the other one");
    }
    let down = setup.recorder.until_down();
    assert_eq!(
        (down[0].0.as_str(), down[0].1),
        ("replica-1", Duration::from_secs(1))
    );
    assert!(down.iter().all(|(node, _)| node.as_str() == "replica-1"));
    let reasons: Vec<_> = setup.recorder.take().iter().map(|d| d.reason).collect();
    // The first depends on whether the other was known to have what the session saw.
    let moved = |reason: &Reason| matches!(reason, Reason::NotCaughtUp | Reason::Failover);
    assert!(reasons.iter().any(moved), "{reasons:?}");

    // New sessions do not try it while it is down; a named node has no substitute. If its time is over
    // already, one tries it, and it is down for longer.
    setup.clock.stop();
    for _ in 0..4 {
        assert_eq!(setup.session().server().await, "replica-2");
    }
    let named = setup.db.scoped(Scope::node("replica-1"));
    let _may_be_a_trial = named.attempt(Step::Server).await;
    let error = named.attempt(Step::Server).await.expect_err("it is down");
    assert!(
        matches!(error.routing, Some(RoutingError::NodeUnavailable { .. })),
        "{error:?}"
    );
    // Read-only transactions move on too.
    setup.clock.advance(Duration::from_secs(2));
    setup.clock.go_on();
    let reading = setup.session();
    let outcomes = reading
        .transaction(Begin::ReadOnly, vec![Step::Server], End::Commit)
        .await;
    assert_eq!(format!("{outcomes:?}"), "[Server(\"replica-2\")]");

    // One connection whose server dies under it.
    cluster.restart(victim).await;
    setup.clock.advance(Duration::from_secs(60));
    // Its monitor finds out that it is back, and then it takes sessions again.
    until("it is taken back", async || {
        setup.session().server().await == "replica-1"
    })
    .await;
    setup.recorder.until_up();
}

async fn replicas_that_were_never_up_are_passed_over<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    for replica in cluster.replicas() {
        cluster.kill(replica);
    }
    let config = || config_of(&cluster, &["replica-1", "replica-2"]);
    // Nothing is connected to before it is used.
    let setup = Setup::<A>::new(config());
    assert_eq!(setup.session().server().await, "primary");
    let last = setup.recorder.take().last().map(|decision| decision.reason);
    assert_eq!(last, Some(Reason::NoReplica));

    let setup = Setup::<A>::new(config().no_replica(NoReplica::Error));
    let error = setup.session().attempt(Step::Server).await;
    let error = error.expect_err("no replica");
    assert!(
        matches!(error.routing, Some(RoutingError::NoReplica { .. })),
        "{error:?}"
    );
}

async fn without_the_primary_reads_go_on_and_writes_fail_typed<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let setup = Setup::<A>::new(config_of(&cluster, &["primary"]));
    let reader = setup.session();
    let writer = setup.session();
    until("the writer writes", async || {
        writer.insert("before").await.is_ok()
    })
    .await;
    cluster.kill(cluster.primary());

    for attempt in 0..5 {
        let error = writer.insert("lost").await.expect_err("no primary");
        // The first may have been on a connection that broke under it: the driver's error.
        let unavailable = matches!(error.routing, Some(RoutingError::PrimaryUnavailable { .. }));
        assert!(unavailable || attempt == 0, "{attempt}: {error:?}");
    }
    // Its breaker is open: refused at once, and nobody waits for a connection.
    let down = setup.recorder.until_down();
    assert_eq!(down.len(), 1, "{down:?}");
    let error = writer.insert("refused").await.expect_err("no primary");
    match error.routing {
        Some(RoutingError::PrimaryUnavailable { retry_in, .. }) => {
            assert!(retry_in.is_some_and(|wait| wait <= Duration::from_secs(30)));
        }
        other => panic!("{other:?}"),
    }
    // A write that was refused pins nobody.
    let session = Session::new();
    let db = setup.db.with_session(&session);
    db.insert("refused").await.expect_err("no primary");
    assert!(!session.is_pinned("default"));

    for db in [&reader, &db] {
        assert!(db.server().await.starts_with("replica-"));
        let preferring = db.scoped(Scope::prefer_primary());
        assert!(preferring.server().await.starts_with("replica-"));
        let pinned = db.scoped(Scope::primary());
        let error = pinned.execute("SELECT 1").await.expect_err("no primary");
        assert!(matches!(
            error.routing,
            Some(RoutingError::PrimaryUnavailable { .. })
        ));
    }
    cluster.restart(cluster.primary()).await;
    // Its monitor sees it, long before that.
    until("the primary takes writes", async || {
        writer.insert("after").await.is_ok()
    })
    .await;
    assert_eq!(setup.recorder.until_up().len(), 1);
    let preferring = reader.scoped(Scope::prefer_primary());
    assert_eq!(preferring.server().await, "primary");
    assert_eq!(
        writer.count().await,
        2,
        "before and after; nothing was run twice"
    );
}

async fn a_commit_on_a_broken_connection_is_unknown<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let setup = Setup::<A>::new(config_of(&cluster, &[]));
    let log = Log::default();
    // The server ends the connection of its own transaction, with the statement before the commit.
    let end = "SELECT pg_terminate_backend(pg_backend_pid())";
    let steps = vec![
        Step::Log(log.clone(), "x"),
        Step::Insert("lost".into()),
        Step::Execute(end.into()),
    ];
    let db = setup.session();
    let transaction = Step::Transaction(Begin::Plain, steps, End::Commit);
    let outcomes = db.run(vec![transaction]).await;
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
    assert!(
        outcomes.iter().filter(|outcome| failed(outcome)).count() >= 2,
        "{outcomes:?}"
    );
    let called = log.take();
    assert!(called.is_empty() || called == ["x-"], "{called:?}");
    assert_eq!(db.count().await, 0, "on another connection");
    assert_eq!(
        setup.recorder.take().last().map(|d| d.role),
        Some(Role::Primary)
    );
}

/// Errors and the status say what the server has said, before the breaker is open and after.
async fn what_a_probe_was_told_is_named<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let setup = Setup::<A>::new(
        RoutingConfig::builder()
            .primary(NodeBuilder::url(cluster.primary().url("no_such_database")))
            .replica(NodeBuilder::url(cluster.replicas()[0].url("fault"))),
    );
    let is_said = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        text.contains("no_such_database")
    };
    until("the status says why", async || {
        // The monitors begin with the first statement.
        let _any = setup.session().attempt(Step::Server).await;
        is_said(&setup.db.status().sets[0].nodes[0].probe_error)
    })
    .await;
    until("the error says why", async || {
        let error = setup.db.execute("DELETE FROM cake").await;
        let error = error.expect_err("there is no such database").routing;
        matches!(error, Some(RoutingError::PrimaryUnavailable { cause, .. }) if is_said(&cause))
    })
    .await;
    until("the replica has told what it is", async || {
        let status = setup.db.status();
        let replica = &status.sets[0].nodes[1];
        replica.says.is_some() && replica.probe_error.is_none()
    })
    .await;
}

async fn a_server_that_is_full_is_not_down<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    sea_orm::sqlx::query("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
        .execute(cluster.primary().admin())
        .await
        .expect("a role");
    cluster.catch_up().await;
    let node = |server: &routing_tests::postgres::Server| {
        let url = server.url("fault").replace("postgres@", "narrow@");
        NodeBuilder::url(url).acquire_timeout(Duration::from_millis(300))
    };
    // The only connection is not to be the monitor's.
    let config = RoutingConfig::builder()
        .positions(false)
        .primary(node(cluster.primary()))
        .replica(node(&cluster.replicas()[0]));
    let setup = Setup::<A>::new(config);
    let holder = sea_orm::sqlx::PgPool::connect(
        &cluster
            .primary()
            .url("fault")
            .replace("postgres@", "narrow@"),
    )
    .await
    .expect("the only connection");
    for _ in 0..4 {
        let db = setup.session();
        db.pin().expect("a pin");
        let error = db.execute("SELECT 1").await.expect_err("it is full");
        // SeaORM has an error of its own for that.
        let is_named = match &error.routing {
            None => A::NAME == routing_tests::adapter::SeaOrm::NAME,
            Some(RoutingError::NodeUnavailable { node, cause, .. }) => {
                node == "primary" && cause.is_some()
            }
            Some(_) => false,
        };
        assert!(is_named, "{error:?}");
    }
    assert!(setup.recorder.down().is_empty());
    holder.close().await;
    // The server has heard of it when its process is gone; the pool may be the first to come.
    let db = setup.session();
    db.pin().expect("a pin");
    until("there is room again", async || {
        db.execute("SELECT 1").await.is_ok()
    })
    .await;
}

/// As an administrator ends them, or a firewall that forgets them.
async fn a_primary_that_ends_all_its_connections_is_not_down<A: Adapter>() {
    const WRITERS: usize = 8;
    let cluster = cluster_with_schema().await;
    let setup = Setup::<A>::new(config_of(&cluster, &[]));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let db = setup.session();
            let slow = "INSERT INTO cake (name) SELECT 'lost' FROM pg_sleep(600)";
            tokio::spawn(async move { db.execute(slow).await })
        })
        .collect();
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    until("all are at work", async || {
        let count: i64 = sea_orm::sqlx::query_scalar(sleeping)
            .fetch_one(cluster.primary().admin())
            .await
            .expect("a number");
        count == i64::try_from(WRITERS).expect("a few")
    })
    .await;
    cluster.primary().cut().await;
    for writer in writers {
        let error = writer.await.expect("no panic").expect_err("it was ended");
        assert!(error.routing.is_none(), "{error:?}");
    }
    setup.session().insert("after").await.expect("a connection");
    assert!(setup.recorder.down().is_empty());
}

/// It takes connections, and that is all: a machine that hangs, or a firewall that drops.
async fn a_replica_that_never_answers_is_passed_over<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let hanging = format!("postgres://postgres@127.0.0.1:{port}/fault");
    // Long enough that it is silence, and no busy machine.
    let mut probe = ProbeRules::DEFAULT;
    probe.timeout = Duration::from_secs(4);
    let config = RoutingConfig::builder()
        .probe(probe)
        .primary(patient(cluster.primary().url("fault")))
        .replica(NodeBuilder::url(hanging).acquire_timeout(Duration::from_millis(300)))
        .replica(patient(cluster.replicas()[0].url("fault")));
    let setup = Setup::<A>::new(config);
    // Its pool's first connection proves the replica, and the primary answers until then.
    until("the other replica answers", async || {
        setup.session().server().await == "replica-1"
    })
    .await;
    for _ in 0..6 {
        let db = setup.session();
        let server = within("it is not waited for", db.server()).await;
        // Under its name in this configuration it is the second.
        assert_eq!(server, "replica-1");
    }
    // Nobody's statement is needed to find out that it does not answer.
    setup.recorder.until_down();
    // A transaction and a write are none the worse for it.
    let db = setup.session();
    db.insert("meanwhile").await.expect("an insert");
    // Dropped while it waits for the silent one, a read leaves nothing behind.
    setup.clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        let db = setup.session();
        let _ = tokio::time::timeout(Duration::from_millis(20), db.server()).await;
    }
    until("the other replica answers again", async || {
        setup.session().server().await == "replica-1"
    })
    .await;
    drop(silent);
}

/// The log that a standby replays removes rows that a query of its own may need.
async fn a_read_that_replay_cancels_is_answered_by_another_node<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    for replica in cluster.replicas() {
        replica.set("hot_standby_feedback", "off").await;
        replica.set("max_standby_streaming_delay", "0").await;
    }
    let setup = Setup::<A>::new(config_of(&cluster, &[]));
    setup.db.insert("gone").await.expect("an insert");
    cluster.catch_up().await;
    until_seen(&setup.db).await;
    let reader = setup.session();
    let home = reader.server().await;
    setup.recorder.moved();
    // On this server it needs the row for as long as it is let.
    let slow = format!(
        "SELECT count(*) FROM cake, \
         pg_sleep(CASE current_setting('cluster_name') WHEN '{home}' THEN 600 ELSE 0 END)"
    );
    let reading = tokio::spawn(async move { reader.number(&slow).await });
    let admin = sea_orm::Database::connect(cluster.primary().url("fault")).await;
    let admin = admin.expect("the primary");
    until("the standby cancels it", async || {
        for sql in ["UPDATE cake SET name = name || '.'", "VACUUM cake"] {
            admin.execute_unprepared(sql).await.expect(sql);
        }
        !setup.recorder.moved().is_empty()
    })
    .await;
    let read = within("it is answered", reading).await.expect("no panic");
    assert_eq!(read.expect("an answer"), 1);
    assert!(setup.recorder.down().is_empty(), "the standby is well");
}

async fn what_a_standby_does_not_run_goes_to_the_primary<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let admin = sea_orm::Database::connect(cluster.primary().url("fault")).await;
    let admin = admin.expect("the primary");
    let draft = "CREATE UNLOGGED TABLE draft AS SELECT 7::bigint AS id";
    admin.execute_unprepared(draft).await.expect("a table");
    cluster.catch_up().await;
    let setup = Setup::<A>::new(config_of(&cluster, &[]));
    until_seen(&setup.db).await;
    setup.recorder.take();
    let session = Session::new();
    let db = setup.db.with_session(&session);
    let first = db.number("SELECT id FROM draft WHERE id > 1").await;
    assert_eq!(first.expect("an answer"), 7);
    let moved = setup.recorder.moved();
    assert!(
        matches!(moved[..], [(_, Failure::NotOnStandby)]),
        "{moved:?}"
    );
    setup.recorder.take();
    // It is known by its shape, and pins nobody.
    let second = setup
        .session()
        .number("SELECT id FROM draft WHERE id > 2")
        .await;
    assert_eq!(second.expect("an answer"), 7);
    assert!(setup.recorder.moved().is_empty());
    let decisions = setup.recorder.take();
    assert!(
        matches!(&decisions[..], [one] if one.role == Role::Primary && one.reason == Reason::NotOnStandby),
        "{decisions:?}"
    );
    assert!(!session.is_pinned("default"));
    assert!(setup.session().server().await.starts_with("replica-"));
    // A scope that asks for a replica gets an answer all the same.
    let scoped = setup.session().scoped(Scope::replica());
    let third = scoped.number("SELECT id FROM draft WHERE id > 3").await;
    assert_eq!(third.expect("an answer"), 7);
    assert!(setup.recorder.down().is_empty());
    // In a read-only transaction, which stays where it is, the error is the server's.
    let read = Step::Execute("SELECT id FROM draft WHERE id > 4".into());
    let outcomes = setup
        .session()
        .transaction(Begin::ReadOnly, vec![read], End::Rollback)
        .await;
    let [Outcome::Failed(error)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert!(error.routing.is_none(), "{error:?}");
}

/// `default_transaction_isolation` is a user's, a database's or a URL's.
async fn serializable_sessions_read_on_the_primary<A: Adapter>() {
    let cluster = cluster_with_schema().await;
    let admin = sea_orm::Database::connect(cluster.primary().url("fault")).await;
    let admin = admin.expect("the primary");
    let sql = "ALTER DATABASE fault SET default_transaction_isolation = 'serializable'";
    admin.execute_unprepared(sql).await.expect("a setting");
    cluster.catch_up().await;
    let setup = Setup::<A>::new(config_of(&cluster, &[]));
    let reader = setup.session();
    for _ in 0..3 {
        assert_eq!(reader.server().await, "primary");
    }
    let outcomes = reader
        .transaction(
            Begin::ReadOnly,
            vec![Step::Count, Step::Server],
            End::Commit,
        )
        .await;
    let [Outcome::Count(0), Outcome::Server(server)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(server, "primary");
    assert!(setup.recorder.down().is_empty());
}
