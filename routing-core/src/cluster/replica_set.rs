//! One primary and its replicas.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::cluster::balancer::Balancer;
use crate::cluster::budget::Budget;
use crate::cluster::election::History;
use crate::cluster::latency::Comparison;
use crate::cluster::members::{Member, Members, Rolls};
use crate::cluster::node::Node;
use crate::config::rules::{LagLimits, Rules};
use crate::names::{NodeName, SetName};
use crate::observe::decision::Role;
use crate::observe::ports::Ports;
use crate::position::log::Samples;
use crate::random::SplitMix64;
use crate::sql::classifier::Classifier;
use crate::sql::kind::StatementKind;

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
    /// All that it has ever had, so that what runs on a node can borrow it.
    roster: boxcar::Vec<Arc<Node<P>>>,
    members: Rolls,
    /// The clock and the observer, which the router sets.
    pub(crate) ports: Ports,
    /// What is known of who is the primary; held while that is judged or the members change.
    pub(crate) history: Mutex<History>,
    pub(crate) lag_limits: ArcSwap<LagLimits>,
    pub(crate) budget: Budget,
    pub(crate) balancer: Box<dyn Balancer>,
    pub(crate) comparison: Comparison,
    samples: Arc<Samples>,
    is_surveyed: AtomicBool,
    /// How often the survey went on because the primary has answered nothing, and is up.
    doubts: AtomicU32,
    /// Whether the nodes are to be monitored, and nobody does so.
    monitor_wanted: AtomicBool,
    is_closed: AtomicBool,
    /// Whether it was said that state is left in a pool's connections.
    is_warned_of_state: AtomicBool,
    pub(crate) random: SplitMix64,
}

/// What a set is made of.
pub(crate) struct Parts<P> {
    pub(crate) name: SetName,
    pub(crate) enabled: bool,
    pub(crate) managed: bool,
    pub(crate) rules: Rules,
    pub(crate) classifier: Classifier,
    pub(crate) tables: Vec<String>,
    /// The primary first, at most [`MAX_NODES`](crate::names::MAX_NODES), each with its weight as a
    /// replica.
    pub(crate) nodes: Vec<(Node<P>, u16)>,
    pub(crate) balancer: Box<dyn Balancer>,
    pub(crate) samples: Samples,
    pub(crate) random: SplitMix64,
}

/// Probes of all nodes, after which a survey is over.
const MOST_DOUBTS: u32 = 32;

impl<P> ReplicaSet<P> {
    pub(crate) fn new(parts: Parts<P>) -> Self {
        let Parts {
            name,
            enabled,
            managed,
            rules,
            classifier,
            tables,
            nodes,
            balancer,
            samples,
            random,
        } = parts;
        let roster = boxcar::Vec::with_capacity(nodes.len());
        let mut members = Vec::new();
        for (node, weight) in nodes {
            let id = node.id();
            let place = roster.push(Arc::new(node));
            members.push(Member { place, id, weight });
        }
        Self {
            is_surveyed: AtomicBool::new(true),
            doubts: AtomicU32::new(0),
            monitor_wanted: AtomicBool::new(samples.has_positions()),
            is_closed: AtomicBool::new(false),
            is_warned_of_state: AtomicBool::new(false),
            samples: Arc::new(samples),
            members: Rolls::new(Members::new(members, 0, rules.primary_read_weight)),
            history: Mutex::default(),
            lag_limits: ArcSwap::from_pointee(rules.lag),
            budget: Budget::new(rules.fallback_budget),
            comparison: Comparison::default(),
            ports: Ports::default(),
            roster,
            name,
            enabled,
            managed,
            rules,
            classifier,
            tables: tables.into(),
            balancer,
            random,
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
    pub fn nodes(&self) -> Vec<&Arc<Node<P>>> {
        let members = self.members();
        let primary = members.primary();
        let others = (0..members.all().len()).filter(|&index| index != primary);
        std::iter::once(primary)
            .chain(others)
            .map(|index| self.node(members, index))
            .collect()
    }

    /// Its primary, as far as that is known: the one that was configured, until another has been
    /// promoted.
    #[must_use]
    pub fn primary(&self) -> &Arc<Node<P>> {
        let members = self.members();
        self.node(members, members.primary())
    }

    /// What a node is here.
    #[must_use]
    pub fn role_of(&self, node: &Node<P>) -> Role {
        let members = self.members();
        members
            .index_of(node.id())
            .map_or(Role::Replica, |index| members.role(index))
    }

    #[inline]
    pub(crate) fn members(&self) -> &Members {
        self.members.now()
    }

    /// Who calls this holds the history.
    pub(crate) fn set_members(&self, members: Members) {
        self.members.replace(members);
    }

    /// Adds a node to those that there are, but not to the members.
    pub(crate) fn enrol(&self, node: Node<P>) -> usize {
        self.roster.push(Arc::new(node))
    }

    /// The node of a member; `members` are of this set.
    #[inline]
    pub(crate) fn node(&self, members: &Members, index: usize) -> &Arc<Node<P>> {
        self.node_at(members.all()[index].place)
    }

    #[inline]
    pub(crate) fn node_at(&self, place: usize) -> &Arc<Node<P>> {
        &self.roster[place]
    }

    /// Whether each of the nodes has been asked what it is, so that it is known who is the primary.
    #[inline]
    pub(crate) fn is_surveyed(&self) -> bool {
        self.is_surveyed.load(Ordering::Acquire)
    }

    /// Nobody has been asked as yet.
    pub(crate) fn begin_survey(&self) {
        self.doubts.store(0, Ordering::Relaxed);
        self.is_surveyed.store(false, Ordering::Release);
    }

    /// One more has answered, or has not.
    pub(crate) fn survey(&self) {
        if self.is_surveyed() {
            return;
        }
        let has_been_asked = |node: &&Arc<Node<P>>| node.has_been_asked() || !node.is_monitored();
        let is_waiting = || {
            let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.waits_for.is_some() && !history.is_provisional
        };
        // One that refuses its first probes is up until it has refused enough of them; then another may
        // take its place.
        let primary = self.primary();
        let is_doubted = primary.is_monitored()
            && primary.is_up()
            && primary.is_silent_since(0)
            && !primary.is_answered_since(0)
            // Statements may succeed meanwhile, and then it stays up, whatever its probes say.
            && self.doubts.fetch_add(1, Ordering::Relaxed) < MOST_DOUBTS;
        let is_complete = self.nodes().iter().all(has_been_asked) && !is_doubted;
        if is_complete && !is_waiting() {
            self.is_surveyed.store(true, Ordering::Release);
        }
    }

    /// Whether queries report to and ask the breakers of the nodes.
    pub(crate) const fn has_rules(&self) -> bool {
        self.enabled && self.managed
    }

    pub(crate) fn named(&self, members: &Members, name: &NodeName) -> Option<usize> {
        let mut indices = 0..members.all().len();
        indices.find(|&index| self.node(members, index).name().same(name))
    }

    /// What is known of who is the primary.
    pub(crate) fn history(&self) -> History {
        *self.history.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Whether nobody has said yet that state is left in a pool's connections.
    pub(crate) fn is_first_to_warn_of_state(&self) -> bool {
        !self.is_warned_of_state.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    fn wake_monitors(&self) {
        self.samples.primary.wake();
        for (_, node) in &self.roster {
            node.hurry().wake();
        }
    }

    /// Has all nodes asked now, whoever may be waiting.
    pub(crate) fn hurry_all(&self) {
        self.samples.primary.ask();
        for node in self.nodes() {
            node.hurry().ask();
        }
    }

    /// Whether every replica that is up is known to be so far behind that a read would most likely
    /// wait for nothing.
    pub(crate) fn is_far_behind(&self) -> bool {
        let far = self.rules.catch_up_wait.saturating_mul(FAR);
        let nodes = self.nodes();
        let mut up = nodes[1..].iter().filter(|node| node.breaker.is_up());
        up.all(|node| {
            let behind = node.lag().and_then(|lag| lag.time.or(lag.at_least));
            behind.is_some_and(|behind| behind > far)
        })
    }
}

/// The monitors find that it is gone.
impl<P> Drop for ReplicaSet<P> {
    fn drop(&mut self) {
        self.wake_monitors();
    }
}
