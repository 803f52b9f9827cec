//! Waiting until it is proved that a node goes on from where it was, after connections were made to it.

use std::pin::pin;

use event_listener::{EventListener, Listener};

use crate::execute::route::Route;
use crate::observe::decision::Role;
use crate::time::clock::{Clock, SystemClock};
use crate::time::timer::Timer;

impl<P> Route<'_, P> {
    /// Whether what was decided [holds](Self::holds), of a node to which a connection has been made only
    /// just, if its session relies on what is known of it: waits for the next answer of its monitor's,
    /// for as long as a probe may take.
    pub async fn holds_patiently<T: Timer>(&self) -> bool
    where
        P: Send + Sync,
    {
        if !self.is_to_be_proved() {
            return self.holds();
        }
        // Its own connection is one of those that there are. Others may go on being made.
        let last = self.node().connected().last();
        self.prove::<T>(last).await;
        self.holds_if(self.node().is_proven_over(last))
    }

    /// The same on a thread, which is blocked for as long.
    #[must_use]
    pub fn holds_blocking(&self) -> bool {
        let until = self.set.rules().probe.timeout;
        let begun = SystemClock.now();
        let last = self.node().connected().last();
        while let Some(changed) = self.unproved(last) {
            let left = until.saturating_sub(SystemClock.now().since(begun));
            if left.is_zero() || changed.wait_timeout(left).is_none() {
                break;
            }
        }
        self.holds_if(self.node().is_proven_over(last))
    }

    #[cold]
    async fn prove<T: Timer>(&self, last: u64)
    where
        P: Send + Sync,
    {
        let proved = pin!(async {
            while let Some(changed) = self.unproved(last) {
                changed.await;
            }
        });
        let _in_time = T::within(self.set.rules().probe.timeout, proved).await;
    }

    /// What to wait for, if it is to be proved over connections up to `last`.
    fn unproved(&self, last: u64) -> Option<EventListener> {
        let is_proved = || !self.is_to_be_proved() || self.node().is_proven_over(last);
        if is_proved() {
            return None;
        }
        let changed = self.set.samples().listen();
        self.node().hurry().ask();
        // It may have been in the meantime.
        (!is_proved()).then_some(changed)
    }

    #[inline]
    fn is_to_be_proved(&self) -> bool {
        let node = self.node();
        self.relies && self.role == Role::Replica && !node.is_proven() && node.is_monitored()
    }
}
