//! What a configuration is written in: by code, by serde, or by the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::groups::{
    BreakerBuilder, BudgetBuilder, FunctionLists, LagBuilder, ProbeBuilder, RetryBuilder,
};
use super::lenient::{Given, Ignored, Lenient, Span};
use super::node_builder::NodeBuilder;
use crate::config::rules::{
    AnonymousReads, Balance, BreakerRules, FallbackBudget, LagLimits, LatePin, Mode, NoReplica,
    PinRelease, ProbeRules, RetryRules,
};
use crate::error::ConfigProblem;

/// Collects a configuration; whatever is left out has its default.
///
/// Setters never fail: `build` reports all mistakes at once.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[must_use = "nothing is checked until `build` is called"]
pub struct RoutingConfigBuilder {
    pub(super) enabled: Given<bool>,
    /// Further sets, by name.
    pub(super) sets: Given<BTreeMap<String, SetBuilder>>,
    /// The default set; the others take over its rules where they have none of their own.
    #[serde(flatten)]
    pub(super) default: SetBuilder,
    /// Mistakes found before `build`.
    #[serde(skip)]
    pub(super) found: Vec<ConfigProblem>,
    /// Which nodes the environment named, so that their mistakes are reported as its.
    #[serde(skip)]
    pub(super) from_env: FromEnv,
}

/// What the environment was asked for and what it named.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FromEnv {
    pub(super) asked: bool,
    pub(super) primary: bool,
    pub(super) replicas: bool,
}

/// Collects the configuration of one replica set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[must_use = "it belongs into a `RoutingConfigBuilder`"]
pub struct SetBuilder {
    pub(super) unmanaged: Given<bool>,
    pub(super) mode: Given<Mode>,
    pub(super) no_replica: Given<NoReplica>,
    pub(super) late_pin: Given<LatePin>,
    pub(super) anonymous_reads: Given<AnonymousReads>,
    pub(super) balance: Given<Balance>,
    pub(super) affinity: Given<bool>,
    pub(super) primary_read_weight: Given<u16>,
    pub(super) functions: Given<FunctionLists>,
    pub(super) load_functions: Given<bool>,
    pub(super) allow_same_server: Given<bool>,
    pub(super) pin_release: Given<PinRelease>,
    pub(super) positions: Given<bool>,
    pub(super) catch_up_wait: Given<Span>,
    pub(super) time_pin: Given<Span>,
    pub(super) probe: Given<ProbeBuilder>,
    pub(super) probe_query: Given<String>,
    pub(super) lag: Given<LagBuilder>,
    pub(super) retry: Given<RetryBuilder>,
    pub(super) slow_start: Given<Span>,
    pub(super) fallback_budget: Given<BudgetBuilder>,
    pub(super) tables: Given<Vec<String>>,
    pub(super) replica_breaker: Given<BreakerBuilder>,
    pub(super) primary_breaker: Given<BreakerBuilder>,
    pub(super) primary: Given<NodeBuilder>,
    pub(super) replicas: Given<Vec<Lenient<NodeBuilder>>>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

impl RoutingConfigBuilder {
    /// Whether statements are routed; **`true`**. If not, all run on the primary, over one pool.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled.into());
        self
    }

    /// Adds a set beside the default one. It takes over the default set's rules, but no nodes.
    pub fn set(mut self, name: impl Into<String>, set: SetBuilder) -> Self {
        let mut sets = match self.sets {
            Some(Lenient::Fits(sets)) => sets,
            Some(Lenient::Other(_)) | None => BTreeMap::new(),
        };
        let name = name.into();
        if sets.insert(name.clone(), set).is_some() {
            let path = format!("sets.{name}");
            self.found
                .push(ConfigProblem::new(path, "two sets have this name"));
        }
        self.sets = Some(sets.into());
        self
    }
}

/// The same setters for the default set and for another: there is one list of them.
macro_rules! set_setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        impl RoutingConfigBuilder {
            $($(#[$doc])*
            pub fn $name(mut self, value: $type) -> Self {
                self.default = self.default.$name(value);
                self
            })*

            /// What nodes are asked, in place of the router's own question; **the router's own**. See
            /// [`Rules::probe_query`](crate::Rules::probe_query).
            pub fn probe_query(mut self, query: impl Into<String>) -> Self {
                self.default = self.default.probe_query(query);
                self
            }

            /// Functions beside the built-in ones that only read, by name or `schema.name`;
            /// **none**.
            pub fn reading_functions<S: Into<String>>(
                mut self,
                names: impl IntoIterator<Item = S>,
            ) -> Self {
                self.default = self.default.reading_functions(names);
                self
            }

            /// Functions that write, whatever the database's catalog says; **none**.
            pub fn writing_functions<S: Into<String>>(
                mut self,
                names: impl IntoIterator<Item = S>,
            ) -> Self {
                self.default = self.default.writing_functions(names);
                self
            }

            /// The primary: a URL, or a [`NodeBuilder`] with more.
            pub fn primary(mut self, node: impl Into<NodeBuilder>) -> Self {
                self.default = self.default.primary(node);
                self
            }

            /// Adds a replica: a URL, or a [`NodeBuilder`] with more.
            pub fn replica(mut self, node: impl Into<NodeBuilder>) -> Self {
                self.default = self.default.replica(node);
                self
            }
        }

        impl SetBuilder {
            $($(#[$doc])*
            pub fn $name(mut self, value: $type) -> Self {
                self.$name = Some(value.into());
                self
            })*
        }
    };
}

set_setters! {
    /// What an unpinned write does; **`Greedy`**.
    mode: Mode,
    /// Where a read goes when no replica can serve it; **`Primary`**.
    no_replica: NoReplica,
    /// What happens to a pin after a replica read; **`Allow`**.
    late_pin: LatePin,
    /// Where a read without a session goes; **`Primary`**.
    anonymous_reads: AnonymousReads,
    /// How a replica is chosen; **`RoundRobin`**.
    balance: Balance,
    /// Whether a session stays on the replica that it read from first; **`true`**.
    affinity: bool,
    /// The primary's share of unpinned reads, beside the replicas' weights; **0**.
    primary_read_weight: u16,
    /// Whether PostgreSQL is asked, in the background, which of its functions may write; **`true`**.
    load_functions: bool,
    /// Whether one server may be the primary and a replica, for a staging environment or a test; **`false`**.
    allow_same_server: bool,
    /// For how long the reads of a pinned session go to the primary; **`SessionEnd`**.
    pin_release: PinRelease,
    /// Whether nodes are asked for their positions; **`true`**. Not for a replica whose address stands
    /// for several servers.
    positions: bool,
    /// How long a read waits for a replica that has what its session requires, before it goes to
    /// the primary; **10 ms**, 0 not to wait.
    catch_up_wait: Duration,
    /// For how long a write is kept on the primary where there are no positions; **15 s**.
    time_pin: Duration,
    /// How often nodes are asked where they are; **every 5 s, every 5 ms while sessions wait**.
    probe: ProbeRules,
    /// How far behind a replica may be and still take reads that require nothing of it;
    /// out over both **60 s** and **8 MB**.
    lag: LagLimits,
    /// How often what certainly did nothing is tried again; **3 attempts within 5 s**.
    retry: RetryRules,
    /// For how long a replica that comes back takes less than its share; **10 s**.
    slow_start: Duration,
    /// How many reads the primary takes while no replica is up; **any number**.
    fallback_budget: FallbackBudget,
    /// When a replica is left alone; **after 1 failure, for 1 s and up to 60 s**.
    replica_breaker: BreakerRules,
    /// When the primary is left alone; **after 5 consecutive failures, for 30 s**.
    primary_breaker: BreakerRules,
}

impl From<Duration> for Lenient<Span> {
    fn from(span: Duration) -> Self {
        Self::Fits(Span(span))
    }
}

impl SetBuilder {
    /// A set without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A set without rules: one node that takes any statement at any time.
    pub fn unmanaged(mut self) -> Self {
        self.unmanaged = Some(true.into());
        self
    }

    /// What nodes are asked, in place of the router's own question; **the router's own**, and so with an empty
    /// text. See [`Rules::probe_query`](crate::Rules::probe_query).
    pub fn probe_query(mut self, query: impl Into<String>) -> Self {
        self.probe_query = Some(Lenient::Fits(query.into()));
        self
    }

    /// Functions beside the built-in ones that only read, by name or `schema.name`; **none**.
    pub fn reading_functions<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        self.change_functions(|lists| append(&mut lists.read, names))
    }

    /// Functions that write, whatever the database's catalog says; **none**.
    pub fn writing_functions<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        self.change_functions(|lists| append(&mut lists.write, names))
    }

    fn change_functions(mut self, change: impl FnOnce(&mut FunctionLists)) -> Self {
        let mut lists = match self.functions {
            Some(Lenient::Fits(lists)) => lists,
            Some(Lenient::Other(_)) | None => FunctionLists::default(),
        };
        change(&mut lists);
        self.functions = Some(lists.into());
        self
    }

    /// Tables that live in this set and not in the default one, by name or `schema.name`; **none**.
    ///
    /// A statement over one of them goes to this set, where the adapter can send it there.
    pub fn tables<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        append(&mut self.tables, names);
        self
    }

    /// The primary: a URL, or a [`NodeBuilder`] with more.
    pub fn primary(mut self, node: impl Into<NodeBuilder>) -> Self {
        self.primary = Some(node.into().into());
        self
    }

    /// Adds a replica: a URL, or a [`NodeBuilder`] with more.
    pub fn replica(mut self, node: impl Into<NodeBuilder>) -> Self {
        let mut replicas = match self.replicas {
            Some(Lenient::Fits(replicas)) => replicas,
            Some(Lenient::Other(_)) | None => Vec::new(),
        };
        replicas.push(node.into().into());
        self.replicas = Some(replicas.into());
        self
    }
}

fn append<S: Into<String>>(list: &mut Given<Vec<String>>, names: impl IntoIterator<Item = S>) {
    let mut all = match list.take() {
        Some(Lenient::Fits(all)) => all,
        Some(Lenient::Other(_)) | None => Vec::new(),
    };
    all.extend(names.into_iter().map(Into::into));
    *list = Some(all.into());
}
