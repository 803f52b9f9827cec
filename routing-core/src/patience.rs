//! How long a read waits for a replica that has what its session requires.
//!
//! The wait is the adapter's, as it knows how to: on a runtime, or on a thread. What it waits for
//! may be over before it listens, so what it is given to wait for was made before the candidates
//! were looked at.

use std::time::Duration;

use event_listener::{EventListener, Listener};

use crate::clock::{Clock, Timestamp};
use crate::timer::Timer;

/// One statement's patience: [`Rules::catch_up_wait`](crate::Rules) in all, however often it looks.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    until: Option<Timestamp>,
    looks: u16,
    is_over: bool,
}

/// What to wait for: something that is known of a replica and was not.
#[derive(Debug)]
#[must_use = "wait for it, then ask again"]
pub(crate) struct CatchUp {
    changed: EventListener,
    left: Duration,
}

/// Probes come every few milliseconds, so that this many looks are a long wait: for clocks that
/// stand still.
const MOST_LOOKS: u16 = 1_000;

impl Patience {
    /// The time is over, by whatever the adapter measures it.
    const fn end(&mut self) {
        self.is_over = true;
    }

    #[inline]
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// How much of `whole` is left, if anything.
    pub(crate) fn left(&mut self, whole: Duration, clock: &dyn Clock) -> Option<Duration> {
        let now = clock.now();
        let until = *self.until.get_or_insert_with(|| now.after(whole));
        let left = until.since(now);
        self.looks += 1;
        self.is_over |= left.is_zero() || self.looks > MOST_LOOKS;
        (!self.is_over).then_some(left)
    }
}

impl CatchUp {
    pub(crate) const fn new(changed: EventListener, left: Duration) -> Self {
        Self { changed, left }
    }

    /// Waits on this thread.
    pub(crate) fn wait(self, patience: &mut Patience) {
        if self.changed.wait_timeout(self.left).is_none() {
            patience.end();
        }
    }

    pub(crate) async fn wait_async<T: Timer>(self, patience: &mut Patience) {
        if T::within(self.left, self.changed).await.is_none() {
            patience.end();
        }
    }
}
