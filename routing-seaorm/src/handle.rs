//! The handle that an application holds.

use std::sync::Arc;

use routing_core::{
    Context, LagLimits, NodeName, ReplicaSet, Router, RoutingConfig, RoutingError, Scope, Session,
    SetName, Status,
};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, Schema, SchemaBuilder};

use crate::error::into_db_err;
use crate::pool::NodePool;
use crate::probing::{TokioTimer, monitor_all, monitor_if_wanted};
use crate::read_only::ReadOnly;

/// A connection to a replica set, in place of a [`DatabaseConnection`].
///
/// It is a cheap clone. A handle looks at one set, has a session of its own or takes the one that
/// its caller runs in, and may have scopes of its own; [`with_session`](Self::with_session),
/// [`scoped`](Self::scoped) and [`on_set`](Self::on_set) give handles of the same type.
///
/// There is deliberately no `Deref` to a `DatabaseConnection`: it would bypass the routing without
/// a word. The way around it is [`primary`](Self::primary).
#[derive(Debug, Clone)]
pub struct RoutedConnection {
    pub(crate) router: Arc<Router<NodePool>>,
    pub(crate) set: Arc<ReplicaSet<NodePool>>,
    pub(crate) context: Context,
    /// Whether its statements run on connections that can only read.
    pub(crate) read_only: bool,
}

impl RoutedConnection {
    /// A handle whose statements belong to `session`, whatever its caller runs in.
    #[must_use]
    pub fn with_session(&self, session: &Session) -> Self {
        Self {
            context: self.context.clone().with_session(session),
            ..self.clone()
        }
    }

    /// A handle whose statements are in `scope`, inside the scopes that its caller runs in.
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
    /// [`RoutingError::UnknownSet`](routing_core::RoutingError::UnknownSet) if the configuration has none of that name.
    pub fn on_set(&self, set: impl Into<SetName>) -> Result<Self, DbErr> {
        let set = self.router.set(set).map_err(into_db_err)?;
        Ok(Self {
            set: Arc::clone(set),
            ..self.clone()
        })
    }

    /// A handle to the replica set of a caller's value, such as a tenant: the configuration's
    /// [`Delegate`](routing_core::Delegate) knows it. Without one, and for a value that it does not
    /// know, that is the default set.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`](routing_core::RoutingError::UnknownSet) if the delegate names a
    /// set that there is not.
    pub fn for_key(&self, key: &str) -> Result<Self, DbErr> {
        let set = self.router.set_of_key(key).map_err(into_db_err)?;
        Ok(Self {
            set: Arc::clone(set),
            ..self.clone()
        })
    }

    /// The set that a statement of this handle runs on.
    pub(crate) fn set_of(&self, sql: &str) -> Result<&Arc<ReplicaSet<NodePool>>, DbErr> {
        self.router
            .set_of_statement(&self.set, sql)
            .map_err(into_db_err)
    }

    /// A handle that only reads.
    #[must_use]
    pub fn read_only(&self) -> ReadOnly {
        let mut reader = self.scoped(Scope::read_only());
        reader.read_only = true;
        ReadOnly(reader)
    }

    /// Pins the session of this handle, or the one that its caller runs in, on this handle's set:
    /// as [`Session::pin`] does, but with no name to misspell, and with an error that `?` takes in
    /// a function of SeaORM's.
    ///
    /// # Errors
    ///
    /// `NoSession` if there is none, `Frozen` and `LatePin` as for [`Session::pin`]; see
    /// [`RoutingErrExt`](crate::RoutingErrExt).
    pub fn pin(&self) -> Result<(), DbErr> {
        self.router
            .pin(&self.set, &self.context)
            .map_err(into_db_err)
    }

    /// Waits until a replica has what the session of this handle, or the one that its caller runs in,
    /// has to read, and says whether its reads go there: for a job that can wait. Nothing has to be
    /// done if not: what is read then comes from the primary. It does not wait where that is certain: for a session that
    /// is pinned, by time too.
    pub async fn catch_up(&self, within: std::time::Duration) -> bool {
        monitor_if_wanted(&self.router, &self.set);
        let (router, set) = (&self.router, &self.set);
        router
            .catch_up::<TokioTimer>(set, &self.context, within)
            .await
    }

    /// The name of the replica set that this handle looks at.
    #[must_use]
    pub fn set_name(&self) -> &SetName {
        self.set.name()
    }

    /// The session that this handle has of its own.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.context.session()
    }

    /// The primary itself: for migrations, and for whatever must not be routed.
    ///
    /// What is written through it pins no session: say [`Session::pin`] where a session is to see
    /// it.
    ///
    /// # Panics
    ///
    /// If it is the first use of the primary and happens outside a runtime, as `sqlx` does.
    #[must_use]
    pub fn primary(&self) -> &DatabaseConnection {
        let node = self.set.primary();
        node.pool().connection(self.set.footing(node))
    }

    /// The database that all nodes of the set run.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.set.primary().pool().backend()
    }

    /// A builder of schemas for this database.
    #[must_use]
    pub fn get_schema_builder(&self) -> SchemaBuilder {
        Schema::new(self.get_database_backend()).builder()
    }

    /// A builder of the schema of all entities in a module.
    #[cfg(feature = "entity-registry")]
    #[must_use]
    pub fn get_schema_registry(&self, prefix: &str) -> SchemaBuilder {
        self.primary().get_schema_registry(prefix)
    }

    /// What is known of all nodes just now; nobody is asked for it. The first call has the nodes
    /// monitored from then on, as the first statement does: replicas are `unseen` until they answer.
    #[must_use]
    pub fn status(&self) -> Status {
        monitor_all(&self.router);
        self.router.status()
    }

    /// Whether this handle's set takes no writes just now: its primary is down, or read-only, and none
    /// has taken its place.
    #[must_use]
    pub fn service_read_only(&self) -> bool {
        monitor_all(&self.router);
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
        monitor_all(&self.router);
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

    /// Whether the primary answers just now, whatever is known of it: for who is to take traffic ask
    /// [`status`](Self::status), which waits for nobody. Replicas are not asked:
    /// `db.scoped(Scope::node("replica-1"))` is a handle to ask one.
    ///
    /// # Errors
    ///
    /// The driver's, if it does not.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.primary().ping().await
    }

    /// Closes the pools of all nodes of all sets. Other handles can no longer be used.
    ///
    /// # Errors
    ///
    /// The first that a pool reports; the others are closed nevertheless.
    pub async fn close(self) -> Result<(), DbErr> {
        self.close_by_ref().await
    }

    /// The same, by reference.
    ///
    /// # Errors
    ///
    /// The first that a pool reports; the others are closed nevertheless.
    pub async fn close_by_ref(&self) -> Result<(), DbErr> {
        let mut outcome = Ok(());
        for set in self.router.sets() {
            set.close();
            for node in set.nodes() {
                outcome = outcome.and(node.pool().close(set.footing(node)).await);
            }
        }
        outcome
    }

    /// The primary's PostgreSQL pool.
    ///
    /// # Panics
    ///
    /// If the database is another.
    #[cfg(feature = "sqlx-postgres")]
    #[must_use]
    pub fn get_postgres_connection_pool(&self) -> &sea_orm::sqlx::PgPool {
        self.primary().get_postgres_connection_pool()
    }

    /// The primary's MySQL pool.
    ///
    /// # Panics
    ///
    /// If the database is another.
    #[cfg(feature = "sqlx-mysql")]
    #[must_use]
    pub fn get_mysql_connection_pool(&self) -> &sea_orm::sqlx::MySqlPool {
        self.primary().get_mysql_connection_pool()
    }

    /// The primary's SQLite pool.
    ///
    /// # Panics
    ///
    /// If the database is another.
    #[cfg(feature = "sqlx-sqlite")]
    #[must_use]
    pub fn get_sqlite_connection_pool(&self) -> &sea_orm::sqlx::SqlitePool {
        self.primary().get_sqlite_connection_pool()
    }
}
