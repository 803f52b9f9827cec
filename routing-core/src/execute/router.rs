//! All replica sets of a program, and the way into them.

use std::future::Future;
use std::sync::Arc;

use crate::cluster::events::{announce_disguised, announce_refusal, report_failure};
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::error::{ConfigProblem, RoutingError};
use crate::execute::attempt::watch;
use crate::execute::record::{saw, wrote, wrote_out_of_sight};
use crate::execute::route::Route;
use crate::execute::transaction::{
    check_commit, check_in_transaction, pin, refused_in_transaction,
};
use crate::monitor::Monitor;
use crate::names::SetName;
use crate::observe::decision::Role;
use crate::observe::failure::Failure;
use crate::observe::observer::Observer;
use crate::observe::ports::Ports;
use crate::session::context::Context;
use crate::sql::kind::{Access, StatementKind};
use crate::sql::set_lookup::Delegate;
use crate::sql::{TableName, tables};
use crate::time::clock::Clock;
use crate::time::timer::Timer;

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
    sets: Box<[Arc<ReplicaSet<P>>]>,
    /// Whether some set has tables of its own.
    divided: bool,
    delegate: Option<Arc<dyn Delegate>>,
    pub(crate) ports: Ports,
}

/// A set, and a table that it has.
type Belongs<'r, 's, P> = (&'r Arc<ReplicaSet<P>>, TableName<'s>);

impl<P> Router<P> {
    /// A router over these sets; the first is the default.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if there is no set, or if two have one name or one table.
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
        for (i, set) in sets.iter().enumerate() {
            for table in set.tables() {
                let has = |other: &&Arc<ReplicaSet<P>>| other.tables().contains(table);
                if let Some(other) = sets[..i].iter().find(has) {
                    let path = format!("sets.{}.tables", set.name());
                    let message = format!("`{table}` is a table of set `{}` too", other.name());
                    problems.push(ConfigProblem::new(path, message));
                }
            }
        }
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        Ok(Self {
            divided: sets.iter().any(|set| !set.tables().is_empty()),
            delegate: None,
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

    /// The same with a delegate, which is asked before the sets' own lists of tables.
    #[must_use]
    pub fn with_delegate(mut self, delegate: Arc<dyn Delegate>) -> Self {
        self.delegate = Some(delegate);
        self
    }

    /// A monitor for each node of a set that has none yet. Nodes that are monitored are used when they
    /// have been observed, and not before.
    #[must_use]
    pub fn monitors(&self, set: &Arc<ReplicaSet<P>>) -> Vec<Monitor<P>> {
        Monitor::of_set(&self.ports, set)
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

    /// The set of a statement that a handle on `set` is given: on the default set the one that has
    /// the statement's tables, else `set` itself, as somebody chose it.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::CrossSet`] if two sets have the statement's tables.
    /// - [`RoutingError::UnknownSet`] if the delegate names a set that there is not.
    #[inline]
    pub fn set_of_statement<'r>(
        &'r self,
        set: &'r Arc<ReplicaSet<P>>,
        sql: &str,
    ) -> Result<&'r Arc<ReplicaSet<P>>, RoutingError> {
        if !self.divided && self.delegate.is_none() {
            return Ok(set);
        }
        let theirs = self.set_of_tables(set, sql)?;
        Ok(match theirs {
            Some((theirs, _)) if Arc::ptr_eq(set, self.default_set()) => theirs,
            _ => set,
        })
    }

    /// Checks that a statement may run where it cannot be sent to another set: in a transaction, or
    /// on a connection that was taken from one.
    ///
    /// # Errors
    ///
    /// [`RoutingError::CrossSet`] if two sets have its tables, or if `set` is the default one and
    /// another has them.
    #[inline]
    pub fn check_tables(&self, set: &Arc<ReplicaSet<P>>, sql: &str) -> Result<(), RoutingError> {
        if !self.divided && self.delegate.is_none() {
            return Ok(());
        }
        match self.set_of_tables(set, sql)? {
            Some((theirs, table))
                if Arc::ptr_eq(set, self.default_set()) && !Arc::ptr_eq(set, theirs) =>
            {
                Err(self.cross_set(set, theirs, &table))
            }
            _ => Ok(()),
        }
    }

    /// The kind of a statement that stays on `set`, if it may run there at all.
    ///
    /// # Errors
    ///
    /// As for [`check_tables`](Self::check_tables).
    pub fn examine(
        &self,
        set: &Arc<ReplicaSet<P>>,
        sql: &str,
    ) -> Result<StatementKind, RoutingError> {
        self.check_tables(set, sql)?;
        Ok(set.kind_of(sql))
    }

    /// The one set that has the tables of a statement, and the first of them.
    fn set_of_tables<'r, 's>(
        &'r self,
        set: &ReplicaSet<P>,
        sql: &'s str,
    ) -> Result<Option<Belongs<'r, 's, P>>, RoutingError> {
        let Some(dialect) = set.classifier().dialect() else {
            return Ok(None);
        };
        let mut found: Option<Belongs<'_, '_, P>> = None;
        let mut wrong = None;
        // What is not all is enough: what was seen has to be together.
        let _ = tables(sql, dialect, |table| {
            match (self.set_of_table(&table), found) {
                (Err(error), _) => wrong = wrong.take().or(Some(error)),
                (Ok(Some(theirs)), None) => found = Some((theirs, table)),
                (Ok(Some(theirs)), Some((set, _))) if !Arc::ptr_eq(set, theirs) => {
                    let error = || self.cross_set(set, theirs, &table);
                    wrong = wrong.take().or_else(|| Some(error()));
                }
                _ => {}
            }
        });
        wrong.map_or(Ok(found), Err)
    }

    fn set_of_table(
        &self,
        table: &TableName<'_>,
    ) -> Result<Option<&Arc<ReplicaSet<P>>>, RoutingError> {
        if let Some(name) = self.delegate.as_ref().and_then(|d| d.set_of_table(table)) {
            return self.set(name).map(Some);
        }
        let lists = |set: &&Arc<ReplicaSet<P>>| set.tables().iter().any(|name| table.is(name));
        let listed = self.sets.iter().find(lists);
        // Where there are lists, they are complete: what is on none is the default set's.
        Ok(listed.or_else(|| self.divided.then(|| self.default_set())))
    }

    #[cold]
    fn cross_set(
        &self,
        set: &ReplicaSet<P>,
        other: &ReplicaSet<P>,
        table: &TableName<'_>,
    ) -> RoutingError {
        let error = RoutingError::CrossSet {
            set: set.name().clone(),
            other: other.name().clone(),
            table: table.name().into_owned(),
        };
        announce_refusal(&self.ports, &error);
        error
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
        Route::find(&self.ports, set, kind, caller)
    }

    /// Takes note that the caller's session has seen what `node` shows now, outside a [`Route`]: at
    /// the end of each statement of a transaction, and of a stream.
    #[inline]
    pub fn saw(&self, set: &ReplicaSet<P>, node: &Node<P>, caller: &Context) {
        saw(set, node, set.role_of(node), caller, false);
    }

    /// Takes note that the caller's session has written, or may have, outside a [`Route`]: when a
    /// commit is acknowledged, or lost, and at the end of a stream.
    pub fn wrote(&self, set: &ReplicaSet<P>, caller: &Context) {
        wrote(set, caller);
    }

    /// Takes note that the caller's session goes on to write where nobody will see when: it stays on
    /// the primary.
    pub fn wrote_out_of_sight(&self, set: &ReplicaSet<P>, caller: &Context) {
        wrote_out_of_sight(set, caller);
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.ports.clock
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
    /// - [`RoutingError::WriteInReadOnlyTransaction`] if `transaction`, the transaction's own
    ///   access, is `Read` and the statement is a write.
    /// - As for [`check_commit`](Self::check_commit).
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

    /// Checks whether a transaction that is open on `node` may be committed there.
    ///
    /// # Errors
    ///
    /// [`RoutingError::PrimaryUnavailable`] if it has written and another node is the primary by now:
    /// what is committed on a node that nobody follows is lost. It is to be rolled back.
    pub fn check_commit(
        &self,
        set: &ReplicaSet<P>,
        node: &Node<P>,
        transaction: Access,
    ) -> Result<(), RoutingError> {
        check_commit(&self.ports, set, node, transaction)
    }

    /// Takes note that a node refused a statement of an open transaction as a write
    /// ([`Failure::ReadOnly`]). If the statement had been taken for a read, and `transaction` is one
    /// that only reads, this is the error to give in place of the driver's: all of its shape are
    /// writes from now on.
    #[must_use]
    pub fn refused_in_transaction(
        &self,
        set: &ReplicaSet<P>,
        node: &Node<P>,
        transaction: Access,
        sql: &str,
    ) -> Option<RoutingError> {
        refused_in_transaction(&self.ports, set, node, transaction, sql)
    }

    /// Takes note that a node refused a statement as a write ([`Failure::ReadOnly`]) when some of its
    /// rows had been given: all of its shape are writes from now on, but this one is not run again.
    pub fn report_disguised_write(&self, set: &ReplicaSet<P>, node: &Node<P>, sql: &str) {
        if set.has_rules() && set.role_of(node) == Role::Replica {
            announce_disguised(&self.ports, set, node.name(), sql);
        }
    }

    /// As [`Running::attend`](crate::Running::attend), for a statement of a transaction that is open
    /// on `node`; `None` if the node does not answer at all.
    pub async fn attend<T: Timer, F>(
        &self,
        set: &ReplicaSet<P>,
        node: &Node<P>,
        running: F,
    ) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
        P: Send + Sync,
    {
        watch::<T, P, F>(set, node, running).await
    }

    /// Takes note that a node failed outside a [`Route`], such as in the middle of a transaction.
    pub fn report_failure(&self, set: &ReplicaSet<P>, node: &Node<P>, failure: Failure) {
        report_failure(&self.ports, set, node, None, failure);
    }
}
