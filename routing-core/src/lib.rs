//! Decides which node of a replica set runs a query, and keeps sessions reading their own writes.
//!
//! This crate only decides: it does no I/O, and knows no driver and no runtime. An adapter
//! (`routing-seaorm`, `routing-diesel`) holds the connections, asks a [`Router`] where a statement
//! goes, and reports how it went. Applications use an adapter, and from here:
//!
//! - [`RoutingConfig`], the nodes and the [`Rules`], from code, a file or the environment;
//! - [`Session`], one unit of work that must read its own writes;
//! - [`Scope`], a stretch of code with an override;
//! - [`RoutingError`], why a statement was refused.
//!
//! # The rule
//!
//! The first line that applies decides.
//!
//! | | statement | goes to | [`Reason`] |
//! |---|---|---|---|
//! | 1 | routing is off, or the set is unmanaged | the primary | `Disabled`, `Unmanaged` |
//! | 2 | in a transaction | the transaction's node; a write in a read-only one is refused, and pins a session that did not begin it | `Transaction` |
//! | 3 | after state was left in a connection that is gone | refused: [`StateLost`](RoutingError::StateLost) | |
//! | 4 | in [`Scope::node`] | that node; a write is refused on a replica, and so is a read after state was left on the primary | `Named` |
//! | 5 | a write in [`Scope::primary`] | the primary; the session is not pinned | `Forced` |
//! | | a write of a pinned session | the primary | `Pinned` |
//! | | a write in [`Scope::migration`] | the primary; the session is pinned, in either mode | `Write` |
//! | | a write, [`Mode::Strict`] | refused: [`UnpinnedWrite`](RoutingError::UnpinnedWrite) | |
//! | | a write, [`Mode::Greedy`] | the primary; the session is pinned | `Write` |
//! | 6 | a read in [`Scope::primary`] or [`Scope::migration`] | the primary | `Forced` |
//! | | a read after a statement that has left state in a connection | the primary | `SessionState` |
//! | | a read that no standby runs | the primary | `NotOnStandby` |
//! | | a read in [`Scope::replica`] | a replica, stale or not | `Forced` |
//! | | a read in [`Scope::prefer_primary`] | the primary; if it does not answer or is known to be down, a replica | `Preferred` |
//! | | a read without a session | the primary, or as [`AnonymousReads`] says | `NoSession` |
//! | | a read of a pinned session, until [`PinRelease`] lets go | the primary | `Pinned` |
//! | | any other read | the session's replica, else the balancer's choice, among those that are known to have what the session requires | `Affine`, `Balanced` |
//! | | … and none is known to have it | the primary, after [`Rules::catch_up_wait`] | `NotCaughtUp` |
//! | | … and none is up | the primary, or as [`NoReplica`] says | `NoReplica` |
//!
//! What is not known to be a read is a write: [`StatementKind`] has the list.
//!
//! # What a session requires
//!
//! A [`Position`] in the primary's history that includes what the session has written and seen. It is
//! asked for by nobody's statement: a [`Monitor`] for each node asks where the nodes are, and what it
//! learns serves all sessions that wrote before it asked. [`Session::hand_over`] and
//! [`Session::take_over`] carry it to the next session of the same user; with the feature `token`,
//! `TokenKeys` seals it for a client, and with `tower` the layer in `web` does so for each request.

pub mod adapter;
mod cluster;
mod config;
mod decide;
mod error;
mod execute;
mod monitor;
mod names;
mod observe;
mod position;
mod random;
mod session;
pub mod sql;
mod time;
#[cfg(feature = "tower")]
pub mod web;

pub use adapter::builder::{Routed, RoutedBuilder};
pub use adapter::pool::{BackgroundTasks, Pool, PoolState};
pub use adapter::status::{NodeStatus, SetStatus, Status};
pub use cluster::balancer::{Balancer, Candidates};
pub use cluster::builder::ReplicaSetBuilder;
pub use cluster::connected::Connected;
pub use cluster::node::{Lag, Node};
pub use cluster::pools::{OpenPool, PoolEpochs, PoolKey};
pub use cluster::probe::{Observation, Probe};
pub use cluster::replica_set::ReplicaSet;
pub use config::rules::{
    AnonymousReads, Balance, BreakerRules, FallbackBudget, LagLimits, LatePin, Mode, NoReplica,
    PinRelease, ProbeRules, RetryRules, Rules,
};
pub use config::{
    NodeBuilder, NodeConfig, PoolConfig, PoolMode, RoutingConfig, RoutingConfigBuilder, SetBuilder,
    SetConfig,
};
pub use error::{ConfigProblem, RoutingError};
pub use execute::attempt::{Permit, Running};
pub use execute::next::Next;
pub use execute::route::Route;
pub use execute::router::Router;
pub use execute::router_builder::RouterBuilder;
pub use monitor::ticket::{Answer, Ask, ProbeTicket};
pub use monitor::{Monitor, Pause, Turn};
pub use names::{NodeName, SetName};
pub use observe::decision::{Decision, Reason, Role};
pub use observe::exclusion::Exclusion;
pub use observe::failure::{
    ERROR_NUMBERS, Failure, RECOVERY_CONFLICTS, RESULT_CODES, ROLLBACKS, SQLSTATES,
    rolls_back_on_mysql,
};
pub use observe::observer::Observer;
pub use position::{InvalidPosition, Position, Reach};
pub use session::Session;
pub use session::connection_state::ConnectionState;
pub use session::context::Context;
pub use session::entry::{Entered, InContext, in_current_session};
pub use session::hand_over::HandOver;
pub use session::hooks::{Callbacks, Committed};
#[cfg(feature = "token")]
pub use session::job::Consistency;
pub use session::pin::{PinInfo, PinReason};
#[cfg(feature = "redis")]
pub use session::redis::RedisStore;
pub use session::scope::{Scope, Scopes};
#[cfg(feature = "token")]
pub use session::store::{Merge, PinStore, StoreError, StoreFuture};
#[cfg(feature = "token")]
pub use session::token::{TokenCounts, TokenError, TokenKeys, WeakSecret};
pub use sql::classifier::Classifier;
pub use sql::kind::{Access, StatementKind};
pub use sql::set_lookup::Delegate;
pub use time::clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use time::timer::Timer;

/// The types that applications use. Each adapter re-exports all of them.
pub mod application {
    #[cfg(feature = "redis")]
    pub use crate::RedisStore;
    pub use crate::sql::Functions;
    #[cfg(feature = "tower")]
    pub use crate::web;
    pub use crate::{
        Access, AnonymousReads, Balance, Balancer, BreakerRules, Candidates, Clock, Committed,
        ConfigProblem, Context, Decision, Delegate, Entered, Exclusion, Failure, FallbackBudget,
        HandOver, InContext, InvalidPosition, Lag, LagLimits, LatePin, ManualClock, Mode,
        NoReplica, NodeBuilder, NodeConfig, NodeName, NodeStatus, Observer, PinInfo, PinReason,
        PinRelease, PoolConfig, PoolMode, PoolState, Position, ProbeRules, Reach, Reason,
        RetryRules, Role, RoutedBuilder, RoutingConfig, RoutingConfigBuilder, RoutingError, Rules,
        Scope, Session, SetBuilder, SetConfig, SetName, SetStatus, StatementKind, Status,
        SystemClock, Timestamp, in_current_session, sql,
    };
    #[cfg(feature = "token")]
    pub use crate::{
        Consistency, Merge, PinStore, StoreError, StoreFuture, TokenCounts, TokenError, TokenKeys,
        WeakSecret,
    };
}
