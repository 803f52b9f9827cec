//! Waiting as a port.

use std::future::Future;
use std::time::Duration;

/// How an asynchronous adapter's runtime limits the time of a future.
///
/// What runs on threads needs none.
pub trait Timer {
    /// Whether there is something that measures time, here and now.
    #[must_use]
    fn is_running() -> bool {
        true
    }

    /// What the future comes to, unless that takes longer.
    fn within<F>(limit: Duration, future: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future<Output: Send> + Send;
}
