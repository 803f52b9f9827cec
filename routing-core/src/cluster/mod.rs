//! The nodes of replica sets, what they are, and how they are. Nothing here knows a session.

pub(crate) mod balancer;
pub(crate) mod breaker;
pub(crate) mod budget;
pub(crate) mod builder;
pub(crate) mod connected;
pub(crate) mod election;
pub(crate) mod events;
pub(crate) mod latency;
pub(crate) mod members;
pub(crate) mod membership;
pub(crate) mod node;
pub(crate) mod pools;
pub(crate) mod probe;
pub(crate) mod reconcile;
pub(crate) mod replica_set;
pub(crate) mod window;
