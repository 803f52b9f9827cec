//! A decision being carried out.
//!
//! The obvious interface gives the caller a node and forgets him. Then every adapter has to know
//! which node comes next, what a failure says about the node, and what may be run again. Here the
//! adapter holds a [`Route`]: it runs the statement on the route's node, reports how that went,
//! and is given the next node or told to stop.
//!
//! A route that is dropped without a report (the future was cancelled) says nothing about its
//! node, and makes room for another trial if it was one.

use std::sync::Arc;

use crate::access::{Access, StatementKind};
use crate::ambient::Context;
use crate::breaker::Trial;
use crate::decision::{Decision, Reason, Role};
use crate::error::RoutingError;
use crate::failure::Failure;
use crate::node::Node;
use crate::notice::{
    announce, announce_change, announce_disguised, announce_late_pin, announce_refusal,
    report_failure,
};
use crate::patience::{CatchUp, Patience};
use crate::ports::Ports;
use crate::replica_set::ReplicaSet;
use crate::resolution::{self, Stop, primary_unavailable, session_of};
use crate::scope::ScopeView;
use crate::session::Session;
use crate::sight::{saw, wrote};

/// One statement on its way to a node.
#[derive(Debug)]
#[must_use = "a route is to be followed, and its outcome reported"]
pub struct Route<'r, P> {
    ports: &'r Ports,
    set: &'r ReplicaSet<P>,
    kind: StatementKind,
    access: Access,
    index: usize,
    reason: Reason,
    trial: Option<Trial>,
    /// Who writes, until it is known what became of it.
    writer: Option<Session>,
    /// Nodes that this statement has failed on, one bit each.
    tried: u64,
}

/// What a patient statement is told.
#[derive(Debug)]
pub(crate) enum Arrival<'r, P> {
    /// Run it there.
    Route(Route<'r, P>),
    /// Replicas are up, and none is known to have what the session requires: wait, and ask again.
    Behind(CatchUp),
}

/// What follows a failure.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an adapter has to handle each")]
pub enum Next<'r, P> {
    /// Run the statement once more, there.
    Route(Route<'r, P>),
    /// Stop with this error.
    Refused(RoutingError),
    /// Stop with the driver's own error: nobody may run the statement again.
    Unchanged,
}

impl<'r, P> Route<'r, P> {
    /// Finds the way of a new statement.
    #[inline]
    pub(crate) fn find(
        ports: &'r Ports,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<Self, RoutingError> {
        Self::find_untried(ports, set, kind, caller, 0, false)
            .map_err(|stop| refused(ports, set, stop))
    }

    /// The same for who can wait until a replica has caught up.
    #[inline]
    pub(crate) fn find_patiently(
        ports: &'r Ports,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
        patience: &mut Patience,
    ) -> Result<Arrival<'r, P>, RoutingError> {
        let wait = set.rules().catch_up_wait;
        let is_patient = !patience.is_over() && !wait.is_zero();
        match Self::find_untried(ports, set, kind, caller, 0, is_patient) {
            Ok(route) => Ok(Arrival::Route(route)),
            Err(Stop::Behind) => Self::wait(ports, set, kind, caller, patience),
            Err(stop) => Err(refused(ports, set, stop)),
        }
    }

    #[cold]
    fn wait(
        ports: &'r Ports,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
        patience: &mut Patience,
    ) -> Result<Arrival<'r, P>, RoutingError> {
        let left = patience.left(set.rules().catch_up_wait, &*ports.clock);
        // It may have changed before anybody listened.
        let changed = set.samples().listen();
        match (
            Self::find_untried(ports, set, kind, caller, 0, left.is_some()),
            left,
        ) {
            (Err(Stop::Behind), Some(left)) => Ok(Arrival::Behind(CatchUp::new(changed, left))),
            (found, _) => found
                .map(Arrival::Route)
                .map_err(|stop| refused(ports, set, stop)),
        }
    }

    #[inline]
    fn find_untried(
        ports: &'r Ports,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
        tried: u64,
        patient: bool,
    ) -> Result<Self, Stop> {
        let found = Context::with_current(|ambient| {
            resolution::resolve(ports, set, kind, caller, ambient, tried, patient)
        })?;
        if let Some(late) = found.late {
            announce_late_pin(ports, set.name(), late, kind.as_str());
        }
        let reason = match found.choice.reason {
            Reason::Balanced | Reason::Affine if tried != 0 => Reason::Failover,
            reason => reason,
        };
        let route = Self {
            ports,
            set,
            kind,
            access: found.access,
            index: found.choice.index,
            reason,
            trial: found.choice.trial,
            writer: None,
            tried,
        };
        let route = route.with_writer(caller);
        announce(ports, &route.decision());
        Ok(route)
    }

    /// With the session that writes: if nobody reports what became of the statement, it may have.
    #[inline]
    fn with_writer(mut self, caller: &Context) -> Self {
        if self.access == Access::Write && self.set.has_rules() && self.is_marked() {
            self.writer = Context::with_current(|ambient| session_of(caller, ambient).cloned());
        }
        self
    }

    /// Whether what the statement does or shows is the session's to remember.
    fn is_marked(&self) -> bool {
        match self.kind {
            StatementKind::Transaction | StatementKind::BeginReadOnly => false,
            // The user's way to write something that the session need not see.
            _ => self.access == Access::Read || self.reason != Reason::Forced,
        }
    }

    /// The node to run the statement on.
    #[must_use]
    pub fn node(&self) -> &'r Arc<Node<P>> {
        &self.set.nodes()[self.index]
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
        let may_be_refused = self.node().role() == Role::Replica;
        self.access == Access::Read
            && self.set.has_rules()
            && (may_be_refused || self.may_fail_over())
    }

    /// Whether another node may serve the statement, if this one fails.
    fn may_fail_over(&self) -> bool {
        let movable = match self.reason {
            Reason::Balanced
            | Reason::Affine
            | Reason::Failover
            | Reason::NoReplica
            | Reason::NotCaughtUp => true,
            Reason::Forced => self.node().role() == Role::Replica,
            Reason::Disabled
            | Reason::Unmanaged
            | Reason::Transaction
            | Reason::Named
            | Reason::Pinned
            | Reason::Write
            | Reason::NoSession => false,
        };
        movable && self.access == Access::Read && self.set.has_rules()
    }

    /// What was decided, and why.
    #[must_use]
    pub fn decision(&self) -> Decision<'r> {
        let node = self.node();
        Decision {
            set: self.set.name(),
            node: node.name(),
            role: node.role(),
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

    /// The node answered, be it with an error of the user's. What was written counts as
    /// acknowledged, and what was read as seen.
    #[inline]
    pub fn succeeded(mut self, caller: &Context) {
        self.writer = None;
        self.mark(caller);
        let node = self.node();
        if self.trial.is_none() && node.breaker.is_spotless() {
            return;
        }
        if self.set.has_rules() {
            let change = self.node().breaker.succeeded(self.trial.take());
            announce_change(self.ports, self.set.name(), self.node().name(), change);
        }
    }

    /// The session has done what the statement does, or may have.
    #[inline]
    fn mark(&self, caller: &Context) {
        if !self.is_marked() {
            return;
        }
        let asked_for = matches!(
            self.reason,
            Reason::Forced | Reason::Named | Reason::NoSession
        );
        match self.access {
            Access::Write => wrote(self.set, caller),
            Access::Read => saw(self.set, self.index, caller, asked_for),
        }
    }

    /// The statement failed on this node. For a read that has yielded no row there may be another;
    /// a write is never run again.
    #[must_use]
    pub fn failed(mut self, failure: Failure, caller: &Context) -> Next<'r, P> {
        self.writer = None;
        if !self.set.has_rules() {
            return Next::Unchanged;
        }
        report_failure(
            self.ports,
            self.set,
            self.node(),
            self.trial.take(),
            failure,
        );
        if !failure.was_not_sent() && self.access == Access::Write {
            self.mark(caller);
        }
        // What may have run, and is a read only because somebody said so, is not run again.
        let may_have_written = failure == Failure::Lost && self.kind.is_ambiguous();
        if self.may_fail_over() && !may_have_written {
            let tried = self.tried | (1 << self.index);
            match Self::find_untried(self.ports, self.set, self.kind, caller, tried, false) {
                Ok(next) => return Next::Route(next),
                Err(Stop::Refused(RoutingError::NoReplica { .. })) if failure == Failure::Busy => {
                    return Next::Unchanged;
                }
                Err(Stop::Refused(error)) => return self.refuse(error),
                Err(Stop::Exhausted | Stop::Behind) => {}
            }
        }
        match (failure, self.reason, self.node().role()) {
            (Failure::Unreachable, Reason::Named, _) => {
                let error = RoutingError::NodeUnavailable {
                    set: self.set.name().clone(),
                    node: self.node().name().clone(),
                    retry_in: None,
                    cause: None,
                };
                self.refuse(error)
            }
            (Failure::Unreachable, _, Role::Primary) => {
                self.refuse(primary_unavailable(self.set, None))
            }
            _ => Next::Unchanged,
        }
    }

    /// The node refused the statement as a write ([`Failure::ReadOnly`]), although it had been taken
    /// for a read. From now on all of its shape are writes, and so is this one: the rule decides it
    /// anew. The node is well.
    ///
    /// On the primary it is the driver's error that stands, as there nothing else is to be tried;
    /// unless the statement is where only reads may run.
    #[must_use]
    pub fn refused_as_write(mut self, sql: &str, caller: &Context) -> Next<'r, P> {
        self.writer = None;
        if !self.set.has_rules() {
            return Next::Unchanged;
        }
        let node = self.node();
        let change = node.breaker.succeeded(self.trial.take());
        announce_change(self.ports, self.set.name(), node.name(), change);
        if self.access != Access::Read {
            return Next::Unchanged;
        }
        // A primary refuses what a connection of its own, or its demotion, forbids.
        let is_replica = node.role() == Role::Replica;
        if is_replica {
            announce_disguised(self.ports, self.set, node.name(), sql);
        } else if !only_reads(self.set, caller) {
            return Next::Unchanged;
        }
        let kind = StatementKind::DisguisedWrite;
        match Self::find_untried(self.ports, self.set, kind, caller, 0, false) {
            Ok(next) => Next::Route(next),
            Err(stop) => self.refuse(error_of(self.set, stop)),
        }
    }

    fn refuse(&self, error: RoutingError) -> Next<'r, P> {
        announce_refusal(self.ports, &error);
        Next::Refused(error)
    }
}

impl<P> Drop for Route<'_, P> {
    fn drop(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.node().breaker.gave_up(trial);
        }
        if let Some(session) = self.writer.take() {
            wrote(self.set, &Context::default().with_session(&session));
        }
    }
}

fn refused<P>(ports: &Ports, set: &ReplicaSet<P>, stop: Stop) -> RoutingError {
    let error = error_of(set, stop);
    announce_refusal(ports, &error);
    error
}

fn error_of<P>(set: &ReplicaSet<P>, stop: Stop) -> RoutingError {
    match stop {
        Stop::Refused(error) => error,
        Stop::Exhausted | Stop::Behind => primary_unavailable(set, None),
    }
}

/// Whether the caller is where only reads may run.
fn only_reads<P>(set: &ReplicaSet<P>, caller: &Context) -> bool {
    Context::with_current(|ambient| {
        ScopeView::new(caller.scopes(), ambient.scopes(), set.name()).read_only
    })
}
