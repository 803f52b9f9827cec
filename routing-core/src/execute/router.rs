//! All replica sets of a program, and the way into them.

use std::sync::Arc;

use crate::cluster::replica_set::ReplicaSet;
use crate::error::RoutingError;
use crate::execute::route::Route;
use crate::monitor::Monitor;
use crate::names::SetName;
use crate::observe::ports::Ports;
use crate::session::context::Context;
use crate::sql::kind::StatementKind;
use crate::sql::set_lookup::Delegate;
use crate::time::clock::Clock;

/// Decides for every statement which node runs it.
///
/// It is what an adapter is built on; `P` is the adapter's pool of connections to one node.
/// Applications use an adapter's routed connection instead.
///
/// ```
/// use routing_core::{Context, Failure, Next, ReplicaSet, Router, Session, StatementKind};
///
/// let set = ReplicaSet::builder("default", "pool of db-1")
///     .replica("pool of db-2")
///     .replica("pool of db-3")
///     .build()?;
/// let router = Router::new([set])?;
/// let set = router.set("default")?;
///
/// let caller = Context::default().with_session(&Session::new());
/// let route = router.route(set, StatementKind::Select, &caller)?;
/// assert_ne!(*route.node().pool(), "pool of db-1");
///
/// // Its node cannot be reached: the other replica is next.
/// let first = *route.node().pool();
/// let Next::Route(route) = route.not_sent().failed(Failure::Unreachable, &caller) else {
///     panic!("there is another replica");
/// };
/// assert_ne!(*route.node().pool(), first);
/// route.start().1.succeeded(&caller);
///
/// // A write pins the session.
/// let (permit, running) = router.route(set, StatementKind::Insert, &caller)?.start();
/// println!("{}", permit.node().pool()); // a pool takes it for a connection
/// running.succeeded(&caller);
/// let route = router.route(set, StatementKind::Select, &caller)?;
/// assert_eq!(*route.node().pool(), "pool of db-1");
/// # drop(route);
/// # Ok::<(), routing_core::RoutingError>(())
/// ```
#[derive(Debug)]
pub struct Router<P> {
    pub(super) sets: Box<[Arc<ReplicaSet<P>>]>,
    /// Whether some set has tables of its own.
    pub(super) divided: bool,
    pub(super) delegate: Option<Arc<dyn Delegate>>,
    pub(super) ports: Ports,
}

impl<P> Router<P> {
    /// A router over these sets; the first is the default.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if there is no set, or if two have one name or one table.
    pub fn new(sets: impl IntoIterator<Item = ReplicaSet<P>>) -> Result<Self, RoutingError> {
        Self::builder(sets).build()
    }

    /// A monitor for each node of a set that has none yet. Nodes that are monitored are used when they
    /// have been observed, and not before.
    #[must_use]
    pub fn monitors(&self, set: &Arc<ReplicaSet<P>>) -> Vec<Monitor<P>> {
        Monitor::of_set(set)
    }

    /// All sets, the default one first.
    #[must_use]
    pub fn sets(&self) -> &[Arc<ReplicaSet<P>>] {
        &self.sets
    }

    /// The default set.
    #[must_use]
    pub fn default_set(&self) -> &Arc<ReplicaSet<P>> {
        &self.sets[0]
    }

    /// The set of that name.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`] if there is none.
    pub fn set(&self, name: impl Into<SetName>) -> Result<&Arc<ReplicaSet<P>>, RoutingError> {
        let name = name.into();
        self.sets
            .iter()
            .find(|set| set.name().same(&name))
            .ok_or_else(|| RoutingError::UnknownSet {
                set: name,
                known: self.sets.iter().map(|set| set.name().clone()).collect(),
            })
    }

    /// The set of a caller's value; the default one if there is no delegate, or if it knows none.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`] if the delegate names a set that there is not.
    pub fn set_of_key(&self, key: &str) -> Result<&Arc<ReplicaSet<P>>, RoutingError> {
        let name = self.delegate.as_ref().and_then(|d| d.set_of_key(key));
        name.map_or_else(|| Ok(self.default_set()), |name| self.set(name))
    }

    /// Decides where a statement runs, and pins the session if the rule says so.
    ///
    /// `caller` is what the caller's handle holds; where it has no session, the one that the code
    /// runs in counts, and its scopes are inside those that the code runs in.
    ///
    /// # Errors
    ///
    /// What the rule refuses: every variant of [`RoutingError`] but `Config`, `UnknownSet`,
    /// `CrossSet`, `NoSession` and `WriteInReadOnlyTransaction`.
    #[inline]
    pub fn route<'r>(
        &'r self,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<Route<'r, P>, RoutingError> {
        Route::find(set, kind, caller)
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.ports.clock
    }
}
