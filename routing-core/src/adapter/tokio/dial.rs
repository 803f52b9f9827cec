//! Whether a node can be reached at all.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::adapter::tokio::background::TokioTimer;
use crate::time::timer::Timer;

/// How long a node has to answer a connection attempt.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes one connection attempt at a time; callers that waited for it take over its result.
///
/// A pool that runs out of time does not tell whether it is exhausted or its node is down.
#[derive(Debug, Default)]
pub struct SingleDial {
    is_reachable: Mutex<bool>,
    dials: AtomicU64,
}

impl SingleDial {
    /// Whether the node answers within **1 s**; `dial` connects to it.
    pub async fn is_reachable<F>(&self, dial: impl FnOnce() -> F + Send) -> bool
    where
        F: Future<Output = bool> + Send,
    {
        let seen = self.dials.load(Ordering::Acquire);
        let mut is_reachable = self.is_reachable.lock().await;
        if self.dials.load(Ordering::Acquire) == seen {
            let answer = TokioTimer::within(DIAL_TIMEOUT, dial()).await;
            *is_reachable = answer.unwrap_or(false);
            self.dials.fetch_add(1, Ordering::Release);
        }
        *is_reachable
    }
}
