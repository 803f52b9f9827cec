//! One probe: its ticket, how it is asked, and what may be answered.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::cluster::breaker::Trial;
use crate::cluster::node::Node;
use crate::cluster::probe::Observation;
use crate::cluster::replica_set::ReplicaSet;
use crate::observe::decision::Role;
use crate::observe::failure::Failure;

/// How an adapter asks a node, over a connection that it keeps; the default has none yet.
pub trait Ask<P>: Default + Send {
    /// What the node answers to a probe.
    fn ask(&mut self, ticket: &ProbeTicket<P>) -> impl Future<Output = Answer> + Send;
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a monitor has to handle each")]
pub enum Answer {
    /// The node said where it is.
    Observed(Observation),
    /// It answered, but nothing that is understood: an error, or another database's words.
    Unintelligible,
    /// It did not answer, or could not be asked.
    Failed(Failure),
}

impl From<Option<Observation>> for Answer {
    fn from(read: Option<Observation>) -> Self {
        read.map_or(Self::Unintelligible, Self::Observed)
    }
}

/// A probe that is due.
#[derive(Debug)]
#[must_use = "a probe is to be sent now, and reported"]
pub struct ProbeTicket<P> {
    // Not the set itself, which would not end while a server does not answer.
    pub(crate) set: Weak<ReplicaSet<P>>,
    pub(crate) node: Arc<Node<P>>,
    pub(crate) role: Role,
    pub(crate) query: Option<Arc<str>>,
    pub(crate) timeout: Duration,
    pub(crate) number: u64,
    /// Whether somebody waits for the answer.
    pub(crate) asked: bool,
    pub(crate) trial: Option<Trial>,
}

/// Whoever will not know the answer makes room for another trial.
impl<P> Drop for ProbeTicket<P> {
    fn drop(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.node.breaker.gave_up(trial);
        }
    }
}

impl<P> ProbeTicket<P> {
    /// The node to ask.
    #[must_use]
    pub const fn node(&self) -> &Arc<Node<P>> {
        &self.node
    }

    /// What it is in its set.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The application's own question, for [`Probe::asked_by`](crate::Probe::asked_by).
    #[must_use]
    pub fn query(&self) -> Option<Arc<str>> {
        self.query.clone()
    }

    /// How long it has to answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}
