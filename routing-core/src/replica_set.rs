//! One primary and its replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::access::StatementKind;
use crate::balance::{Balancer, Candidates};
use crate::breaker::{Admission, Trial};
use crate::classifier::Classifier;
use crate::clock::{Clock, Timestamp};
use crate::decision::{Reason, Role};
use crate::name::{NodeName, SetName};
use crate::needs::Needs;
use crate::node::{Node, NodeId};
use crate::policy::Wanted;
use crate::rules::Rules;
use crate::samples::Samples;
use crate::session::Slot;
use crate::tick;

/// The most nodes a set can have: the candidates of a choice are one word.
pub(crate) const MAX_NODES: usize = u64::BITS as usize;

const PRIMARY: usize = 0;

/// Times the wait. What a session requires is older than its read, so that a replica which is further
/// behind than the wait may have it in time; at 20 ms of lag a wait of 10 ms doubles the share of the
/// replicas, at 200 ms it only costs (`docs/reading-your-writes.md`).
const FAR: u32 = 4;

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
    samples: Arc<Samples>,
    /// Whether the nodes are to be monitored, and nobody does so.
    monitor_wanted: AtomicBool,
    is_closed: AtomicBool,
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
        samples: Samples,
    ) -> Self {
        Self {
            monitor_wanted: AtomicBool::new(samples.has_positions()),
            is_closed: AtomicBool::new(false),
            samples: Arc::new(samples),
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

    /// The session's reads stay on this node from now on.
    pub(crate) fn remember(&self, slot: &Slot, index: usize) {
        if self.rules.affinity {
            slot.marks.move_to(self.first_id.plus(index), 0);
        }
    }

    pub(crate) const fn samples(&self) -> &Arc<Samples> {
        &self.samples
    }

    /// Whether somebody has to start monitoring the nodes; who is told so has to.
    #[inline]
    #[must_use]
    pub fn take_monitor_request(&self) -> bool {
        self.monitor_wanted.load(Ordering::Relaxed)
            && self.monitor_wanted.swap(false, Ordering::AcqRel)
    }

    /// Nobody monitors the nodes: the next to ask is to start.
    pub fn want_monitor(&self) {
        self.monitor_wanted
            .store(!self.is_closed(), Ordering::Release);
    }

    /// The adapter has closed its pools, so that nobody is to connect any more: the monitors end.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.monitor_wanted.store(false, Ordering::Release);
        self.wake_monitors();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    fn wake_monitors(&self) {
        self.samples.primary.wake();
        for node in &self.nodes {
            node.hurry.wake();
        }
    }

    /// The session has seen what the node at `index` shows now.
    #[inline]
    pub(crate) fn saw(&self, slot: &Slot, index: usize, asked_for: bool) {
        let tick = tick::now();
        if index == PRIMARY {
            slot.marks.saw(tick);
            return;
        }
        let is_home = slot.marks.read(self.first_id.plus(index), tick);
        if !is_home && !asked_for && self.rules.affinity {
            slot.marks.saw(tick);
        }
    }

    /// The session has written, or may have.
    pub(crate) fn wrote(&self, slot: &Slot, hurry: bool) {
        slot.wrote(&self.rules, &self.samples);
        if hurry && self.samples.has_positions() {
            self.samples.primary.ask();
        }
    }

    pub(crate) fn index_of(&self, node: &Node<P>) -> Option<usize> {
        self.nodes
            .iter()
            .position(|other| std::ptr::eq(&**other, node))
    }

    /// Whether waiting for a replica is in vain: the primary itself was asked after the session was
    /// told of a position, and does not know it, as it is of another history, or of the future; or
    /// nobody asks for positions at all.
    pub(crate) fn is_in_vain(&self, slot: Option<&Slot>) -> bool {
        !self.samples.has_positions()
            || slot.is_some_and(|slot| slot.marks.is_beyond(&self.samples))
    }

    /// Whether every replica that is up is known to be so far behind that a read would most likely
    /// wait for nothing.
    pub(crate) fn is_far_behind(&self) -> bool {
        let far = self.rules.catch_up_wait * FAR;
        let mut up = self.nodes[1..].iter().filter(|node| node.breaker.is_up());
        up.all(|node| {
            let behind = node.lag().and_then(|lag| lag.time);
            behind.is_some_and(|behind| behind > far)
        })
    }

    /// Whether a replica has what the session requires; `None` if one may soon. Finds it out.
    pub(crate) fn is_caught_up(&self, slot: Option<&Slot>) -> Option<bool> {
        let needs = Needs::of(slot, Wanted::CaughtUp, &self.samples, self.first_id);
        let mut replicas = self.nodes.iter().enumerate().skip(1);
        if replicas.any(|(index, node)| node.breaker.is_up() && needs.are_met_by(node, index)) {
            return Some(true);
        }
        drop(needs);
        if self.is_in_vain(slot) {
            return Some(false);
        }
        self.hurry(slot);
        None
    }

    /// Has it found out whether a replica has what the session requires.
    pub(crate) fn hurry(&self, slot: Option<&Slot>) {
        let is_open = |slot: &Slot| {
            !slot.marks.settle(&self.samples) || slot.marks.is_untested(&self.samples)
        };
        if slot.is_some_and(is_open) {
            // The replicas are asked when it is known for what.
            self.samples.primary.ask();
            return;
        }
        for node in &self.nodes[1..] {
            node.hurry.ask();
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
        let needs = Needs::of(slot, wanted, &self.samples, self.first_id);
        if self.rules.affinity
            && let Some(home) = needs.home()
            && let Some(choice) = self.affine(home, &needs, tried, clock)
        {
            return Ok(choice);
        }
        let choice = self.balanced(&needs, tried, clock)?;
        if let Some(slot) = slot
            && self.may_move(slot, wanted)
        {
            needs.require_of_others(slot);
            self.remember(slot, choice.index);
        }
        Ok(choice)
    }

    /// Whether the node that was chosen becomes the session's own. Who only asked for any replica
    /// is not bound by what it has shown, and has not proved to be where the session was.
    fn may_move(&self, slot: &Slot, wanted: Wanted) -> bool {
        wanted == Wanted::CaughtUp
            || match slot.marks.home() {
                None => true,
                Some((home, _)) => home != self.first_id && !self.samples.has_positions(),
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
        let node = self.nodes.get(index)?;
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
        for (index, (node, weight)) in self.nodes.iter().zip(&self.weights).enumerate() {
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

/// The monitors find that it is gone.
impl<P> Drop for ReplicaSet<P> {
    fn drop(&mut self) {
        self.wake_monitors();
    }
}
