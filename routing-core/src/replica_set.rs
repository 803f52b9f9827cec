//! One primary and its replicas.

use std::sync::Arc;

use crate::balance::{Balancer, Candidates};
use crate::breaker::{Admission, Trial};
use crate::clock::{Clock, Timestamp};
use crate::decision::{Reason, Role};
use crate::name::{NodeName, SetName};
use crate::node::Node;
use crate::rules::Rules;
use crate::session::{Required, Slot};

/// The most nodes a set can have: the candidates of a choice are one word.
pub(crate) const MAX_NODES: usize = u128::BITS as usize;

const PRIMARY: usize = 0;

/// A primary, its replicas and the rules that apply to them.
#[derive(Debug)]
pub struct ReplicaSet<P> {
    name: SetName,
    pub(crate) enabled: bool,
    pub(crate) managed: bool,
    rules: Rules,
    /// The primary first.
    nodes: Box<[Arc<Node<P>>]>,
    /// By node; the primary's is its share of reads.
    weights: Box<[u16]>,
    balancer: Box<dyn Balancer>,
}

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
    /// `nodes` has the primary first and at most [`MAX_NODES`] members, as `weights` has.
    pub(crate) fn new(
        name: SetName,
        enabled: bool,
        managed: bool,
        rules: Rules,
        nodes: Vec<Node<P>>,
        weights: Vec<u16>,
        balancer: Box<dyn Balancer>,
    ) -> Self {
        Self {
            name,
            enabled,
            managed,
            rules,
            nodes: nodes.into_iter().map(Arc::new).collect(),
            weights: weights.into(),
            balancer,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &SetName {
        &self.name
    }

    /// Its rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Its nodes, the primary first.
    #[must_use]
    pub fn nodes(&self) -> &[Arc<Node<P>>] {
        &self.nodes
    }

    /// Its primary.
    #[must_use]
    pub fn primary(&self) -> &Arc<Node<P>> {
        &self.nodes[PRIMARY]
    }

    pub(crate) const fn primary_index() -> usize {
        PRIMARY
    }

    /// Whether queries report to and ask the breakers of the nodes.
    pub(crate) const fn has_rules(&self) -> bool {
        self.enabled && self.managed
    }

    pub(crate) fn position_of(&self, name: &NodeName) -> Option<usize> {
        self.nodes.iter().position(|node| node.name().same(name))
    }

    pub(crate) fn role_of(&self, name: &NodeName) -> Option<Role> {
        Some(self.nodes[self.position_of(name)?].role())
    }

    /// Lets a query through to a node, or says for how long not.
    pub(crate) fn admit(
        &self,
        index: usize,
        clock: &dyn Clock,
    ) -> Result<Option<Trial>, std::time::Duration> {
        let breaker = &self.nodes[index].breaker;
        if !self.has_rules() || breaker.is_up() {
            return Ok(None);
        }
        match breaker.admit(clock.now()) {
            Admission::Granted => Ok(None),
            Admission::Trial(trial) => Ok(Some(trial)),
            Admission::Refused(wait) => Err(wait),
        }
    }

    /// Chooses a node for a read: the session's own if it still may serve, else the balancer's.
    ///
    /// Nodes whose bit is set in `tried` are left out.
    pub(crate) fn choose(
        &self,
        slot: Option<&Slot>,
        required: Required,
        mut tried: u128,
        clock: &dyn Clock,
    ) -> Result<Choice, NoChoice> {
        let mut now = None;
        loop {
            let (eligible, behind) =
                self.eligible(required, tried, || *now.get_or_insert_with(|| clock.now()));
            let affine = slot
                .filter(|slot| self.rules.affinity && slot.has_affinity())
                .and_then(|slot| self.affine(slot, eligible, tried));
            let (index, reason) = match affine {
                Some(index) => (index, Reason::Affine),
                None if eligible == 0 => return Err(NoChoice { behind }),
                None => (self.pick(eligible), Reason::Balanced),
            };
            if let Ok(trial) = self.admit(index, clock) {
                if reason == Reason::Balanced
                    && self.rules.affinity
                    && let Some(slot) = slot
                {
                    slot.set_affinity(self.nodes[index].id);
                }
                return Ok(Choice {
                    index,
                    reason,
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
        required: Required,
        tried: u128,
        mut now: impl FnMut() -> Timestamp,
    ) -> (u128, bool) {
        let mut eligible = 0;
        let mut behind = false;
        for (index, (node, weight)) in self.nodes.iter().zip(&self.weights).enumerate() {
            if *weight == 0 || tried & (1 << index) != 0 {
                continue;
            }
            if !node.breaker.is_up() && !node.breaker.would_admit(now()) {
                continue;
            }
            let caught_up = match (node.role(), required) {
                (Role::Primary, _) | (Role::Replica, Required::Nothing) => true,
                (Role::Replica, Required::Position(position)) => node.reaches(position),
                (Role::Replica, Required::Unknown) => false,
            };
            if caught_up {
                eligible |= 1 << index;
            } else {
                behind = true;
            }
        }
        (eligible, behind)
    }

    /// The session's node, if it may serve. The primary may even where it takes no share of reads:
    /// a session that fell back to it has seen rows that a replica may not have.
    fn affine(&self, slot: &Slot, eligible: u128, tried: u128) -> Option<usize> {
        let index = self.nodes.iter().position(|node| slot.is_affine(node.id))?;
        let bit = 1 << index;
        let serves = eligible & bit != 0
            || (index == PRIMARY && tried & bit == 0 && self.nodes[PRIMARY].is_up());
        serves.then_some(index)
    }

    fn pick(&self, eligible: u128) -> usize {
        let candidates = Candidates::new(eligible, &self.weights);
        let picked = self.balancer.pick(candidates);
        if candidates.contains(picked) {
            picked
        } else {
            eligible.trailing_zeros() as usize
        }
    }
}
