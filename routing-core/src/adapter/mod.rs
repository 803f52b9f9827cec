//! Shared parts of the adapters. Applications do not use them.

pub(crate) mod builder;
pub(crate) mod reconfigure;
pub(crate) mod status;
