//! The primary is lost, or handed over, and another node takes the writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use routing_core::{RoutingConfig, RoutingError, Scope, Session};
use routing_tests::adapter::{Adapter, Diesel, DieselAsync, Ports, SeaOrm, Shop, until_seen};
use routing_tests::runtime::run;
use routing_tests::wait::{LIMIT, until};
use routing_tests::world::patient_probes;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::field::{Field, Servers};
use super::ledger::{Tally, User};
use super::{checked, set_to_work};

async fn a_promoted_standby_takes_the_writes<A: Adapter>() {
    let field = Field::postgres(None).await;
    let Servers::Postgres(cluster, _) = &field.servers else {
        unreachable!("it is PostgreSQL");
    };
    // What is acknowledged is with one of the standbys.
    let primary = cluster.primary();
    primary.set("synchronous_standby_names", "ANY 1 (*)").await;
    let config = field.config().probe(patient_probes());
    let config = config.build().expect("a configuration");
    let ports = Ports::default();
    let clock = Arc::clone(&ports.clock);
    let db = A::open(&config, ports).expect("a handle");
    let tally = Arc::new(Tally::default());
    let users = set_to_work(&db, &tally, Duration::from_secs(2), &field);
    have_done(&tally, 1_000).await;

    tally.may_fail.store(true, Ordering::Release);
    cluster.kill(primary);
    let lost = Instant::now();
    let write = "INSERT INTO ledger VALUES (-1, 1)";
    let is_refused = async || {
        let error = db.execute(write).await.expect_err("there is no primary");
        // It says when it is tried again: nobody was asked.
        matches!(
            error.routing,
            Some(RoutingError::PrimaryUnavailable {
                retry_in: Some(_),
                ..
            })
        )
    };
    until("the breaker is open", is_refused).await;
    let opened = lost.elapsed();
    // It stays open for as long as the clock stands still.
    clock.stop();
    until("the breaker is open", is_refused).await;
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(is_refused().await);
    }
    let refused = begun.elapsed() / 20;
    clock.go_on();
    assert!(db.status().read_only());
    for _ in 0..50 {
        // Of who has not written, and waits for nothing that is with the primary alone.
        let reader = db.with_session(&Session::new());
        let count = reader.number("SELECT count(*) FROM ledger").await;
        assert!(count.expect("reads go on") > 0);
    }

    let [one, two] = cluster.replicas() else {
        panic!("there are two standbys");
    };
    let (promoted, other) = if cluster.received(one).await >= cluster.received(two).await {
        (one, two)
    } else {
        (two, one)
    };
    promoted.set("synchronous_standby_names", "").await;
    cluster.promote(promoted).await;
    let begun = Instant::now();
    until("the promoted one takes writes", async || {
        let write = "INSERT INTO ledger VALUES (-1, 2)";
        db.execute(write).await.is_ok()
    })
    .await;
    let resumed = begun.elapsed();

    // The old one comes back, and is nobody's primary any more.
    cluster.restart(primary).await;
    until("the old one is fenced", async || {
        let status = db.status();
        let node = status.node("default", "primary").expect("it is a member");
        node.up && node.role == "replica" && node.left_out == ["superseded"]
    })
    .await;
    let status = db.status();
    assert_eq!(status.sets[0].nodes[0].name, promoted.name());
    assert_eq!(status.sets[0].primary_changes, 1);
    // The other one follows, and serves.
    until("the other one serves", async || {
        status_of(&db, other.name())
    })
    .await;
    have_done(&tally, 1_000).await;
    let place = if promoted.name() == one.name() { 1 } else { 2 };
    let acknowledged = finished(users, &tally, &field.beside(place).await).await;
    println!(
        "{}: the breaker was open after {opened:?}, then refused in {refused:?}; writes again \
         {resumed:?} after the promotion; {acknowledged} writes acknowledged, {} operations",
        A::NAME,
        tally.operations(),
    );
}

/// An operator makes the primary read-only, and a replica that has everything takes writes.
async fn a_switch_over_takes_the_writes_along<A: Adapter>() {
    let field = Field::mysql().await;
    let Servers::MySql(cluster) = &field.servers else {
        unreachable!("it is no PostgreSQL");
    };
    let (db, tally, users) = at_work::<A>(&field).await;

    tally.may_fail.store(true, Ordering::Release);
    let promoted = &cluster.replicas()[1];
    let labelled = "INSERT INTO chaos.ledger VALUES (-6, 1)";
    cluster.primary().write_labelled(labelled).await;
    cluster.switch_over(promoted).await;
    let begun = Instant::now();
    let write = "INSERT INTO ledger VALUES (-1, 1)";
    until("the promoted one takes writes", async || {
        db.execute(write).await.is_ok()
    })
    .await;
    let resumed = begun.elapsed();
    let status = db.status();
    assert_eq!(status.sets[0].nodes[0].name, promoted.name());
    assert_eq!(status.sets[0].primary_changes, 1);
    promoted.write_labelled(labelled).await;
    // The old one follows the new one, and serves reads as the other does.
    for node in ["primary", "replica-1"] {
        until("it serves", async || status_of(&db, node)).await;
    }
    tally.may_fail.store(false, Ordering::Release);
    have_done(&tally, 1_000).await;
    let acknowledged = finished(users, &tally, &field.beside(2).await).await;
    println!(
        "{}: writes again {resumed:?} after the switch-over; {acknowledged} writes acknowledged, {} \
         operations",
        A::NAME,
        tally.operations(),
    );
}

/// A primary whose pool has one connection, which somebody holds.
struct Crowded<A> {
    field: Field,
    db: A,
    old: DatabaseConnection,
    holding: JoinHandle<()>,
}

/// Who else sleeps on a server; the server has no event for it.
const SLEEPERS: &str =
    "FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";

impl<A: Adapter> Crowded<A> {
    async fn start() -> Self {
        let field = Field::postgres(None).await;
        let only = field.node(0).max_connections(1).acquire_timeout(LIMIT);
        let mut probe = patient_probes();
        probe.heartbeat = Duration::from_millis(200);
        let config = RoutingConfig::builder()
            .probe(probe)
            .primary(only)
            .replica(field.node(1).acquire_timeout(LIMIT))
            .replica(field.node(2).acquire_timeout(LIMIT));
        let config = config.build().expect("a configuration");
        let db = A::open(&config, Ports::default()).expect("a handle");
        until_seen(&db).await;
        let holder = db.scoped(Scope::primary());
        let holding = tokio::spawn(async move {
            // It is cancelled.
            let _outcome = holder.number("SELECT count(*) FROM pg_sleep(600)").await;
        });
        let old = field.beside(0).await;
        until("the connection is taken", async || {
            number(&old, &format!("SELECT count(*) AS count {SLEEPERS}")).await > 0
        })
        .await;
        Self {
            field,
            db,
            old,
            holding,
        }
    }

    async fn promote(&self) {
        let Servers::Postgres(cluster, _) = &self.field.servers else {
            unreachable!("it is PostgreSQL");
        };
        cluster.promote(&cluster.replicas()[0]).await;
    }

    /// Has the one that holds the connection let it go.
    async fn release(&self) {
        let wake = format!("SELECT count(pg_cancel_backend(pid)) AS count {SLEEPERS}");
        number(&self.old, &wake).await;
    }

    fn is_superseded(&self) -> bool {
        let status = self.db.status();
        let node = status.node("default", "primary").expect("it is a member");
        node.left_out == ["superseded"]
    }
}

/// It was decided before the failover, and there is a connection after it.
async fn a_write_that_waits_for_a_connection_is_not_sent_to_who_was_the_primary<A: Adapter>() {
    let crowded = Crowded::<A>::start().await;
    let waiting = crowded.db.clone();
    let waiting = tokio::spawn(async move {
        let write = "INSERT INTO ledger VALUES (-2, 1)";
        waiting.execute(write).await
    });
    crowded.promote().await;
    until("it is superseded", async || crowded.is_superseded()).await;
    crowded.release().await;
    let written = waiting.await.expect("no panic");
    crowded.holding.await.expect("no panic");
    let rows = "SELECT count(*) AS count FROM ledger WHERE who = -2";
    let on_old = number(&crowded.old, rows).await;
    assert_eq!(on_old, 0, "{}: {written:?}", A::NAME);
    let new = crowded.field.beside(1).await;
    match written {
        Ok(()) => assert_eq!(number(&new, rows).await, 1, "{}", A::NAME),
        // It was not sent, or its driver does not say whether it was.
        Err(error) => {
            let is_told = matches!(
                error.routing,
                Some(RoutingError::PrimaryUnavailable { .. } | RoutingError::OutcomeUnknown { .. })
            );
            assert!(is_told, "{}: {error:?}", A::NAME);
            assert_eq!(number(&new, rows).await, 0, "{}", A::NAME);
        }
    }
}

/// Also who has only just begun to wait when that becomes known.
async fn writes_that_have_just_begun_to_wait_are_not_sent_to_who_was_the_primary<A: Adapter>() {
    let crowded = Crowded::<A>::start().await;
    let writing = async {
        let mut writes = Vec::new();
        while !crowded.is_superseded() {
            let waiting = crowded.db.clone();
            let write = format!("INSERT INTO ledger VALUES ({}, 1)", 1_000 + writes.len());
            writes.push(tokio::spawn(async move { waiting.execute(&write).await }));
            // The writes begin at times of all distances from when it becomes known.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        crowded.release().await;
        writes
    };
    let ((), writes) = futures_util::future::join(crowded.promote(), writing).await;
    let mut acknowledged = 0;
    for write in writes {
        acknowledged += i64::from(write.await.expect("no panic").is_ok());
    }
    crowded.holding.await.expect("no panic");
    let rows = "SELECT count(*) AS count FROM ledger WHERE who >= 1000";
    assert_eq!(number(&crowded.old, rows).await, 0, "{}", A::NAME);
    let new = number(&crowded.field.beside(1).await, rows).await;
    assert_eq!(new, acknowledged, "{}", A::NAME);
}

/// A handle over the servers, and users who have begun to work through it.
pub(super) async fn at_work<A: Adapter>(
    field: &Field,
) -> (A, Arc<Tally>, Vec<JoinHandle<User<A>>>) {
    let config = field.config().probe(patient_probes());
    let config = config.build().expect("a configuration");
    let db = A::open(&config, Ports::default()).expect("a handle");
    let tally = Arc::new(Tally::default());
    let users = set_to_work(&db, &tally, Duration::from_secs(2), field);
    have_done(&tally, 1_000).await;
    (db, tally, users)
}

/// Ends the users' work and checks it; returns how many writes were acknowledged.
pub(super) async fn finished<A: Adapter>(
    users: Vec<JoinHandle<User<A>>>,
    tally: &Tally,
    primary: &DatabaseConnection,
) -> usize {
    tally.is_enough.store(true, Ordering::Release);
    let acknowledged = checked(users, primary).await;
    let wrong = tally.wrong.lock().expect("no panic inside");
    assert!(wrong.is_empty(), "{}: {wrong:#?}", A::NAME);
    acknowledged
}

/// Waits until so many more operations are done.
pub(super) async fn have_done(tally: &Tally, more: u64) {
    let enough = tally.operations() + more;
    let mut done = tally.operations();
    while done < enough {
        // However slow the machine is: it is no progress at all that fails.
        until("the users go on", async || tally.operations() > done).await;
        done = tally.operations();
    }
}

async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.expect("an answer");
    row.expect("a row").try_get("", "count").expect("a number")
}

fn status_of<A: Adapter>(db: &A, node: &str) -> bool {
    let status = db.status();
    let node = status.node("default", node).expect("it is a member");
    node.up && node.left_out.is_empty()
}

#[test]
fn a_promoted_standby_takes_the_writes_seaorm() {
    run(a_promoted_standby_takes_the_writes::<SeaOrm>());
}

#[test]
fn a_promoted_standby_takes_the_writes_diesel() {
    run(a_promoted_standby_takes_the_writes::<Diesel>());
}

#[test]
fn a_promoted_standby_takes_the_writes_diesel_async() {
    run(a_promoted_standby_takes_the_writes::<DieselAsync>());
}

#[test]
fn a_switch_over_takes_the_writes_along_seaorm() {
    run(a_switch_over_takes_the_writes_along::<SeaOrm>());
}

#[test]
fn a_switch_over_takes_the_writes_along_diesel() {
    run(a_switch_over_takes_the_writes_along::<Diesel>());
}

#[test]
fn a_switch_over_takes_the_writes_along_diesel_async() {
    run(a_switch_over_takes_the_writes_along::<DieselAsync>());
}

#[test]
fn a_write_that_waits_is_not_sent_to_who_was_the_primary_seaorm() {
    run(a_write_that_waits_for_a_connection_is_not_sent_to_who_was_the_primary::<SeaOrm>());
}

#[test]
fn a_write_that_waits_is_not_sent_to_who_was_the_primary_diesel() {
    run(a_write_that_waits_for_a_connection_is_not_sent_to_who_was_the_primary::<Diesel>());
}

#[test]
fn a_write_that_waits_is_not_sent_to_who_was_the_primary_diesel_async() {
    run(a_write_that_waits_for_a_connection_is_not_sent_to_who_was_the_primary::<DieselAsync>());
}

#[test]
fn writes_that_have_just_begun_to_wait_are_not_sent_to_who_was_the_primary_seaorm() {
    run(writes_that_have_just_begun_to_wait_are_not_sent_to_who_was_the_primary::<SeaOrm>());
}

#[test]
fn writes_that_have_just_begun_to_wait_are_not_sent_to_who_was_the_primary_diesel_async() {
    run(writes_that_have_just_begun_to_wait_are_not_sent_to_who_was_the_primary::<DieselAsync>());
}
