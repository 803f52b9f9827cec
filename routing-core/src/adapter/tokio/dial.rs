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
    failure: Mutex<Option<String>>,
    dials: AtomicU64,
}

impl SingleDial {
    /// Why the node cannot be reached, if it cannot: it has **1 s** to answer. `dial` connects to it, and says
    /// why that failed.
    pub async fn failure<F>(&self, dial: impl FnOnce() -> F + Send) -> Option<String>
    where
        F: Future<Output = Result<(), String>> + Send,
    {
        let seen = self.dials.load(Ordering::Acquire);
        let mut failure = self.failure.lock().await;
        if self.dials.load(Ordering::Acquire) == seen {
            let answer = TokioTimer::within(DIAL_TIMEOUT, dial()).await;
            *failure = match answer {
                Some(answer) => answer.err(),
                None => Some("it does not answer".to_owned()),
            };
            self.dials.fetch_add(1, Ordering::Release);
        }
        failure.clone()
    }
}
