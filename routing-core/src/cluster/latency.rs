//! How much of its share a replica takes: less while it comes back, and less while it is slow.
//!
//! A replica that has just come back has cold caches and no connections; at its full share, all
//! sessions rush to it at once. One that is alive but slow fails nothing, so no breaker sees it.
//! Both take a part of their share, in 256ths, which is never nothing: a replica that takes no reads
//! cannot show that it is well.
//!
//! Whether a replica is slow is decided as Envoy ejects outliers: at an interval, from enough reads, and for a
//! time that grows (Envoy, *Outlier detection*). The measure is the median: one report that takes a minute, or
//! a first statement on a new connection, says nothing about the replica.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::cluster::window::Window;
use crate::time::clock::Timestamp;

/// The whole share.
pub(crate) const WHOLE: u32 = 256;
/// The least.
const LEAST: u32 = WHOLE / 16;
/// How many times slower than the others a replica has to be to take less.
const OUTLIER: u64 = 3;
/// And by how much: a difference that is no more than noise is none.
const NOTICED: Duration = Duration::from_millis(2);
/// From one comparison to the next, at least; Envoy's `interval`.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many measured reads a comparison needs: some 250 reads in all.
const ENOUGH: u32 = 16;
/// For how long a replica takes less, the first time; Envoy's `base_ejection_time`.
const WITHHELD_FOR: Duration = Duration::from_secs(30);
/// For how long at most; Envoy's `max_ejection_time`.
const WITHHELD_FOR_AT_MOST: Duration = Duration::from_secs(300);

/// A node's load, as the router measures it.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// When it came back, in nanoseconds; 0 if that is long ago.
    back_since: AtomicU64,
    /// How long its reads take.
    window: Window,
    /// The median of the last window that had enough reads, in nanoseconds; 0 if there was none.
    median: AtomicU64,
    /// How much of the share the monitors withhold while the node is slow.
    withheld: AtomicU32,
    /// Until when, in nanoseconds.
    until: AtomicU64,
    /// How often in a row it was found to be slow.
    times: AtomicU32,
}

impl Load {
    pub(crate) fn came_back(&self, now: Timestamp) {
        self.back_since
            .store(now.as_nanos().max(1), Ordering::Relaxed);
        // What it was before says nothing of what it is.
        self.window.clear();
        self.median.store(0, Ordering::Relaxed);
        self.withheld.store(0, Ordering::Relaxed);
    }

    /// Whether it takes its whole share.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.back_since.load(Ordering::Relaxed) == 0 && self.withheld.load(Ordering::Relaxed) == 0
    }

    /// The part of its share that it takes.
    pub(crate) fn part(&self, slow_start: Duration, now: Timestamp) -> u32 {
        let withheld = self.withheld.load(Ordering::Relaxed);
        let by_latency = WHOLE - withheld.min(WHOLE - LEAST);
        let since = self.back_since.load(Ordering::Relaxed);
        if since == 0 {
            return by_latency;
        }
        let passed = now.since(Timestamp::from_nanos(since));
        if passed >= slow_start {
            let _other_has =
                self.back_since
                    .compare_exchange(since, 0, Ordering::Relaxed, Ordering::Relaxed);
            return by_latency;
        }
        let ramp = u128::from(WHOLE) * passed.as_nanos() / slow_start.as_nanos().max(1);
        let ramp = u32::try_from(ramp).unwrap_or(WHOLE).max(LEAST);
        by_latency.min(ramp)
    }

    /// A read took so long.
    #[inline]
    pub(crate) fn measured(&self, took: Duration) {
        self.window.measured(took);
    }

    /// The median duration of its reads in the last window that had enough of them.
    pub(crate) fn latency(&self) -> Option<Duration> {
        let word = self.median.load(Ordering::Relaxed);
        (word != 0).then(|| Duration::from_nanos(word))
    }

    /// Whether a comparison has enough reads of it.
    pub(crate) fn has_enough(&self) -> bool {
        self.window.count() >= ENOUGH
    }

    /// The median of the window, if it has enough reads; the next one begins.
    pub(crate) fn close(&self) -> Option<Duration> {
        let median = self.window.median().filter(|_| self.has_enough());
        self.window.clear();
        if let Some(median) = median {
            self.median.store(nanos(median).max(1), Ordering::Relaxed);
        }
        median
    }

    /// Takes a part of the share away if its reads took longer than the others' in the same window.
    pub(crate) fn weigh(&self, own: Option<Duration>, others: Option<Duration>, now: Timestamp) {
        match (own, others) {
            (Some(own), Some(others)) => {
                let part = part_of(nanos(own), nanos(others));
                self.withhold(WHOLE - part, now);
            }
            _ => self.give_back(now),
        }
    }

    /// A node that gets too few reads to show that it is well gets its share back in time.
    pub(crate) fn give_back(&self, now: Timestamp) {
        if self.withheld.load(Ordering::Relaxed) > 0 && self.is_time_over(now) {
            self.came_back(now);
        }
    }

    fn withhold(&self, withheld: u32, now: Timestamp) {
        let times = self.times.load(Ordering::Relaxed);
        let is_new = self.withheld.swap(withheld, Ordering::Relaxed) == 0;
        let times = match (withheld, is_new) {
            (0, _) => times.saturating_sub(1),
            (_, true) => times.saturating_add(1),
            (_, false) => times,
        };
        self.times.store(times, Ordering::Relaxed);
        let lasts = WITHHELD_FOR.saturating_mul(times).min(WITHHELD_FOR_AT_MOST);
        self.until
            .store(now.after(lasts).as_nanos(), Ordering::Relaxed);
    }

    fn is_time_over(&self, now: Timestamp) -> bool {
        let left = Timestamp::from_nanos(self.until.load(Ordering::Relaxed)).since(now);
        // A clock that has jumped back takes no share away for longer.
        left.is_zero() || left > WITHHELD_FOR_AT_MOST
    }
}

fn part_of(own: u64, others: u64) -> u32 {
    let is_outlier = own > others.saturating_mul(OUTLIER) && own - others > nanos(NOTICED);
    if !is_outlier {
        return WHOLE;
    }
    let part = u64::from(WHOLE) * others / own;
    u32::try_from(part).unwrap_or(WHOLE).clamp(LEAST, WHOLE)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// When a set's monitors compare its replicas next. The windows of all replicas begin and end together: if a
/// batch job slows them all down, none of them is slower than the others.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// When the windows began, in nanoseconds.
    began: AtomicU64,
}

impl Comparison {
    /// Whether the windows are over, and begin anew: after [`INTERVAL`] if each has enough reads, and after six
    /// of them in any case. Of two monitors that ask at once, one is told so.
    pub(crate) fn is_due(&self, now: Timestamp, are_enough: impl FnOnce() -> bool) -> bool {
        let word = self.began.load(Ordering::Relaxed);
        let began = Timestamp::from_nanos(word);
        let lasted = now.since(began);
        // A clock that has jumped back would keep them open.
        let is_over = now < began || lasted >= 6 * INTERVAL || (lasted >= INTERVAL && are_enough());
        let (relaxed, next) = (Ordering::Relaxed, now.as_nanos());
        is_over
            && self
                .began
                .compare_exchange(word, next, relaxed, relaxed)
                .is_ok()
    }
}

/// One of sixteen is measured: the clock costs more than the rest of a decision. Not each sixteenth,
/// which would always be the same replica's where they take turns: the numbers below 256 in an order
/// of their own (Hull and Dobell, 1962), in which those below 16 come at even and at odd places alike.
pub(crate) fn is_measured() -> bool {
    const MEASURED: u8 = 16;
    thread_local! {
        static NUMBER: Cell<u8> = const { Cell::new(0) };
    }

    let number = NUMBER.get().wrapping_mul(141).wrapping_add(3);
    NUMBER.set(number);
    number < MEASURED
}

#[cfg(test)]
mod tests;
