//! One database server, as the application reaches it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::breaker::Breaker;
use crate::decision::Role;
use crate::name::NodeName;
use crate::position::{Position, Reach};
use crate::rules::BreakerRules;

/// Identifies a node within the process, whatever happens to the set it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

static LAST_ID: AtomicU32 = AtomicU32::new(0);

impl NodeId {
    fn next() -> Self {
        Self(LAST_ID.fetch_add(1, Ordering::Relaxed).wrapping_add(1))
    }

    pub(crate) const fn to_word(self) -> u32 {
        self.0
    }
}

/// A node of a replica set, with the adapter's pool `P`.
#[derive(Debug)]
pub struct Node<P> {
    pub(crate) id: NodeId,
    name: NodeName,
    role: Role,
    pool: P,
    pub(crate) breaker: Breaker,
    /// A lower bound: the node is there or further.
    position: Mutex<Option<Position>>,
}

impl<P> Node<P> {
    pub(crate) fn new(name: NodeName, role: Role, rules: BreakerRules, pool: P) -> Self {
        Self {
            id: NodeId::next(),
            name,
            role,
            pool,
            breaker: Breaker::new(rules),
            position: Mutex::new(None),
        }
    }

    /// Its name, unique in the set.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// What it is in its set.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The adapter's pool of connections to it.
    #[must_use]
    pub const fn pool(&self) -> &P {
        &self.pool
    }

    /// Whether it is up, as far as the queries sent to it tell.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.breaker.is_up()
    }

    /// Takes note that the node has replayed up to `position`. It may be further, never less far.
    pub fn observe(&self, position: Position) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }

    pub(crate) fn reaches(&self, required: Position) -> bool {
        let position = *self.position.lock().unwrap_or_else(PoisonError::into_inner);
        position.is_some_and(|position| position.reaches(required) == Reach::Yes)
    }
}
