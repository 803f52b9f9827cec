//! Who is told: the log, the observer and the node's breaker.

use crate::ambient::warn_late_pin;
use crate::breaker::{Change, Trial};
use crate::decision::{Decision, Role};
use crate::error::RoutingError;
use crate::failure::Failure;
use crate::name::{NodeName, SetName};
use crate::node::Node;
use crate::ports::Ports;
use crate::replica_set::ReplicaSet;
use crate::rules::LatePin;

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
    if failure.blames_node() && node.role() == Role::Replica {
        // It may come back from behind where it was.
        node.lose_track();
    }
    let change = if failure.blames_node() {
        node.breaker.failed(trial, ports.clock.now())
    } else {
        // It answers, if only to say that it is full.
        node.breaker.succeeded(trial)
    };
    announce_change(ports, set.name(), node.name(), change);
}

pub(crate) fn announce_refusal(ports: &Ports, error: &RoutingError) {
    tracing::debug!(target: "routing", %error, "refused");
    ports.observe(|observer| observer.refused(error));
}

pub(crate) fn announce_late_pin(ports: &Ports, set: &SetName, late: LatePin, cause: &str) {
    if late == LatePin::Warn {
        warn_late_pin(set, cause);
    } else {
        tracing::debug!(target: "routing", set = set.as_str(), cause, "late pin");
    }
    ports.observe(|observer| observer.late_pin(set));
}

/// One warning per shape: the statement will not be sent there again.
pub(crate) fn announce_disguised<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    node: &NodeName,
    sql: &str,
) {
    let is_new = set.classifier().remember_disguised(sql.as_bytes());
    if is_new {
        tracing::warn!(
            target: "routing",
            set = set.name().as_str(),
            node = node.as_str(),
            statement = sql,
            "a statement that looks like a read writes; it counts as a write from now on"
        );
    }
    ports.observe(|observer| observer.disguised_write(set.name(), node, sql, is_new));
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
