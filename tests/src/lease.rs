//! Servers that tests share, and servers that a test has for itself until it ends.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Servers that no test has now.
///
/// They were used before, and have kept what was left in their databases.
#[derive(Debug)]
pub(crate) struct Idle<C: 'static>(Mutex<Vec<&'static C>>);

/// A test's right to servers.
#[derive(Debug)]
pub(crate) struct Lease<C: 'static> {
    cluster: &'static C,
    /// Where they go afterwards, if they are for this test alone.
    idle: Option<&'static Idle<C>>,
}

impl<C> Idle<C> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<&'static C>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A primary and two replicas.
pub(crate) trait Servers: Sized + 'static {
    async fn start() -> Self;
    /// Those that all tests of this process share.
    async fn shared() -> &'static Self;
    /// Has all replicas replay again.
    async fn resume(&self);
    /// The primary's URL of a database, and the replicas'.
    fn urls(&self, database: &str) -> [String; 3];
}

impl<C: Servers> Lease<C> {
    /// Takes servers for this test alone, idle ones or new ones, or else those that others use too.
    pub(crate) async fn new(idle: &'static Idle<C>, alone: bool) -> Self {
        if !alone {
            let (cluster, idle) = (C::shared().await, None);
            return Self { cluster, idle };
        }
        let cluster = match idle.with(Vec::pop) {
            Some(cluster) => cluster,
            // The process's end stops them: it may come at any time.
            None => Box::leak(Box::new(C::start().await)),
        };
        cluster.resume().await;
        let idle = Some(idle);
        Self { cluster, idle }
    }
}

impl<C> Lease<C> {
    /// The servers, for what others would be disturbed by.
    pub(crate) fn alone_with(&self) -> &'static C {
        assert!(self.idle.is_some(), "others use these servers");
        self.cluster
    }
}

impl<C> Deref for Lease<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.cluster
    }
}

impl<C> Drop for Lease<C> {
    fn drop(&mut self) {
        // Of servers whose test has failed it is not known how they are.
        if let Some(idle) = self.idle
            && !thread::panicking()
        {
            idle.with(|all| all.push(self.cluster));
        }
    }
}
