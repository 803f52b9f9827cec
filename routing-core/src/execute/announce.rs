//! Decisions and refusals, for the log and the observer.

use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::LatePin;
use crate::error::RoutingError;
use crate::names::{NodeName, SetName};
use crate::observe::decision::Decision;
use crate::observe::ports::Ports;
use crate::session::context::warn_late_pin;
use crate::sql::kind::StatementKind;

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
pub(crate) fn announce_disguised<P>(set: &ReplicaSet<P>, node: &NodeName, sql: &str) {
    let classifier = set.classifier();
    let is_new = classifier.remember(sql.as_bytes(), StatementKind::DisguisedWrite);
    if is_new {
        tracing::warn!(
            target: "routing",
            set = set.name().as_str(),
            node = node.as_str(),
            statement = sql,
            "a statement that looks like a read writes; it counts as a write from now on"
        );
    }
    set.ports
        .observe(|observer| observer.disguised_write(set.name(), node, sql, is_new));
}

/// The same for a read that a standby does not run.
pub(crate) fn announce_primary_read<P>(set: &ReplicaSet<P>, node: &NodeName, sql: &str) {
    let classifier = set.classifier();
    if set.has_rules() && classifier.remember(sql.as_bytes(), StatementKind::PrimaryRead) {
        tracing::warn!(
            target: "routing",
            set = set.name().as_str(),
            node = node.as_str(),
            statement = sql,
            "a standby does not run this read; it goes to the primary from now on"
        );
    }
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
