//! What is known of all nodes, as one value for a page, a log or a probe of an orchestrator.

use std::time::Duration;

use serde::Serialize;

use crate::adapter::pool::{Pool, PoolState};
use crate::cluster::latency::WHOLE;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::execute::router::Router;
use crate::observe::decision::Role;

/// What is known of all sets of a router.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The sets, the default one first.
    pub sets: Vec<SetStatus>,
}

/// What is known of one replica set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SetStatus {
    /// Its name.
    pub name: String,
    /// Whether no writes are possible just now: the primary is down, says that it is read-only, or is
    /// none of the set's any more.
    pub read_only: bool,
    /// PostgreSQL's system identifier, if it is known: more than a number of JavaScript's holds.
    pub system: Option<u64>,
    /// The highest timeline that has been seen; PostgreSQL's only.
    pub timeline: Option<u32>,
    /// How often another node has become the primary.
    pub primary_changes: u32,
    /// How many reads the primary would take in place of the replicas at once, just now, of the
    /// [budget](crate::FallbackBudget)'s `burst`; `None` is any number.
    pub fallback_left: Option<u64>,
    /// Its nodes, the primary first.
    pub nodes: Vec<NodeStatus>,
}

/// What is known of one node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// What it is in its set: `primary` or `replica`.
    pub role: &'static str,
    /// Its share of reads relative to the others', as configured.
    pub weight: u16,
    /// The part of that share that it takes: less while it comes back or is slow.
    pub part: f64,
    /// Whether it is up, as far as queries and probes tell.
    pub up: bool,
    /// What went wrong with the last probe, in the driver's words; `None` if the node told what it is.
    pub probe_error: Option<String>,
    /// How long it is left alone, if it is down; in seconds.
    pub retry_in: Option<f64>,
    /// Why it takes no statements although it answers, in the words of
    /// [`Exclusion::as_str`](crate::Exclusion::as_str); empty if it takes them.
    pub left_out: Vec<&'static str>,
    /// What it says of itself, `primary` or `replica`; `None` if it has not been asked, or does not
    /// tell, as a server of MySQL's that takes writes.
    pub says: Option<&'static str>,
    /// How far a replica is known to have replayed.
    pub position: Option<String>,
    /// For how long a replica has missed something; in seconds. It grows while there is no primary to
    /// say that nothing is missed.
    pub lag: Option<f64>,
    /// How many bytes of log it misses; PostgreSQL's only.
    pub lag_bytes: Option<u64>,
    /// The median duration of the node's reads in the last window that had enough of them; in seconds. `None` if
    /// no window had, and where the router does not probe nodes.
    pub latency: Option<f64>,
    /// The connections of its pool, if one is open; those of the monitor and of `read_only()` handles are not
    /// among them.
    pub pool: Option<PoolState>,
}

impl Status {
    /// Whether a set takes no writes just now.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.sets.iter().any(|set| set.read_only)
    }

    /// A node, by its set's name and its own.
    #[must_use]
    pub fn node(&self, set: &str, node: &str) -> Option<&NodeStatus> {
        let set = self.sets.iter().find(|one| one.name == set)?;
        set.nodes.iter().find(|one| one.name == node)
    }
}

impl<P: Pool> Router<P> {
    /// What the router knows of all nodes now, and what their pools have; it asks no server for that.
    #[must_use]
    pub fn status_with_pools(&self) -> Status {
        let mut status = self.status();
        for (set, of_set) in self.sets().iter().zip(&mut status.sets) {
            for node in set.nodes() {
                let mut nodes = of_set.nodes.iter_mut();
                if let Some(of_node) = nodes.find(|one| node.name() == one.name.as_str()) {
                    of_node.pool = node.pool().state();
                }
            }
        }
        status
    }
}

impl<P> Router<P> {
    /// What is known of all nodes just now; nobody is asked for it.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            sets: self.sets().iter().map(|set| self.status_of(set)).collect(),
        }
    }

    fn status_of(&self, set: &ReplicaSet<P>) -> SetStatus {
        let now = self.clock().now();
        let history = set.history();
        let members = set.members();
        SetStatus {
            name: set.name().to_string(),
            read_only: set.is_read_only(),
            system: history.system,
            timeline: (history.timeline > 0).then_some(history.timeline),
            primary_changes: history.changes,
            fallback_left: set.budget.left(now),
            nodes: set
                .nodes()
                .into_iter()
                .map(|node| {
                    let index = members.index_of(node.id());
                    let weight = index.map_or(0, |index| members.all()[index].weight);
                    self.status_of_node(set, node, weight)
                })
                .collect(),
        }
    }

    fn status_of_node(&self, set: &ReplicaSet<P>, node: &Node<P>, weight: u16) -> NodeStatus {
        let now = self.clock().now();
        let seconds = |duration: Duration| duration.as_secs_f64();
        let role = set.role_of(node);
        let is_replica = role == Role::Replica;
        // What one knows of a primary is of when it was a replica.
        let lag = node.lag().filter(|_| is_replica);
        let position = node.position().filter(|_| is_replica);
        let part = node.load.part(set.rules().slow_start, now);
        NodeStatus {
            name: node.name().to_string(),
            role: role.as_str(),
            weight,
            part: f64::from(part) / f64::from(WHOLE),
            up: node.is_up(),
            probe_error: node.probe_error(),
            retry_in: node.breaker.refuses_for(now).map(seconds),
            left_out: node
                .exclusions
                .get()
                .iter()
                .map(|why| why.as_str())
                .collect(),
            says: node.sighting().and_then(|said| said.role).map(Role::as_str),
            position: position.map(|position| position.to_string()),
            lag: lag.and_then(|lag| lag.time).map(seconds),
            lag_bytes: lag.and_then(|lag| lag.bytes),
            latency: node.load.latency().map(seconds),
            pool: None,
        }
    }
}
