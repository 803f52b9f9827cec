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
//! | 3 | in [`Scope::node`] | that node; a write is refused on a replica | `Named` |
//! | 4 | a write in [`Scope::primary`] | the primary; the session is not pinned | `Forced` |
//! | | a write of a pinned session | the primary | `Pinned` |
//! | | a write, [`Mode::Strict`] | refused: [`UnpinnedWrite`](RoutingError::UnpinnedWrite) | |
//! | | a write, [`Mode::Greedy`] | the primary; the session is pinned | `Write` |
//! | 5 | a read in [`Scope::primary`] | the primary | `Forced` |
//! | | a read in [`Scope::replica`] | a replica, stale or not | `Forced` |
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

mod access;
mod aftermath;
mod ambient;
mod ask;
mod balance;
mod breaker;
mod budget;
mod callbacks;
mod changes;
mod choice;
mod classifier;
mod clock;
mod config;
mod connected;
mod decision;
mod delegate;
mod error;
mod exclusion;
mod failure;
mod generations;
mod hand_over;
mod in_transaction;
#[cfg(feature = "token")]
mod job;
mod load;
mod marks;
mod members;
mod monitor;
mod name;
mod needs;
mod node;
mod notice;
mod observer;
mod patience;
mod pin;
mod policy;
mod ports;
mod position;
mod probe;
mod proof;
mod race;
mod random;
mod reconfigure;
#[cfg(feature = "redis")]
mod redis_store;
mod replica_set;
mod replica_set_builder;
mod report;
mod resolution;
mod route;
mod routed_builder;
mod router;
mod rules;
mod running;
mod samples;
mod scope;
mod session;
mod sight;
mod slot;
pub mod sql;
mod status;
#[cfg(feature = "token")]
mod store;
mod succession;
mod tick;
mod timer;
#[cfg(feature = "token")]
mod token;
mod topology;
mod tried;
mod waiting;
#[cfg(feature = "tower")]
pub mod web;

pub use access::{Access, StatementKind};
pub use aftermath::Next;
pub use ambient::{Context, Entered, InContext, in_current_session};
pub use ask::{Answer, Ask, ProbeTicket};
pub use balance::{Balancer, Candidates};
pub use callbacks::{Callbacks, Committed};
pub use classifier::Classifier;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use config::{
    NodeBuilder, NodeConfig, PoolConfig, PoolMode, RoutingConfig, RoutingConfigBuilder, SetBuilder,
    SetConfig,
};
pub use connected::Connected;
pub use decision::{Decision, Reason, Role};
pub use delegate::Delegate;
pub use error::{ConfigProblem, RoutingError};
pub use exclusion::Exclusion;
pub use failure::{ERROR_NUMBERS, Failure, RECOVERY_CONFLICTS, RESULT_CODES, SQLSTATES};
pub use generations::{Footing, Generations};
pub use hand_over::HandOver;
#[cfg(feature = "token")]
pub use job::Consistency;
pub use monitor::{Monitor, Pause, Turn};
pub use name::{NodeName, SetName};
pub use node::{Lag, Node};
pub use observer::Observer;
pub use pin::{PinInfo, PinReason};
pub use position::{InvalidPosition, Position, Reach};
pub use probe::{Observation, Probe};
#[cfg(feature = "redis")]
pub use redis_store::RedisStore;
pub use replica_set::ReplicaSet;
pub use replica_set_builder::ReplicaSetBuilder;
pub use route::Route;
pub use routed_builder::{Pool, Routed, RoutedBuilder};
pub use router::Router;
pub use rules::{
    AnonymousReads, Balance, BreakerRules, FallbackBudget, LagLimits, LatePin, Mode, NoReplica,
    PinRelease, ProbeRules, RetryRules, Rules,
};
pub use running::{Permit, Running};
pub use scope::{Scope, Scopes};
pub use session::Session;
pub use status::{NodeStatus, SetStatus, Status};
#[cfg(feature = "token")]
pub use store::{Merge, PinStore, StoreError, StoreFuture};
pub use timer::Timer;
#[cfg(feature = "token")]
pub use token::{TokenCounts, TokenError, TokenKeys, WeakSecret};
