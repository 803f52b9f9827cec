//! Time as a port.
//!
//! Back-off and pins need the time, and the obvious call, `Instant::now()`, would make every rule
//! that uses it untestable. So time is asked of a [`Clock`]: [`SystemClock`] in a program,
//! [`ManualClock`] in a test that moves it by hand.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A monotonic instant, in nanoseconds since an origin that only its clock knows.
///
/// It is not a time of day and says nothing outside the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The timestamp that lies `nanos` nanoseconds after the clock's origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` until now; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved into the future, at most to the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Where a router and its sessions read the time.
pub trait Clock: Send + Sync + 'static {
    /// The current instant; it must never go backwards.
    fn now(&self) -> Timestamp;
}

/// The machine's monotonic clock, counted from the first time anybody asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it has no state")]
pub struct SystemClock;

static ORIGIN: LazyLock<Instant> = LazyLock::new(read_system_clock);

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn read_system_clock() -> Instant {
    Instant::now()
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let origin = *ORIGIN;
        Timestamp::default().after(read_system_clock().saturating_duration_since(origin))
    }
}

/// A clock that stands still until it is moved.
///
/// ```
/// use std::time::Duration;
/// use routing_core::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let start = clock.now();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(clock.now().since(start), Duration::from_secs(30));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that stands at its origin.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

impl<C: Clock> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}
