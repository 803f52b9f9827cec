//! A node's r2d2 pool.

use std::fmt;
use std::sync::Arc;

use diesel::connection::{CacheSize, Connection};
use diesel::r2d2::{
    ConnectionManager, CustomizeConnection, Error, HandleError, ManageConnection, Pool, PoolError,
    PooledConnection,
};
use routing_core::sql::Dialect;
use routing_core::{Failure, NodeConfig, PoolMode, Role};
use scheduled_thread_pool::ScheduledThreadPool;

use crate::database::{Database, Routable, set_up};
use crate::kinds::Kinds;
use crate::url;

/// The pool of connections to one node.
#[expect(
    unnameable_types,
    reason = "it is what a pool is routed over, and nobody else's business"
)]
pub struct NodePool<C: Routable> {
    pool: Pool<ConnectionManager<C>>,
    /// For connections beside the pool, if it is known how they are made.
    beside: Option<(ConnectionManager<C>, PoolMode)>,
    /// Of the set whose primary this is.
    pub(crate) kinds: Kinds,
}

/// A thread of the node's own, which connects to it.
///
/// r2d2 would start three. One for all nodes would do as well, until a node takes connections and
/// never answers: whoever waits for it would keep the others from connecting to theirs.
fn thread_of(node: &NodeConfig) -> Arc<ScheduledThreadPool> {
    let name = format!("routing-{}", node.name());
    let thread = ScheduledThreadPool::builder()
        .num_threads(1)
        .thread_name_pattern(&name);
    Arc::new(thread.build())
}

impl<C: Routable> routing_core::Pool for NodePool<C> {
    type Given = Pool<ConnectionManager<C>>;

    fn configured(node: &NodeConfig, role: Role) -> Result<Self, String> {
        let config = node.pool();
        let url = url::of(node, role, C::Backend::DIALECT)?;
        let url = url::with_connect_timeout(url, config.acquire_timeout, C::Backend::DIALECT);
        let mut pool = Pool::builder()
            .thread_pool(thread_of(node))
            .error_handler(Box::new(Quiet))
            .connection_timeout(config.acquire_timeout)
            .min_idle(Some(config.min_connections.unwrap_or(0)));
        if let Some(most) = config.max_connections {
            pool = pool.max_size(most);
        } else if url::is_in_memory(&url, C::Backend::DIALECT) {
            // More connections would be more databases, and a new one would be empty.
            pool = pool.max_size(1).idle_timeout(None).max_lifetime(None);
        }
        if let Some(timeout) = config.idle_timeout {
            pool = pool.idle_timeout(Some(timeout));
        }
        if let Some(lifetime) = config.max_lifetime {
            pool = pool.max_lifetime(Some(lifetime));
        }
        if let Some(test) = config.test_before_acquire {
            pool = pool.test_on_check_out(test);
        }
        let mode = config.pool_mode;
        pool = pool.connection_customizer(Box::new(SetUp {
            statements: set_up(C::Backend::DIALECT, role, mode),
            mode,
        }));
        let beside = ConnectionManager::new(url.clone());
        let pool = pool.build_unchecked(ConnectionManager::new(url));
        Ok(Self::over(pool, Some((beside, mode))))
    }

    fn given(pool: Pool<ConnectionManager<C>>) -> Result<Self, String> {
        Ok(Self::over(pool, None))
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(C::Backend::DIALECT)
    }

    fn can_be_probed(&self) -> bool {
        true
    }
}

impl<C: Routable> NodePool<C> {
    fn over(
        pool: Pool<ConnectionManager<C>>,
        beside: Option<(ConnectionManager<C>, PoolMode)>,
    ) -> Self {
        Self {
            pool,
            beside,
            kinds: Kinds::default(),
        }
    }

    /// A connection, or what its absence says of the node.
    pub(crate) fn checkout(
        &self,
    ) -> Result<PooledConnection<ConnectionManager<C>>, (Failure, PoolError)> {
        self.pool
            .get()
            .map_err(|error| (self.failure_of(&error), error))
    }

    /// A connection beside the pool's, if it is known how it is made.
    pub(crate) fn dedicated(&self) -> Option<Result<C, Error>> {
        let (manager, mode) = self.beside.as_ref()?;
        let mut connected = manager.connect();
        if let Ok(connection) = &mut connected {
            remember_nothing(connection, *mode);
        }
        Some(connected)
    }

    /// r2d2 goes on trying until its time is over, and then adds what the last attempt said.
    fn failure_of(&self, error: &PoolError) -> Failure {
        let text = error.to_string();
        if let Some((_, said)) = text.split_once(": ") {
            Failure::from_refused_connection(said)
        } else if self.pool.state().connections < self.pool.max_size() {
            // There was room for another connection, and none came.
            Failure::Unreachable
        } else {
            Failure::Busy
        }
    }
}

/// Behind a pooler, a statement that is prepared by name is so in one server process.
fn remember_nothing<C: Connection>(connection: &mut C, mode: PoolMode) {
    if mode == PoolMode::Transaction {
        connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    }
}

/// What goes wrong is said by the error of the statement that waited for it.
#[derive(Debug)]
struct Quiet;

impl HandleError<Error> for Quiet {
    fn handle_error(&self, error: Error) {
        tracing::debug!(target: "routing", %error, "a pool could not connect");
    }
}

/// What a new connection is told.
#[derive(Debug)]
struct SetUp {
    statements: Vec<&'static str>,
    mode: PoolMode,
}

impl<C: Connection> CustomizeConnection<C, Error> for SetUp {
    fn on_acquire(&self, connection: &mut C) -> Result<(), Error> {
        remember_nothing(connection, self.mode);
        let mut statements = self.statements.iter();
        statements
            .try_for_each(|statement| connection.batch_execute(statement))
            .map_err(Error::QueryError)
    }
}

impl<C: Routable> fmt::Debug for NodePool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.pool.state();
        f.debug_struct("NodePool")
            .field("connections", &state.connections)
            .field("idle_connections", &state.idle_connections)
            .finish_non_exhaustive()
    }
}
