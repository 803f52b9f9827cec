//! The handle that an application holds.

use std::sync::Arc;

use routing_core::adapter::{Handle, TokioTimer, load_functions};
use routing_core::{ReplicaSet, RoutedBuilder, catch_up, routed_handle};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr, Schema, SchemaBuilder};

use crate::dedicated::DedicatedConnection;
use crate::error::into_db_err;
use crate::pool::NodePool;

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
    pub(crate) handle: Handle<NodePool>,
    /// Whether its statements run on connections that can only read.
    pub(crate) read_only: bool,
}

/// Collects what a [`RoutedConnection`] is made of.
///
/// Its pools are [`DatabaseConnection`]s: of any driver that SeaORM has, but not `Disconnected`.
pub type RoutedConnectionBuilder = RoutedBuilder<RoutedConnection>;

routed_handle! {
    impl[] RoutedConnection,
    pool: NodePool,
    error: DbErr,
    into_error: into_db_err,
    fields: { read_only: false },
}

catch_up!(impl[] RoutedConnection, timer: TokioTimer);

impl RoutedConnection {
    /// A connection over pools that the application opened itself, with SeaORM's own options.
    ///
    /// Give the replicas' pools a short `acquire_timeout`: it is how long a read waits for a
    /// replica that is down, before it goes to the next.
    ///
    /// ```no_run
    /// # use routing_seaorm::{Mode, RoutedConnection};
    /// # use sea_orm::Database;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let primary = Database::connect("postgres://db-1/shop").await?;
    /// let replica = Database::connect("postgres://db-2/shop").await?;
    /// let db = RoutedConnection::from_connections(primary, [replica])
    ///     .mode(Mode::Strict)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn from_connections(
        primary: DatabaseConnection,
        replicas: impl IntoIterator<Item = DatabaseConnection>,
    ) -> RoutedConnectionBuilder {
        RoutedBuilder::from_pools(primary, replicas)
    }

    /// Asks the database for its functions, now: after functions were created or
    /// changed. The first statement of a program does so in the background
    /// ([`Rules::load_functions`](routing_core::Rules)); SQLite has none.
    ///
    /// # Errors
    ///
    /// The driver's, if the primary does not answer.
    pub async fn load_functions(&self) -> Result<(), DbErr> {
        let loaded = load_functions::<NodePool, DedicatedConnection>(&self.handle.set).await;
        loaded.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))))
    }

    /// The set that a statement of this handle runs on.
    pub(crate) fn set_of(&self, sql: &str) -> Result<&Arc<ReplicaSet<NodePool>>, DbErr> {
        self.handle
            .router
            .set_of_statement(&self.handle.set, sql)
            .map_err(into_db_err)
    }

    /// The primary itself: for migrations, and for whatever must not be routed.
    ///
    /// What is written through it pins no session: say [`Session::pin`](routing_core::Session::pin) where a session is to see
    /// it.
    ///
    /// # Panics
    ///
    /// If it is the first use of the primary and happens outside a runtime, as `sqlx` does.
    #[must_use]
    pub fn primary(&self) -> &DatabaseConnection {
        let set = &self.handle.set;
        let node = set.primary();
        node.pool().lend(set.pool_key(node))
    }

    /// The database that all nodes of the set run.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.handle.set.primary().pool().backend()
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
        for set in self.handle.router.sets() {
            set.close();
            for node in set.nodes() {
                outcome = outcome.and(node.pool().close(set.pool_key(node)).await);
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
