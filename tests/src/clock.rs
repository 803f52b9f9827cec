//! A clock for tests on real servers.

use std::time::Duration;

use routing_core::{Clock, ManualClock, SystemClock, Timestamp};

/// The machine's clock, which a test can move on.
#[derive(Debug, Default)]
pub struct MovedClock(ManualClock);

impl MovedClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        SystemClock
            .now()
            .after(self.0.now().since(Timestamp::default()))
    }
}
