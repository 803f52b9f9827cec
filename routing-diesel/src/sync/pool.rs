//! The handle that an application holds.

use std::fmt;

use diesel::r2d2::{ConnectionManager, Pool};
use diesel::result::QueryResult;
use routing_core::adapter::{Handle, OrmErrors};
use routing_core::{RoutedBuilder, RoutingError, Scope, Session, catch_up, routed_handle};

use super::catalog::ask;
use super::connection::RoutedConnection;
use super::node_pool::NodePool;
use crate::database::Routable;
use crate::error::Orm;
use crate::read_only::ReadOnly;

/// A pool of [`RoutedConnection`]s to a replica set, in place of an r2d2 pool.
///
/// It is a cheap clone. A handle looks at one set, has a session of its own or takes the one that
/// its caller runs in, and may have scopes of its own.
///
/// SQLite's connections wait up to 5 s for a lock, and replicas' files are opened read-only.
pub struct RoutedPool<C: Routable> {
    handle: Handle<NodePool<C>>,
}

/// Collects what a [`RoutedPool`] is made of.
///
/// Its pools are r2d2 pools of Diesel's connection managers.
pub type RoutedPoolBuilder<C> = RoutedBuilder<RoutedPool<C>>;

routed_handle! {
    impl[C: Routable] RoutedPool<C>,
    pool: NodePool<C>,
    error: RoutingError,
    into_error: std::convert::identity,
}

catch_up!(impl[C: Routable] RoutedPool<C>, blocking);

impl<C: Routable> RoutedPool<C> {
    /// A pool over pools that the application made itself, with r2d2's own options.
    ///
    /// Give the replicas' pools a short `connection_timeout`: it is how long a read waits for a
    /// replica that is down, before it goes to the next. Make pools with `build_unchecked`, or the
    /// program does not start while one of its servers is down.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use diesel::pg::PgConnection;
    /// use diesel::r2d2::{ConnectionManager, Pool};
    /// use routing_diesel::{Mode, RoutedPool};
    ///
    /// let open = |url: &str| Pool::builder().build_unchecked(ConnectionManager::new(url));
    /// let primary = open("postgres://db-1/shop");
    /// let replica = open("postgres://db-2/shop");
    /// let pool: RoutedPool<PgConnection> = RoutedPool::from_pools(primary, [replica])
    ///     .mode(Mode::Strict)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn from_pools(
        primary: Pool<ConnectionManager<C>>,
        replicas: impl IntoIterator<Item = Pool<ConnectionManager<C>>>,
    ) -> RoutedPoolBuilder<C> {
        RoutedBuilder::from_pools(primary, replicas)
    }

    /// A connection in the session of this handle, else in the one that the caller runs in, else in
    /// none. It has no connection to any node until a statement needs one.
    ///
    /// # Errors
    ///
    /// None as yet: it is a `Result` so that code written for r2d2's `get` stays as it is.
    pub fn get(&self) -> Result<RoutedConnection<C>, RoutingError> {
        Ok(RoutedConnection::new(self.handle.with_current_session()))
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

    /// A new connection to the primary, which belongs to no pool and is not routed: for `LISTEN`, and for what leaves
    /// something in a connection that no other statement is to find. What is written through it pins no session.
    ///
    /// # Errors
    ///
    /// `NodeUnavailable` if the primary makes none, and over a pool that the application made itself, as
    /// r2d2 shows nobody how that one connects.
    pub fn dedicated_connection(&self) -> QueryResult<C> {
        let (set, primary) = (&self.handle.set, self.handle.set.primary());
        let connected = primary.pool().dedicated_and_set_up();
        connected.map_err(|error| Orm::no_connection(set.name(), primary.name(), error.into()))
    }

    /// Asks the database for its functions, now: after functions were created or
    /// changed. The first statement of a program does so in the background, on a thread of its own
    /// ([`Rules::load_functions`](routing_core::Rules)); SQLite has none.
    ///
    /// # Errors
    ///
    /// Diesel's, if the primary has no connection or does not answer.
    pub fn load_functions(&self) -> QueryResult<()> {
        let functions = ask(&self.handle.set)?;
        self.handle.set.classifier().set_catalog(functions);
        Ok(())
    }
}

impl<C: Routable> Clone for RoutedPool<C> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
        }
    }
}

impl<C: Routable> fmt::Debug for RoutedPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutedPool")
            .field("handle", &self.handle)
            .finish()
    }
}
