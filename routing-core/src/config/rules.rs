//! The settings of the routing rule, one value per replica set.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sql::Functions;

/// What a write does on a session that is not pinned to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "the two modes are the library's words"
)]
pub enum Mode {
    /// The write is the error [`UnpinnedWrite`](crate::RoutingError::UnpinnedWrite): every unit of
    /// work that writes has to say so first, with [`Session::pin`](crate::Session::pin).
    Strict,
    /// The write pins the session; its later reads go to the primary.
    #[default]
    Greedy,
}

/// Where a read goes when no replica can serve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoReplica {
    /// To the primary.
    #[default]
    Primary,
    /// Nowhere: it is the error [`NoReplica`](crate::RoutingError::NoReplica).
    Error,
}

/// What happens when a session is pinned after it has read from a replica.
///
/// What it writes then may rest on stale rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LatePin {
    /// It is allowed, and an [`Observer::late_pin`](crate::Observer::late_pin) is told.
    #[default]
    Allow,
    /// A warning in the log.
    Warn,
    /// The error [`LatePin`](crate::RoutingError::LatePin).
    Deny,
}

/// Where a read goes that belongs to no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnonymousReads {
    /// To the primary: nobody promised that the caller has not just written.
    #[default]
    Primary,
    /// To a replica, chosen anew for every statement. Such a read may miss any earlier write.
    Replica,
}

/// How a replica is chosen among those that may serve a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Balance {
    /// One after the other, from a random start.
    #[default]
    RoundRobin,
    /// At random.
    Random,
}

/// When a node that fails is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BreakerRules {
    /// Consecutive failures that take the node down.
    pub failures: u16,
    /// How long it is left alone at first; doubled each time its trial fails.
    pub back_off: Duration,
    /// The longest it is left alone.
    pub max_back_off: Duration,
}

impl BreakerRules {
    /// For replicas: down after **1** failure, for **1 s** at first and **60 s** at most.
    pub const REPLICA: Self = Self {
        failures: 1,
        back_off: Duration::from_secs(1),
        max_back_off: Duration::from_secs(60),
    };

    /// For the primary: down after **5** consecutive failures, for **30 s**.
    pub const PRIMARY: Self = Self {
        failures: 5,
        back_off: Duration::from_secs(30),
        max_back_off: Duration::from_secs(30),
    };
}

/// For how long the reads of a pinned session go to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PinRelease {
    /// Until the session ends.
    #[default]
    SessionEnd,
    /// Until a replica has what the session has written and seen; then that replica serves them.
    /// Where there are no positions, for [`Rules::time_pin`] after the last write. A session that
    /// has pinned itself and has not written stays on the primary.
    CaughtUp,
}

/// How often nodes are asked where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ProbeRules {
    /// From one probe of a node to the next, while nobody waits; a tenth more or less, at random.
    pub heartbeat: Duration,
    /// The least time from one probe of a node to the next, while sessions wait.
    pub fastest: Duration,
    /// How long a node has to answer.
    pub timeout: Duration,
    /// How long a statement waits for its answer before its node is asked whether it is there at all.
    /// A node that is slow goes on; one that does not answer a probe either is left, `timeout` later.
    pub suspect_after: Duration,
}

impl ProbeRules {
    /// Every **5 s**, and every **5 ms** at the most; **1 s** to answer; suspected after **250 ms**.
    pub const DEFAULT: Self = Self {
        heartbeat: Duration::from_secs(5),
        fastest: Duration::from_millis(5),
        timeout: Duration::from_secs(1),
        suspect_after: Duration::from_millis(250),
    };

    /// The longest that a read stays with a replica that does not answer.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.suspect_after.saturating_add(self.timeout)
    }
}

/// How far behind a replica may be and still take reads that require nothing of it.
///
/// It is left out when it is over **both** limits, as far as both are known: much log that takes no
/// time is no lag, nor is a primary that has written nothing for a minute. It is taken back at half
/// of either. What is not known is not 0: a replica that says nothing is not left out for its lag,
/// but for saying nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LagLimits {
    /// For how long it may have missed something.
    pub time: Duration,
    /// How many bytes of log it may miss (PostgreSQL's only).
    pub bytes: u64,
}

impl LagLimits {
    /// **60 s** and **8 MB**, as GitLab's load balancer has it.
    pub const DEFAULT: Self = Self {
        time: Duration::from_secs(60),
        bytes: 8 << 20,
    };

    /// So much time, and so many bytes.
    #[must_use]
    pub const fn new(time: Duration, bytes: u64) -> Self {
        Self { time, bytes }
    }

    /// None: a replica may be as far behind as it is.
    pub const NONE: Self = Self {
        time: Duration::MAX,
        bytes: u64::MAX,
    };
}

/// How often what failed, and certainly did nothing, is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RetryRules {
    /// The most attempts at a write, the first among them, and the most replicas that a read is sent
    /// to before it goes to the primary; 8 at most.
    pub attempts: u8,
    /// How long a write waits before its second attempt; doubled each time, and spread at random
    /// between a half and the whole.
    pub back_off: Duration,
    /// The longest that it waits between two attempts.
    pub max_back_off: Duration,
    /// The longest from the first failure to the beginning of the last attempt.
    pub deadline: Duration,
}

impl RetryRules {
    /// **3** attempts, after **50 ms** and at most **1 s**, within **5 s**.
    pub const DEFAULT: Self = Self {
        attempts: 3,
        back_off: Duration::from_millis(50),
        max_back_off: Duration::from_secs(1),
        deadline: Duration::from_secs(5),
    };
}

/// How many reads the primary takes while no replica is up, so that losing the replicas does not
/// lose the primary too: a bucket of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FallbackBudget {
    /// How many reads a second.
    pub per_second: u32,
    /// How many at once; in a configuration that does not say, **as many as `per_second`**.
    pub burst: u32,
}

impl FallbackBudget {
    /// So many reads a second, and so many at once.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

/// The settings of one replica set's routing rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// What an unpinned write does; **`Greedy`**.
    pub mode: Mode,
    /// Where a read goes when no replica can serve it; **`Primary`**.
    pub no_replica: NoReplica,
    /// What happens to a pin after a replica read; **`Allow`**.
    pub late_pin: LatePin,
    /// Where a read without a session goes; **`Primary`**.
    pub anonymous_reads: AnonymousReads,
    /// How a replica is chosen; **`RoundRobin`**.
    pub balance: Balance,
    /// Whether a session stays on the replica that it read from first; **`true`**.
    pub affinity: bool,
    /// The primary's share of unpinned reads, beside the replicas' weights; **0**.
    pub primary_read_weight: u16,
    /// Which functions only read and which write, beside those that are built in; **none**.
    pub functions: Functions,
    /// Whether the database is asked, in the background, for its functions: PostgreSQL which of them may write, MySQL and
    /// MariaDB which are stored ones, as those may; **`true`**.
    /// What is not known to be harmless is a write.
    pub load_functions: bool,
    /// For how long the reads of a pinned session go to the primary; **`SessionEnd`**.
    pub pin_release: PinRelease,
    /// Whether nodes are asked for their positions; **`true`**. Each replica has to be one server for
    /// that: behind an address that stands for several, the one that is asked is not the one that is
    /// read from. If not, what is written is known by time.
    pub positions: bool,
    /// How long a read waits for a replica that has what its session requires, before it goes to
    /// the primary; **10 ms**.
    pub catch_up_wait: Duration,
    /// For how long a write is kept on the primary where there are no positions; **15 s**.
    pub time_pin: Duration,
    /// Whether one server may be the primary and a replica, for a staging environment or a test; **`false`**.
    /// Its database is then read from as a replica that never lags.
    pub allow_same_server: bool,
    /// How often nodes are asked where they are.
    pub probe: ProbeRules,
    /// What nodes are asked, in place of the router's own question: a query that returns one text, `primary` or
    /// `replica`, a space, and how far the node is, as a number that only grows or as an LSN. **None**.
    ///
    /// For databases that do not tell positions as PostgreSQL, MySQL and MariaDB do. What the primary says has to
    /// cover **every write that it has acknowledged**; what a replica says, no more than what its queries see. A
    /// node that says no number has no position.
    pub probe_query: Option<Arc<str>>,
    /// How far behind a replica may be; out over both **60 s** and **8 MB**. It can be changed while the set is in use:
    /// [`ReplicaSet::set_lag_limits`](crate::ReplicaSet::set_lag_limits).
    pub lag: LagLimits,
    /// How often what certainly did nothing is tried again; **3 attempts within 5 s**.
    pub retry: RetryRules,
    /// For how long a replica that comes back takes less than its share of the sessions, ever more;
    /// **10 s**.
    pub slow_start: Duration,
    /// How many reads the primary takes while no replica is up; **any number**.
    pub fallback_budget: Option<FallbackBudget>,
    /// When a replica is left alone.
    pub replica_breaker: BreakerRules,
    /// When the primary is left alone.
    pub primary_breaker: BreakerRules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            no_replica: NoReplica::default(),
            late_pin: LatePin::default(),
            anonymous_reads: AnonymousReads::default(),
            balance: Balance::default(),
            affinity: true,
            primary_read_weight: 0,
            functions: Functions::default(),
            load_functions: true,
            pin_release: PinRelease::default(),
            positions: true,
            catch_up_wait: Duration::from_millis(10),
            time_pin: Duration::from_secs(15),
            allow_same_server: false,
            probe: ProbeRules::DEFAULT,
            probe_query: None,
            lag: LagLimits::DEFAULT,
            retry: RetryRules::DEFAULT,
            slow_start: Duration::from_secs(10),
            fallback_budget: None,
            replica_breaker: BreakerRules::REPLICA,
            primary_breaker: BreakerRules::PRIMARY,
        }
    }
}
