//! All replica sets of a program, and the way into them.

use std::sync::Arc;

use crate::access::{Access, StatementKind};
use crate::ambient::Context;
use crate::clock::Clock;
use crate::error::{ConfigProblem, RoutingError};
use crate::failure::Failure;
use crate::name::SetName;
use crate::node::Node;
use crate::notice::report_failure;
use crate::observer::Observer;
use crate::ports::Ports;
use crate::replica_set::ReplicaSet;
use crate::route::{Route, check_in_transaction, pin};

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
/// let Next::Route(route) = route.failed(Failure::Unreachable, &caller) else {
///     panic!("there is another replica");
/// };
/// assert_ne!(*route.node().pool(), first);
/// route.succeeded();
///
/// // A write pins the session.
/// router.route(set, StatementKind::Insert, &caller)?.succeeded();
/// let route = router.route(set, StatementKind::Select, &caller)?;
/// assert_eq!(*route.node().pool(), "pool of db-1");
/// route.succeeded();
/// # Ok::<(), routing_core::RoutingError>(())
/// ```
#[derive(Debug)]
pub struct Router<P> {
    sets: Box<[Arc<ReplicaSet<P>>]>,
    ports: Ports,
}

impl<P> Router<P> {
    /// A router over these sets; the first is the default.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if there is no set, or if two have one name.
    pub fn new(sets: impl IntoIterator<Item = ReplicaSet<P>>) -> Result<Self, RoutingError> {
        let sets: Box<[_]> = sets.into_iter().map(Arc::new).collect();
        let mut problems = Vec::new();
        if sets.is_empty() {
            problems.push(ConfigProblem::new("sets", "there is none"));
        }
        for (i, set) in sets.iter().enumerate() {
            if sets[..i].iter().any(|earlier| earlier.name() == set.name()) {
                let path = format!("sets.{}", set.name());
                problems.push(ConfigProblem::new(path, "two sets have this name"));
            }
        }
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        Ok(Self {
            sets,
            ports: Ports::default(),
        })
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ports.clock = clock;
        self
    }

    /// The same with an observer.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.ports.observer = Some(observer);
        self
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

    /// Decides where a statement runs, and pins the session if the rule says so.
    ///
    /// `caller` is what the caller's handle holds; where it has no session, the one that the code
    /// runs in counts, and its scopes are inside those that the code runs in.
    ///
    /// # Errors
    ///
    /// What the rule refuses: every variant of [`RoutingError`] but `Config`, `UnknownSet`,
    /// `NoSession` and `WriteInReadOnlyTransaction`.
    #[inline]
    pub fn route<'r>(
        &'r self,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<Route<'r, P>, RoutingError> {
        Route::find(&self.ports, set, kind, caller)
    }

    /// Pins the caller's session on a set, as [`Session::pin`](crate::Session::pin) does. A set
    /// without rules needs no pin, and gets none.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::NoSession`] if there is no session.
    /// - [`RoutingError::Frozen`] and [`RoutingError::LatePin`] as for `Session::pin`.
    pub fn pin(&self, set: &ReplicaSet<P>, caller: &Context) -> Result<(), RoutingError> {
        pin(&self.ports, set, caller)
    }

    /// Checks a statement of a transaction that is open on `node`, where it stays.
    ///
    /// # Errors
    ///
    /// [`RoutingError::WriteInReadOnlyTransaction`] if `transaction`, the transaction's own
    /// access, is `Read` and the statement is a write.
    pub fn check_in_transaction(
        &self,
        set: &ReplicaSet<P>,
        node: &Node<P>,
        transaction: Access,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<(), RoutingError> {
        check_in_transaction(&self.ports, set, node, transaction, kind, caller)
    }

    /// Takes note that a node failed outside a [`Route`], such as in the middle of a transaction.
    pub fn report_failure(&self, set: &ReplicaSet<P>, node: &Node<P>, failure: Failure) {
        report_failure(&self.ports, set, node, None, failure);
    }
}
