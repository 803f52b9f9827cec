//! What was decided, for tests that ask why as well as where.

use std::sync::Mutex;
use std::time::Duration;

use routing_core::{
    Decision, Exclusion, Failure, NodeName, Observer, Reason, Role, RoutingError, SetName,
    StatementKind,
};

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

/// Keeps everything it is told.
#[derive(Debug, Default)]
pub struct Recorder {
    decisions: Mutex<Vec<Recorded>>,
    refusals: Mutex<Vec<RoutingError>>,
    late_pins: Mutex<u32>,
    down: Mutex<Vec<(NodeName, Duration)>>,
    up: Mutex<Vec<NodeName>>,
    disguised: Mutex<Vec<(NodeName, bool)>>,
    moved: Mutex<Vec<(NodeName, Failure)>>,
    exclusions: Mutex<Vec<(NodeName, Exclusion, bool)>>,
}

impl Recorder {
    /// The decisions since the last call.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.decisions.lock().expect("no panic inside"))
    }

    /// The only decision since the last call.
    pub fn only(&self) -> Recorded {
        let mut decisions = self.take();
        assert_eq!(decisions.len(), 1, "{decisions:?}");
        decisions.remove(0)
    }

    /// The refusals since the last call.
    pub fn refusals(&self) -> Vec<RoutingError> {
        std::mem::take(&mut self.refusals.lock().expect("no panic inside"))
    }

    /// How many writes pinned late.
    pub fn late_pins(&self) -> u32 {
        *self.late_pins.lock().expect("no panic inside")
    }

    /// The nodes that went down since the last call, and for how long.
    pub fn down(&self) -> Vec<(NodeName, Duration)> {
        std::mem::take(&mut self.down.lock().expect("no panic inside"))
    }

    /// The nodes that refused disguised writes since the last call, and whether they were new.
    pub fn disguised(&self) -> Vec<(NodeName, bool)> {
        std::mem::take(&mut self.disguised.lock().expect("no panic inside"))
    }

    /// The nodes that statements have left since the last call, and why.
    pub fn moved(&self) -> Vec<(NodeName, Failure)> {
        std::mem::take(&mut self.moved.lock().expect("no panic inside"))
    }

    /// The nodes that were left out since the last call, or no longer, and why; without those that had
    /// yet to be observed.
    pub fn exclusions(&self) -> Vec<(NodeName, Exclusion, bool)> {
        std::mem::take(&mut self.exclusions.lock().expect("no panic inside"))
    }

    /// The nodes that came up since the last call.
    pub fn up(&self) -> Vec<NodeName> {
        std::mem::take(&mut self.up.lock().expect("no panic inside"))
    }
}

impl Observer for Recorder {
    fn decided(&self, decision: &Decision<'_>) {
        self.decisions
            .lock()
            .expect("no panic inside")
            .push(Recorded {
                set: decision.set.clone(),
                node: decision.node.clone(),
                role: decision.role,
                kind: decision.kind,
                reason: decision.reason,
            });
    }

    fn disguised_write(&self, _: &SetName, node: &NodeName, _: &str, is_new: bool) {
        let mut disguised = self.disguised.lock().expect("no panic inside");
        disguised.push((node.clone(), is_new));
    }

    fn refused(&self, error: &RoutingError) {
        self.refusals
            .lock()
            .expect("no panic inside")
            .push(error.clone());
    }

    fn late_pin(&self, _: &SetName) {
        *self.late_pins.lock().expect("no panic inside") += 1;
    }

    fn node_down(&self, _: &SetName, node: &NodeName, back_off: Duration) {
        self.down
            .lock()
            .expect("no panic inside")
            .push((node.clone(), back_off));
    }

    fn moved_on(&self, _: &SetName, node: &NodeName, failure: Failure) {
        let mut moved = self.moved.lock().expect("no panic inside");
        moved.push((node.clone(), failure));
    }

    fn exclusion(&self, _: &SetName, node: &NodeName, why: Exclusion, is: bool) {
        if why != Exclusion::Unseen {
            let mut exclusions = self.exclusions.lock().expect("no panic inside");
            exclusions.push((node.clone(), why, is));
        }
    }

    fn node_up(&self, _: &SetName, node: &NodeName) {
        self.up.lock().expect("no panic inside").push(node.clone());
    }
}
