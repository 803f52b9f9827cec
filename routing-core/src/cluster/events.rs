//! Events of nodes: the router reports them to the log, the observer and the nodes' breakers.

use std::fmt;

use crate::cluster::breaker::{Change, Trial};
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::observe::decision::Role;
use crate::observe::exclusion::Exclusion;
use crate::observe::failure::Failure;
use crate::position::log::Hurry;
use crate::time::clock::Timestamp;

impl<P> ReplicaSet<P> {
    /// Writes in the log with what error a statement failed: the first of a node that was well as a
    /// warning, and those that follow, which may be very many, for who debugs. To be called before the
    /// failure is reported.
    pub fn log_failure(&self, node: &Node<P>, error: &dyn fmt::Display, failure: Failure) {
        let (set, name) = (self.name().as_str(), node.name().as_str());
        if failure.blames_node() && node.breaker.is_spotless() {
            tracing::warn!(target: "routing", set, node = name, %error, ?failure, "node failed");
        } else {
            tracing::debug!(target: "routing", set, node = name, %error, ?failure, "node failed");
        }
    }
}

/// Takes note of a statement's failure.
///
/// Where nodes are probed, the router only asks the node, at once: the answers take it down or leave it up.
/// An administrator, a firewall or a pooler ends many connections of a node that is well, and many
/// statements wait in vain for one connection; each tells of it, perhaps much later, and all tell of one
/// event.
///
/// Elsewhere the failure counts against the node, unless the statement began, at `mark`, before the node
/// last came up.
pub(crate) fn report_failure<P>(
    set: &ReplicaSet<P>,
    node: &Node<P>,
    trial: Option<Trial>,
    failure: Failure,
    mark: u64,
) {
    if !set.has_rules() {
        return;
    }
    if failure.blames_node() {
        // Whoever knows more is asked: the node itself.
        hurry_of(set, node).ask();
    } else if failure == Failure::ReadOnly && set.role_of(node) == Role::Primary {
        // Perhaps another is the primary by now.
        set.hurry_all();
    }
    let is_settled_elsewhere = node.is_monitored() || !node.is_told_by(mark);
    if failure.blames_node() && trial.is_none() && is_settled_elsewhere {
        if set.role_of(node) == Role::Replica {
            node.lose_track();
        }
        return;
    }
    count_failure(set, node, trial, failure);
}

/// The same for who has asked the node.
pub(crate) fn count_failure<P>(
    set: &ReplicaSet<P>,
    node: &Node<P>,
    trial: Option<Trial>,
    failure: Failure,
) {
    let role = set.role_of(node);
    if failure.blames_node() && role == Role::Replica {
        // It may come back from behind where it was.
        node.lose_track();
    }
    let rules = match role {
        Role::Primary => &set.rules().primary_breaker,
        Role::Replica => &set.rules().replica_breaker,
    };
    let change = if failure.blames_node() {
        node.breaker.failed(trial, set.ports.clock.now(), rules)
    } else {
        // It answers, if only to say that it is full.
        node.breaker.succeeded(trial)
    };
    announce_change(set, node, change);
}

/// The primary's is with its samples, as sessions ask it that know no set.
pub(crate) fn hurry_of<'s, P>(set: &'s ReplicaSet<P>, node: &'s Node<P>) -> &'s Hurry {
    match set.role_of(node) {
        Role::Primary => &set.samples().primary,
        Role::Replica => node.hurry(),
    }
}

/// Compares the replicas' medians, if their windows are over: a replica that is slower than the others takes less of
/// its share.
pub(crate) fn compare_replicas<P>(set: &ReplicaSet<P>, now: Timestamp) {
    let nodes = set.nodes();
    let replicas = nodes.iter().filter(|node| {
        set.role_of(node) == Role::Replica && node.is_up() && node.exclusions.is_empty()
    });
    let loads: Vec<_> = replicas.map(|node| &node.load).collect();
    if !set
        .comparison
        .is_due(now, || loads.iter().all(|load| load.has_enough()))
    {
        loads.iter().for_each(|load| load.give_back(now));
        return;
    }
    let medians: Vec<_> = loads.iter().map(|load| load.close()).collect();
    for (index, load) in loads.iter().enumerate() {
        let others = medians
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let mut others: Vec<_> = others.filter_map(|(_, median)| *median).collect();
        others.sort_unstable();
        // Of two, the faster: one slow replica must not be the measure of another.
        let typical = others.get(others.len().saturating_sub(1) / 2).copied();
        load.weigh(medians[index], typical, now);
    }
}

/// Whoever waits for the node is told too.
pub(crate) fn announce_change<P>(set: &ReplicaSet<P>, node: &Node<P>, change: Change) {
    let (set_name, name) = (set.name(), node.name());
    match change {
        Change::None => return,
        Change::WentUp => {
            node.went_up();
            node.load.came_back(set.ports.clock.now());
            tracing::info!(target: "routing", set = set_name.as_str(), node = name.as_str(), "node is up");
            set.ports
                .observe(|observer| observer.node_up(set_name, name));
        }
        Change::WentDown(back_off) => {
            node.went_down();
            if set.role_of(node) == Role::Primary {
                // From here on one of the others may become it: their monitors do not sleep on.
                set.hurry_all();
            }
            tracing::warn!(
                target: "routing",
                set = set_name.as_str(),
                node = name.as_str(),
                back_off_ms = back_off.as_millis(),
                "node is down"
            );
            set.ports
                .observe(|observer| observer.node_down(set_name, name, back_off));
        }
    }
    set.samples().tell();
}

impl<P> ReplicaSet<P> {
    /// Says once that a statement leaves state in one of a pool's connections, which the next statement need
    /// not get.
    pub(crate) fn warn_of_state(&self) {
        if self.is_first_to_warn_of_state() {
            tracing::warn!(
                target: "routing",
                set = self.name().as_str(),
                "a statement leaves state in a connection of the pool, and the next statement may get another \
                 one; put both into one transaction"
            );
        }
    }
}

/// A node serves for a reason less, or does not for one more.
pub(crate) fn announce_exclusion<P>(set: &ReplicaSet<P>, node: &Node<P>, why: Exclusion, is: bool) {
    let (set_name, name) = (set.name().as_str(), node.name().as_str());
    if is {
        tracing::warn!(target: "routing", set = set_name, node = name, why = why.as_str(), "node is left out");
    } else if why == Exclusion::Unseen {
        tracing::info!(target: "routing", set = set_name, node = name, "node is observed for the first time");
    } else {
        tracing::info!(target: "routing", set = set_name, node = name, why = why.as_str(), "node is taken back");
    }
    let (set_name, name) = (set.name(), node.name());
    set.ports
        .observe(|observer| observer.exclusion(set_name, name, why, is));
}

/// Leaves a node out for this reason, or no longer; whoever watches is told if that is news.
pub(crate) fn leave_out<P>(set: &ReplicaSet<P>, node: &Node<P>, why: Exclusion, is: bool) {
    if node.exclusions.set(why, is) {
        announce_exclusion(set, node, why, is);
    }
}

/// All nodes are of another database system than before.
pub(crate) fn announce_another_system<P>(set: &ReplicaSet<P>) {
    tracing::warn!(
        target: "routing",
        set = set.name().as_str(),
        "all nodes have another system identifier than before: the set begins anew"
    );
}

/// Another node is the primary.
pub(crate) fn announce_primary<P>(set: &ReplicaSet<P>, old: &Node<P>, new: &Node<P>) {
    tracing::warn!(
        target: "routing",
        set = set.name().as_str(),
        from = old.name().as_str(),
        to = new.name().as_str(),
        "the primary has changed"
    );
    set.ports
        .observe(|observer| observer.primary_changed(set.name(), old.name(), new.name()));
}
