//! The runtime on which a connection was made.
//!
//! A synchronous wrapper around an asynchronous connection brings a runtime of its own, which has no
//! timers and runs only while the wrapper waits. Tokio has no question for either. But a connection is
//! made elsewhere: outside of a runtime, or on another. So on a single-threaded runtime that is not its
//! home, a connection uses the process's own runtime for its timers and tasks.

use std::future::{Future, poll_fn};
use std::pin::pin;

use tokio::runtime::{EnterGuard, Handle, Id, RuntimeFlavor};

use crate::adapter::tokio::background::background;

/// The runtime on which a connection was made, if there was one.
#[derive(Debug, Clone, Copy)]
pub struct Home(Option<Id>);

impl Home {
    /// The present runtime.
    #[must_use]
    pub fn here() -> Self {
        Self(Handle::try_current().ok().map(|runtime| runtime.id()))
    }

    /// Enters the process's own runtime, unless the present one will do.
    #[must_use]
    pub fn enter(self) -> Option<EnterGuard<'static>> {
        self.substitute().map(Handle::enter)
    }

    /// Runs a future in the context of a runtime that has timers and outlives the caller.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        let substitute = self.substitute();
        let mut future = pin!(future);
        poll_fn(move |cx| {
            let _entered = substitute.map(Handle::enter);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// The process's own runtime, unless the present one will do.
    fn substitute(self) -> Option<&'static Handle> {
        let will_do = Handle::try_current().is_ok_and(|runtime| {
            runtime.runtime_flavor() != RuntimeFlavor::CurrentThread || Some(runtime.id()) == self.0
        });
        if will_do { None } else { background() }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;
    use crate::adapter::tokio::background::TokioTimer;
    use crate::time::timer::Timer;

    #[test]
    fn a_connection_keeps_to_a_runtime_with_timers() {
        let outside = Home::here();
        let limit = Duration::from_millis(1);
        let without_timers = || Builder::new_current_thread().build().expect("a runtime");
        let waiting = outside.run(TokioTimer::within(limit, pending::<()>()));
        assert_eq!(without_timers().block_on(waiting), None);

        let other = without_timers().block_on(async { Home::here() });
        let waiting = other.run(TokioTimer::within(limit, pending::<()>()));
        assert_eq!(without_timers().block_on(waiting), None);

        let ours = Builder::new_current_thread().build().expect("a runtime");
        ours.block_on(async {
            let id = Handle::current().id();
            let home = Home::here();
            assert_eq!(home.run(async { Handle::current().id() }).await, id);
            assert_ne!(outside.run(async { Handle::current().id() }).await, id);
        });
    }
}
