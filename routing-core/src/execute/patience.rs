//! How long a read waits for a replica that can serve its session.
//!
//! The wait is the adapter's, as it knows how to: on a runtime, or on a thread. What it waits for
//! may be over before it listens, so what it is given to wait for was made before the candidates
//! were looked at.

use std::time::Duration;

use crate::decide::obstacle::Obstacle;

use event_listener::{EventListener, Listener};

use crate::config::rules::Rules;
use crate::time::clock::{Clock, Timestamp};
use crate::time::timer::Timer;

/// One statement's patience, however often it looks: [`Rules::catch_up_wait`] for replicas that are
/// behind, and the time of one probe for replicas that have not been observed yet.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    behind: Wait,
    unseen: Wait,
}

#[derive(Debug, Default)]
struct Wait {
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
    obstacle: Obstacle,
}

/// Probes come every few milliseconds, so that this many looks are a long wait: for clocks that
/// stand still.
const MOST_LOOKS: u16 = 1_000;

impl Patience {
    #[inline]
    pub(crate) const fn has(&self, obstacle: Obstacle, rules: &Rules) -> bool {
        match obstacle {
            Obstacle::Behind => !self.behind.is_over && !rules.catch_up_wait.is_zero(),
            Obstacle::Unseen => !self.unseen.is_over,
        }
    }

    /// How much time is left for this, if anything.
    pub(crate) fn left(
        &mut self,
        obstacle: Obstacle,
        rules: &Rules,
        clock: &dyn Clock,
    ) -> Option<Duration> {
        let whole = match obstacle {
            Obstacle::Behind => rules.catch_up_wait,
            Obstacle::Unseen => rules.probe.timeout,
        };
        let wait = self.of(obstacle);
        let now = clock.now();
        let until = *wait.until.get_or_insert_with(|| now.after(whole));
        let left = until.since(now);
        wait.looks += 1;
        wait.is_over |= left.is_zero() || wait.looks > MOST_LOOKS;
        (!wait.is_over).then_some(left)
    }

    const fn of(&mut self, obstacle: Obstacle) -> &mut Wait {
        match obstacle {
            Obstacle::Behind => &mut self.behind,
            Obstacle::Unseen => &mut self.unseen,
        }
    }
}

impl CatchUp {
    pub(crate) const fn new(changed: EventListener, left: Duration, obstacle: Obstacle) -> Self {
        Self {
            changed,
            left,
            obstacle,
        }
    }

    /// Waits on this thread.
    pub(crate) fn wait(self, patience: &mut Patience) {
        if self.changed.wait_timeout(self.left).is_none() {
            patience.of(self.obstacle).is_over = true;
        }
    }

    pub(crate) async fn wait_async<T: Timer>(self, patience: &mut Patience) {
        if T::within(self.left, self.changed).await.is_none() {
            // By whatever the adapter measures it.
            patience.of(self.obstacle).is_over = true;
        }
    }
}
