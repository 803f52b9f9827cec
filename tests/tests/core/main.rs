//! The rule, the sessions and the configuration: what needs no server.

mod ambient;
mod configuration;
mod corpus;
mod errors;
mod floors;
mod model;
mod position_laws;
mod positions;
mod probed;
mod reconfigure;
mod rule;
mod support;
