//! Diesel and diesel-async connections that route by themselves.

#[cfg(feature = "async")]
mod asynchronous;
mod database;
mod error;
mod failure;
mod instrumentation;
mod kinds;
mod known;
mod read_only;
mod sync;
mod transaction;
mod unlocked_select;
mod url;

#[cfg(feature = "async-postgres")]
pub use asynchronous::AsyncTransactionBuilder;
#[cfg(feature = "async")]
pub use asynchronous::{
    AsyncPool, AsyncRoutable, AsyncRoutedConnection, AsyncRoutedPool, AsyncRoutedPoolBuilder,
    RoutedTransactionManager,
};
pub use database::{Database, Routable};
pub use error::{CheckoutError, RoutingErrExt};
pub use read_only::ReadOnly;
pub use sync::{RoutedConnection, RoutedPool, RoutedPoolBuilder};

pub use unlocked_select::{Boxed, Combined, Plain, UnlockedSelect};

pub use routing_core::{
    Access, AnonymousReads, Balance, Balancer, BreakerRules, Candidates, Clock, Committed,
    ConfigProblem, Context, Decision, InContext, LatePin, ManualClock, Mode, NoReplica,
    NodeBuilder, NodeConfig, NodeName, Observer, PinInfo, PinReason, PoolConfig, Position, Reason,
    Role, RoutingConfig, RoutingConfigBuilder, RoutingError, Rules, Scope, Session, SetBuilder,
    SetConfig, SetName, StatementKind, Timestamp, in_current_session,
};
