//! Faults of real servers, while users work: nothing stale, nothing lost, nothing twice.
//!
//! `ROUTING_CHAOS_OPERATIONS` says how many operations each adapter does on each database.

mod failover;
mod fault;
mod field;
mod group;
mod ledger;
mod pace;
mod patroni;
mod start;
mod toll;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fault::{FAULTS, Fault};
use field::{CONNECTIONS, Field};
use ledger::{Tally, User};
use pace::Pace;
use routing_core::{PoolMode, ProbeRules, Role, Scope, Status};
use routing_tests::adapter::{Adapter, Diesel, DieselAsync, Ports, SeaOrm, Shop};
use routing_tests::proxy::Proxy;
use routing_tests::recorder::{Recorder, Witness};
use routing_tests::runtime::run;
use routing_tests::wait::{LIMIT, until};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use toll::{Toll, Tolls};

const USERS: usize = 12;

/// How many operations an adapter does on a database.
fn operations() -> u64 {
    let given = std::env::var("ROUTING_CHAOS_OPERATIONS").ok();
    given.map_or(6_000, |given| given.parse().expect("a number"))
}

/// How often each number of a user is in the ledger.
async fn ledger(primary: &DatabaseConnection, who: usize) -> Vec<(i64, i64)> {
    let sql =
        format!("SELECT number, count(*) AS count FROM ledger WHERE who = {who} GROUP BY number");
    let statement = Statement::from_string(primary.get_database_backend(), sql);
    let rows = primary.query_all_raw(statement).await.expect("the ledger");
    let get = |row: &sea_orm::QueryResult, column| row.try_get("", column).expect("a number");
    rows.iter()
        .map(|row| (get(row, "number"), get(row, "count")))
        .collect()
}

fn set_to_work<A: Adapter>(
    db: &A,
    tally: &Arc<Tally>,
    deadline: Duration,
    field: &Field,
) -> Vec<JoinHandle<User<A>>> {
    let user = |id| User {
        db: db.clone(),
        id,
        tally: Arc::clone(tally),
        deadline,
        has_settings: field.has_settings(),
        number: 0,
        acknowledged: Vec::new(),
        token: Vec::new(),
    };
    (0..USERS).map(|id| tokio::spawn(user(id).work())).collect()
}

/// What was acknowledged is there, and nothing is there twice; says how much was.
async fn checked<A: Adapter>(
    users: Vec<JoinHandle<User<A>>>,
    primary: &DatabaseConnection,
) -> usize {
    let mut acknowledged = 0;
    for user in users {
        let user = user.await.expect("no panic");
        let ledger = ledger(primary, user.id).await;
        for number in &user.acknowledged {
            assert!(
                ledger.iter().any(|(there, _)| there == number),
                "{}: {number} of {} was acknowledged, and is lost",
                A::NAME,
                user.id
            );
        }
        acknowledged += user.acknowledged.len();
        let twice: Vec<_> = ledger.iter().filter(|(_, count)| *count != 1).collect();
        assert!(twice.is_empty(), "{}: twice: {twice:?}", A::NAME);
    }
    acknowledged
}

/// A question to the primary.
const ANSWERED: &str = "SELECT count(*) FROM ledger WHERE who < 0";

/// Waits until everything is as it should be, by what the router says, replicas are read from, and the
/// primary answers: some of its failures may count still, and the next fault would add to them.
async fn recovered<A: Adapter>(db: &A, recorder: &Recorder) -> Duration {
    let is_well = |status: &Status| {
        let mut nodes = status.sets[0].nodes.iter();
        !status.read_only() && nodes.all(|node| node.up && node.left_out.is_empty())
    };
    let is_read_from = || {
        let decisions = recorder.take();
        decisions
            .iter()
            .any(|decision| decision.role == Role::Replica)
    };
    let begun = Instant::now();
    let primary = db.scoped(Scope::primary());
    let recovers = async {
        while !is_well(&db.status()) || !is_read_from() || primary.number(ANSWERED).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let recovers = tokio::time::timeout(LIMIT, recovers).await;
    assert!(recovers.is_ok(), "{:#?}", db.status());
    begun.elapsed()
}

/// All faults, again and again, until the users have done their work.
async fn chaos<A: Adapter>(field: Field, faults: impl Fn(&Fault) -> bool) {
    // Longer than a busy machine takes to answer.
    let mut probe = ProbeRules::DEFAULT;
    probe.timeout = Duration::from_secs(8);
    let config = field.config().probe(probe);
    let config = config.build().expect("a configuration");
    let ports = Ports::default();
    let recorder = Arc::clone(&ports.recorder);
    let _witness = Witness::new(&recorder);
    let db = A::open(&config, ports).expect("a handle");
    let tally = Arc::new(Tally::default());
    let pace = Pace::watch(field.beside(0).await, Arc::clone(&tally));
    let deadline = probe.deadline() + Duration::from_millis(250);
    let users = set_to_work(&db, &tally, deadline, &field);
    let faults: Vec<_> = FAULTS.iter().copied().filter(faults).collect();
    let (mut rounds, mut tolls) = (0, Tolls::default());
    // Of which a tenth could be writes that are acknowledged; while the primary fails, few are.
    let enough = |tally: &Tally| {
        tally.operations() >= operations() && tally.acknowledged() >= operations() / 50
    };
    while !enough(&tally) || rounds == 0 {
        for &fault in &faults {
            let accepted = || field.proxies.iter().map(Proxy::accepted);
            let (reads, late) = tally.so_far();
            let before: Vec<_> = accepted().collect();
            let of_primary = fault.is_of_primary();
            tally.may_fail.store(of_primary, Ordering::Release);
            let begun = Instant::now();
            println!("{}: {fault:?} at {begun:?}", A::NAME);
            field.suffer(fault, &db).await;
            let recovery = recovered(&db, &recorder).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let (reads_now, late_now) = tally.so_far();
            let attempts = accepted().zip(before).map(|(after, before)| after - before);
            tolls.add(Toll {
                fault,
                reads: reads_now - reads,
                late: late_now - late,
                attempts: attempts.max().unwrap_or_default(),
                lasted: begun.elapsed(),
                recovery,
            });
        }
        rounds += 1;
    }
    tally.is_enough.store(true, Ordering::Release);
    let acknowledged = checked(users, &field.beside(0).await).await;
    let is_excused = pace.end().await;
    no_connection_is_left(db, &field).await;

    let wrong = tally.wrong.lock().expect("no panic inside");
    let by_setting = tally.by_setting.load(Ordering::Relaxed);
    let cut = tally.cut.load(Ordering::Relaxed);
    assert_eq!(
        by_setting > cut,
        field.has_settings(),
        "{by_setting}, {cut}"
    );
    println!(
        "{}: {} operations in {rounds} rounds, {acknowledged} writes acknowledged, {} writes and {} \
         reads failed, {by_setting} reads by a setting, {cut} of them cut, {} reads late, slowest {} ms",
        A::NAME,
        tally.operations(),
        tally.failed_writes.load(Ordering::Relaxed),
        tally.failed_reads.load(Ordering::Relaxed),
        tally.late_reads.load(Ordering::Relaxed),
        tally.slowest.load(Ordering::Relaxed) / 1_000,
    );
    assert!(wrong.is_empty(), "{}: {wrong:#?}", A::NAME);
    let mut refused = tally.refused.lock().expect("no panic inside");
    let all = refused.len();
    refused.retain(|(at, _)| !is_excused(*at));
    assert!(refused.is_empty(), "{}: {refused:#?}", A::NAME);
    if all > 0 {
        println!("{}: {all} reads refused, as the machine was busy", A::NAME);
    }
    tolls.are_bearable(A::NAME);
}

/// What is idle has no more than its pools may have, and what is gone has nothing.
async fn no_connection_is_left<A: Adapter>(db: A, field: &Field) {
    // A pool, the connection that asks, and the pool of what a node was before.
    let most = i64::try_from(CONNECTIONS + 1).expect("a few");
    until("what is idle has few connections", async || {
        let idle = field.connections().await;
        idle.iter().all(|count| *count <= 2 * most)
    })
    .await;
    drop(db);
    until("what is gone has none", async || {
        field.connections().await == [0; 3]
    })
    .await;
}

/// A thread that waits inside a C library waits for as long as its server says nothing.
const fn is_heard(fault: &Fault) -> bool {
    !fault.is_silence()
}

#[test]
fn seaorm_on_postgres() {
    run(async { chaos::<SeaOrm>(Field::postgres(Some(PoolMode::Session)).await, |_| true).await });
}

#[test]
fn diesel_async_on_postgres() {
    run(async {
        chaos::<DieselAsync>(Field::postgres(Some(PoolMode::Session)).await, |_| true).await;
    });
}

#[test]
fn diesel_on_postgres() {
    run(async {
        chaos::<Diesel>(Field::postgres(Some(PoolMode::Transaction)).await, is_heard).await
    });
}

const fn has_no_pooler(fault: &Fault) -> bool {
    !matches!(fault, Fault::KillPooler)
}

#[test]
fn seaorm_on_mysql() {
    run(async { chaos::<SeaOrm>(Field::mysql().await, has_no_pooler).await });
}

#[test]
fn diesel_async_on_mysql() {
    run(async { chaos::<DieselAsync>(Field::mysql().await, has_no_pooler).await });
}

#[test]
fn diesel_on_mysql() {
    let faults = |fault: &Fault| is_heard(fault) && has_no_pooler(fault);
    run(async { chaos::<Diesel>(Field::mysql().await, faults).await });
}
