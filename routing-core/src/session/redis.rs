//! A [`PinStore`] on Redis.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, Script};

use crate::session::store::{Merge, PinStore, StoreError, StoreFuture};

/// How long one command may take.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);
/// Whoever changes a key in between has it tried again.
const MOST_TRIES: usize = 16;

/// Replaces a value only if it is still what was read; an empty one stands for none.
const REPLACE: &str = "\
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end \
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";

const DELETE: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])";

/// Keeps pins in Redis, under keys that begin with a namespace.
///
/// It connects when it is first used, and again when the connection is lost. It needs Tokio.
///
/// ```no_run
/// use routing_core::RedisStore;
///
/// let store = RedisStore::new("redis://cache-1/", "shop")?;
/// # Ok::<(), routing_core::StoreError>(())
/// ```
#[derive(Debug)]
pub struct RedisStore {
    client: Client,
    namespace: String,
    answer_timeout: Duration,
    connection: tokio::sync::OnceCell<ConnectionManager>,
}

impl RedisStore {
    /// A store at this URL; `namespace` keeps applications apart that share a server.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is none.
    pub fn new(url: &str, namespace: impl Into<String>) -> Result<Self, StoreError> {
        Ok(Self {
            client: Client::open(url).map_err(StoreError::new)?,
            namespace: namespace.into(),
            answer_timeout: ANSWER_TIMEOUT,
            connection: tokio::sync::OnceCell::new(),
        })
    }

    /// How long a connection, and then an answer, is waited for: **500 ms**.
    ///
    /// A store that misses it has failed. A request waits for less: for
    /// `SessionLayer::store_wait`.
    #[must_use]
    pub const fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    async fn connection(&self) -> Result<ConnectionManager, StoreError> {
        let connect = || {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(0)
                .set_connection_timeout(Some(self.answer_timeout))
                .set_response_timeout(Some(self.answer_timeout));
            self.client.get_connection_manager_with_config(config)
        };
        let connection = self.connection.get_or_try_init(connect).await;
        connection.cloned().map_err(StoreError::new)
    }

    fn full(&self, key: &str) -> String {
        format!("{}:{key}", self.namespace)
    }
}

impl PinStore for RedisStore {
    fn load<'a>(&'a self, keys: &'a [String]) -> StoreFuture<'a, Vec<Option<String>>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let full: Vec<_> = keys.iter().map(|key| self.full(key)).collect();
            let loaded = self.connection().await?.mget(full).await;
            loaded.map_err(StoreError::new)
        })
    }

    fn update<'a>(
        &'a self,
        key: &'a str,
        merge: Merge<'a>,
        lasts: Duration,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut connection = self.connection().await?;
            let full = self.full(key);
            let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).max(1);
            for _ in 0..MOST_TRIES {
                let current: Option<String> =
                    connection.get(&full).await.map_err(StoreError::new)?;
                let next = merge(current.as_deref());
                let replaced: bool = Script::new(REPLACE)
                    .key(&full)
                    .arg(current.unwrap_or_default())
                    .arg(next)
                    .arg(lasts)
                    .invoke_async(&mut connection)
                    .await
                    .map_err(StoreError::new)?;
                if replaced {
                    return Ok(());
                }
            }
            Err(StoreError::new("others changed the key all the time"))
        })
    }

    fn delete<'a>(&'a self, key: &'a str, text: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut connection = self.connection().await?;
            let deleted = Script::new(DELETE)
                .key(self.full(key))
                .arg(text)
                .invoke_async::<bool>(&mut connection)
                .await;
            deleted.map(drop).map_err(StoreError::new)
        })
    }
}
