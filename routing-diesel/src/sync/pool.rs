//! The handle that an application holds.

use std::fmt;
use std::sync::Arc;

use diesel::result::QueryResult;
use routing_core::{
    Context, LagLimits, NodeName, ReplicaSet, Router, RoutingConfig, RoutingError, Scope, Session,
    SetName, StatementKind, Status,
};

use super::connection::RoutedConnection;
use super::node_pool::NodePool;
use crate::database::Routable;
use crate::error::into_diesel;
use crate::kinds::{Examine, Kinds};
use crate::read_only::ReadOnly;

/// A pool of [`RoutedConnection`]s to a replica set, in place of an r2d2 pool.
///
/// It is a cheap clone. A handle looks at one set, has a session of its own or takes the one that
/// its caller runs in, and may have scopes of its own.
pub struct RoutedPool<C: Routable> {
    pub(crate) router: Arc<Router<NodePool<C>>>,
    pub(crate) set: Arc<ReplicaSet<NodePool<C>>>,
    pub(crate) context: Context,
}

impl<C: Routable> RoutedPool<C> {
    /// A connection in the session of this handle, else in the one that the caller runs in, else in
    /// none. It has no connection to any node until a statement needs one.
    ///
    /// # Errors
    ///
    /// None as yet: it is a `Result` so that code written for r2d2's `get` stays as it is.
    pub fn get(&self) -> Result<RoutedConnection<C>, RoutingError> {
        let mut context = self.context.clone();
        if context.session().is_none()
            && let Some(session) = Session::current()
        {
            context = context.with_session(&session);
        }
        Ok(RoutedConnection::new(self, context))
    }

    /// A connection in this session.
    ///
    /// # Errors
    ///
    /// None as yet, as for [`get`](Self::get).
    pub fn get_in(&self, session: &Session) -> Result<RoutedConnection<C>, RoutingError> {
        self.with_session(session).get()
    }

    /// A connection that only reads, and whose type says so, in the session that
    /// [`get`](Self::get) finds.
    ///
    /// # Errors
    ///
    /// None as yet, as for [`get`](Self::get).
    pub fn get_read_only(&self) -> Result<ReadOnly<RoutedConnection<C>>, RoutingError> {
        let pool = self.scoped(Scope::read_only());
        pool.get().map(ReadOnly)
    }

    /// A handle whose connections belong to `session`, whatever its caller runs in.
    #[must_use]
    pub fn with_session(&self, session: &Session) -> Self {
        Self {
            context: self.context.clone().with_session(session),
            ..self.clone()
        }
    }

    /// A handle whose connections are in `scope`, inside the scopes that their caller runs in.
    #[must_use]
    pub fn scoped(&self, scope: Scope) -> Self {
        Self {
            context: self.context.clone().with_scope(scope),
            ..self.clone()
        }
    }

    /// A handle to another replica set of the same configuration.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`] if the configuration has none of that name.
    pub fn on_set(&self, set: impl Into<SetName>) -> Result<Self, RoutingError> {
        Ok(Self {
            set: Arc::clone(self.router.set(set)?),
            ..self.clone()
        })
    }

    /// A handle to the replica set of a caller's value, such as a tenant: the configuration's
    /// [`Delegate`](routing_core::Delegate) knows it. Without one, and for a value that it does not
    /// know, that is the default set.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`] if the delegate names a set that there is not.
    pub fn for_key(&self, key: &str) -> Result<Self, RoutingError> {
        Ok(Self {
            set: Arc::clone(self.router.set_of_key(key)?),
            ..self.clone()
        })
    }

    /// Pins the session of this handle, or the one that its caller runs in, on this handle's set.
    ///
    /// # Errors
    ///
    /// `NoSession` if there is none, `Frozen` and `LatePin` as for [`Session::pin`].
    pub fn pin(&self) -> Result<(), RoutingError> {
        self.router.pin(&self.set, &self.context)
    }

    /// Waits until a replica has what the session of this handle, or the one that its caller runs in,
    /// has to read, and says whether its reads go there: for a job that can wait. Nothing has to be
    /// done if not: what is read then comes from the primary. It does not wait where that is certain:
    /// for a session that is pinned, by time too.
    #[must_use]
    pub fn catch_up(&self, within: std::time::Duration) -> bool {
        self.monitor_if_wanted();
        self.router
            .catch_up_blocking(&self.set, &self.context, within)
    }

    /// What is known of all nodes just now; nobody is asked for it. The first call has the nodes
    /// monitored from then on, as the first statement does: replicas are `unseen` until they answer.
    #[must_use]
    pub fn status(&self) -> Status {
        self.monitor_all();
        self.router.status()
    }

    /// Whether this handle's set takes no writes just now: its primary is down, or read-only, and none
    /// has taken its place.
    #[must_use]
    pub fn service_read_only(&self) -> bool {
        self.monitor_all();
        self.set.is_read_only()
    }

    /// Takes over another configuration of the same sets while everything runs: replicas are added and
    /// taken out, weights and limits of lag changed. All of it or, if something is wrong, nothing;
    /// nothing in flight is lost.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] with all mistakes: a set more or less, rules that cannot change while
    /// the set is in use, a primary that is taken out, a node of the same name that has changed.
    pub fn reconfigure(&self, config: &RoutingConfig) -> Result<(), RoutingError> {
        for node in self.router.reconfigure(config)? {
            node.pool().retire();
        }
        self.monitor_all();
        Ok(())
    }

    /// Has a replica of this handle's set take nothing new, or again. What runs on it goes on.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownNode`] if there is none of that name.
    pub fn drain(&self, node: impl Into<NodeName>, is_drained: bool) -> Result<(), RoutingError> {
        self.router.drain(&self.set, &node.into(), is_drained)
    }

    /// How far behind the replicas of this handle's set may be, from now on;
    /// [`LagLimits::NONE`] is as far as they are.
    pub fn set_lag_limits(&self, limits: LagLimits) {
        self.router.set_lag_limits(&self.set, limits);
    }

    /// The name of the replica set that this handle looks at.
    #[must_use]
    pub fn set_name(&self) -> &SetName {
        self.set.name()
    }

    /// The session that this handle has of its own.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.context.session()
    }
}

impl<C: Routable> RoutedPool<C> {
    /// What its set has seen.
    pub(crate) fn kinds(&self) -> &Kinds {
        &self.set.primary().pool().kinds
    }
}

impl<C: Routable> Examine for RoutedPool<C> {
    fn generation(&self) -> u64 {
        self.set.classifier().generation()
    }

    fn examine(&self, sql: &str) -> QueryResult<StatementKind> {
        self.router.examine(&self.set, sql).map_err(into_diesel)
    }
}

impl<C: Routable> Clone for RoutedPool<C> {
    fn clone(&self) -> Self {
        Self {
            router: Arc::clone(&self.router),
            set: Arc::clone(&self.set),
            context: self.context.clone(),
        }
    }
}

impl<C: Routable> fmt::Debug for RoutedPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutedPool")
            .field("set", self.set.name())
            .field("nodes", &self.set.nodes())
            .finish_non_exhaustive()
    }
}
