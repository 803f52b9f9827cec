//! Records reads and writes in a session.

use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::PinRelease;
use crate::decide::resolve::{session_of, slot_of};
use crate::observe::decision::Role;
use crate::position::Position;
use crate::session::context::Context;
use crate::session::set_state::Slot;
use crate::time::sequence;

/// The caller's session has seen what a node shows now that has this role.
#[inline]
pub(crate) fn saw<P>(
    set: &ReplicaSet<P>,
    node: &Node<P>,
    role: Role,
    caller: &Context,
    asked_for: bool,
) {
    Context::with_current(|ambient| {
        if let Some(slot) = slot_of(set, caller, ambient) {
            set.saw(slot, node, role, asked_for);
        }
    });
}

/// The caller's session has written, or may have.
pub(crate) fn wrote<P>(set: &ReplicaSet<P>, caller: &Context) {
    Context::with_current(|ambient| {
        if let Some(session) = session_of(caller, ambient)
            && let Some(slot) = slot_of(set, caller, ambient)
        {
            let is_released = set.rules().pin_release == PinRelease::CaughtUp;
            set.wrote(slot, is_released || session.is_to_hand_over());
        }
    });
}

/// Records that the caller's session writes where the router cannot see it.
pub(crate) fn wrote_out_of_sight<P>(set: &ReplicaSet<P>, caller: &Context) {
    wrote(set, caller);
    Context::with_current(|ambient| {
        if let Some(slot) = slot_of(set, caller, ambient) {
            slot.marks.require(&Position::UNKNOWN);
        }
    });
}

impl<P> ReplicaSet<P> {
    /// The session has seen what a node shows now that has this role.
    #[inline]
    pub(crate) fn saw(&self, slot: &Slot, node: &Node<P>, role: Role, asked_for: bool) {
        let tick = sequence::now();
        if role == Role::Primary {
            slot.marks.saw(tick);
            return;
        }
        let id = node.id();
        if let Some((home, read @ 1..)) = slot.marks.home()
            && home == id
            && !node.is_unbroken_since(read)
        {
            // The node has restarted: what the session read before need not be there now.
            slot.marks.saw(tick);
        }
        let is_home = slot.marks.read(id, tick);
        if !is_home && !asked_for && self.rules.affinity {
            slot.marks.saw(tick);
        }
    }

    /// The session has written, or may have.
    pub(crate) fn wrote(&self, slot: &Slot, hurry: bool) {
        slot.wrote(&self.rules, self.samples());
        if hurry && self.samples().has_positions() {
            self.samples().primary.ask();
        }
    }
}
