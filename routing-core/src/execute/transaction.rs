//! Statements of a transaction that is open, and pins without a statement.

use crate::cluster::events::report_failure;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::decide::resolve;
use crate::error::RoutingError;
use crate::execute::announce::{
    announce, announce_disguised, announce_late_pin, announce_primary_read, announce_refusal,
};
use crate::observe::decision::{Decision, Role};
use crate::observe::exclusion::Exclusion;
use crate::observe::failure::Failure;
use crate::session::context::Context;
use crate::sql::kind::{Access, StatementKind};
use crate::time::sequence;

impl<P> ReplicaSet<P> {
    /// Checks a statement of a transaction that is open on `node`, where it stays.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::WriteInReadOnlyTransaction`] if `transaction`, the transaction's own
    ///   access, is `Read` and the statement is a write.
    /// - As for [`check_commit`](Self::check_commit).
    pub fn check_in_transaction(
        &self,
        node: &Node<P>,
        transaction: Access,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<(), RoutingError> {
        let answer = self.check_is_primary(node, transaction).and_then(|()| {
            Context::with_current(|ambient| {
                resolve::allow_in_transaction(self, node, transaction, kind, caller, ambient)
            })
        });
        let (reason, late) = answer.inspect_err(|error| announce_refusal(&self.ports, error))?;
        if let Some(late) = late {
            announce_late_pin(&self.ports, self.name(), late, kind.as_str());
        }
        let decision = Decision {
            set: self.name(),
            node: node.name(),
            role: self.role_of(node),
            kind,
            reason,
        };
        announce(&self.ports, &decision);
        Ok(())
    }

    /// Checks whether a transaction that is open on `node` may be committed there.
    ///
    /// # Errors
    ///
    /// [`RoutingError::PrimaryUnavailable`] if it has written and another node is the primary by now:
    /// no node would receive that commit. The caller rolls back.
    pub fn check_commit(&self, node: &Node<P>, transaction: Access) -> Result<(), RoutingError> {
        self.check_is_primary(node, transaction)
            .inspect_err(|error| announce_refusal(&self.ports, error))
    }

    fn check_is_primary(&self, node: &Node<P>, transaction: Access) -> Result<(), RoutingError> {
        let is_lost = self.has_rules()
            && transaction == Access::Write
            && (self.role_of(node) != Role::Primary
                || node.exclusions.get().first_of(Exclusion::OF_ALL).is_some());
        if !is_lost {
            return Ok(());
        }
        let error = RoutingError::PrimaryUnavailable {
            set: self.name().clone(),
            node: node.name().clone(),
            retry_in: None,
            cause: None,
        };
        Err(error.because("another is the primary, and the transaction is rolled back"))
    }

    /// Takes note that a node refused a statement of an open transaction as a write
    /// ([`Failure::ReadOnly`]). If the statement had been taken for a read, and `transaction` is one
    /// that only reads, this is the error to return instead of the driver's: all of its shape are
    /// writes from now on.
    #[must_use]
    pub fn refused_in_transaction(
        &self,
        node: &Node<P>,
        transaction: Access,
        sql: &str,
    ) -> Option<RoutingError> {
        if !self.has_rules() || transaction != Access::Read {
            return None;
        }
        announce_disguised(self, node.name(), sql);
        let error = RoutingError::WriteInReadOnlyTransaction {
            set: self.name().clone(),
            node: node.name().clone(),
            kind: StatementKind::DisguisedWrite,
        };
        announce_refusal(&self.ports, &error);
        Some(error)
    }

    /// Takes note that a node refused a statement as a write ([`Failure::ReadOnly`]) when some of its
    /// rows had been returned: all of its shape are writes from now on, but this one is not run again.
    pub fn report_disguised_write(&self, node: &Node<P>, sql: &str) {
        if self.has_rules() && self.role_of(node) == Role::Replica {
            announce_disguised(self, node.name(), sql);
        }
    }

    /// Takes note that a standby does not run a read ([`Failure::NotOnStandby`]) that is not run again, such as
    /// one in a transaction: all of its shape go to the primary from now on.
    pub fn report_primary_read(&self, node: &Node<P>, sql: &str) {
        announce_primary_read(self, node.name(), sql);
    }

    /// Takes note that a node failed outside a [`Route`](crate::Route), such as in the middle of a
    /// transaction.
    pub fn report_failure(&self, node: &Node<P>, failure: Failure) {
        self.report_failure_since(node, failure, sequence::now());
    }

    /// The same for what began at this sequence number.
    pub(crate) fn report_failure_since(&self, node: &Node<P>, failure: Failure, mark: u64) {
        report_failure(self, node, None, failure, mark);
    }

    /// Pins the caller's session, as [`Session::pin`](crate::Session::pin) does. A set without rules
    /// needs no pin, and gets none.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::NoSession`] if there is no session.
    /// - [`RoutingError::Frozen`] and [`RoutingError::LatePin`] as for `Session::pin`.
    pub fn pin(&self, caller: &Context) -> Result<(), RoutingError> {
        let pinned = Context::with_current(|ambient| resolve::pin(self, caller, ambient));
        let late = pinned.inspect_err(|error| announce_refusal(&self.ports, error))?;
        if let Some(late) = late {
            announce_late_pin(&self.ports, self.name(), late, "pin");
        }
        Ok(())
    }
}
