//! What is done to the servers, one after the other, and undone.

use std::time::Duration;

use routing_core::Scope;
use routing_tests::adapter::{Adapter, Shop};
use routing_tests::proxy::Way;
use routing_tests::wait::until;

use super::field::{CONNECTIONS, Field, NAMES, Servers};

/// A fault of a node, by its number: the primary is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All connections end.
    Cut(usize),
    /// All connections end in one direction.
    HalfClose(usize),
    /// What is said arrives later, in both directions.
    Slow(usize),
    /// No connection is made.
    Refuse(usize),
    /// Nothing arrives, and nothing ends.
    Silent(usize),
    /// Its processes stand still.
    Freeze(usize),
    /// Its processes are gone, and start again.
    Kill(usize),
    /// It is shut down as by its administrator, and starts again.
    Restart(usize),
    /// Its administrator ends all connections.
    Terminate(usize),
    /// It has no connection left.
    Full(usize),
    /// The application's own pool has no connection left.
    Exhaust(usize),
    /// It does not replay.
    Pause(usize),
    /// The pooler in front of it is gone, and starts again.
    KillPooler,
    /// Of both replicas no connection is made.
    RefuseReplicas,
}

use Fault::{
    Cut, Exhaust, Freeze, Full, HalfClose, Kill, KillPooler, Pause, Refuse, RefuseReplicas,
    Restart, Silent, Slow, Terminate,
};

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Cut(1),
    Slow(2),
    Kill(1),
    Pause(2),
    HalfClose(2),
    Silent(1),
    Freeze(2),
    Refuse(1),
    Full(1),
    Exhaust(1),
    Restart(2),
    Terminate(1),
    KillPooler,
    RefuseReplicas,
    Cut(0),
    HalfClose(0),
    Slow(0),
    Refuse(0),
    Silent(0),
    Freeze(0),
    Kill(0),
    Full(0),
    Exhaust(0),
    Restart(0),
    Terminate(0),
];

impl Fault {
    /// Whether the primary is in trouble, so that what needs it may fail.
    pub(crate) const fn is_of_primary(self) -> bool {
        match self {
            Cut(node) | HalfClose(node) | Slow(node) | Refuse(node) | Silent(node)
            | Freeze(node) | Kill(node) | Restart(node) | Terminate(node) | Full(node)
            | Exhaust(node) | Pause(node) => node == 0,
            KillPooler | RefuseReplicas => false,
        }
    }

    /// Whether the server is there, and says no to each that comes.
    pub(crate) const fn is_refusal(self) -> bool {
        matches!(self, Full(_))
    }

    /// Whether nothing tells who waits that he waits in vain.
    pub(crate) const fn is_silence(self) -> bool {
        matches!(self, Silent(_) | Freeze(_))
    }
}

const LASTS: Duration = Duration::from_millis(1_200);

/// Silence lasts until it is noticed, and then for a while.
async fn noticed<A: Adapter>(db: &A, node: usize) {
    let is_noticed = || {
        let status = db.status();
        let node = status.node("default", NAMES[node]).expect("a member");
        !node.up || !node.left_out.is_empty()
    };
    let what = format!("the silence of {} is noticed", NAMES[node]);
    until(what, async || is_noticed()).await;
    tokio::time::sleep(LASTS).await;
}

impl Field {
    /// Does something to a server for a while, and undoes it.
    pub(crate) async fn suffer<A: Adapter>(&self, fault: Fault, db: &A) {
        match fault {
            Cut(node) => self.proxies[node].cut(),
            HalfClose(node) => self.proxies[node].half_close(),
            Slow(node) => {
                let by = Way::Slow(Duration::from_millis(40));
                self.way(&[node], by, LASTS).await;
            }
            Refuse(node) => {
                self.proxies[node].cut();
                self.way(&[node], Way::Refused, LASTS).await;
            }
            RefuseReplicas => {
                self.proxies[1].cut();
                self.proxies[2].cut();
                self.way(&[1, 2], Way::Refused, LASTS).await;
            }
            Silent(node) => {
                self.proxies[node].set(Way::Silent);
                noticed(db, node).await;
                self.proxies[node].set(Way::Open);
            }
            Exhaust(node) => self.exhaust(node, db).await,
            Full(node) => {
                // Who is connected has to come again, and again.
                let cut = async {
                    loop {
                        tokio::time::sleep(LASTS / 2).await;
                        self.proxies[node].cut();
                    }
                };
                tokio::select! {
                    () = self.fill(node, LASTS) => {}
                    () = cut => {}
                }
            }
            Freeze(node) => {
                self.freeze(node);
                noticed(db, node).await;
                self.thaw(node);
            }
            Kill(node) => {
                self.kill(node);
                tokio::time::sleep(LASTS).await;
                self.restart(node).await;
            }
            Restart(node) => {
                self.shut_down(node);
                self.restart(node).await;
            }
            Terminate(node) => self.terminate(node).await,
            Pause(node) => {
                self.pause(node).await;
                tokio::time::sleep(LASTS).await;
                self.resume(node).await;
            }
            KillPooler => {
                if let Servers::Postgres(_, Some(pooler)) = &self.servers {
                    pooler.kill();
                    tokio::time::sleep(LASTS).await;
                    pooler.restart();
                }
            }
        }
    }

    async fn way(&self, nodes: &[usize], way: Way, lasts: Duration) {
        for &node in nodes {
            self.proxies[node].set(way);
        }
        tokio::time::sleep(lasts).await;
        for &node in nodes {
            self.proxies[node].set(Way::Open);
        }
    }

    /// Has the application's own statements take all of a pool.
    async fn exhaust<A: Adapter>(&self, node: usize, db: &A) {
        let sleep = match self.servers {
            Servers::Postgres(..) => "SELECT count(*) FROM pg_sleep(1.2)",
            Servers::MySql(_) => "SELECT sleep(1.2)",
        };
        let sleepers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let db = db.scoped(Scope::node(NAMES[node]));
                tokio::spawn(async move { db.number(sleep).await })
            })
            .collect();
        for sleeper in sleepers {
            // One may have waited for its connection in vain, as others do.
            let _slept = sleeper.await.expect("no panic");
        }
    }
}
