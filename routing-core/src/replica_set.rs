//! One primary and its replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::access::StatementKind;
use crate::balance::Balancer;
use crate::classifier::Classifier;
use crate::clock::Clock;
use crate::decision::Role;
use crate::name::{NodeName, SetName};
use crate::needs::Needs;
use crate::node::{Node, NodeId};
use crate::policy::Wanted;
use crate::rules::Rules;
use crate::samples::Samples;
use crate::slot::Slot;
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
    pub(crate) rules: Rules,
    classifier: Classifier,
    tables: Box<[String]>,
    /// The primary first.
    nodes: Box<[Arc<Node<P>>]>,
    /// The primary's; the others' follow.
    pub(crate) first_id: NodeId,
    /// By node; the primary's is its share of reads.
    pub(crate) weights: Box<[u16]>,
    pub(crate) balancer: Box<dyn Balancer>,
    samples: Arc<Samples>,
    /// Whether the nodes are to be monitored, and nobody does so.
    monitor_wanted: AtomicBool,
    is_closed: AtomicBool,
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
        let far = self.rules.catch_up_wait.saturating_mul(FAR);
        let mut up = self.nodes[1..].iter().filter(|node| node.breaker.is_up());
        up.all(|node| {
            let behind = node.lag().and_then(|lag| lag.time);
            behind.is_some_and(|behind| behind > far)
        })
    }

    /// Whether a replica has what the session requires; `None` if one may soon. Finds it out.
    pub(crate) fn is_caught_up(&self, slot: Option<&Slot>, clock: &dyn Clock) -> Option<bool> {
        // Its reads are the primary's, whatever replicas have.
        let is_held =
            |slot: &Slot| slot.is_pinned() && slot.holds_reads(&self.rules, &self.samples);
        if slot.is_some_and(is_held) {
            return Some(false);
        }
        let needs = Needs::of(slot, Wanted::CaughtUp, &self.samples, self.first_id);
        let mut replicas = self.nodes.iter().enumerate().skip(1);
        if replicas.any(|(index, node)| node.breaker.is_up() && needs.are_met_by(node, index)) {
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
        let samples = &self.samples;
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
        for node in &self.nodes[1..] {
            node.hurry.ask();
        }
    }
}

/// The monitors find that it is gone.
impl<P> Drop for ReplicaSet<P> {
    fn drop(&mut self) {
        self.wake_monitors();
    }
}
