//! What follows when a statement has failed: another node, another attempt, or the error.
//!
//! The obvious way is to run again what failed. What may have been executed would be executed twice,
//! and a node that is down would be asked by everybody as often as he likes. The rule here, by the
//! [class](Failure) of the failure:
//!
//! - a read that has yielded no row goes to the next candidate, to [`RetryRules::attempts`] replicas
//!   at most and then the primary, and not after [`RetryRules::deadline`];
//! - what needs the primary, and certainly did nothing, is tried again after a back-off that doubles
//!   and is spread at random, so that those who failed together do not come back together;
//! - what a standby does not run goes to the primary, as does every statement of its shape from then on;
//! - what the primary refused as a write waits until somebody knows who the primary is;
//! - everything else is the caller's to decide.

use crate::cluster::events::{announce_change, report_failure};
use crate::cluster::replica_set::ReplicaSet;
use crate::decide::admission::{Stop, WaitsFor, node_unavailable, primary_unavailable};
use crate::decide::attempts::{Past, Tried};
use crate::error::RoutingError;
use crate::execute::announce::{announce_disguised, announce_primary_read, announce_refusal};
use crate::execute::attempt::Running;
use crate::execute::next::{Next, Then, back_off};
use crate::execute::route::{Route, error_of};
use crate::observe::decision::{Reason, Role};
use crate::observe::exclusion::Exclusion;
use crate::observe::failure::Failure;
use crate::session::context::Context;
use crate::session::scope::ScopeView;
use crate::sql::kind::{Access, StatementKind};
use crate::time::sequence;
use crate::time::timer::Timer;

impl<'r, P> Running<'r, P> {
    /// The statement failed on its node.
    ///
    /// Who calls this waits for nothing, so that what could be tried again later fails now.
    #[must_use]
    pub fn failed(self, failure: Failure, caller: &Context) -> Next<'r, P> {
        match self.route.after(failure, caller) {
            Then::Now(next) => next,
            Then::Later(route, _) | Then::Roles(route, _) => route.give_up(failure),
        }
    }

    /// The same for who can wait: for the back-off before another attempt.
    pub async fn failed_patiently<T: Timer>(self, failure: Failure, caller: &Context) -> Next<'r, P>
    where
        P: Send + Sync,
    {
        match self.route.after(failure, caller) {
            Then::Now(next) => next,
            then => then.wait_async::<T>(failure, caller).await,
        }
    }

    /// The same on a thread, which is blocked for as long.
    #[must_use]
    pub fn failed_blocking(self, failure: Failure, caller: &Context) -> Next<'r, P> {
        match self.route.after(failure, caller) {
            Then::Now(next) => next,
            then => then.wait(failure, caller),
        }
    }

    /// Neither the statement nor a probe of its node was answered. What may have been executed is not
    /// run again, so that a write is [`OutcomeUnknown`](RoutingError::OutcomeUnknown).
    ///
    /// # Errors
    ///
    /// - [`RoutingError::OutcomeUnknown`] for what may have written.
    /// - [`RoutingError::PrimaryUnavailable`], [`RoutingError::NodeUnavailable`] for a read that
    ///   nobody else can answer.
    pub fn silent(self, caller: &Context) -> Result<Route<'r, P>, RoutingError> {
        let (set, node) = (self.route.set, self.node());
        let (role, kind) = (self.route.role, self.route.kind);
        let is_read = self.route.access == Access::Read && !kind.is_ambiguous();
        match self.failed(Failure::Silent, caller) {
            Next::Route(route) => Ok(route),
            Next::Refused(error) => Err(error),
            Next::Unchanged => {
                let name = set.name().clone();
                let error = match role {
                    _ if !is_read => RoutingError::OutcomeUnknown {
                        set: name,
                        node: node.name().clone(),
                        kind,
                    },
                    Role::Primary => primary_unavailable(set, None),
                    Role::Replica => node_unavailable(set, node, None),
                };
                announce_refusal(&set.ports, &error);
                Err(error)
            }
        }
    }

    /// Takes note of what a standby does not run ([`Failure::NotOnStandby`]): all of its shape go to the
    /// primary from now on.
    pub fn refused_by_standby(&self, sql: &str) {
        if self.route.kind.refused_by_standby() == StatementKind::PrimaryRead {
            announce_primary_read(self.route.set, self.node().name(), sql);
        }
    }

    /// The node refused the statement as a write ([`Failure::ReadOnly`]).
    ///
    /// On a replica it had been taken for a read: from now on all of its shape are writes, and so is
    /// this one; the rule decides it anew. The node is well.
    ///
    /// On the primary it is the driver's error that stands, as there nothing else is to be tried;
    /// unless the statement is where only reads may run, or the primary is none any more.
    #[must_use]
    pub fn refused_as_write(self, sql: &str, caller: &Context) -> Next<'r, P> {
        match self.route.after_refusal(sql, caller) {
            Then::Now(next) => next,
            Then::Later(route, _) | Then::Roles(route, _) => route.give_up(Failure::ReadOnly),
        }
    }

    /// The same for who can wait until it is known who is the primary.
    pub async fn refused_as_write_patiently<T: Timer>(
        self,
        sql: &str,
        caller: &Context,
    ) -> Next<'r, P>
    where
        P: Send + Sync,
    {
        match self.route.after_refusal(sql, caller) {
            Then::Now(next) => next,
            then => then.wait_async::<T>(Failure::ReadOnly, caller).await,
        }
    }

    /// The same on a thread, which is blocked for as long.
    #[must_use]
    pub fn refused_as_write_blocking(self, sql: &str, caller: &Context) -> Next<'r, P> {
        match self.route.after_refusal(sql, caller) {
            Then::Now(next) => next,
            then => then.wait(Failure::ReadOnly, caller),
        }
    }
}

impl<'r, P> Route<'r, P> {
    fn after(mut self, failure: Failure, caller: &Context) -> Then<'r, P> {
        self.writer = None;
        if !self.set.has_rules() {
            return Then::Now(Next::Unchanged);
        }
        let trial = self.trial.take();
        report_failure(self.set, self.node(), trial, failure, self.mark);
        if self.access == Access::Write {
            if failure.may_go_on() {
                self.mark_untracked(caller);
            } else if !failure.did_nothing()
                || (failure == Failure::Starting && !self.kind.is_one_whole())
            {
                self.mark(caller);
            }
        }
        if failure == Failure::NotOnStandby && self.reason != Reason::Named {
            self.kind = self.kind.refused_by_standby();
            return Then::Now(match self.find_next(caller, Past::default()) {
                Ok(next) => {
                    self.moves_on(failure);
                    Next::Route(next)
                }
                Err(stop) => self.refuse(error_of(self.set, stop)),
            });
        }
        let now = self.set.ports.clock.now();
        let failing_since = *self.past.trouble().failing_since.get_or_insert(now);
        let retry = self.set.rules().retry;
        let is_in_time = now.since(failing_since) < retry.deadline;
        // What may have run, and is a read only because somebody said so, is not run again. To begin
        // a transaction does nothing.
        let may_have_written = !failure.did_nothing()
            && self.kind.is_ambiguous()
            && self.kind != StatementKind::Transaction;
        if self.may_fail_over() && !may_have_written && is_in_time {
            let mut past = self.past.clone();
            let trouble = past.trouble();
            trouble.tried = trouble.tried.and(self.place);
            match self.find_next(caller, past) {
                Ok(next) => {
                    self.moves_on(failure);
                    return Then::Now(Next::Route(next));
                }
                // What the driver said is of more use.
                Err(Stop::Refused(RoutingError::NoReplica { .. }))
                    if matches!(failure, Failure::Busy | Failure::RecoveryConflict) =>
                {
                    return Then::Now(Next::Unchanged);
                }
                Err(Stop::Refused(error)) => return Then::Now(self.refuse(error)),
                Err(Stop::Exhausted | Stop::Unserved(_)) => {}
            }
        }
        if self.may_be_tried_again(failure) && is_in_time {
            let attempts = self.past.one_more_attempt();
            if attempts < retry.attempts {
                let back_off = back_off(&retry, attempts, self.set.random.next());
                let left = retry.deadline.saturating_sub(now.since(failing_since));
                return Then::Later(self, back_off.min(left));
            }
        }
        Then::Now(self.give_up(failure))
    }

    /// What nobody else can do: what needs the primary, if that could not be reached; and a read that has
    /// failed wherever it may run, also if connections broke, as that may have been of an earlier time.
    fn may_be_tried_again(&self, failure: Failure) -> bool {
        let is_read = self.access == Access::Read && !self.kind.is_ambiguous();
        let may = match failure {
            Failure::Unreachable => true,
            // One statement of a procedure, or of several, may be told so after others have run
            // (Galera's 1047).
            Failure::Starting => self.kind.is_one_whole(),
            Failure::Lost | Failure::Stopping | Failure::Ended => is_read,
            Failure::Silent
            | Failure::Busy
            | Failure::ReadOnly
            | Failure::RecoveryConflict
            | Failure::NotOnStandby => false,
        };
        may && (self.role == Role::Primary || is_read) && self.reason != Reason::Named
    }

    fn after_refusal(mut self, sql: &str, caller: &Context) -> Then<'r, P> {
        self.writer = None;
        if !self.set.has_rules() {
            return Then::Now(Next::Unchanged);
        }
        let node = self.node();
        let change = node.breaker.succeeded(self.trial.take());
        announce_change(self.set, node, change);
        if self.access != Access::Read {
            if !self.kind.is_one_whole() {
                // Statements before the one that was refused may have been executed.
                self.mark(caller);
            }
            // A connection of its own may forbid it, or its demotion. What may be more than one
            // statement may have done something before the one that was refused.
            let knows_more =
                node.is_monitored() && self.role == Role::Primary && self.kind.is_one_whole();
            let attempts = self.past.one_more_attempt();
            if !knows_more || attempts >= self.set.rules().retry.attempts {
                return Then::Now(Next::Unchanged);
            }
            let mark = sequence::now();
            self.set.hurry_all();
            return Then::Roles(self, mark);
        }
        let is_replica = self.role == Role::Replica;
        if is_replica {
            announce_disguised(self.set, node.name(), sql);
        } else if !only_reads(self.set, caller) {
            return Then::Now(Next::Unchanged);
        }
        self.kind = StatementKind::DisguisedWrite;
        let next = self.find_next(caller, Past::default());
        Then::Now(match next {
            Ok(next) => Next::Route(next),
            Err(stop) => self.refuse(error_of(self.set, stop)),
        })
    }

    fn find_next(&self, caller: &Context, past: Past) -> Result<Self, Stop> {
        let waits_for = WaitsFor::default();
        Self::find_after(self.set, self.kind, caller, past, waits_for)
    }

    /// The same again: the rule decides it anew.
    pub(super) fn again(mut self, failure: Failure, caller: &Context) -> Next<'r, P> {
        // Whoever else has been tried had his turn.
        let mut past = std::mem::take(&mut self.past);
        past.trouble().tried = Tried::default();
        match self.find_next(caller, past) {
            Ok(next) => {
                self.moves_on(failure);
                Next::Route(next)
            }
            Err(stop) => self.refuse(error_of(self.set, stop)),
        }
    }

    fn moves_on(&self, failure: Failure) {
        let (set, node) = (self.set.name(), self.node().name());
        tracing::debug!(
            target: "routing",
            set = set.as_str(),
            node = node.as_str(),
            ?failure,
            "a statement moves on"
        );
        self.set
            .ports
            .observe(|observer| observer.moved_on(set, node, failure));
    }

    /// The error to stop with.
    fn give_up(self, failure: Failure) -> Next<'r, P> {
        match (failure, self.reason, self.role) {
            (Failure::Unreachable | Failure::Starting, Reason::Named, _) => {
                self.refuse(node_unavailable(self.set, self.node(), None))
            }
            (Failure::Unreachable | Failure::Starting, _, Role::Primary) => {
                self.refuse(primary_unavailable(self.set, None))
            }
            _ => Next::Unchanged,
        }
    }

    fn refuse(&self, error: RoutingError) -> Next<'r, P> {
        announce_refusal(&self.set.ports, &error);
        Next::Refused(error)
    }

    /// Whether it is known by now who is the primary: another, or this one, which was asked since.
    pub(super) fn knows_roles(&self, mark: u64) -> bool {
        let is_primary = self.set.role_of(self.node()) == Role::Primary;
        !is_primary || self.node().is_answered_since(mark)
    }

    /// The primary was asked, or could not be.
    pub(super) fn with_roles(self, caller: &Context) -> Next<'r, P> {
        let is_primary = self.set.role_of(self.node()) == Role::Primary;
        let is_closed = self.node().exclusions.get().has(Exclusion::ReadOnly);
        if is_primary && !is_closed {
            // It takes writes, but not this one.
            return Next::Unchanged;
        }
        self.again(Failure::ReadOnly, caller)
    }
}

/// Whether the caller is where only reads may run.
fn only_reads<P>(set: &ReplicaSet<P>, caller: &Context) -> bool {
    Context::with_current(|ambient| {
        ScopeView::new(caller.scopes(), ambient.scopes(), set.name()).read_only
    })
}
