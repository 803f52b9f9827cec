//! What the adapters share, and no application needs.

pub(crate) mod builder;
pub(crate) mod reconfigure;
pub(crate) mod status;
