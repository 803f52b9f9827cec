//! Where decisions can be counted.

use std::time::Duration;

use crate::error::RoutingError;
use crate::names::{NodeName, SetName};
use crate::observe::decision::Decision;
use crate::observe::exclusion::Exclusion;
use crate::observe::failure::Failure;

/// Is told of every decision, as it is made.
///
/// For counters and tests; `tracing` gets the same as events of the target `routing`, at level
/// `DEBUG`, nodes that go down or up at `WARN` and `INFO`. It is called
/// on the query path, so it must be quick and must not block.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use routing_core::{Decision, Observer, Role};
///
/// #[derive(Default)]
/// struct ReplicaShare { all: AtomicU64, replica: AtomicU64 }
///
/// impl Observer for ReplicaShare {
///     fn decided(&self, decision: &Decision<'_>) {
///         self.all.fetch_add(1, Ordering::Relaxed);
///         if decision.role == Role::Replica {
///             self.replica.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A statement is about to run on a node.
    fn decided(&self, decision: &Decision<'_>) {
        let _ = decision;
    }

    /// A statement was refused.
    fn refused(&self, error: &RoutingError) {
        let _ = error;
    }

    /// A session was pinned after it had read from a replica, by a write or through a handle.
    fn late_pin(&self, set: &SetName) {
        let _ = set;
    }

    /// A statement that looked like a read was refused by a node because it writes; `is_new` says
    /// whether this is the first of its shape. From then on it counts as a write.
    fn disguised_write(&self, set: &SetName, node: &NodeName, sql: &str, is_new: bool) {
        let _ = (set, node, sql, is_new);
    }

    /// A node failed too often and is left alone for so long.
    fn node_down(&self, set: &SetName, node: &NodeName, back_off: Duration) {
        let _ = (set, node, back_off);
    }

    /// A node that was down answered again.
    fn node_up(&self, set: &SetName, node: &NodeName) {
        let _ = (set, node);
    }

    /// A node is left out for a reason, or no longer is. That a new one begins as
    /// [`Unseen`](Exclusion::Unseen) is not told, only that it no longer is.
    fn exclusion(&self, set: &SetName, node: &NodeName, why: Exclusion, is: bool) {
        let _ = (set, node, why, is);
    }

    /// Another node has become the primary.
    fn primary_changed(&self, set: &SetName, from: &NodeName, to: &NodeName) {
        let _ = (set, from, to);
    }

    /// A statement goes to another node, or is tried again on the same, as `from` failed in this way.
    fn moved_on(&self, set: &SetName, from: &NodeName, failure: Failure) {
        let _ = (set, from, failure);
    }
}
