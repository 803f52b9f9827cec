//! Statements of a transaction that is open, and pins without a statement.

use crate::cluster::events::{announce, announce_disguised, announce_late_pin, announce_refusal};
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::decide::resolve;
use crate::error::RoutingError;
use crate::observe::decision::{Decision, Role};
use crate::observe::exclusion::Exclusion;
use crate::observe::ports::Ports;
use crate::session::context::Context;
use crate::sql::kind::{Access, StatementKind};

/// Checks a statement of an open transaction, which stays on its node.
pub(crate) fn check_in_transaction<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    node: &Node<P>,
    transaction: Access,
    kind: StatementKind,
    caller: &Context,
) -> Result<(), RoutingError> {
    let answer = check_footing(set, node, transaction).and_then(|()| {
        Context::with_current(|ambient| {
            resolve::allow_in_transaction(set, node, transaction, kind, caller, ambient)
        })
    });
    match answer {
        Ok((reason, late)) => {
            if let Some(late) = late {
                announce_late_pin(ports, set.name(), late, kind.as_str());
            }
            announce(
                ports,
                &Decision {
                    set: set.name(),
                    node: node.name(),
                    role: set.role_of(node),
                    kind,
                    reason,
                },
            );
            Ok(())
        }
        Err(error) => {
            announce_refusal(ports, &error);
            Err(error)
        }
    }
}

/// Whether a transaction that writes is still on the primary: what is committed on a node that has
/// been superseded is lost.
pub(crate) fn check_footing<P>(
    set: &ReplicaSet<P>,
    node: &Node<P>,
    transaction: Access,
) -> Result<(), RoutingError> {
    let is_lost = set.has_rules()
        && transaction == Access::Write
        && (set.role_of(node) != Role::Primary
            || node.exclusions.get().first_of(Exclusion::OF_ALL).is_some());
    if !is_lost {
        return Ok(());
    }
    let error = RoutingError::PrimaryUnavailable {
        set: set.name().clone(),
        node: node.name().clone(),
        retry_in: None,
        cause: None,
    };
    Err(error.because("another is the primary, and the transaction is rolled back"))
}

/// The same before a commit, which is refused then.
pub(crate) fn check_commit<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    node: &Node<P>,
    transaction: Access,
) -> Result<(), RoutingError> {
    check_footing(set, node, transaction).inspect_err(|error| announce_refusal(ports, error))
}

/// A statement of an open transaction was refused by its node as a write; the error that says so,
/// if it was taken for a read.
pub(crate) fn refused_in_transaction<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    node: &Node<P>,
    transaction: Access,
    sql: &str,
) -> Option<RoutingError> {
    if !set.has_rules() || transaction != Access::Read {
        return None;
    }
    announce_disguised(ports, set, node.name(), sql);
    let error = RoutingError::WriteInReadOnlyTransaction {
        set: set.name().clone(),
        node: node.name().clone(),
        kind: StatementKind::DisguisedWrite,
    };
    announce_refusal(ports, &error);
    Some(error)
}

/// Pins the caller's session on the set.
pub(crate) fn pin<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    caller: &Context,
) -> Result<(), RoutingError> {
    match Context::with_current(|ambient| resolve::pin(set, caller, ambient)) {
        Ok(late) => {
            if let Some(late) = late {
                announce_late_pin(ports, set.name(), late, "pin");
            }
            Ok(())
        }
        Err(error) => {
            announce_refusal(ports, &error);
            Err(error)
        }
    }
}
