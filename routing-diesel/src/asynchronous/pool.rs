//! The handle that an application holds.

use std::fmt;

use diesel::result::{Error, QueryResult};
use diesel_async::pooled_connection::PoolError;
use routing_core::adapter::{Handle, OrmErrors, TokioTimer, load_functions};
use routing_core::{RoutedBuilder, RoutingError, Scope, Session, catch_up, routed_handle};

use super::connection::AsyncRoutedConnection;
use super::dedicated::DedicatedConnection;
use super::driver::AsyncRoutable;
use super::node_pool::{AsyncPool, NodePool};
use crate::error::Orm;
use crate::read_only::ReadOnly;

/// A pool of [`AsyncRoutedConnection`]s to a replica set, in place of a bb8 or deadpool pool.
///
/// It is a cheap clone. A handle looks at one set, has a session of its own or takes the one that
/// its caller runs in, and may have scopes of its own.
///
/// Connections to PostgreSQL are made with TLS as their URL says, if the feature `rustls` is on, and without
/// it with none.
pub struct AsyncRoutedPool<C: AsyncRoutable> {
    handle: Handle<NodePool<C>>,
}

/// Collects what an [`AsyncRoutedPool`] is made of.
pub type AsyncRoutedPoolBuilder<C> = RoutedBuilder<AsyncRoutedPool<C>>;

routed_handle! {
    impl[C: AsyncRoutable] AsyncRoutedPool<C>,
    pool: NodePool<C>,
    error: RoutingError,
    into_error: std::convert::identity,
}

catch_up!(impl[C: AsyncRoutable] AsyncRoutedPool<C>, timer: TokioTimer);

impl<C: AsyncRoutable> AsyncRoutedPool<C> {
    /// A pool over pools that the application made itself, of bb8 or deadpool.
    ///
    /// Give the replicas' pools a short timeout: it is how long a read waits for a replica that is
    /// down, before it goes to the next. With bb8's `retry_connection(false)` it need not wait.
    ///
    /// ```no_run
    /// # #[cfg(feature = "async-postgres")]
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use diesel_async::AsyncPgConnection;
    /// use diesel_async::pooled_connection::AsyncDieselConnectionManager;
    /// use routing_diesel::{AsyncRoutedPool, Mode};
    ///
    /// let open = |url: &str| {
    ///     let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(url);
    ///     bb8::Pool::builder().retry_connection(false).build_unchecked(manager)
    /// };
    /// let pool = AsyncRoutedPool::from_pools(open("postgres://db-1/shop"), [
    ///     open("postgres://db-2/shop"),
    /// ])
    /// .mode(Mode::Strict)
    /// .build()?;
    /// # Ok(()) }
    /// ```
    pub fn from_pools<P: Into<AsyncPool<C>>>(
        primary: P,
        replicas: impl IntoIterator<Item = P>,
    ) -> AsyncRoutedPoolBuilder<C> {
        RoutedBuilder::from_pools(primary.into(), replicas.into_iter().map(Into::into))
    }

    /// A connection in the session of this handle, else in the one that the caller runs in, else in
    /// none. It has no connection to any node until a statement needs one.
    ///
    /// # Errors
    ///
    /// None as yet: it is a `Result` so that code written for another pool's `get().await?` stays as it is.
    pub async fn get(&self) -> Result<AsyncRoutedConnection<C>, RoutingError> {
        let handle = self.handle.with_current_session();
        Ok(AsyncRoutedConnection::new(handle))
    }

    /// A connection in this session.
    ///
    /// # Errors
    ///
    /// None as yet, as for [`get`](Self::get).
    pub async fn get_in(
        &self,
        session: &Session,
    ) -> Result<AsyncRoutedConnection<C>, RoutingError> {
        self.with_session(session).get().await
    }

    /// A connection that only reads, and whose type says so, in the session that
    /// [`get`](Self::get) finds.
    ///
    /// # Errors
    ///
    /// None as yet, as for [`get`](Self::get).
    pub async fn get_read_only(&self) -> Result<ReadOnly<AsyncRoutedConnection<C>>, RoutingError> {
        let pool = self.scoped(Scope::read_only());
        pool.get().await.map(ReadOnly)
    }

    /// A new connection to the primary, which belongs to no pool and is not routed: for `LISTEN`, and for what leaves
    /// something in a connection that no other statement is to find. What is written through it pins no session.
    ///
    /// # Errors
    ///
    /// `NodeUnavailable` if the primary makes none.
    pub async fn dedicated_connection(&self) -> QueryResult<C> {
        let primary = self.handle.set.primary();
        let connected = primary.pool().dedicated_and_set_up().await;
        connected.map_err(|error| self.no_connection(error))
    }

    fn no_connection(&self, error: PoolError) -> Error {
        let set = &self.handle.set;
        Orm::no_connection(set.name(), set.primary().name(), error.into())
    }

    /// Asks the database for its functions, now: after functions were created or
    /// changed. The first statement of a program does so in the background
    /// ([`Rules::load_functions`](routing_core::Rules)); SQLite has none.
    ///
    /// # Errors
    ///
    /// Diesel's, if the primary has no connection or does not answer.
    pub async fn load_functions(&self) -> QueryResult<()> {
        let set = &self.handle.set;
        let loaded = load_functions::<_, DedicatedConnection<C>>(set).await;
        loaded.map_err(|error| match error {
            PoolError::QueryError(error) => error,
            error @ PoolError::ConnectionError(_) => self.no_connection(error),
        })
    }
}

impl<C: AsyncRoutable> Clone for AsyncRoutedPool<C> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
        }
    }
}

impl<C: AsyncRoutable> fmt::Debug for AsyncRoutedPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncRoutedPool")
            .field("handle", &self.handle)
            .finish()
    }
}
