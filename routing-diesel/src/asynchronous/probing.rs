//! Asking nodes where they are, beside the statements.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel::result::Error;
use futures_util::future::join_all;
use routing_core::sql::Dialect;
use routing_core::{Answer, Ask, Failure, Monitor, Node, Probe, ReplicaSet, Role, Router, Timer};

use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::{NodePool, refused};
use super::pool::AsyncRoutedPool;
use crate::database::Database;
use crate::failure::{Verdict, verdict};

/// Tokio's time; without a runtime there is none, and nothing is waited for.
pub(super) struct TokioTimer;

impl Timer for TokioTimer {
    fn is_running() -> bool {
        tokio::runtime::Handle::try_current().is_ok()
    }

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
            monitor_in_background(&self.router, &self.set);
        }
    }

    /// The same for all sets, for who looks at them before the first statement does.
    pub(super) fn monitor_all(&self) {
        if !TokioTimer::is_running() {
            return;
        }
        for set in self.router.sets() {
            if set.take_monitor_request() {
                monitor_in_background(&self.router, set);
            }
        }
    }
}

#[cold]
fn monitor_in_background<C: AsyncRoutable>(
    router: &Router<NodePool<C>>,
    set: &Arc<ReplicaSet<NodePool<C>>>,
) {
    let monitors = router.monitors(set);
    if monitors.is_empty() {
        return;
    }
    let guard = Guard(Arc::downgrade(set));
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let monitoring = |monitor: Monitor<_>| monitor.run::<Line<C>, TokioTimer>();
        runtime.spawn(async move {
            let _guard = guard;
            join_all(monitors.into_iter().map(monitoring)).await;
        });
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
    async fn ask(&mut self, node: &Node<NodePool<C>>, role: Role) -> Answer {
        if self.0.is_none() {
            let connected = node.pool().dedicated().await;
            let mut connection = match connected {
                Ok(connection) => connection,
                Err(error) => {
                    let node = node.name().as_str();
                    tracing::debug!(target: "routing", node, %error, "a probe could not connect");
                    return Answer::Failed(refused(error).0);
                }
            };
            let dialect = DatabaseOf::<C>::DIALECT;
            let version = match Probe::version_question(dialect) {
                Some(question) => match connection.text(question).await {
                    Ok(version) => version,
                    Err(error) => return answer_of(&error, dialect, role),
                },
                None => String::new(),
            };
            let Some(probe) = Probe::new(dialect, &version) else {
                return Answer::Unintelligible;
            };
            self.0 = Some((connection, probe));
        }
        let Some((connection, probe)) = &mut self.0 else {
            return Answer::Unintelligible;
        };
        match connection.text(probe.question()).await {
            Ok(answer) => probe.read(role, &answer).into(),
            Err(error) => answer_of(&error, DatabaseOf::<C>::DIALECT, role),
        }
    }
}

fn answer_of(error: &Error, dialect: Dialect, role: Role) -> Answer {
    match verdict(error, dialect, role) {
        Verdict::Users => Answer::Unintelligible,
        Verdict::Failure(failure) => Answer::Failed(failure),
        // Whether it is there is seen by connecting again.
        Verdict::Ask => Answer::Failed(Failure::Lost),
    }
}
