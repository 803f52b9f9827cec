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

impl<P> ReplicaSet<P> {
    /// The caller's session has seen what `node` shows now, outside a [`Route`](crate::Route): at the end
    /// of each statement of a transaction, and of a stream.
    #[inline]
    pub fn record_read(&self, node: &Node<P>, caller: &Context) {
        self.record_read_as(node, self.role_of(node), caller, false);
    }

    /// The same for a node that was chosen in this role, perhaps by the caller.
    #[inline]
    pub(crate) fn record_read_as(
        &self,
        node: &Node<P>,
        role: Role,
        caller: &Context,
        asked_for: bool,
    ) {
        Context::with_current(|ambient| {
            if let Some(slot) = slot_of(self, caller, ambient) {
                self.record_read_in(slot, node, role, asked_for);
            }
        });
    }

    /// The caller's session has written, or may have, outside a [`Route`](crate::Route): when a commit is
    /// acknowledged, or lost, and at the end of a stream.
    pub fn record_write(&self, caller: &Context) {
        Context::with_current(|ambient| {
            if let Some(session) = session_of(caller, ambient)
                && let Some(slot) = slot_of(self, caller, ambient)
            {
                let is_released = self.rules().pin_release == PinRelease::CaughtUp;
                self.record_write_in(slot, is_released || session.is_to_hand_over());
            }
        });
    }

    /// The caller's session goes on to write where the router does not see it: it stays on the primary.
    pub fn record_untracked_write(&self, caller: &Context) {
        self.record_write(caller);
        Context::with_current(|ambient| {
            if let Some(slot) = slot_of(self, caller, ambient) {
                slot.marks.require(&Position::UNKNOWN);
            }
        });
    }

    /// The session has seen what a node shows now that has this role.
    #[inline]
    pub(crate) fn record_read_in(&self, slot: &Slot, node: &Node<P>, role: Role, asked_for: bool) {
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
    pub(crate) fn record_write_in(&self, slot: &Slot, hurry: bool) {
        slot.wrote(&self.rules, self.samples());
        if hurry && self.samples().has_positions() {
            self.samples().primary.ask();
        }
    }
}
