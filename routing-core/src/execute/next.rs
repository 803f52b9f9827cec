//! The step after a failure, and the wait before it.

use std::thread;
use std::time::Duration;

use event_listener::Listener;

use crate::config::rules::RetryRules;
use crate::error::RoutingError;
use crate::execute::route::Route;
use crate::observe::failure::Failure;
use crate::session::context::Context;
use crate::time::timer::Timer;

/// The step after a failure.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an adapter has to handle each")]
pub enum Next<'r, P> {
    /// Run the statement once more, there.
    Route(Route<'r, P>),
    /// Stop with this error.
    Refused(RoutingError),
    /// Stop with the driver's own error: nobody may run the statement again.
    Unchanged,
}

/// What follows, and perhaps not at once.
pub(super) enum Then<'r, P> {
    Now(Next<'r, P>),
    /// The same again, after this time.
    Later(Route<'r, P>, Duration),
    /// The primary is none, it seems: when somebody knows who is.
    Roles(Route<'r, P>, u64),
}

impl<'r, P> Then<'r, P> {
    pub(super) async fn wait_async<T: Timer>(
        self,
        failure: Failure,
        caller: &Context,
    ) -> Next<'r, P>
    where
        P: Send + Sync,
    {
        match self {
            Self::Now(next) => next,
            Self::Later(route, lasts) => {
                let _over = T::within(lasts, std::future::pending::<()>()).await;
                route.again(failure, caller)
            }
            Self::Roles(route, mark) => {
                let set = route.set;
                let known = async {
                    loop {
                        let changed = set.samples().listen();
                        if route.knows_roles(mark) {
                            return;
                        }
                        changed.await;
                    }
                };
                let _known = T::within(set.rules().probe.timeout, known).await;
                route.with_roles(caller)
            }
        }
    }

    pub(super) fn wait(self, failure: Failure, caller: &Context) -> Next<'r, P> {
        match self {
            Self::Now(next) => next,
            Self::Later(route, lasts) => {
                thread::sleep(lasts);
                route.again(failure, caller)
            }
            Self::Roles(route, mark) => {
                let until = route
                    .set
                    .ports
                    .clock
                    .now()
                    .after(route.set.rules().probe.timeout);
                loop {
                    let changed = route.set.samples().listen();
                    let left = until.since(route.set.ports.clock.now());
                    if route.knows_roles(mark)
                        || left.is_zero()
                        || changed.wait_timeout(left).is_none()
                    {
                        return route.with_roles(caller);
                    }
                }
            }
        }
    }
}

/// How long to wait before the attempt after `failed` ones.
pub(super) fn back_off(rules: &RetryRules, failed: u8, random: u64) -> Duration {
    let factor = 1_u32
        .checked_shl(u32::from(failed.saturating_sub(1)))
        .unwrap_or(u32::MAX);
    let whole = rules
        .back_off
        .saturating_mul(factor)
        .min(rules.max_back_off);
    let half = whole / 2;
    let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(random % spread)
}
