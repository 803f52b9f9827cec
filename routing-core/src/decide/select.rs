//! Choosing the node for a read, among those that may serve it.

use std::time::Duration;

use crate::cluster::balancer::{Candidates, Shares};
use crate::cluster::breaker::{Admission, Trial};
use crate::cluster::latency::WHOLE;
use crate::cluster::members::Members;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::decide::requirement::Needs;
use crate::decide::rule::Wanted;
use crate::names::MAX_NODES;
use crate::observe::decision::{Reason, Role};
use crate::session::set_state::Slot;
use crate::time::clock::{Clock, Timestamp};

/// A node that was chosen, and the right to try it if it is down.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Where it is among all that the set has had.
    pub(crate) place: usize,
    pub(crate) role: Role,
    pub(crate) reason: Reason,
    pub(crate) trial: Option<Trial>,
    /// Whether the session relies on what is known of the node.
    pub(crate) relies: bool,
}

/// Why no replica was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoChoice {
    /// Some replica is up, but is not known to have what the session requires.
    pub(crate) behind: bool,
    /// Some replica is up, and is yet to be observed.
    pub(crate) unseen: bool,
    /// Some of these has not been asked yet.
    pub(crate) unasked: bool,
}

impl<P> ReplicaSet<P> {
    /// Lets a query through to a node, or says for how long not.
    #[inline]
    pub(crate) fn admit(
        &self,
        node: &Node<P>,
        role: Role,
        clock: &dyn Clock,
    ) -> Result<Option<Trial>, Duration> {
        if !self.has_rules() || node.breaker.is_up() {
            return Ok(None);
        }
        // A replica's monitor finds out whether it is back, so that no read of the application has to.
        if role == Role::Replica && node.is_monitored() {
            node.hurry().ask();
            return Err(node.breaker.refuses_for(clock.now()).unwrap_or_default());
        }
        match node.breaker.admit(clock.now()) {
            Admission::Granted => Ok(None),
            Admission::Trial(trial) => Ok(Some(trial)),
            Admission::Refused(wait) => Err(wait),
        }
    }

    /// The session's reads stay on this node from now on.
    pub(crate) fn remember(&self, slot: &Slot, place: usize) {
        if self.rules.affinity {
            let home = slot.marks.home();
            slot.marks.move_from(home, self.node_at(place).id());
        }
    }

    /// Chooses a node for a read: the session's own if it still may serve, else the balancer's.
    ///
    /// Members whose bit is set in `tried` are left out.
    #[inline]
    pub(crate) fn choose(
        &self,
        members: &Members,
        slot: Option<&Slot>,
        wanted: Wanted,
        tried: u64,
        clock: &dyn Clock,
    ) -> Result<Choice, NoChoice> {
        let needs = Needs::of(slot, wanted, self.samples(), members);
        if self.rules.affinity
            && let Some(home) = needs.home()
            && let Some(choice) = self.affine(members, home, &needs, tried, clock)
        {
            return Ok(choice);
        }
        let choice = self.balanced(members, &needs, tried, clock)?;
        if let Some(slot) = slot
            && self.rules.affinity
            && self.may_move(members, slot, wanted)
        {
            needs.move_to(slot, self.node_at(choice.place).id());
        }
        Ok(choice)
    }

    /// Whether the node that was chosen becomes the session's own. Who only asked for any replica
    /// is not bound by what it has shown, and has not proved to be where the session was.
    fn may_move(&self, members: &Members, slot: &Slot, wanted: Wanted) -> bool {
        wanted == Wanted::CaughtUp
            || match slot.marks.home() {
                None => true,
                Some((home, _)) => {
                    members.index_of(home) != Some(members.primary())
                        && !self.samples().has_positions()
                }
            }
    }

    /// The session's node, if it may serve. The primary may even where it takes no share of reads:
    /// a session that fell back to it has seen rows that a replica may not have.
    #[inline]
    fn affine(
        &self,
        members: &Members,
        index: usize,
        needs: &Needs<'_>,
        tried: u64,
        clock: &dyn Clock,
    ) -> Option<Choice> {
        // A node of another set that has the same name is none of this one's.
        let member = members.all().get(index)?;
        let node = self.node_at(member.place);
        let is_out = tried & Members::bit(index) != 0 || !node.exclusions.is_empty();
        if is_out || !needs.are_met_by(node, index) {
            return None;
        }
        let role = members.role(index);
        let trial = self.admit(node, role, clock).ok()?;
        Some(Choice {
            place: member.place,
            role,
            reason: Reason::Affine,
            trial,
            relies: needs.rely(),
        })
    }

    fn balanced(
        &self,
        members: &Members,
        needs: &Needs<'_>,
        mut tried: u64,
        clock: &dyn Clock,
    ) -> Result<Choice, NoChoice> {
        let mut now = None;
        loop {
            let mut time = || *now.get_or_insert_with(|| clock.now());
            let Eligible { word, is_uneven } = self.eligible(members, needs, tried, &mut time)?;
            let index = if is_uneven {
                self.pick(word, Shares::Parts(&self.parts(members, word, time())))
            } else {
                self.pick(word, Shares::Whole(members.shares()))
            };
            let (place, role) = (members.all()[index].place, members.role(index));
            if let Ok(trial) = self.admit(self.node_at(place), role, clock) {
                return Ok(Choice {
                    place,
                    role,
                    reason: Reason::Balanced,
                    trial,
                    relies: needs.rely(),
                });
            }
            // Somebody else took the trial in the meantime.
            tried |= Members::bit(index);
        }
    }

    /// The members that may serve; if none, what may change that.
    #[inline]
    fn eligible(
        &self,
        members: &Members,
        needs: &Needs<'_>,
        tried: u64,
        now: &mut impl FnMut() -> Timestamp,
    ) -> Result<Eligible, NoChoice> {
        let mut eligible = Eligible::default();
        let mut none = NoChoice {
            behind: false,
            unseen: false,
            unasked: false,
        };
        for (index, (member, share)) in members.all().iter().zip(members.shares()).enumerate() {
            if *share == 0 || tried & Members::bit(index) != 0 {
                continue;
            }
            let node = self.node_at(member.place);
            if !node.breaker.is_up() && !self.may_try(members, index, now) {
                continue;
            }
            if !node.exclusions.is_empty() {
                let is_unseen = node.exclusions.get().is_only_unseen();
                none.unseen |= is_unseen;
                none.unasked |= is_unseen && !node.has_been_asked();
                continue;
            }
            if needs.are_met_by(node, index) {
                eligible.word |= Members::bit(index);
                eligible.is_uneven |= !node.load.is_whole();
            } else {
                none.behind = true;
            }
        }
        if eligible.word == 0 {
            return Err(none);
        }
        Ok(eligible)
    }

    /// Whether a member that is down may be tried by a statement.
    #[cold]
    fn may_try(
        &self,
        members: &Members,
        index: usize,
        now: &mut impl FnMut() -> Timestamp,
    ) -> bool {
        let node = self.node(members, index);
        let may = node.breaker.would_admit(now());
        if may && members.role(index) == Role::Replica && node.is_monitored() {
            node.hurry().ask();
            return false;
        }
        may
    }

    /// What each of these takes of its share.
    #[cold]
    fn parts(&self, members: &Members, eligible: u64, now: Timestamp) -> [u32; MAX_NODES] {
        let mut parts = [0; MAX_NODES];
        let shares = members.all().iter().zip(members.shares()).enumerate();
        for (index, (member, share)) in shares {
            if eligible & Members::bit(index) != 0 {
                let load = &self.node_at(member.place).load;
                let part = load.part(self.rules.slow_start, now);
                parts[index] = (u32::from(*share) * part).div_ceil(WHOLE / PRECISION);
            }
        }
        parts
    }

    fn pick(&self, eligible: u64, shares: Shares<'_>) -> usize {
        let candidates = Candidates::new(eligible, shares);
        let picked = self.balancer.pick(candidates);
        if candidates.contains(picked) {
            picked
        } else {
            eligible.trailing_zeros() as usize
        }
    }
}

/// Parts of a share are whole numbers, so that a sixteenth of a weight of 1 is one.
const PRECISION: u32 = 16;

#[derive(Debug, Default)]
struct Eligible {
    /// One bit per member.
    word: u64,
    /// Whether one of them takes less than its share.
    is_uneven: bool,
}
