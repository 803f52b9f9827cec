//! Which nodes there are, and by which rules they are used.
//!
//! A configuration comes from code, from a file (TOML, JSON, anything serde reads) or from the
//! environment. All three fill the same [`RoutingConfigBuilder`], and its `build` reports every
//! mistake at once, each with its path.

mod builder;
mod draft;
mod endpoint;
mod environment;
mod groups;
mod lenient;
mod nested;
mod node_builder;
mod overrides;
mod problems;
mod resolve;
pub(crate) mod rules;

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::config::rules::Rules;
use crate::error::RoutingError;
use crate::names::{NodeName, SetName};
use crate::sql::Dialect;

pub use builder::{RoutingConfigBuilder, SetBuilder};
pub use node_builder::NodeBuilder;

/// A checked configuration: all replica sets of a program.
///
/// ```
/// use routing_core::{Mode, RoutingConfig};
///
/// let config = RoutingConfig::builder()
///     .mode(Mode::Strict)
///     .primary("postgres://app:secret@db-1/shop")
///     .replica("postgres://db-2")
///     .replica("postgres://db-3")
///     .build()?;
///
/// // A replica inherits what its own URL leaves out.
/// let replica = &config.default_set().replicas()[0];
/// assert_eq!(replica.url(), "postgres://app:secret@db-2/shop");
/// # Ok::<(), routing_core::RoutingError>(())
/// ```
///
/// The same from TOML, as a table of the application's own settings or by itself:
///
/// ```
/// use routing_core::RoutingConfig;
///
/// let config: RoutingConfig = toml::from_str(
///     r#"
///     enabled = true
///     mode = "greedy"
///
///     [primary]
///     url = "postgres://app:secret@db-1/shop"
///     max_connections = 20
///
///     [[replicas]]
///     host = "db-2"
///
///     [[replicas]]
///     host = "db-3"
///     name = "reports"
///     acquire_timeout = "250ms"
///     "#,
/// )?;
/// assert_eq!(config.default_set().replicas()[1].name().as_str(), "reports");
/// # Ok::<(), toml::de::Error>(())
/// ```
/// # Settings
///
/// Durations are text such as `"250ms"`, `"5s"`, `"10m"`, or a number of seconds.
///
/// | key | values | default |
/// |---|---|---|
/// | `enabled` | `true`, `false` | `true` |
/// | `sets.NAME` | a further set: all keys below | none |
/// | `mode` | `"strict"`, `"greedy"` | `"greedy"` |
/// | `no_replica` | `"primary"`, `"error"` | `"primary"` |
/// | `late_pin` | `"allow"`, `"warn"`, `"deny"` | `"allow"` |
/// | `anonymous_reads` | `"primary"`, `"replica"` | `"primary"` |
/// | `balance` | `"round_robin"`, `"random"` | `"round_robin"` |
/// | `affinity` | `true`, `false` | `true` |
/// | `primary_read_weight` | 0 to 65535 | 0 |
/// | `functions` | `{ read = [names], write = [names] }` | none |
/// | `load_functions` | `true`, `false` | `true` |
/// | `pin_release` | `"session_end"`, `"caught_up"` | `"session_end"` |
/// | `positions` | `true`, `false` | `true` |
/// | `catch_up_wait` | a duration | 10 ms |
/// | `time_pin` | a duration | 15 s |
/// | `allow_same_server` | `true`, `false` | `false` |
/// | `probe` | `{ heartbeat, fastest, timeout, suspect_after }` | 5 s, 5 ms, 1 s, 250 ms |
/// | `probe_query` | a query, see [`Rules::probe_query`](crate::Rules::probe_query) | the router's own |
/// | `lag` | `{ time, bytes }`, a duration and a number | 60 s, 8388608 |
/// | `retry` | `{ attempts, back_off, max_back_off, deadline }` | 3, 50 ms, 1 s, 5 s |
/// | `slow_start` | a duration | 10 s |
/// | `fallback_budget` | `{ per_second, burst }`, numbers | no limit |
/// | `tables` | names; further sets only | none |
/// | `unmanaged` | `true`, `false` | `false` |
/// | `replica_breaker` | `{ failures, back_off, max_back_off }` | 1, 1 s, 60 s |
/// | `primary_breaker` | `{ failures, back_off, max_back_off }` | 5, 30 s, 30 s |
/// | `primary` | a URL, or a table with the node's keys | required |
/// | `replicas` | a list of such | none |
///
/// A node's keys:
///
/// | key | values | default |
/// |---|---|---|
/// | `url` | `postgres://`, `mysql://` or `sqlite://` | required of the primary |
/// | `host`, `port`, `user`, `password`, `database` | in place of the URL's | |
/// | `name` | text | `primary`, `replica-1`, … |
/// | `weight` | 1 to 65535; replicas only | 1 |
/// | `max_connections`, `min_connections` | numbers | the driver's |
/// | `acquire_timeout` | a duration | 5 s, replicas 1 s |
/// | `idle_timeout`, `max_lifetime` | durations | the driver's |
/// | `test_before_acquire` | `true`, `false` | the driver's |
/// | `pool_mode` | `"session"`, `"transaction"` | `"session"` |
/// | `on_connect` | a list of statements | none |
///
/// A further set takes over the default set's rules where it has none of its own. A replica inherits
/// from its primary what it leaves out: see [`NodeBuilder`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RoutingConfigBuilder")]
pub struct RoutingConfig {
    enabled: bool,
    /// The default set first.
    sets: Vec<SetConfig>,
}

/// The configuration of one replica set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetConfig {
    name: SetName,
    managed: bool,
    rules: Rules,
    tables: Vec<String>,
    primary: NodeConfig,
    replicas: Vec<NodeConfig>,
}

/// The configuration of one node.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeConfig {
    name: NodeName,
    weight: u16,
    url: String,
    dialect: Dialect,
    pool: PoolConfig,
}

/// The options of a node's connection pool; `None` is the driver's own default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolConfig {
    /// The most connections to the node.
    pub max_connections: Option<u32>,
    /// Connections that are kept open; **0**.
    pub min_connections: Option<u32>,
    /// How long a statement waits for a connection, be it that the pool is exhausted or that the
    /// node cannot be reached; **5 s** on the primary, **1 s** on replicas, as a read has somewhere
    /// else to go.
    pub acquire_timeout: Duration,
    /// After which time unused a connection is closed.
    pub idle_timeout: Option<Duration>,
    /// After which time any connection is closed.
    pub max_lifetime: Option<Duration>,
    /// Whether a connection is pinged before it is used.
    pub test_before_acquire: Option<bool>,
    /// Whether a connection is the same server process for as long as it is open; **`Session`**.
    pub pool_mode: PoolMode,
    /// Statements that each new connection runs before it is used; **none**.
    pub on_connect: Vec<String>,
}

/// What a connection keeps between two transactions: a word of PgBouncer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PoolMode {
    /// Everything: it leads to the server, or to a pooler that keeps one server process for it. A
    /// replica's connections are told, once, to refuse writes.
    #[default]
    Session,
    /// Nothing: a pooler between here and the server gives each transaction another server process.
    /// Nothing is set for the session, so that a server which calls itself a replica and is none
    /// would take a write; a hot standby refuses it by itself, and PgBouncer can be told to set
    /// `default_transaction_read_only` (`connect_query`).
    ///
    /// Synchronous Diesel prepares no statement by name then. `sqlx` and `tokio-postgres` always do:
    /// SeaORM and diesel-async need a pooler that hands such statements on (PgBouncer 1.21 with
    /// `max_prepared_statements`). One that does not may run another client's statement of that name.
    Transaction,
}

impl RoutingConfig {
    /// A configuration without nodes, for a start.
    pub fn builder() -> RoutingConfigBuilder {
        RoutingConfigBuilder::default()
    }

    /// The configuration that the environment holds: `DATABASE_URL`, `DATABASE_REPLICA_URLS`
    /// (separated by commas or spaces), `ROUTING_ENABLED` and `ROUTING_MODE`.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] with all mistakes. Their paths are the variables' names, and
    /// `DATABASE_REPLICA_URLS[0]` is the first of the replicas.
    pub fn from_env() -> Result<Self, RoutingError> {
        Self::builder().env().build()
    }

    /// Whether statements are routed; if not, all run on the primary of their set.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// All sets, the default one first.
    #[must_use]
    pub fn sets(&self) -> &[SetConfig] {
        &self.sets
    }

    /// The set that is used where none is named.
    #[must_use]
    pub fn default_set(&self) -> &SetConfig {
        &self.sets[0]
    }
}

impl TryFrom<RoutingConfigBuilder> for RoutingConfig {
    type Error = RoutingError;

    fn try_from(builder: RoutingConfigBuilder) -> Result<Self, RoutingError> {
        builder.build()
    }
}

impl SetConfig {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &SetName {
        &self.name
    }

    /// Whether it has rules; an unmanaged set is one node that takes anything.
    #[must_use]
    pub const fn is_managed(&self) -> bool {
        self.managed
    }

    /// Its rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The tables that live in it and not in the default set.
    #[must_use]
    pub fn tables(&self) -> &[String] {
        &self.tables
    }

    /// Its primary.
    #[must_use]
    pub const fn primary(&self) -> &NodeConfig {
        &self.primary
    }

    /// Its replicas.
    #[must_use]
    pub fn replicas(&self) -> &[NodeConfig] {
        &self.replicas
    }

    /// The SQL dialect of all its nodes.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.primary.dialect
    }
}

impl NodeConfig {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// Its share of reads, relative to the other replicas'.
    #[must_use]
    pub const fn weight(&self) -> u16 {
        self.weight
    }

    /// Its URL, with the password: not for logs.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its SQL dialect, from the URL's scheme.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The options of its pool.
    #[must_use]
    pub const fn pool(&self) -> &PoolConfig {
        &self.pool
    }
}

impl fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConfig")
            .field("name", &self.name)
            .field("weight", &self.weight)
            .field("url", &endpoint::without_password(&self.url))
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
