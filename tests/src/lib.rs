//! The conformance suite's surroundings: real servers, and replication that lags on demand.

pub mod adapter;
pub mod clock;
pub mod corpus;
pub mod entity;
mod lease;

pub mod migration;
pub mod mysql;
pub mod pgbouncer;
pub mod postgres;
mod process;
pub mod proxy;
pub mod recorder;
pub mod redis;
pub mod runtime;
pub mod schema;
mod servers;
pub mod sqlite;
pub mod stage;
pub mod staleness;
pub mod wait;
pub mod world;

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So do the guide's.
#[cfg(doctest)]
#[doc = include_str!("../../docs/concrete-connections.md")]
struct ConcreteConnections;

/// And this one's.
#[cfg(doctest)]
#[doc = include_str!("../../docs/reading-your-writes.md")]
struct ReadingYourWrites;

/// And this one's.
#[cfg(doctest)]
#[doc = include_str!("../../docs/when-things-break.md")]
struct WhenThingsBreak;
