//! Waiting for what is to come.
//!
//! A busy machine delays every event, so no test expects one soon. A test fails if an event does not come
//! within [`LIMIT`].

use std::fmt::Display;
use std::future::Future;
use std::thread;
use std::time::Duration;

use routing_core::{Clock, SystemClock};

/// How long anything is waited for.
pub const LIMIT: Duration = Duration::from_secs(60);

/// From one look to the next, at what offers no event to wait for.
const PAUSE: Duration = Duration::from_millis(5);

/// Awaits a future, at most for [`LIMIT`].
///
/// # Panics
///
/// If it does not come.
pub async fn within<F: Future>(what: impl Display, future: F) -> F::Output {
    let done = tokio::time::timeout(LIMIT, future).await;
    done.unwrap_or_else(|_| panic!("in vain: {what}"))
}

/// Looks again and again until it is so.
///
/// # Panics
///
/// If it never is.
pub async fn until(what: impl Display, is_so: impl AsyncFnMut() -> bool) {
    until_for(LIMIT, what, is_so).await;
}

/// The same for what takes long by itself.
///
/// # Panics
///
/// If it is not so in this time.
pub async fn until_for(limit: Duration, what: impl Display, mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    let is_so = tokio::time::timeout(limit, looking).await;
    is_so.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// The same on a thread.
///
/// # Panics
///
/// If it never is.
pub fn until_blocking(what: impl Display, mut is_so: impl FnMut() -> bool) {
    let begun = SystemClock.now();
    while !is_so() {
        assert!(SystemClock.now().since(begun) < LIMIT, "in vain: {what}");
        thread::sleep(PAUSE);
    }
}
