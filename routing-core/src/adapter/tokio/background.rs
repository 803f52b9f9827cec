//! Time and tasks, on the caller's runtime or on one of the process's own.
//!
//! A program may use an adapter outside of a Tokio runtime: on another runtime, in a synchronous test,
//! or while it sets up. Monitors must run there too, or no replica would ever be used. So the router
//! then starts one thread with a runtime of its own, which lasts as long as the process.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::time::timeout;

use crate::time::timer::Timer;

/// Tokio's time.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum TokioTimer {}

impl Timer for TokioTimer {
    fn is_running() -> bool {
        Handle::try_current().is_ok() || background().is_some()
    }

    async fn within<F>(limit: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        let limited = if Handle::try_current().is_ok() {
            timeout(limit, future)
        } else {
            let _entered = background()?.enter();
            timeout(limit, future)
        };
        limited.await.ok()
    }
}

/// Enters the process's own runtime, unless the caller is on one: for what starts tasks when it is made.
#[must_use = "the runtime is left when the guard is dropped"]
pub fn enter_runtime() -> Option<EnterGuard<'static>> {
    if Handle::try_current().is_ok() {
        return None;
    }
    background().map(Handle::enter)
}

/// Runs a task in the background; says whether there is a runtime for it.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
    let runtime = Handle::try_current().ok();
    let Some(runtime) = runtime.as_ref().or_else(|| background()) else {
        return false;
    };
    drop(runtime.spawn(task));
    true
}

/// Runs a future to its end, even if its caller is dropped; `None` if the runtime shuts down first.
///
/// # Panics
///
/// If the future does.
pub async fn run_to_end<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let runtime = Handle::try_current().ok();
    let Some(runtime) = runtime.as_ref().or_else(|| background()) else {
        return Some(future.await);
    };
    match runtime.spawn(future).await {
        Ok(outcome) => Some(outcome),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_cancelled) => None,
        },
    }
}

/// The process's own runtime, which starts when it is first needed.
pub(super) fn background() -> Option<&'static Handle> {
    static BACKGROUND: OnceLock<Option<Handle>> = OnceLock::new();
    BACKGROUND.get_or_init(start).as_ref()
}

fn start() -> Option<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let thread = thread::Builder::new().name("routing-runtime".to_owned());
    let started = runtime.and_then(|runtime| {
        let handle = runtime.handle().clone();
        thread.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(handle)
    });
    started
        .inspect_err(|error| tracing::warn!(target: "routing", %error, "no thread for monitors"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_runtime_that_shuts_down_ends_what_runs_on_it() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let mut cx = Context::from_waker(Waker::noop());
        let mut running = pin!(run_to_end(pending::<()>()));
        {
            let _entered = runtime.enter();
            assert!(running.as_mut().poll(&mut cx).is_pending());
        }
        drop(runtime);
        assert_eq!(running.as_mut().poll(&mut cx), Poll::Ready(None));
    }

    #[test]
    fn outside_of_a_runtime_there_is_time_all_the_same() {
        let (told, hears) = std::sync::mpsc::channel();
        assert!(spawn(async move {
            let limit = Duration::from_millis(1);
            let nothing = TokioTimer::within(limit, pending::<()>()).await;
            told.send(nothing).expect("it is heard");
        }));
        assert_eq!(hears.recv(), Ok(None));
        assert!(TokioTimer::is_running());
    }
}
