//! Events of the router, and the ports that an application can replace.

pub(crate) mod decision;
pub(crate) mod exclusion;
pub(crate) mod failure;
pub(crate) mod observer;
pub(crate) mod ports;
