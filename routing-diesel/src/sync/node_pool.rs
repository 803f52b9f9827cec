//! A node's r2d2 pool.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use diesel::connection::{CacheSize, Connection};
use diesel::r2d2::{
    ConnectionManager, CustomizeConnection, Error, HandleError, ManageConnection, Pool, PoolError,
    PooledConnection,
};
use routing_core::adapter::PoolSource;
use routing_core::sql::Dialect;
use routing_core::{
    Clock, Connected, Failure, NodeConfig, PoolConfig, PoolKey, PoolMode, PoolState, Role,
    SystemClock,
};
use scheduled_thread_pool::{OnPoolDropBehavior, ScheduledThreadPool};

use crate::database::{Database, Routable, set_up};
use crate::kinds::{Kinds, Remembers};
use crate::size::Size;
use crate::url;

/// The pool of connections to one node.
#[expect(
    unnameable_types,
    reason = "it is what a pool is routed over, and nobody else's business"
)]
pub struct NodePool<C: Routable> {
    source: PoolSource<R2d2<C>, Opener>,
    /// Of the set whose primary this is.
    kinds: Kinds,
}

type R2d2<C> = Pool<ConnectionManager<C>>;

/// How long a statement waits for a connection before it looks at the node too.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(5);

/// What a node's pools are opened with.
struct Opener {
    url: String,
    /// The node's pools keep it running, and it ends with the last of them.
    thread: Mutex<Weak<ScheduledThreadPool>>,
}

/// A thread of the node's own, which connects to it.
///
/// r2d2 would start three. One for all nodes would do as well, until a node takes connections and
/// never answers: whoever waits for it would keep the others from connecting to theirs.
fn thread_of(
    node: &NodeConfig,
    thread: &Mutex<Weak<ScheduledThreadPool>>,
) -> Arc<ScheduledThreadPool> {
    let mut current = thread.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = current.upgrade() {
        return running;
    }
    let name = format!("routing-{}", node.name());
    let builder = ScheduledThreadPool::builder()
        .num_threads(1)
        .thread_name_pattern(&name)
        .on_drop_behavior(OnPoolDropBehavior::DiscardPendingScheduled);
    let started = Arc::new(builder.build());
    *current = Arc::downgrade(&started);
    started
}

impl<C: Routable> routing_core::Pool for NodePool<C> {
    type Given = Pool<ConnectionManager<C>>;

    fn configured(node: &NodeConfig, role: Role) -> Result<Self, String> {
        let url = url::of(node, role, C::Backend::DIALECT)?;
        let timeout = node.pool().acquire_timeout;
        let opener = Opener {
            url: url::with_timeouts(url, timeout, C::Backend::DIALECT),
            thread: Mutex::default(),
        };
        Ok(Self::over(PoolSource::configured(node, opener)))
    }

    fn given(pool: R2d2<C>) -> Result<Self, String> {
        Ok(Self::over(PoolSource::given(pool)))
    }

    fn is_of(&self, node: &NodeConfig) -> bool {
        self.source.is_of(node)
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(C::Backend::DIALECT)
    }

    fn can_be_probed(&self) -> bool {
        true
    }

    fn state(&self) -> Option<PoolState> {
        let state = self.source.current()?.state();
        Some(PoolState {
            connections: state.connections,
            idle: state.idle_connections,
        })
    }

    fn retire(&self) {
        self.source.retire(|_| ());
    }
}

impl<C: Routable> Remembers for NodePool<C> {
    fn kinds(&self) -> &Kinds {
        &self.kinds
    }
}

impl<C: Routable> NodePool<C> {
    fn over(source: PoolSource<R2d2<C>, Opener>) -> Self {
        Self {
            source,
            kinds: Kinds::default(),
        }
    }

    fn pool(&self, key: PoolKey<'_, Self>) -> R2d2<C> {
        let open = |node: &NodeConfig, opener: &Opener, role| {
            let thread = thread_of(node, &opener.thread);
            open(node.pool(), &opener.url, thread, role, key.connected())
        };
        R2d2::clone(&self.source.get(key, open, |_| ()))
    }

    /// A connection, or what its absence says of the node; `is_in_vain` ends the wait for one.
    ///
    /// r2d2 cannot be woken. It is asked at the beginning, at the end, and when a connection is gone, as each
    /// call opens a connection and takes the last error; in between, its pool is looked at.
    pub(crate) fn checkout(
        &self,
        key: PoolKey<'_, Self>,
        is_in_vain: impl Fn() -> bool,
    ) -> Result<PooledConnection<ConnectionManager<C>>, (Failure, PoolError)> {
        let pool = self.pool(key);
        let begun = SystemClock.now();
        let whole = pool.connection_timeout();
        let mut newest = match pool.get_timeout(whole.min(FIRST_WAIT)) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let note = |newest: &mut PoolError, error: PoolError| {
            if has_cause(&error) || !has_cause(newest) {
                *newest = error;
            }
        };
        let left = || whole.saturating_sub(SystemClock.now().since(begun));
        let mut connections = pool.state().connections;
        while left() > FIRST_WAIT {
            if is_in_vain() {
                return Err((Failure::Unreachable, newest));
            }
            let before = std::mem::replace(&mut connections, pool.state().connections);
            if connections < before {
                // A pool that has lost a connection opens another only while a statement waits in it.
                match pool.get_timeout(FIRST_WAIT) {
                    Ok(connection) => return Ok(connection),
                    Err(error) => note(&mut newest, error),
                }
                continue;
            }
            // r2d2 offers no event to wait for.
            thread::sleep(LOOK);
            if let Some(connection) = pool.try_get() {
                return Ok(connection);
            }
        }
        if whole > FIRST_WAIT {
            match pool.get_timeout(left()) {
                Ok(connection) => return Ok(connection),
                Err(error) => note(&mut newest, error),
            }
        }
        Err((failure_of(&pool, &newest), newest))
    }

    /// A connection beside the pool's, if it is known how it is made; else one of the pool's.
    pub(crate) fn dedicated(&self) -> Result<Beside<C>, Error> {
        match &self.source {
            PoolSource::Configured { node, opener, .. } => {
                let mut connection = ConnectionManager::new(opener.url.clone()).connect()?;
                remember_nothing(&mut connection, node.pool().pool_mode);
                Ok(Beside::Own(connection))
            }
            PoolSource::Given(pool) => pool.get().map(Beside::Pooled).map_err(|error| {
                let said = diesel::ConnectionError::BadConnection(error.to_string());
                Error::ConnectionError(said)
            }),
        }
    }

    /// The same for the application, set up as the pool's are.
    pub(crate) fn dedicated_and_set_up(&self) -> Result<C, Error> {
        let own = match &self.source {
            PoolSource::Configured { node, .. } => Some((node, self.dedicated()?)),
            PoolSource::Given(_) => None,
        };
        let Some((node, Beside::Own(mut connection))) = own else {
            let said = "the application made the pool, and only it knows how to connect";
            let error = diesel::ConnectionError::BadConnection(said.to_owned());
            return Err(Error::ConnectionError(error));
        };
        for statement in set_up(C::Backend::DIALECT, Role::Primary, node.pool()) {
            connection.batch_execute(&statement)?;
        }
        Ok(connection)
    }

    /// Whether its database ends with its connection.
    pub(crate) fn is_in_memory(&self) -> bool {
        match &self.source {
            PoolSource::Configured { opener, .. } => {
                url::is_in_memory(&opener.url, C::Backend::DIALECT)
            }
            PoolSource::Given(_) => false,
        }
    }

    /// Whether what a connection has prepared is there for its next statement.
    pub(crate) fn keeps_statements(&self) -> bool {
        match &self.source {
            PoolSource::Configured { node, .. } => node.pool().pool_mode != PoolMode::Transaction,
            PoolSource::Given(_) => true,
        }
    }

    /// Whether a connection beside the pool's is one of the pool's, and is to be given back.
    pub(crate) const fn is_given(&self) -> bool {
        matches!(self.source, PoolSource::Given(_))
    }
}

/// A connection that is nobody's statement's.
pub(crate) enum Beside<C: Routable> {
    Own(C),
    Pooled(PooledConnection<ConnectionManager<C>>),
}

impl<C: Routable> Beside<C> {
    pub(crate) fn connection(&mut self) -> &mut C {
        match self {
            Self::Own(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

fn open<C: Routable>(
    config: &PoolConfig,
    url: &str,
    thread: Arc<ScheduledThreadPool>,
    role: Role,
    connected: Connected,
) -> R2d2<C> {
    let size = Size::of(config, url::is_in_memory(url, C::Backend::DIALECT));
    let mut pool = Pool::builder()
        .thread_pool(thread)
        .error_handler(Box::new(Quiet))
        .connection_timeout(config.acquire_timeout)
        .min_idle(Some(size.least));
    if let Some(most) = size.most {
        pool = pool.max_size(most);
    }
    if size.is_for_ever {
        pool = pool.idle_timeout(None).max_lifetime(None);
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
        statements: set_up(C::Backend::DIALECT, role, config),
        mode,
        connected,
    }));
    pool.build_unchecked(ConnectionManager::new(url))
}

/// Whether it says what the last attempt to connect said.
fn has_cause(error: &PoolError) -> bool {
    error.to_string().contains(": ")
}

/// r2d2 goes on trying until its time is over, and then adds what the last attempt said.
fn failure_of<C: Routable>(pool: &R2d2<C>, error: &PoolError) -> Failure {
    let text = error.to_string();
    if let Some((_, said)) = text.split_once(": ") {
        Failure::from_refused_connection(said)
    } else if pool.state().connections < pool.max_size() {
        // There was room for another connection, and none came.
        Failure::Unreachable
    } else {
        Failure::Busy
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
    statements: Vec<String>,
    mode: PoolMode,
    connected: Connected,
}

impl<C: Connection> CustomizeConnection<C, Error> for SetUp {
    fn on_acquire(&self, connection: &mut C) -> Result<(), Error> {
        self.connected.tell();
        remember_nothing(connection, self.mode);
        let mut statements = self.statements.iter();
        statements
            .try_for_each(|statement| connection.batch_execute(statement))
            .map_err(Error::QueryError)
    }
}

/// Without the URL, which holds the password.
impl<C: Routable> fmt::Debug for NodePool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodePool")
            .field("dialect", &C::Backend::DIALECT)
            .finish_non_exhaustive()
    }
}
