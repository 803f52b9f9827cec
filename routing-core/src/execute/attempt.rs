//! A statement that is sent: the permission for it, and what is to be said of how it went.

use std::future::{Future, ready};
use std::pin::pin;
use std::sync::Arc;

use event_listener::listener;

use crate::cluster::events::hurry_of;
use crate::cluster::latency::is_measured;
use crate::cluster::node::Node;
use crate::cluster::pools::PoolKey;
use crate::cluster::replica_set::ReplicaSet;
use crate::execute::race::race;
use crate::execute::route::Route;
use crate::observe::decision::Role;
use crate::observe::exclusion::Exclusion;
use crate::session::context::Context;
use crate::sql::kind::Access;
use crate::time::sequence;
use crate::time::timer::Timer;

/// The permission to send one statement, once, to its node.
///
/// A pool takes it for a connection. It cannot be copied, and outside of transactions only [`Route::start`] makes one.
#[derive(Debug)]
#[must_use = "the statement is to be sent"]
pub struct Permit<'r, P> {
    set: &'r ReplicaSet<P>,
    node: &'r Arc<Node<P>>,
    role: Role,
}

impl<'r, P> Permit<'r, P> {
    /// The permission to send one statement of a transaction that is open on `node`.
    pub(crate) const fn in_transaction(
        set: &'r ReplicaSet<P>,
        node: &'r Arc<Node<P>>,
        role: Role,
    ) -> Self {
        Self { set, node, role }
    }

    /// The role for which the node was chosen.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The node to send it to.
    #[must_use]
    pub const fn node(&self) -> &'r Arc<Node<P>> {
        self.node
    }

    /// What its pool is to be asked with.
    #[must_use]
    #[inline]
    pub fn pool_key(&self) -> PoolKey<'r, P> {
        self.set.pool_key(self.node)
    }
}

/// A statement that is sent, whose outcome is to be reported.
#[derive(Debug)]
#[must_use = "its outcome is to be reported"]
pub struct Running<'r, P> {
    pub(crate) route: Route<'r, P>,
}

impl<'r, P> Route<'r, P> {
    /// The permission to send the statement, and what is to be told how that went.
    #[inline]
    pub fn start(mut self) -> (Permit<'r, P>, Running<'r, P>) {
        if self.role == Role::Replica && is_measured() {
            self.started = Some(self.set.ports.clock.now());
        }
        if let Some(state) = &self.leaves {
            state.keep(self.node.id());
        }
        let permit = Permit {
            set: self.set,
            node: self.node(),
            role: self.role,
        };
        (permit, Running { route: self })
    }

    /// The node has no connection for it: the statement was not sent.
    pub const fn not_sent(self) -> Running<'r, P> {
        Running { route: self }
    }
}

impl<'r, P> Running<'r, P> {
    /// The node that it runs on.
    #[must_use]
    pub fn node(&self) -> &'r Arc<Node<P>> {
        self.route.node()
    }

    /// The role for which the node was chosen.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.route.role
    }

    /// Whether what it has read may be less than what was known to be there when it was decided: its
    /// replica was seen to begin anew since, or may have done so, as connections were made to it.
    ///
    /// For who cannot ask [`Route::holds`] between the wait for a connection and the sending; what is
    /// not ambiguous may be read again elsewhere.
    pub async fn shows_less_patiently<T: Timer>(&self) -> bool
    where
        P: Send + Sync,
    {
        self.route.role == Role::Replica
            && self.route.access == Access::Read
            && !self.route.holds_patiently::<T>().await
    }

    /// The node answered, be it with an error of the user's. What was written counts as
    /// acknowledged, and what was read as seen.
    #[inline]
    pub fn succeeded(mut self, caller: &Context) {
        let route = &mut self.route;
        route.writer = None;
        route.mark(caller);
        if let Some(started) = route.started {
            let took = route.set.ports.clock.now().since(started);
            route.node.load.measured(took);
        }
        route.answered();
    }

    /// What `running` comes to, the statement on its way; `None` if its node has been found not to
    /// answer at all, or to be of no use, in which case [`Running::silent`] says what follows.
    ///
    /// A statement that is slow is not cut off: after
    /// [`ProbeRules::suspect_after`](crate::ProbeRules) its node is asked for a sign of life, and is
    /// left only if it gives none, or is found to be none of the set's any more, such as a primary that
    /// has been superseded. Where nodes are not probed, there is no limit.
    pub async fn attend<T: Timer, F>(&self, running: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
        P: Send + Sync,
    {
        self.route.set.watch::<T, F>(self.node(), running).await
    }
}

impl<P: Send + Sync> ReplicaSet<P> {
    /// As [`Running::attend`], for a statement of a transaction that is open on `node`.
    pub async fn watch<T: Timer, F>(&self, node: &Node<P>, running: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        let is_out = || node.exclusions.get().first_of(Exclusion::OF_ALL).is_some();
        self.watch_until::<T, F>(node, running, is_out).await
    }

    /// As [`watch`](Self::watch), for rows that have begun: they are left only if the node does not answer.
    pub(crate) async fn watch_for_silence<T: Timer, F>(
        &self,
        node: &Node<P>,
        running: F,
    ) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        self.watch_until::<T, F>(node, running, || false).await
    }

    async fn watch_until<T: Timer, F>(
        &self,
        node: &Node<P>,
        running: F,
        is_out: impl Fn() -> bool + Send,
    ) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        if !node.is_monitored() || !T::is_running() {
            return Some(running.await);
        }
        let suspect_after = self.rules().probe.suspect_after;
        let mut running = pin!(running);
        // It may wait for a connection to who was the primary, and be given one.
        listener!(node.trouble() => trouble);
        if is_out() {
            return None;
        }
        match T::within(suspect_after, race(running.as_mut(), trouble)).await {
            Some(Some(outcome)) => return Some(outcome),
            Some(None) if is_out() => return None,
            Some(None) | None => {}
        }
        let mark = sequence::now();
        let _attended = node.attend();
        loop {
            let trouble = node.trouble().listen();
            let is_silent = node.is_silent_since(mark) && !node.breaker.is_up();
            if is_silent || is_out() {
                return None;
            }
            hurry_of(self, node).ask();
            let waiting = T::within(suspect_after, trouble);
            if let Some(outcome) = race(running.as_mut(), waiting).await {
                return Some(outcome);
            }
        }
    }
}

/// Awaits a connection; `None` if the route's node went down since the router
/// decided on it.
pub(crate) async fn while_usable<P, F: Future>(
    route: &Route<'_, P>,
    waiting: F,
) -> Option<F::Output> {
    let mut waiting = pin!(waiting);
    // Nearly always there is a connection, and nothing to wait for.
    if let Some(outcome) = race(waiting.as_mut(), ready(())).await {
        return Some(outcome);
    }
    loop {
        let trouble = route.node().trouble().listen();
        if route.is_forsaken() {
            return None;
        }
        if let Some(outcome) = race(waiting.as_mut(), trouble).await {
            return Some(outcome);
        }
    }
}
