//! The rule, the sessions and the configuration: what needs no server.

mod ambient;
mod configuration;
mod corpus;
mod errors;
mod floors;
mod model;
mod positions;
mod rule;
mod support;
