//! What is Diesel's own, beside the conformance suite.

mod asynchronous;
mod compile_fail;
mod failover;
mod interrupted;
mod lost;
mod monitors;
mod no_runtime;
mod pools;
mod postgres;
mod postgres_async;
mod read_only;
mod silence;
mod support;
mod synchronous;
mod tls;
