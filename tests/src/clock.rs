//! A clock for tests on real servers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use routing_core::{Clock, SystemClock, Timestamp};

/// The machine's clock, which a test can move on and stop.
///
/// A breaker's back-off and a budget's refill take as long as the test says on a stopped clock, however
/// slow the machine is.
#[derive(Debug, Default)]
pub struct MovedClock(Mutex<Hands>);

#[derive(Debug, Default)]
struct Hands {
    /// By how much it is ahead of the machine's or, if it is stopped, of when it was stopped.
    ahead: Duration,
    stopped_at: Option<Timestamp>,
}

impl MovedClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.with(|hands| hands.ahead += by);
    }

    /// Stops it: from now on it moves by [`advance`](Self::advance) alone.
    pub fn stop(&self) {
        self.with(|hands| {
            *hands = Hands {
                ahead: Duration::ZERO,
                stopped_at: Some(hands.now()),
            };
        });
    }

    /// Lets it go on from where it stands.
    pub fn go_on(&self) {
        self.with(|hands| {
            let now = hands.now();
            let machine = SystemClock.now();
            *hands = Hands {
                ahead: now.since(machine),
                stopped_at: None,
            };
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Hands) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hands {
    fn now(&self) -> Timestamp {
        let base = self.stopped_at.unwrap_or_else(|| SystemClock.now());
        base.after(self.ahead)
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        self.with(|hands| hands.now())
    }
}
