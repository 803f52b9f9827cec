//! Choosing the node for a read, among those that may serve it.

use crate::balance::Candidates;
use crate::breaker::{Admission, Trial};
use crate::clock::{Clock, Timestamp};
use crate::decision::Reason;
use crate::needs::Needs;
use crate::policy::Wanted;
use crate::replica_set::ReplicaSet;
use crate::slot::Slot;

/// A node that was chosen, and the right to try it if it is down.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) index: usize,
    pub(crate) reason: Reason,
    pub(crate) trial: Option<Trial>,
}

/// Why no replica was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoChoice {
    /// Some replica is up, but is not known to have what the session requires.
    pub(crate) behind: bool,
}

impl<P> ReplicaSet<P> {
    /// Lets a query through to a node, or says for how long not.
    #[inline]
    pub(crate) fn admit(
        &self,
        index: usize,
        clock: &dyn Clock,
    ) -> Result<Option<Trial>, std::time::Duration> {
        let breaker = &self.nodes()[index].breaker;
        if !self.has_rules() || breaker.is_up() {
            return Ok(None);
        }
        match breaker.admit(clock.now()) {
            Admission::Granted => Ok(None),
            Admission::Trial(trial) => Ok(Some(trial)),
            Admission::Refused(wait) => Err(wait),
        }
    }

    /// The session's reads stay on this node from now on.
    pub(crate) fn remember(&self, slot: &Slot, index: usize) {
        if self.rules.affinity {
            let home = slot.marks.home();
            slot.marks.move_from(home, self.first_id.plus(index));
        }
    }

    /// Chooses a node for a read: the session's own if it still may serve, else the balancer's.
    ///
    /// Nodes whose bit is set in `tried` are left out.
    #[inline]
    pub(crate) fn choose(
        &self,
        slot: Option<&Slot>,
        wanted: Wanted,
        tried: u64,
        clock: &dyn Clock,
    ) -> Result<Choice, NoChoice> {
        let needs = Needs::of(slot, wanted, self.samples(), self.first_id);
        if self.rules.affinity
            && let Some(home) = needs.home()
            && let Some(choice) = self.affine(home, &needs, tried, clock)
        {
            return Ok(choice);
        }
        let choice = self.balanced(&needs, tried, clock)?;
        if let Some(slot) = slot
            && self.rules.affinity
            && self.may_move(slot, wanted)
        {
            needs.move_to(slot, self.first_id.plus(choice.index));
        }
        Ok(choice)
    }

    /// Whether the node that was chosen becomes the session's own. Who only asked for any replica
    /// is not bound by what it has shown, and has not proved to be where the session was.
    fn may_move(&self, slot: &Slot, wanted: Wanted) -> bool {
        wanted == Wanted::CaughtUp
            || match slot.marks.home() {
                None => true,
                Some((home, _)) => home != self.first_id && !self.samples().has_positions(),
            }
    }

    /// The session's node, if it may serve. The primary may even where it takes no share of reads:
    /// a session that fell back to it has seen rows that a replica may not have.
    #[inline]
    fn affine(
        &self,
        index: usize,
        needs: &Needs<'_>,
        tried: u64,
        clock: &dyn Clock,
    ) -> Option<Choice> {
        // A node of another set that has the same name is none of this one's.
        let node = self.nodes().get(index)?;
        if tried & (1 << index) != 0 || !needs.are_met_by(node, index) {
            return None;
        }
        let trial = self.admit(index, clock).ok()?;
        Some(Choice {
            index,
            reason: Reason::Affine,
            trial,
        })
    }

    fn balanced(
        &self,
        needs: &Needs<'_>,
        mut tried: u64,
        clock: &dyn Clock,
    ) -> Result<Choice, NoChoice> {
        let mut now = None;
        loop {
            let (eligible, behind) =
                self.eligible(needs, tried, || *now.get_or_insert_with(|| clock.now()));
            if eligible == 0 {
                return Err(NoChoice { behind });
            }
            let index = self.pick(eligible);
            if let Ok(trial) = self.admit(index, clock) {
                return Ok(Choice {
                    index,
                    reason: Reason::Balanced,
                    trial,
                });
            }
            // Somebody else took the trial in the meantime.
            tried |= 1 << index;
        }
    }

    /// The nodes that may serve, and whether one that is up is behind.
    fn eligible(
        &self,
        needs: &Needs<'_>,
        tried: u64,
        mut now: impl FnMut() -> Timestamp,
    ) -> (u64, bool) {
        let mut eligible = 0;
        let mut behind = false;
        for (index, (node, weight)) in self.nodes().iter().zip(&self.weights).enumerate() {
            if *weight == 0 || tried & (1 << index) != 0 {
                continue;
            }
            if !node.breaker.is_up() && !node.breaker.would_admit(now()) {
                continue;
            }
            if needs.are_met_by(node, index) {
                eligible |= 1 << index;
            } else {
                behind = true;
            }
        }
        (eligible, behind)
    }

    fn pick(&self, eligible: u64) -> usize {
        let candidates = Candidates::new(eligible, &self.weights);
        let picked = self.balancer.pick(candidates);
        if candidates.contains(picked) {
            picked
        } else {
            eligible.trailing_zeros() as usize
        }
    }
}
