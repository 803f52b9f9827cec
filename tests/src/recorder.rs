//! What was decided, for tests that ask why as well as where.

use std::mem::take;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use routing_core::{
    Decision, Exclusion, Failure, NodeName, Observer, Reason, Role, RoutingError, SetName,
    StatementKind,
};

/// For how long it is waited for something that has happened and need only be told.
const LIMIT: Duration = Duration::from_secs(30);

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

    /// The nodes that were left out since the last call, or no longer, and why, once there are so many;
    /// without those that had yet to be observed.
    pub fn until_exclusions(&self, count: usize) -> Vec<(NodeName, Exclusion, bool)> {
        let are_there = |told: &Told| told.exclusions.len() >= count;
        take(&mut self.until("nodes are left out", are_there).exclusions)
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
        self.told.lock().expect("no panic inside")
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

impl Observer for Recorder {
    fn decided(&self, decision: &Decision<'_>) {
        let recorded = Recorded {
            set: decision.set.clone(),
            node: decision.node.clone(),
            role: decision.role,
            kind: decision.kind,
            reason: decision.reason,
        };
        self.hear(|told| told.decisions.push(recorded));
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
        self.hear(|told| told.down.push((node.clone(), back_off)));
    }

    fn moved_on(&self, _: &SetName, node: &NodeName, failure: Failure) {
        self.hear(|told| told.moved.push((node.clone(), failure)));
    }

    fn exclusion(&self, _: &SetName, node: &NodeName, why: Exclusion, is: bool) {
        if why != Exclusion::Unseen {
            self.hear(|told| told.exclusions.push((node.clone(), why, is)));
        }
    }

    fn node_up(&self, _: &SetName, node: &NodeName) {
        self.hear(|told| told.up.push(node.clone()));
    }
}
