//! Where a node's pool comes from: the router opens it, or the application made it.

use crate::cluster::pools::{OpenPool, PoolEpochs, PoolKey};
use crate::config::NodeConfig;
use crate::observe::decision::Role;

/// The source of a node's pool `T`, which `O` opens.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an adapter has to handle each")]
pub enum PoolSource<T, O> {
    /// The router opens the pool when it is first used.
    Configured {
        /// The node.
        node: NodeConfig,
        /// What the adapter opens its pools with.
        opener: O,
        /// The pools that have been opened.
        opened: PoolEpochs<T>,
    },
    /// The application made the pool.
    Given(OpenPool<T>),
}

impl<T, O> PoolSource<T, O> {
    /// No pool is opened yet.
    #[must_use]
    pub fn configured(node: &NodeConfig, opener: O) -> Self {
        Self::Configured {
            node: node.clone(),
            opener,
            opened: PoolEpochs::default(),
        }
    }

    /// The application's pool, which serves in every role.
    #[must_use]
    pub fn given(pool: T) -> Self {
        Self::Given(OpenPool::new(pool))
    }

    /// Whether the router would open the same pool for this node.
    #[must_use]
    pub fn is_of(&self, other: &NodeConfig) -> bool {
        match self {
            Self::Configured { node, .. } => {
                node.url() == other.url() && node.pool() == other.pool()
            }
            Self::Given(_) => false,
        }
    }

    /// The pool of the node's present epoch, see [`PoolEpochs::get`].
    #[inline]
    pub fn get<P>(
        &self,
        key: PoolKey<'_, P>,
        open: impl FnOnce(&NodeConfig, &O, Role) -> T,
        supersede: impl FnOnce(&T),
    ) -> OpenPool<T> {
        match self {
            Self::Given(pool) => pool.clone(),
            Self::Configured {
                node,
                opener,
                opened,
            } => opened.get(key, |role| open(node, opener, role), supersede),
        }
    }

    /// The pool in use, if there is one yet.
    #[must_use]
    pub fn current(&self) -> Option<OpenPool<T>> {
        match self {
            Self::Configured { opened, .. } => opened.current(),
            Self::Given(pool) => Some(pool.clone()),
        }
    }

    /// Gives the router's pool up for good; the application's stays open.
    pub fn retire(&self, supersede: impl FnOnce(&T)) {
        if let Self::Configured { opened, .. } = self {
            opened.retire(supersede);
        }
    }
}
