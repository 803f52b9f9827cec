//! A decision being carried out.
//!
//! The obvious interface gives the caller a node and forgets him. Then every adapter has to know
//! which node comes next, what a failure says about the node, and what may be run again. Here the
//! adapter holds a [`Route`]: it [starts](Route::start) it, which gives a [`Permit`](crate::Permit) to send the
//! statement once, reports how that went, and is given the next route or told to stop.
//!
//! # Once
//!
//! Whoever runs a write twice has lost. So a pool gives its connections for a permit, a permit is
//! used up by that, nobody but [`Route::start`] makes one, and another route comes from nobody but
//! [`Running::failed`](crate::Running::failed), which has one only for a read that has yielded no row, and for what
//! certainly did nothing. Code that would send a statement again by itself does not compile:
//!
//! ```compile_fail,E0382
//! # use routing_core::{Context, ReplicaSet, Router, RoutingError, StatementKind};
//! # let set = ReplicaSet::builder("default", "pool").build()?;
//! # let router = Router::new([set])?;
//! # fn send<P>(permit: routing_core::Permit<'_, P>) {}
//! let caller = Context::default();
//! let route = router.route(router.default_set(), StatementKind::Insert, &caller)?;
//! let (permit, running) = route.start();
//! send(permit);
//! send(permit); // it is used up
//! # Ok::<(), RoutingError>(())
//! ```
//!
//! A route that is dropped without a report (the future was cancelled) says nothing about its
//! node, and makes room for another trial if it was one.

use std::sync::Arc;

use crate::cluster::breaker::Trial;
use crate::cluster::events::announce_change;
use crate::cluster::node::Node;
use crate::cluster::pools::PoolKey;
use crate::cluster::replica_set::ReplicaSet;
use crate::decide::admission::keeps_away;
use crate::decide::admission::{Stop, WaitsFor, primary_unavailable};
use crate::decide::attempts::Past;
use crate::error::RoutingError;
use crate::execute::announce::announce_refusal;
use crate::observe::decision::{Decision, Reason, Role};
use crate::session::Session;
use crate::session::connection_state::ConnectionState;
use crate::session::context::Context;
use crate::sql::kind::{Access, StatementKind};
use crate::time::clock::Timestamp;

/// One statement on its way to a node.
#[derive(Debug)]
#[must_use = "a route is to be followed, and its outcome reported"]
pub struct Route<'r, P> {
    pub(crate) set: &'r ReplicaSet<P>,
    pub(crate) kind: StatementKind,
    pub(crate) access: Access,
    pub(crate) node: &'r Arc<Node<P>>,
    /// Where it is among all that the set has had.
    pub(crate) place: usize,
    pub(crate) role: Role,
    pub(crate) reason: Reason,
    pub(crate) trial: Option<Trial>,
    /// Whether its session relies on what is known of the node.
    pub(crate) relies: bool,
    /// Who writes, until it is known what became of it.
    pub(crate) writer: Option<Session>,
    /// The caller's connections, if the statement may leave state in one.
    pub(crate) leaves: Option<ConnectionState>,
    pub(crate) past: Past,
    /// When it was decided.
    pub(crate) mark: u64,
    /// When it was started, if it is one that is measured.
    pub(crate) started: Option<Timestamp>,
}

impl<'r, P> Route<'r, P> {
    /// The node to run the statement on.
    #[must_use]
    #[inline]
    pub const fn node(&self) -> &'r Arc<Node<P>> {
        self.node
    }

    /// What its pool is to be asked with.
    #[must_use]
    #[inline]
    pub fn pool_key(&self) -> PoolKey<'r, P> {
        self.set.pool_key(self.node())
    }

    /// The role for which the node was chosen; it may have been promoted since.
    #[must_use]
    #[inline]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether the statement counts as a read here. A transaction that counts as one has to be
    /// begun as read-only, whatever its caller declared.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Whether a failure may be followed by another attempt, so that the statement has to be kept.
    #[must_use]
    pub fn may_move(&self) -> bool {
        self.set.has_rules() && (self.may_fail_over() || self.may_be_repeated())
    }

    /// Whether another node may serve the statement, if this one fails or refuses it.
    pub(crate) fn may_fail_over(&self) -> bool {
        let movable = match self.reason {
            Reason::Balanced
            | Reason::Affine
            | Reason::Failover
            | Reason::NoReplica
            | Reason::NotCaughtUp
            | Reason::Preferred => true,
            Reason::Forced => self.role == Role::Replica,
            Reason::Disabled
            | Reason::Unmanaged
            | Reason::Transaction
            | Reason::Named
            | Reason::Pinned
            | Reason::SessionState
            | Reason::NotOnStandby
            | Reason::Write
            | Reason::NoSession => false,
        };
        movable && self.access == Access::Read && self.set.has_rules()
    }

    /// Whether the same may be tried again, if it certainly did nothing: what needs the primary, and
    /// what a replica may refuse as a write.
    fn may_be_repeated(&self) -> bool {
        self.role == Role::Replica && self.access == Access::Read
            || self.role == Role::Primary && self.set.rules().retry.attempts > 1
    }

    /// Whether what was decided still holds, as it may not after a wait for a connection: the node has
    /// another role by now, was seen to begin anew, or may have done so, as the connection is new.
    #[must_use]
    #[inline]
    pub fn holds(&self) -> bool {
        self.holds_if(self.node().is_proven())
    }

    /// The same, if what is known of the node counts, or not.
    #[inline]
    pub(crate) fn holds_if(&self, is_proven: bool) -> bool {
        if !self.set.has_rules() {
            return true;
        }
        let node = self.node();
        let shows_less = self.access == Access::Read
            && self.role == Role::Replica
            && (!node.is_unbroken_since(self.mark) || self.relies && !is_proven);
        let is_kept_away = !node.exclusions.is_empty() && keeps_away(node, self.access).is_some();
        node.is_the_same_since(self.mark) && !shows_less && !is_kept_away
    }

    /// Whether the node went down since the router decided on it: a caller that waits for a connection to
    /// it waits in vain.
    #[must_use]
    pub fn is_forsaken(&self) -> bool {
        self.set.has_rules() && !self.node().is_up_since(self.mark)
    }

    /// Another route for what no longer [`holds`](Self::holds): nothing was sent.
    ///
    /// # Errors
    ///
    /// As [`Router::route`](crate::Router::route), and [`RoutingError::PrimaryUnavailable`] if it has
    /// been decided anew too often.
    pub fn decide_anew(mut self, caller: &Context) -> Result<Self, RoutingError> {
        self.writer = None;
        let mut past = std::mem::take(&mut self.past);
        if self.relies && !self.node().is_proven() {
            // Nobody has found out in time.
            let trouble = past.trouble();
            trouble.tried = trouble.tried.and(self.place);
        }
        if past.once_more_anew() > MOST_ANEW {
            let error = primary_unavailable(self.set, None);
            return Err(error.because(format_args!("roles change too fast")));
        }
        Self::find_after(self.set, self.kind, caller, past, WaitsFor::default())
            .map_err(|stop| refused(self.set, stop))
    }

    /// What was decided, and why.
    #[must_use]
    pub fn decision(&self) -> Decision<'r> {
        Decision {
            set: self.set.name(),
            node: self.node().name(),
            role: self.role,
            kind: self.kind,
            reason: self.reason,
        }
    }

    /// A span for what is done on the node: the ORM's and the driver's are inside of it.
    #[must_use]
    pub fn span(&self) -> tracing::Span {
        let decision = self.decision();
        tracing::debug_span!(
            target: "routing",
            "routed",
            set = decision.set.as_str(),
            node = decision.node.as_str(),
            role = decision.role.as_str(),
            access = decision.access().as_str(),
            reason = decision.reason.as_str(),
        )
    }
}

impl<P> Route<'_, P> {
    /// The session has done what the statement does, or may have.
    #[inline]
    pub(crate) fn mark(&self, caller: &Context) {
        if !self.is_marked() {
            return;
        }
        let asked_for = matches!(
            self.reason,
            Reason::Forced | Reason::Preferred | Reason::Named | Reason::NoSession
        );
        match self.access {
            Access::Write => self.set.record_write(caller),
            Access::Read => {
                let (node, role) = (self.node(), self.role);
                self.set.record_read_as(node, role, caller, asked_for);
            }
        }
    }

    /// The session may write at any time from now on, as the server may still execute the statement.
    pub(crate) fn mark_untracked(&self, caller: &Context) {
        if self.is_marked() {
            self.set.record_untracked_write(caller);
        }
    }

    /// The node is well.
    #[inline]
    pub(crate) fn answered(&mut self) {
        let node = self.node();
        if self.trial.is_none() && node.breaker.is_spotless() {
            return;
        }
        if self.set.has_rules() {
            let change = node.breaker.succeeded(self.trial.take());
            announce_change(self.set, node, change);
        }
    }
}

impl<P> Drop for Route<'_, P> {
    fn drop(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.node().breaker.gave_up(trial);
        }
        if let Some(session) = self.writer.take() {
            let caller = Context::default().with_session(&session);
            // It may be executed at any time.
            self.set.record_untracked_write(&caller);
        }
    }
}

/// How often a statement is decided anew before it is sent.
const MOST_ANEW: u8 = 8;

pub(super) fn refused<P>(set: &ReplicaSet<P>, stop: Stop) -> RoutingError {
    let error = error_of(set, stop);
    announce_refusal(&set.ports, &error);
    error
}

pub(crate) fn error_of<P>(set: &ReplicaSet<P>, stop: Stop) -> RoutingError {
    match stop {
        Stop::Refused(error) => error,
        Stop::Exhausted | Stop::Unserved(_) => primary_unavailable(set, None),
    }
}
