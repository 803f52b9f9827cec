//! Statements and jobs that wait for a replica: on a runtime, or on a thread.

use std::time::Duration;

use event_listener::{EventListener, Listener};

use crate::cluster::replica_set::ReplicaSet;
use crate::decide::resolve::slot_of;
use crate::error::RoutingError;
use crate::execute::find::Arrival;
use crate::execute::patience::Patience;
use crate::execute::route::Route;
use crate::execute::router::Router;
use crate::session::context::Context;
use crate::sql::kind::StatementKind;
use crate::time::timer::Timer;

/// What a look at the replicas shows.
enum Look {
    CaughtUp,
    InVain,
    Behind(EventListener),
}

impl<P> Router<P> {
    /// As [`route`](Self::route) for who can wait: a read that no replica is known to serve yet waits for one, for
    /// [`Rules::catch_up_wait`](crate::Rules), before it goes to the primary.
    ///
    /// # Errors
    ///
    /// As for [`route`](Self::route).
    #[inline]
    pub async fn route_patiently<'r, T: Timer>(
        &'r self,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<Route<'r, P>, RoutingError>
    where
        P: Send + Sync,
    {
        let mut patience = Patience::default();
        loop {
            match Route::find_patiently(set, kind, caller, &mut patience)? {
                Arrival::Route(route) => return Ok(route),
                Arrival::Unserved(wait) => wait.wait_async::<T>(&mut patience).await,
            }
        }
    }

    /// The same on a thread, which is blocked for as long.
    ///
    /// # Errors
    ///
    /// As for [`route`](Self::route).
    #[inline]
    pub fn route_blocking<'r>(
        &'r self,
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<Route<'r, P>, RoutingError> {
        let mut patience = Patience::default();
        loop {
            match Route::find_patiently(set, kind, caller, &mut patience)? {
                Arrival::Route(route) => return Ok(route),
                Arrival::Unserved(wait) => wait.wait(&mut patience),
            }
        }
    }
}

impl<P> ReplicaSet<P> {
    /// Waits until a replica has what the caller's session requires, and says whether one has.
    pub async fn catch_up<T: Timer>(&self, caller: &Context, within: Duration) -> bool
    where
        P: Send + Sync,
    {
        let caught_up = async {
            loop {
                match self.look(caller) {
                    Look::CaughtUp => return true,
                    Look::InVain => return false,
                    Look::Behind(changed) => changed.await,
                }
            }
        };
        T::within(within, caught_up).await.unwrap_or(false)
    }

    /// The same on a thread, which is blocked for as long.
    #[must_use]
    pub fn catch_up_blocking(&self, caller: &Context, within: Duration) -> bool {
        let until = self.ports.clock.now().after(within);
        loop {
            match self.look(caller) {
                Look::CaughtUp => return true,
                Look::InVain => return false,
                Look::Behind(changed) => {
                    let left = until.since(self.ports.clock.now());
                    if left.is_zero() || changed.wait_timeout(left).is_none() {
                        return matches!(self.look(caller), Look::CaughtUp);
                    }
                }
            }
        }
    }

    /// Whether a replica has what the caller's session requires, and else what to wait for.
    fn look(&self, caller: &Context) -> Look {
        let changed = self.samples().listen();
        Context::with_current(|ambient| {
            self.is_caught_up(slot_of(self, caller, ambient), &*self.ports.clock)
        })
        .map_or(Look::Behind(changed), |caught_up| {
            if caught_up {
                Look::CaughtUp
            } else {
                Look::InVain
            }
        })
    }
}
