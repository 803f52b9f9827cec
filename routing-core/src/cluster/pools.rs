//! The pools of one node, one after the other.
//!
//! A pool is opened for a node's role and for an epoch. Connections that were opened to a replica refuse
//! writes, and are of no use when the node has been promoted; connections that the server left without an
//! answer are of no use at all. So the adapter then opens another pool. Statements on the old pool keep
//! it, and it ends with the last of them.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use crate::cluster::connected::Connected;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::observe::decision::Role;

/// A node in its set, for which a pool opens connections.
#[derive(Debug)]
pub struct PoolKey<'a, P> {
    set: &'a ReplicaSet<P>,
    node: &'a Node<P>,
}

impl<P> Clone for PoolKey<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for PoolKey<'_, P> {}

impl<P> PoolKey<'_, P> {
    /// The node's present role in its set: a replica's connections refuse writes.
    #[must_use]
    pub fn role(&self) -> Role {
        self.set.role_of(self.node)
    }

    /// The pool reports each connection that it makes to this.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.node.connected().clone()
    }

    /// How often the router has given the node's connections up: when its role changed, when another
    /// server answered at its address, when it left them without an answer. The role changes first.
    #[must_use]
    #[inline]
    pub fn epoch(&self) -> u32 {
        self.node.pool_epoch()
    }
}

impl<P> ReplicaSet<P> {
    /// The key by which a node's pool finds its connections.
    #[must_use]
    pub const fn pool_key<'a>(&'a self, node: &'a Node<P>) -> PoolKey<'a, P> {
        PoolKey { set: self, node }
    }
}

/// The pool that an adapter has opened to a node, for the node's present epoch.
#[derive(Debug)]
pub struct PoolEpochs<T> {
    current: ArcSwapOption<Opened<T>>,
    opening: Mutex<()>,
    is_retired: AtomicBool,
}

#[derive(Debug)]
struct Opened<T> {
    epoch: u32,
    pool: T,
}

/// A pool in use: it stays open for as long as this is kept.
#[derive(Debug)]
pub struct OpenPool<T>(Arc<Opened<T>>);

impl<T> Clone for OpenPool<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> OpenPool<T> {
    /// A pool that is open for all epochs, such as one of the application's.
    #[must_use]
    pub fn new(pool: T) -> Self {
        Self(Arc::new(Opened { epoch: 0, pool }))
    }

    /// Whether this is the same pool.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The node's epoch when the pool was opened.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.0.epoch
    }
}

impl<T> Deref for OpenPool<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.pool
    }
}

impl<T> Default for PoolEpochs<T> {
    fn default() -> Self {
        Self {
            current: ArcSwapOption::const_empty(),
            opening: Mutex::new(()),
            is_retired: AtomicBool::new(false),
        }
    }
}

impl<T> PoolEpochs<T> {
    /// The pool of the node's present epoch, which is opened for the node's role if need be. The pool of
    /// the epoch before is then given to `supersede`, and dropped when it is no longer in use.
    #[inline]
    pub fn get<P>(
        &self,
        key: PoolKey<'_, P>,
        open: impl FnOnce(Role) -> T,
        supersede: impl FnOnce(&T),
    ) -> OpenPool<T> {
        let epoch = key.epoch();
        match self.current.load_full() {
            Some(opened) if opened.epoch >= epoch => OpenPool(opened),
            _ => self.open(epoch, || open(key.role()), supersede),
        }
    }

    #[cold]
    fn open(
        &self,
        epoch: u32,
        open: impl FnOnce() -> T,
        supersede: impl FnOnce(&T),
    ) -> OpenPool<T> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        if let Some(opened) = before.as_ref().filter(|opened| opened.epoch >= epoch) {
            return OpenPool(Arc::clone(opened));
        }
        let pool = open();
        let opened = Arc::new(Opened { epoch, pool });
        // A retired node is not chosen again: its last statements have pools of their own.
        if self.is_retired.load(Ordering::Acquire) {
            supersede(&opened.pool);
        } else {
            self.current.store(Some(Arc::clone(&opened)));
            if let Some(before) = before {
                supersede(&before.pool);
            }
        }
        OpenPool(opened)
    }

    /// The pool in use, if one has been opened.
    #[must_use]
    pub fn current(&self) -> Option<OpenPool<T>> {
        self.current.load_full().map(OpenPool)
    }

    /// Gives the pool up for good, as its node was removed.
    pub fn retire(&self, supersede: impl FnOnce(&T)) {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_retired.store(true, Ordering::Release);
        if let Some(before) = self.current.swap(None) {
            supersede(&before.pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_has_its_own_pool_and_the_one_before_is_superseded() {
        let epochs = PoolEpochs::default();
        let superseded = Mutex::new(Vec::new());
        let get = |epoch, name| {
            *epochs.open(
                epoch,
                || name,
                |old| superseded.lock().expect("the list").push(*old),
            )
        };
        assert!(epochs.current().is_none());
        assert_eq!(get(0, "a"), "a");
        assert_eq!(get(0, "never"), "a");
        assert_eq!(get(1, "b"), "b");
        assert_eq!(get(0, "never"), "b", "it is late");
        assert_eq!(get(3, "c"), "c");
        assert_eq!(*superseded.lock().expect("the list"), ["a", "b"]);
    }

    #[test]
    fn a_pool_lives_until_its_last_statement_ends() {
        let epochs = PoolEpochs::default();
        let open = |epoch| epochs.open(epoch, || Arc::new(()), |_| ());
        let first = open(0);
        let superseded = Arc::downgrade(&*first);
        let second = open(1);
        assert!(superseded.upgrade().is_some(), "a statement is on it");
        drop(first);
        assert!(superseded.upgrade().is_none());

        let retired = Arc::downgrade(&*second);
        epochs.retire(|_| ());
        assert!(retired.upgrade().is_some(), "a statement is on it");
        drop(second);
        assert!(retired.upgrade().is_none());
        let late = open(1);
        let last = Arc::downgrade(&*late);
        drop(late);
        assert!(
            last.upgrade().is_none(),
            "nothing is kept for a retired node"
        );
    }
}
