//! Patroni elects the primary, through every fault of its own, and the router follows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use routing_core::ProbeRules;
use routing_tests::adapter::{Adapter, Diesel, DieselAsync, Ports, SeaOrm, Shop};
use routing_tests::postgres::{Cluster, Patroni};
use routing_tests::runtime::run;
use routing_tests::wait::until;
use tokio::time::Instant;

use super::failover::{finished, have_done};
use super::field::{Field, NAMES, Servers};
use super::ledger::Tally;
use super::{operations, set_to_work};

/// What happens to the leader, or to what keeps it one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// An operator has it hand over.
    SwitchOver,
    /// Its server dies; Patroni starts it again, or has another elected.
    ServerDies,
    /// Its agent dies, and nobody stops its server: there are two primaries for a while.
    AgentDies,
    /// All of its processes stand still, and go on when another was elected.
    Freezes,
    /// Nobody can keep the leader's key, so that the leader steps down.
    EtcdDies,
}

const FAULTS: [Fault; 5] = [
    Fault::SwitchOver,
    Fault::ServerDies,
    Fault::AgentDies,
    Fault::Freezes,
    Fault::EtcdDies,
];

impl Fault {
    /// Lets it happen to the leader, and returns who is the leader then.
    async fn strike(self, patroni: &Patroni, cluster: &Cluster, leader: usize) -> usize {
        match self {
            Self::SwitchOver => {
                patroni.switch_over(leader).await;
            }
            Self::ServerDies => {
                cluster.kill(server(cluster, leader));
                return patroni.elected(|_| true).await;
            }
            Self::AgentDies => patroni.kill_agent(leader),
            Self::Freezes => {
                patroni.freeze_agent(leader);
                cluster.freeze(server(cluster, leader));
            }
            Self::EtcdDies => {
                patroni.kill_etcd();
                until("the leader steps down", async || {
                    patroni.leader().await.is_none()
                })
                .await;
                patroni.start_etcd();
                return patroni.elected(|_| true).await;
            }
        }
        patroni.elected(|elected| elected != leader).await
    }

    /// Ends what it has left.
    fn repair(self, patroni: &Patroni, cluster: &Cluster, struck: usize) {
        match self {
            Self::AgentDies => patroni.start_agent(struck),
            Self::Freezes => {
                cluster.thaw(server(cluster, struck));
                patroni.thaw_agent(struck);
            }
            Self::SwitchOver | Self::ServerDies | Self::EtcdDies => {}
        }
    }
}

fn server(cluster: &Cluster, place: usize) -> &routing_tests::postgres::Server {
    match place {
        0 => cluster.primary(),
        replica => &cluster.replicas()[replica - 1],
    }
}

async fn patroni_takes_the_writes_along<A: Adapter>(is_felt: impl Fn(Fault) -> bool) {
    let field = Field::postgres(None).await;
    let Servers::Postgres(cluster, _) = &field.servers else {
        unreachable!("it is PostgreSQL");
    };
    let patroni = Patroni::over(cluster).await;
    // Longer than a busy machine takes to answer.
    let mut probe = ProbeRules::DEFAULT;
    probe.timeout = Duration::from_secs(8);
    let config = field.config().probe(probe);
    let config = config.build().expect("a configuration");
    let db = A::open(&config, Ports::default()).expect("a handle");
    let tally = Arc::new(Tally::default());
    // A busy machine may have Patroni elect somebody at any time.
    tally.may_fail.store(true, Ordering::Release);
    let users = set_to_work(&db, &tally, Duration::from_secs(2), &field);
    have_done(&tally, 1_000).await;

    while tally.operations() < operations() {
        for fault in FAULTS.into_iter().filter(|fault| is_felt(*fault)) {
            patroni.until_complete().await;
            let leader = patroni.elected(|_| true).await;
            let begun = Instant::now();
            let elected = fault.strike(&patroni, cluster, leader).await;
            let (lasted, begun) = (begun.elapsed(), Instant::now());
            writes_go_on(&db, &patroni).await;
            println!(
                "{}: {fault:?} of {}: {} elected after {lasted:.1?}, writes again {:.1?} later",
                A::NAME,
                NAMES[leader],
                NAMES[elected],
                begun.elapsed(),
            );
            fault.repair(&patroni, cluster, leader);
            have_done(&tally, 200).await;
        }
    }

    patroni.until_complete().await;
    until("all members are used", async || {
        let status = db.status();
        let mut nodes = status.sets[0].nodes.iter();
        nodes.all(|node| node.up && node.left_out.is_empty())
    })
    .await;
    let leader = patroni.elected(|_| true).await;
    let acknowledged = finished(users, &tally, &field.beside(leader).await).await;
    println!(
        "{}: {acknowledged} writes acknowledged, {} operations",
        A::NAME,
        tally.operations(),
    );
}

/// How long the answer to a write is waited for.
const WAITS: Duration = Duration::from_secs(3);

/// Waits until the router writes to the member that Patroni calls the leader.
async fn writes_go_on<A: Adapter>(db: &A, patroni: &Patroni) {
    until("the leader takes writes", async || {
        // One that was sent to who was the leader may wait there for its standby, until that server is stopped, and
        // a thread waits with it.
        let db_of_task = db.clone();
        let write = "INSERT INTO ledger VALUES (-1, 1)";
        let writing = tokio::spawn(async move { db_of_task.execute(write).await.is_ok() });
        let is_written = matches!(tokio::time::timeout(WAITS, writing).await, Ok(Ok(true)));
        let primary = db.status().sets[0].nodes[0].name.clone();
        let leader = patroni.leader().await;
        is_written && leader.is_some_and(|leader| primary == NAMES[leader])
    })
    .await;
}

#[test]
fn patroni_takes_the_writes_along_seaorm() {
    run(patroni_takes_the_writes_along::<SeaOrm>(|_| true));
}

/// A thread that waits inside a C library waits for as long as its server stands still.
#[test]
fn patroni_takes_the_writes_along_diesel() {
    run(patroni_takes_the_writes_along::<Diesel>(|fault| {
        fault != Fault::Freezes
    }));
}

#[test]
fn patroni_takes_the_writes_along_diesel_async() {
    run(patroni_takes_the_writes_along::<DieselAsync>(|_| true));
}
