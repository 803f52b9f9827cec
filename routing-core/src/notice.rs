//! Who is told: the log, the observer and the node's breaker.

use crate::breaker::{Change, Trial};
use crate::decision::Decision;
use crate::failure::Failure;
use crate::name::{NodeName, SetName};
use crate::node::Node;
use crate::ports::Ports;
use crate::replica_set::ReplicaSet;

/// Counts a failure against a node, if it is the node's.
pub(crate) fn report_failure<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    node: &Node<P>,
    trial: Option<Trial>,
    failure: Failure,
) {
    if !set.has_rules() {
        return;
    }
    let change = if failure.blames_node() {
        node.breaker.failed(trial, ports.clock.now())
    } else {
        // It answers, if only to say that it is full.
        node.breaker.succeeded(trial)
    };
    announce_change(ports, set.name(), node.name(), change);
}

#[inline]
pub(crate) fn announce(ports: &Ports, decision: &Decision<'_>) {
    tracing::debug!(
        target: "routing",
        set = decision.set.as_str(),
        node = decision.node.as_str(),
        role = decision.role.as_str(),
        access = decision.access().as_str(),
        statement = decision.kind.as_str(),
        reason = decision.reason.as_str(),
        "routed"
    );
    ports.observe(|observer| observer.decided(decision));
}

pub(crate) fn announce_change(ports: &Ports, set: &SetName, node: &NodeName, change: Change) {
    match change {
        Change::None => {}
        Change::WentUp => {
            tracing::info!(target: "routing", set = set.as_str(), node = node.as_str(), "node is up");
            ports.observe(|observer| observer.node_up(set, node));
        }
        Change::WentDown(back_off) => {
            tracing::warn!(
                target: "routing",
                set = set.as_str(),
                node = node.as_str(),
                back_off_ms = back_off.as_millis(),
                "node is down"
            );
            ports.observe(|observer| observer.node_down(set, node, back_off));
        }
    }
}
