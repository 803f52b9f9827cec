//! The conformance suite's surroundings: real servers, and replication that lags on demand.

pub mod entity;
pub mod migration;
pub mod postgres;
pub mod recorder;
pub mod runtime;
pub mod sqlite;
pub mod stage;

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
