//! One primary and its replicas.

use std::sync::Arc;

use crate::access::StatementKind;
use crate::balance::{Balancer, Candidates};
use crate::breaker::{Admission, Trial};
use crate::classifier::Classifier;
use crate::clock::{Clock, Timestamp};
use crate::decision::{Reason, Role};
use crate::name::{NodeName, SetName};
use crate::node::{Node, NodeId};
use crate::rules::Rules;
use crate::session::{Required, Slot};

/// The most nodes a set can have: the candidates of a choice are one word.
pub(crate) const MAX_NODES: usize = u64::BITS as usize;

const PRIMARY: usize = 0;

/// A primary, its replicas and the rules that apply to them.
#[derive(Debug)]
pub struct ReplicaSet<P> {
    name: SetName,
    pub(crate) enabled: bool,
    pub(crate) managed: bool,
    rules: Rules,
    classifier: Classifier,
    tables: Box<[String]>,
    /// The primary first.
    nodes: Box<[Arc<Node<P>>]>,
    /// The primary's; the others' follow.
    first_id: NodeId,
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
    #[expect(clippy::too_many_arguments, reason = "only the builder calls it")]
    pub(crate) fn new(
        name: SetName,
        enabled: bool,
        managed: bool,
        rules: Rules,
        classifier: Classifier,
        tables: Vec<String>,
        nodes: Vec<Node<P>>,
        weights: Vec<u16>,
        balancer: Box<dyn Balancer>,
    ) -> Self {
        Self {
            name,
            enabled,
            managed,
            rules,
            classifier,
            tables: tables.into(),
            first_id: NodeId::block(nodes.len()),
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

    /// What it knows of statements.
    #[must_use]
    pub const fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The kind of a statement that is to run here.
    #[must_use]
    pub fn kind_of<T: AsRef<[u8]> + ?Sized>(&self, sql: &T) -> StatementKind {
        self.classifier.kind_of(sql)
    }

    /// The tables that live in it and not in the default set, by name or `schema.name`.
    #[must_use]
    pub fn tables(&self) -> &[String] {
        &self.tables
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
    #[inline]
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

    /// The session's reads stay on this node.
    pub(crate) fn remember(&self, slot: &Slot, index: usize) {
        if self.rules.affinity {
            slot.set_affinity(self.first_id.plus(index));
        }
    }

    /// Chooses a node for a read: the session's own if it still may serve, else the balancer's.
    ///
    /// Nodes whose bit is set in `tried` are left out.
    #[inline]
    pub(crate) fn choose(
        &self,
        slot: Option<&Slot>,
        required: Required,
        tried: u64,
        clock: &dyn Clock,
    ) -> Result<Choice, NoChoice> {
        if self.rules.affinity
            && let Some(slot) = slot
            && let Some(node) = slot.affinity()
            && let Some(choice) = self.affine(node.behind(self.first_id), required, tried, clock)
        {
            return Ok(choice);
        }
        let choice = self.balanced(required, tried, clock)?;
        if let Some(slot) = slot
            && slot.affinity() != Some(self.first_id)
        {
            // Who stays on the primary and is given a replica has asked for that this once.
            self.remember(slot, choice.index);
        }
        Ok(choice)
    }

    /// The session's node, if it may serve. The primary may even where it takes no share of reads:
    /// a session that fell back to it has seen rows that a replica may not have.
    #[inline]
    fn affine(
        &self,
        index: usize,
        required: Required,
        tried: u64,
        clock: &dyn Clock,
    ) -> Option<Choice> {
        // A node of another set that has the same name is none of this one's.
        let node = self.nodes.get(index)?;
        if tried & (1 << index) != 0 || !is_caught_up(node, required) {
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
        required: Required,
        mut tried: u64,
        clock: &dyn Clock,
    ) -> Result<Choice, NoChoice> {
        let mut now = None;
        loop {
            let (eligible, behind) =
                self.eligible(required, tried, || *now.get_or_insert_with(|| clock.now()));
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
        required: Required,
        tried: u64,
        mut now: impl FnMut() -> Timestamp,
    ) -> (u64, bool) {
        let mut eligible = 0;
        let mut behind = false;
        for (index, (node, weight)) in self.nodes.iter().zip(&self.weights).enumerate() {
            if *weight == 0 || tried & (1 << index) != 0 {
                continue;
            }
            if !node.breaker.is_up() && !node.breaker.would_admit(now()) {
                continue;
            }
            if is_caught_up(node, required) {
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

/// Whether a node is known to have what a session requires; a primary has everything.
#[inline]
fn is_caught_up<P>(node: &Node<P>, required: Required) -> bool {
    match (required, node.role()) {
        (Required::Nothing, _) | (_, Role::Primary) => true,
        (Required::Position(position), Role::Replica) => node.reaches(position),
        (Required::Unknown, Role::Replica) => false,
    }
}
