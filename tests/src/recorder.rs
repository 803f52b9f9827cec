//! What was decided, for tests that ask why as well as where.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use routing_core::{
    Decision, Exclusion, Failure, NodeName, Observer, Reason, Role, RoutingError, SetName,
    StatementKind,
};

use crate::wait::{LIMIT, until};

/// How many decisions and events of nodes are printed for a test that has failed.
const LAST: usize = 30;

/// One decision, with names that last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The replica set.
    pub set: SetName,
    /// The node.
    pub node: NodeName,
    /// What the node is.
    pub role: Role,
    /// What was to run.
    pub kind: StatementKind,
    /// Why it ran there.
    pub reason: Reason,
}

#[derive(Debug, Default)]
struct Told {
    decisions: Vec<Recorded>,
    refusals: Vec<RoutingError>,
    late_pins: u32,
    down: Vec<(NodeName, Duration)>,
    up: Vec<NodeName>,
    disguised: Vec<(NodeName, bool)>,
    moved: Vec<(NodeName, Failure)>,
    exclusions: Vec<(NodeName, Exclusion, bool)>,
    /// The last decisions and events of nodes, also after a test has taken them.
    last: VecDeque<String>,
}

impl Told {
    fn note(&mut self, event: String) {
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(event);
    }
}

/// Keeps everything it is told.
///
/// A monitor tells of what it has done after it was done: who has seen the effect still waits for the
/// news (`until_*`).
#[derive(Debug, Default)]
pub struct Recorder {
    told: Mutex<Told>,
    news: Condvar,
}

impl Recorder {
    /// The decisions since the last call.
    pub fn take(&self) -> Vec<Recorded> {
        take(&mut self.told().decisions)
    }

    /// The only decision since the last call.
    pub fn only(&self) -> Recorded {
        let mut decisions = self.take();
        assert_eq!(decisions.len(), 1, "{decisions:?}");
        decisions.remove(0)
    }

    /// The refusals since the last call.
    pub fn refusals(&self) -> Vec<RoutingError> {
        take(&mut self.told().refusals)
    }

    /// How many writes pinned late.
    pub fn late_pins(&self) -> u32 {
        self.told().late_pins
    }

    /// The nodes that went down since the last call, and for how long.
    pub fn down(&self) -> Vec<(NodeName, Duration)> {
        take(&mut self.told().down)
    }

    /// The same, once there is one.
    pub fn until_down(&self) -> Vec<(NodeName, Duration)> {
        take(
            &mut self
                .until("a node is down", |told| !told.down.is_empty())
                .down,
        )
    }

    /// The nodes that refused disguised writes since the last call, and whether they were new.
    pub fn disguised(&self) -> Vec<(NodeName, bool)> {
        take(&mut self.told().disguised)
    }

    /// The nodes that statements have left since the last call, and why.
    pub fn moved(&self) -> Vec<(NodeName, Failure)> {
        take(&mut self.told().moved)
    }

    /// Why a node was left out since the last call, or no longer, once there are so many such news;
    /// without that it had yet to be observed.
    pub fn until_exclusions(&self, node: &str, count: usize) -> Vec<(Exclusion, bool)> {
        let is_of = |told: &NodeName| told.as_str() == node;
        let are_there = |told: &Told| {
            let of_node = told.exclusions.iter().filter(|(told, ..)| is_of(told));
            of_node.count() >= count
        };
        let mut told = self.until("the node is left out", are_there);
        let of_node = told.exclusions.extract_if(.., |(told, ..)| is_of(told));
        of_node.map(|(_, why, is)| (why, is)).collect()
    }

    /// The first decision since the last call that took it, once there is one.
    pub async fn until_decided(&self) -> Recorded {
        let mut decided = None;
        until("something is decided", async || {
            decided = self.told().decisions.first().cloned();
            decided.is_some()
        })
        .await;
        decided.expect("it was waited for")
    }

    /// The nodes that came up since the last call.
    pub fn up(&self) -> Vec<NodeName> {
        take(&mut self.told().up)
    }

    /// The same, once there is one.
    pub fn until_up(&self) -> Vec<NodeName> {
        take(&mut self.until("a node is up", |told| !told.up.is_empty()).up)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self, what: &str, is_so: impl Fn(&Told) -> bool) -> MutexGuard<'_, Told> {
        let wait = |told: &mut Told| !is_so(told);
        let woken = self.news.wait_timeout_while(self.told(), LIMIT, wait);
        let (told, limit) = woken.expect("no panic inside");
        assert!(!limit.timed_out(), "{what}: {told:?}");
        told
    }

    fn hear(&self, keep: impl FnOnce(&mut Told)) {
        keep(&mut self.told());
        self.news.notify_all();
    }
}

/// Prints the last decisions and events of nodes when a test fails that has it.
#[derive(Debug)]
pub struct Witness(Arc<Recorder>);

impl Witness {
    /// Of what is told to this recorder.
    #[must_use]
    pub fn new(recorder: &Arc<Recorder>) -> Self {
        Self(Arc::clone(recorder))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("the last decisions and events:");
            for event in &self.0.told().last {
                println!("{event}");
            }
        }
    }
}

impl Observer for Recorder {
    fn decided(&self, decision: &Decision<'_>) {
        let recorded = Recorded {
            set: decision.set.clone(),
            node: decision.node.clone(),
            role: decision.role,
            kind: decision.kind,
            reason: decision.reason,
        };
        self.hear(|told| {
            told.note(format!("{recorded:?}"));
            told.decisions.push(recorded);
        });
    }

    fn disguised_write(&self, _: &SetName, node: &NodeName, _: &str, is_new: bool) {
        self.hear(|told| told.disguised.push((node.clone(), is_new)));
    }

    fn refused(&self, error: &RoutingError) {
        self.hear(|told| told.refusals.push(error.clone()));
    }

    fn late_pin(&self, _: &SetName) {
        self.hear(|told| told.late_pins += 1);
    }

    fn node_down(&self, _: &SetName, node: &NodeName, back_off: Duration) {
        self.hear(|told| {
            told.note(format!("{node} is down"));
            told.down.push((node.clone(), back_off));
        });
    }

    fn moved_on(&self, _: &SetName, node: &NodeName, failure: Failure) {
        self.hear(|told| {
            told.note(format!("a statement leaves {node}: {failure:?}"));
            told.moved.push((node.clone(), failure));
        });
    }

    fn exclusion(&self, _: &SetName, node: &NodeName, why: Exclusion, is: bool) {
        self.hear(|told| {
            let is_out = if is { "is left out" } else { "is taken back" };
            told.note(format!("{node} {is_out}: {}", why.as_str()));
            if why != Exclusion::Unseen {
                told.exclusions.push((node.clone(), why, is));
            }
        });
    }

    fn node_up(&self, _: &SetName, node: &NodeName) {
        self.hear(|told| {
            told.note(format!("{node} is up"));
            told.up.push(node.clone());
        });
    }
}
