//! Asking nodes where they are, beside the statements.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use routing_core::{Ask, Monitor, Node, Observation, Probe, ReplicaSet, Timer};

use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::NodePool;
use super::pool::AsyncRoutedPool;
use crate::database::Database;

/// Tokio's time; without a runtime there is none, and nothing is waited for.
pub(super) struct TokioTimer;

impl Timer for TokioTimer {
    async fn within<F>(limit: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        let _runtime = tokio::runtime::Handle::try_current().ok()?;
        tokio::time::timeout(limit, future).await.ok()
    }
}

impl<C: AsyncRoutable> AsyncRoutedPool<C> {
    /// Has the nodes of the set monitored in the background, if nobody does and there is a runtime
    /// for it.
    #[inline]
    pub(super) fn monitor_if_wanted(&self) {
        if self.set.take_monitor_request() {
            self.monitor_in_background();
        }
    }

    #[cold]
    fn monitor_in_background(&self) {
        let monitors = Monitor::of_set(&self.router, &self.set);
        let guard = Guard(Arc::downgrade(&self.set));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let monitoring = |monitor: Monitor<_>| monitor.run::<Line<C>, TokioTimer>();
            runtime.spawn(async move {
                let _guard = guard;
                join_all(monitors.into_iter().map(monitoring)).await;
            });
        }
    }
}

/// When the runtime is gone, another may take over.
struct Guard<C: AsyncRoutable>(Weak<ReplicaSet<NodePool<C>>>);

impl<C: AsyncRoutable> Drop for Guard<C> {
    fn drop(&mut self) {
        if let Some(set) = self.0.upgrade() {
            set.want_monitor();
        }
    }
}

/// A connection beside the pool, which may be exhausted.
struct Line<C>(Option<(C, Probe)>);

impl<C> Default for Line<C> {
    fn default() -> Self {
        Self(None)
    }
}

impl<C: AsyncRoutable> Ask<NodePool<C>> for Line<C> {
    async fn ask(&mut self, node: &Node<NodePool<C>>) -> Option<Observation> {
        if self.0.is_none() {
            let mut connection = node.pool().dedicated().await.ok()?;
            let dialect = DatabaseOf::<C>::DIALECT;
            let version = match Probe::version_question(dialect) {
                Some(question) => connection.text(question).await.ok()?,
                None => String::new(),
            };
            self.0 = Some((connection, Probe::new(dialect, &version)?));
        }
        let (connection, probe) = self.0.as_mut()?;
        let answer = connection.text(probe.question()).await.ok()?;
        probe.read(node.role(), &answer)
    }
}
