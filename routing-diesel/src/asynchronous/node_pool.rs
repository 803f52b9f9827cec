//! A node's pool, opened when it is first used.

use std::error::Error;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use diesel_async::pooled_connection::PoolError;
use routing_core::adapter::{BoxError, PoolSource, SingleDial, enter_runtime, run_to_end};
use routing_core::sql::Dialect;
use routing_core::{Connected, Failure, NodeConfig, PoolConfig, PoolKey, PoolState, Role};

use super::driver::{AsyncRoutable, DatabaseOf};
use crate::database::{Database, set_up};
use crate::kinds::{Kinds, Remembers};
use crate::size::Size;
use crate::url;

/// A pool that the application made itself: bb8's, or with the feature `deadpool` that one's.
#[derive(Debug)]
#[non_exhaustive]
pub enum AsyncPool<C: AsyncRoutable> {
    /// A pool of bb8's.
    Bb8(bb8::Pool<C::Manager>),
    /// A pool of deadpool's.
    #[cfg(feature = "deadpool")]
    Deadpool(deadpool::managed::Pool<C::Manager>),
}

impl<C: AsyncRoutable> AsyncPool<C> {
    fn state(&self) -> PoolState {
        match self {
            Self::Bb8(pool) => {
                let state = pool.state();
                PoolState {
                    connections: state.connections,
                    idle: state.idle_connections,
                }
            }
            #[cfg(feature = "deadpool")]
            Self::Deadpool(pool) => {
                let status = pool.status();
                let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
                PoolState {
                    connections: number(status.size),
                    idle: number(status.available),
                }
            }
        }
    }
}

/// The same pool: whatever its connections are, they need not be cloned for that.
impl<C: AsyncRoutable> Clone for AsyncPool<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Bb8(pool) => Self::Bb8(pool.clone()),
            #[cfg(feature = "deadpool")]
            Self::Deadpool(pool) => Self::Deadpool(pool.clone()),
        }
    }
}

/// Pools of a driver are taken as they are. For each driver by itself, so that the compiler finds
/// the driver from the pool.
macro_rules! given_pools {
    ($connection:ty) => {
        impl From<bb8::Pool<AsyncDieselConnectionManager<$connection>>>
            for $crate::AsyncPool<$connection>
        {
            fn from(pool: bb8::Pool<AsyncDieselConnectionManager<$connection>>) -> Self {
                Self::Bb8(pool)
            }
        }

        #[cfg(feature = "deadpool")]
        impl From<deadpool::managed::Pool<AsyncDieselConnectionManager<$connection>>>
            for $crate::AsyncPool<$connection>
        {
            fn from(
                pool: deadpool::managed::Pool<AsyncDieselConnectionManager<$connection>>,
            ) -> Self {
                Self::Deadpool(pool)
            }
        }
    };
}
#[cfg(any(
    feature = "async-mysql",
    feature = "async-postgres",
    feature = "async-sqlite"
))]
pub(super) use given_pools;

/// A connection that is checked out.
pub(super) enum Checkout<C: AsyncRoutable> {
    Bb8(bb8::PooledConnection<'static, C::Manager>),
    #[cfg(feature = "deadpool")]
    Deadpool(deadpool::managed::Object<C::Manager>),
}

/// The pool of connections to one node.
#[expect(
    unnameable_types,
    reason = "it is what a pool is routed over, and nobody else's business"
)]
pub struct NodePool<C: AsyncRoutable> {
    /// Opened by its URL.
    source: PoolSource<AsyncPool<C>, String>,
    /// Of the set whose primary this is.
    kinds: Kinds,
    dial: SingleDial,
}

impl<C: AsyncRoutable> routing_core::Pool for NodePool<C> {
    type Given = AsyncPool<C>;

    fn configured(node: &NodeConfig, role: Role) -> Result<Self, String> {
        let url = url::of(node, role, DatabaseOf::<C>::DIALECT)?;
        C::check(&url)?;
        Ok(Self::over(PoolSource::configured(node, url)))
    }

    fn given(pool: AsyncPool<C>) -> Result<Self, String> {
        Ok(Self::over(PoolSource::given(pool)))
    }

    fn is_of(&self, node: &NodeConfig) -> bool {
        self.source.is_of(node)
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(DatabaseOf::<C>::DIALECT)
    }

    fn can_be_probed(&self) -> bool {
        true
    }

    fn state(&self) -> Option<PoolState> {
        self.source.current().map(|pool| pool.state())
    }

    fn retire(&self) {
        self.source.retire(|_| ());
    }
}

impl<C: AsyncRoutable> Remembers for NodePool<C> {
    fn kinds(&self) -> &Kinds {
        &self.kinds
    }
}

impl<C: AsyncRoutable> NodePool<C> {
    fn over(source: PoolSource<AsyncPool<C>, String>) -> Self {
        Self {
            source,
            kinds: Kinds::default(),
            dial: SingleDial::default(),
        }
    }

    fn pool(&self, key: PoolKey<'_, Self>) -> AsyncPool<C> {
        let open = |node: &NodeConfig, url: &String, role| {
            AsyncPool::Bb8(open::<C>(url, node.pool(), role, key.connected()))
        };
        AsyncPool::clone(&self.source.get(key, open, |_| ()))
    }

    /// A connection, or what its absence says of the node.
    pub(super) async fn checkout(
        &self,
        key: PoolKey<'_, Self>,
    ) -> Result<Checkout<C>, (Failure, BoxError)> {
        match self.pool(key) {
            AsyncPool::Bb8(pool) => {
                match undisturbed::<C, _, _>(async move { pool.get_owned().await }, || {
                    bb8::RunError::TimedOut
                })
                .await
                {
                    Ok(connection) => Ok(Checkout::Bb8(connection)),
                    Err(bb8::RunError::User(error)) => Err((refused(&error), error.into())),
                    Err(error @ bb8::RunError::TimedOut) => Err(self.missed(error).await),
                }
            }
            #[cfg(feature = "deadpool")]
            AsyncPool::Deadpool(pool) => {
                use deadpool::managed::{PoolError as Failed, TimeoutType};
                match undisturbed::<C, _, _>(async move { pool.get().await }, || Failed::Closed)
                    .await
                {
                    Ok(connection) => Ok(Checkout::Deadpool(connection)),
                    Err(Failed::Backend(error)) => Err((refused(&error), error.into())),
                    Err(error @ Failed::Timeout(TimeoutType::Wait)) => {
                        Err((Failure::Busy, error.into()))
                    }
                    Err(error @ Failed::Timeout(_)) => Err(self.missed(error).await),
                    // Somebody closed the pool; the node is not to blame.
                    Err(error) => Err((Failure::Busy, error.into())),
                }
            }
        }
    }

    /// What it means that there was no connection in time, and why there was none.
    async fn missed(&self, error: impl Error + Send + Sync + 'static) -> (Failure, BoxError) {
        let dial = || async {
            match self.dedicated().await {
                Err(error) if refused(&error) != Failure::Busy => Err(error.to_string()),
                _ => Ok(()),
            }
        };
        match self.dial.failure(dial).await {
            None => (Failure::Busy, error.into()),
            Some(cause) => (Failure::Unreachable, format!("{error}: {cause}").into()),
        }
    }

    /// The same for the application: set up as the pool's are.
    pub(super) async fn dedicated_and_set_up(&self) -> Result<C, PoolError> {
        let mut connection = self.dedicated().await?;
        if let PoolSource::Configured { node, .. } = &self.source {
            for statement in set_up(DatabaseOf::<C>::DIALECT, Role::Primary, node.pool()) {
                let done = connection.batch_execute(&statement).await;
                done.map_err(PoolError::QueryError)?;
            }
        }
        Ok(connection)
    }

    /// Whether its database ends with its connection.
    pub(super) fn is_in_memory(&self) -> bool {
        match &self.source {
            PoolSource::Configured { opener: url, .. } => {
                url::is_in_memory(url, DatabaseOf::<C>::DIALECT)
            }
            PoolSource::Given(_) => false,
        }
    }

    /// A connection beside the pool's.
    pub(super) async fn dedicated(&self) -> Result<C, PoolError> {
        let pool = match &self.source {
            PoolSource::Configured { opener: url, .. } => {
                return bb8::ManageConnection::connect(&C::manager(url.clone())).await;
            }
            PoolSource::Given(pool) => pool,
        };
        match &**pool {
            AsyncPool::Bb8(pool) => pool.dedicated_connection().await,
            #[cfg(feature = "deadpool")]
            AsyncPool::Deadpool(pool) => {
                use deadpool::managed::Manager;
                pool.manager().create().await
            }
        }
    }
}

/// Runs a checkout to its end even if its caller is dropped, where that matters: a pool pings the
/// connection first, and would keep it after half a ping.
async fn undisturbed<C: AsyncRoutable, T, E>(
    checkout: impl Future<Output = Result<T, E>> + Send + 'static,
    shut_down: impl FnOnce() -> E,
) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    if C::SURVIVES_CANCELLATION {
        return checkout.await;
    }
    let outcome = run_to_end(checkout).await;
    outcome.unwrap_or_else(|| Err(shut_down()))
}

/// The failure of a node that was not connected to.
pub(super) fn refused(error: &PoolError) -> Failure {
    Failure::from_refused_connection(&error.to_string())
}

/// What a new connection is told.
#[derive(Debug)]
struct SetUp {
    statements: Vec<String>,
    connected: Connected,
}

impl<C: AsyncRoutable> bb8::CustomizeConnection<C, PoolError> for SetUp {
    fn on_acquire<'a>(
        &'a self,
        connection: &'a mut C,
    ) -> Pin<Box<dyn Future<Output = Result<(), PoolError>> + Send + 'a>> {
        Box::pin(async move {
            self.connected.tell();
            for statement in &self.statements {
                let told = connection.batch_execute(statement).await;
                told.map_err(PoolError::QueryError)?;
            }
            Ok(())
        })
    }
}

fn open<C: AsyncRoutable>(
    url: &str,
    config: &PoolConfig,
    role: Role,
    connected: Connected,
) -> bb8::Pool<C::Manager> {
    // bb8 starts a task with each pool.
    let _entered = enter_runtime();
    let size = Size::of(config, url::is_in_memory(url, DatabaseOf::<C>::DIALECT));
    let mut pool = bb8::Pool::builder()
        .connection_customizer(Box::new(SetUp {
            statements: set_up(DatabaseOf::<C>::DIALECT, role, config),
            connected,
        }))
        .connection_timeout(config.acquire_timeout)
        // The next node is a better second try than the same one.
        .retry_connection(false)
        .min_idle(Some(size.least));
    if let Some(most) = size.most {
        pool = pool.max_size(most);
    }
    if size.is_for_ever {
        pool = pool.idle_timeout(None).max_lifetime(None);
    }
    if let Some(timeout) = config.idle_timeout {
        pool = pool.idle_timeout(timeout);
    }
    if let Some(lifetime) = config.max_lifetime {
        pool = pool.max_lifetime(lifetime);
    }
    if let Some(test) = config.test_before_acquire {
        pool = pool.test_on_check_out(test);
    }
    pool.build_unchecked(C::manager(url.to_owned()))
}

impl<C: AsyncRoutable> Deref for Checkout<C> {
    type Target = C;

    fn deref(&self) -> &C {
        match self {
            Self::Bb8(connection) => connection,
            #[cfg(feature = "deadpool")]
            Self::Deadpool(connection) => connection,
        }
    }
}

impl<C: AsyncRoutable> DerefMut for Checkout<C> {
    fn deref_mut(&mut self) -> &mut C {
        match self {
            Self::Bb8(connection) => connection,
            #[cfg(feature = "deadpool")]
            Self::Deadpool(connection) => connection,
        }
    }
}

impl<C: AsyncRoutable> fmt::Debug for NodePool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodePool")
            .field("dialect", &DatabaseOf::<C>::DIALECT)
            .finish_non_exhaustive()
    }
}
