//! Whether a replica has what a session requires, and how the router finds it out.

use crate::cluster::replica_set::ReplicaSet;
use crate::decide::requirement::Needs;
use crate::decide::rule::Wanted;
use crate::session::set_state::Slot;
use crate::time::clock::Clock;

impl<P> ReplicaSet<P> {
    /// Whether no replica can ever serve the session. Either the monitors fetch no positions, or the
    /// primary's position was fetched after the session received its own, and does not include it: the
    /// session's position is of another history, or of the future.
    pub(crate) fn is_in_vain(&self, slot: Option<&Slot>) -> bool {
        !self.samples().has_positions()
            || slot.is_some_and(|slot| slot.marks.is_beyond(self.samples()))
    }

    /// Whether a replica has what the session requires; `None` if one may soon. Finds it out.
    pub(crate) fn is_caught_up(&self, slot: Option<&Slot>, clock: &dyn Clock) -> Option<bool> {
        // Its reads are the primary's, whatever replicas have.
        let is_held =
            |slot: &Slot| slot.is_pinned() && slot.holds_reads(&self.rules, self.samples());
        if slot.is_some_and(is_held) {
            return Some(false);
        }
        let members = self.members();
        let needs = Needs::of(slot, Wanted::CaughtUp, self.samples(), members);
        let serves = |index| {
            let node = self.node(members, index);
            node.breaker.is_up() && node.exclusions.is_empty() && needs.are_met_by(node, index)
        };
        let mut indices = 0..members.all().len();
        if indices.any(|index| index != members.primary() && serves(index)) {
            return Some(true);
        }
        drop(needs);
        if self.is_in_vain(slot) {
            return Some(false);
        }
        self.hurry(slot, clock);
        None
    }

    /// Has it found out whether a replica has what the session requires.
    pub(crate) fn hurry(&self, slot: Option<&Slot>, clock: &dyn Clock) {
        let samples = self.samples();
        if let Some(slot) = slot {
            let is_covered = |(_, read)| read == 0 || samples.after(read).is_some();
            let is_settled = slot.settle(samples);
            if !is_settled
                || slot.marks.is_untested(samples)
                || !slot.marks.home().is_none_or(is_covered)
            {
                // The replicas are asked when it is known for what.
                samples.primary.ask();
                return;
            }
            if let Some(required) = slot.marks.required().as_deref() {
                samples.aim(required.clone(), clock.now());
            }
        }
        for node in &self.nodes()[1..] {
            node.hurry().ask();
        }
    }
}
