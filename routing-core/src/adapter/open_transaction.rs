//! An open transaction: its node, and what each database makes of a failed statement in it.
//!
//! - PostgreSQL refuses every statement after a failed one, and answers `COMMIT` with a rollback.
//! - MySQL and MariaDB roll the whole transaction back for the victim of a deadlock, and run the next
//!   statement outside of one ([Error Message Reference, 1213][1213]).
//! - MySQL and MariaDB commit the transaction before DDL and `LOCK TABLES`, and a procedure may commit it
//!   ([Statements That Cause an Implicit Commit][implicit]).
//!
//! [1213]: https://dev.mysql.com/doc/refman/8.4/en/innodb-deadlock-detection.html
//! [implicit]: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::adapter::driver::Done;
use crate::adapter::fate::Fate;
use crate::adapter::handle::Handle;
use crate::adapter::implicit_commit::{Suspect, may_commit_on_mysql};
use crate::adapter::level::Level;
use crate::adapter::unanswered::Unanswered;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::error::RoutingError;
use crate::execute::attempt::Permit;
use crate::execute::router::Router;
use crate::observe::decision::Role;
use crate::observe::failure::Failure;
use crate::session::context::Context;
use crate::sql::kind::{Access, StatementKind};
use crate::sql::{Dialect, TransactionControl};
use crate::time::sequence;
use crate::time::timer::Timer;

/// A transaction that is open on a node, or a savepoint in it.
pub struct OpenTransaction<P> {
    router: Arc<Router<P>>,
    set: Arc<ReplicaSet<P>>,
    node: Arc<Node<P>>,
    role: Role,
    access: Access,
    /// The session that began it, which may not be the one that ends it.
    began: Context,
    /// When that was, as a sequence number.
    mark: u64,
    fate: Arc<Fate>,
}

impl<P> OpenTransaction<P> {
    /// A transaction of this handle's set that was begun.
    #[must_use]
    pub fn new<T>(handle: &Handle<P>, begun: &Done<'_, P, T>) -> Self {
        Self {
            router: Arc::clone(&handle.router),
            set: Arc::clone(&handle.set),
            node: Arc::clone(begun.node),
            role: begun.role,
            access: begun.access,
            began: handle.context.clone().with_current_session(),
            mark: sequence::now(),
            fate: Arc::default(),
        }
    }

    /// A savepoint inside it, with its own access.
    #[must_use]
    pub fn savepoint(&self, access: Access) -> Self {
        Self {
            router: Arc::clone(&self.router),
            set: Arc::clone(&self.set),
            node: Arc::clone(&self.node),
            role: self.role,
            access: match self.access {
                Access::Read => Access::Read,
                Access::Write => access,
            },
            began: self.began.clone(),
            mark: self.mark,
            fate: Arc::clone(&self.fate),
        }
    }

    /// Its callbacks: one level for the whole of it.
    #[must_use]
    pub fn level(&self) -> Level {
        Level::new(&self.fate)
    }

    /// The set that it belongs to.
    #[must_use]
    pub const fn set(&self) -> &Arc<ReplicaSet<P>> {
        &self.set
    }

    /// The node that it is open on.
    #[must_use]
    pub const fn node(&self) -> &Arc<Node<P>> {
        &self.node
    }

    /// The role for which its node was chosen.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// `Read` if it was begun as read-only.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Whether the server has ended it: it can only be rolled back, and begun again.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.fate.is_lost.load(Ordering::Relaxed)
    }

    /// Whether its outcome will not be known even when its end is acknowledged.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        self.fate.is_unclear()
    }

    /// A text has, or may have, ended or divided it.
    pub fn lose_track(&self) {
        self.fate.is_unclear.store(true, Ordering::Relaxed);
    }

    /// A statement of this kind that may end it, if the server understands the statement.
    pub(super) fn suspect(&self, kind: StatementKind) -> Suspect<'_> {
        Suspect(self.is_suspect(kind).then_some(&*self.fate))
    }

    fn is_suspect(&self, kind: StatementKind) -> bool {
        self.dialect() == Some(Dialect::MySql) && kind == StatementKind::Unknown
    }

    /// A statement has failed, or was not answered: it may go on, and commit what it is part of.
    pub fn record_failure(&self, may_go_on: bool, caller: &Context) {
        if may_go_on && self.is_unclear() && self.access == Access::Write {
            self.record_hand_out(caller);
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        self.set.classifier().dialect()
    }

    /// The kind of a text in it, for the rule: a savepoint writes as little as its transaction.
    #[must_use]
    pub fn kind_of(&self, sql: &str) -> StatementKind {
        let kind = self.set.kind_of(sql);
        let is_division = kind.controls_transaction()
            && self.access == Access::Read
            && self.dialect().is_some_and(|dialect| {
                matches!(
                    TransactionControl::of(sql, dialect),
                    Some(
                        TransactionControl::Savepoint(_)
                            | TransactionControl::Release(_)
                            | TransactionControl::RollbackTo(_)
                    )
                )
            });
        if is_division {
            self.lose_track();
            self.kind_of_savepoint()
        } else {
            kind
        }
    }

    /// The kind of a savepoint in it, for the rule.
    #[must_use]
    pub const fn kind_of_savepoint(&self) -> StatementKind {
        match self.access {
            Access::Read => StatementKind::BeginReadOnly,
            Access::Write => StatementKind::Transaction,
        }
    }

    /// Checks a statement that is about to be sent in it.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::TransactionLost`] if the server has ended the transaction.
    /// - As [`ReplicaSet::check_in_transaction`].
    pub fn check(&self, kind: StatementKind, caller: &Context) -> Result<(), RoutingError> {
        self.check_fate()?;
        let Self { set, node, .. } = self;
        set.check_in_transaction(node, self.access, kind, caller)?;
        if self.dialect() == Some(Dialect::MySql) && may_commit_on_mysql(kind) {
            self.lose_track();
        }
        Ok(())
    }

    /// Checks that a statement has no tables of another set.
    ///
    /// # Errors
    ///
    /// As [`Router::check_tables`].
    pub fn check_tables(&self, sql: &str) -> Result<(), RoutingError> {
        self.router.check_tables(&self.set, sql)
    }

    fn check_fate(&self) -> Result<(), RoutingError> {
        if self.is_lost() {
            return Err(self.lost());
        }
        Ok(())
    }

    fn lost(&self) -> RoutingError {
        let set = self.set.name().clone();
        let node = self.node.name().clone();
        RoutingError::TransactionLost { set, node }
    }

    /// The server has ended it, or its connection has broken: it can only be rolled back.
    pub fn lose(&self) {
        self.fate.is_lost.store(true, Ordering::Relaxed);
    }

    /// Its node does not answer a question before the commit, which is not sent then: the error to return.
    #[must_use]
    pub fn give_up(&self) -> RoutingError {
        self.lose();
        self.lost()
    }

    /// Checks that it may be committed.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::TransactionLost`] if the server has ended the transaction.
    /// - As [`ReplicaSet::check_commit`].
    pub fn check_commit(&self) -> Result<(), RoutingError> {
        self.check_fate()?;
        self.set.check_commit(&self.node, self.access)
    }

    /// The permission to send one statement of it.
    pub fn permit(&self) -> Permit<'_, P> {
        Permit::in_transaction(&self.set, &self.node, self.role)
    }

    /// The caller's session has seen what a statement has shown.
    pub fn record(&self, caller: &Context) {
        if self.is_unclear() && self.access == Access::Write {
            // The server may have committed its writes already.
            self.set.record_write(caller);
        } else {
            self.set.record_read(&self.node, caller);
        }
    }

    /// Its commit is about to be sent. Another connection of the session may read before it is answered.
    pub fn committing(&self, caller: &Context) -> Unanswered<P> {
        self.record_end(true, caller);
        self.unanswered(caller, self.access == Access::Write)
    }

    /// A statement is about to be sent in it, which may commit it.
    pub(super) fn sending(&self, kind: StatementKind, caller: &Context) -> Unanswered<P> {
        let may_commit = self.is_unclear() || self.is_suspect(kind);
        self.unanswered(caller, may_commit && self.access == Access::Write)
    }

    fn unanswered(&self, caller: &Context, writes: bool) -> Unanswered<P> {
        Unanswered(writes.then(|| {
            let set = Arc::clone(&self.set);
            let caller = caller.clone().with_current_session();
            (set, [self.began.clone(), caller])
        }))
    }

    /// Its commit, or its rollback, was answered. The session has written unless it was certainly rolled
    /// back.
    pub fn record_end(&self, may_be_committed: bool, caller: &Context) {
        if may_be_committed && self.access == Access::Write {
            self.set.record_write(caller);
            self.set.record_write(&self.began);
        } else {
            self.record(caller);
        }
    }

    /// Its commit was sent, and not answered: the server may commit it at any time.
    pub fn record_unknown_end(&self, caller: &Context) {
        if self.access == Access::Write {
            self.set.record_untracked_write(caller);
            self.set.record_untracked_write(&self.began);
        } else {
            self.record(caller);
        }
    }

    /// Its commit has failed: with the node, or by an answer of the server.
    pub fn record_failed_commit(&self, failure: Option<Failure>, caller: &Context) {
        if let Some(failure) = failure {
            self.report_failure(failure);
        }
        if failure.is_some_and(Failure::may_go_on) {
            self.record_unknown_end(caller);
        } else {
            self.record_end(true, caller);
        }
    }

    /// Its connection goes to code that does not report its statements.
    pub fn record_hand_out(&self, caller: &Context) {
        self.set.record_untracked_write(caller);
        self.set.record_untracked_write(&self.began);
    }

    /// A statement has failed; the error to return instead of the ORM's, if there is a better one.
    ///
    /// `is_deadlock` says that the server has chosen the transaction as a deadlock's victim.
    pub fn failed(
        &self,
        failure: Option<Failure>,
        is_deadlock: bool,
        sql: impl FnOnce() -> String,
    ) -> Option<RoutingError> {
        if is_deadlock && self.dialect() == Some(Dialect::MySql) {
            self.lose();
        }
        let Self { set, node, .. } = self;
        match failure? {
            Failure::ReadOnly if self.access == Access::Read => {
                set.refused_in_transaction(node, self.access, &sql())
            }
            failure => {
                if failure == Failure::NotOnStandby {
                    set.report_primary_read(node, &sql());
                }
                self.report_failure(failure);
                None
            }
        }
    }

    /// Its node has failed.
    pub fn report_failure(&self, failure: Failure) {
        self.set
            .report_failure_since(&self.node, failure, self.mark);
    }

    /// Its node does not answer any more: the error to return.
    #[must_use]
    pub fn timed_out(&self, kind: StatementKind) -> RoutingError {
        self.lose();
        RoutingError::OutcomeUnknown {
            set: self.set.name().clone(),
            node: self.node.name().clone(),
            kind,
        }
    }

    /// Awaits an answer of its node; `None` if the node does not answer any more.
    pub async fn watch<T: Timer, F>(&self, answer: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
        P: Send + Sync,
    {
        self.set.watch::<T, F>(&self.node, answer).await
    }
}

/// The session that began it has seen what it has shown, however it ends.
impl<P> Drop for OpenTransaction<P> {
    fn drop(&mut self) {
        self.record(&self.began);
    }
}

impl<P> fmt::Debug for OpenTransaction<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTransaction")
            .field("set", self.set.name())
            .field("node", self.node.name())
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
