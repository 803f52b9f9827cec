//! The pools of one node, one after the other.
//!
//! A pool is opened for a node's role, and for a generation: what was opened to a replica refuses writes, and is of no use
//! when the node has been promoted; what was left without an answer is of no use to anybody. The
//! obvious way is to swap the pool. But what runs on the old one borrows it, so that here it stays,
//! closed, for as long as the node does: nodes do not change often.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::cluster::connected::Connected;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::observe::decision::Role;

/// A node in its set, for which a pool opens connections.
#[derive(Debug)]
pub struct Footing<'a, P> {
    set: &'a ReplicaSet<P>,
    node: &'a Node<P>,
}

impl<P> Clone for Footing<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Footing<'_, P> {}

impl<'a, P> Footing<'a, P> {
    pub(crate) const fn new(set: &'a ReplicaSet<P>, node: &'a Node<P>) -> Self {
        Self { set, node }
    }

    /// What the node is in its set now: a replica's connections refuse writes.
    #[must_use]
    pub fn role(&self) -> Role {
        self.set.role_of(self.node)
    }

    /// What is to be told of the connections that are made to it.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.node.connected().clone()
    }

    /// How often its connections have been given up: when its role changed, when another server
    /// answered at its address, when it left them without an answer. The role changes first.
    #[must_use]
    #[inline]
    pub fn generation(&self) -> u32 {
        self.node.generation()
    }
}

impl<P> ReplicaSet<P> {
    /// What a node's pool is to be asked with.
    #[must_use]
    pub const fn footing<'a>(&'a self, node: &'a Node<P>) -> Footing<'a, P> {
        Footing::new(self, node)
    }
}

/// What an adapter has opened to one node: the last is the one to use.
#[derive(Debug)]
pub struct Generations<T> {
    /// In a box, as its buckets take half a kilobyte.
    opened: Box<boxcar::Vec<(u32, T)>>,
    /// The index of the last, plus one; 0 while there is none.
    current: AtomicUsize,
    opening: Mutex<()>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self {
            opened: Box::new(boxcar::Vec::new()),
            current: AtomicUsize::new(0),
            opening: Mutex::new(()),
        }
    }
}

impl<T> Generations<T> {
    /// The pool of the node's present generation, which is opened for its role if need be; then what
    /// was used before is to be closed.
    #[inline]
    pub fn get<P>(
        &self,
        footing: Footing<'_, P>,
        open: impl FnOnce(Role) -> T,
        close: impl FnOnce(&T),
    ) -> &T {
        let generation = footing.generation();
        match self.last() {
            Some((of, pool)) if *of >= generation => pool,
            _ => self.open(generation, || open(footing.role()), close),
        }
    }

    #[cold]
    fn open(&self, generation: u32, open: impl FnOnce() -> T, close: impl FnOnce(&T)) -> &T {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.last();
        if let Some((of, pool)) = before
            && *of >= generation
        {
            return pool;
        }
        let index = self.opened.push((generation, open()));
        self.current.store(index + 1, Ordering::Release);
        if let Some((_, pool)) = before {
            close(pool);
        }
        &self.opened[index].1
    }

    /// What is in use, if anything has been opened.
    pub fn current(&self) -> Option<&T> {
        self.last().map(|(_, pool)| pool)
    }

    fn last(&self) -> Option<&(u32, T)> {
        let current = self.current.load(Ordering::Acquire);
        self.opened.get(current.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generation_has_its_own_and_the_one_before_is_closed() {
        let generations = Generations::default();
        let closed = Mutex::new(Vec::new());
        let get = |generation, name| {
            *generations.open(generation, || name, |old| closed.lock().unwrap().push(*old))
        };
        assert_eq!(generations.current(), None);
        assert_eq!(get(0, "a"), "a");
        assert_eq!(get(0, "never"), "a");
        assert_eq!(get(1, "b"), "b");
        assert_eq!(get(0, "never"), "b", "it is late");
        assert_eq!(get(3, "c"), "c");
        assert_eq!(*closed.lock().unwrap(), ["a", "b"]);
    }
}
