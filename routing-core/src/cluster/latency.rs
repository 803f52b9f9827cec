//! How much of its share a replica takes: less while it comes back, and less while it is slow.
//!
//! A replica that has just come back has cold caches and no connections; at its full share, all
//! sessions rush to it at once. One that is alive but slow fails nothing, so no breaker sees it.
//! Both take a part of their share, in 256ths, which is never nothing: who takes no reads cannot
//! show that he is well.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::clock::Timestamp;

/// The whole share.
pub(crate) const WHOLE: u32 = 256;
/// The least.
const LEAST: u32 = WHOLE / 16;
/// How many times slower than the others a replica has to be to take less.
const OUTLIER: u64 = 3;
/// And by how much: a difference that is no more than noise is none.
const NOTICED: Duration = Duration::from_millis(2);
/// A measurement moves the average by one part in so many.
const INERTIA: u64 = 8;

/// What is known of a node's load, one word each.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// When it came back, in nanoseconds; 0 if that is long ago.
    back_since: AtomicU64,
    /// The moving average of what reads take, in nanoseconds; 0 if none was measured.
    latency: AtomicU64,
    /// What the average takes away from the share.
    withheld: AtomicU64,
}

impl Load {
    pub(crate) fn came_back(&self, now: Timestamp) {
        self.back_since
            .store(now.as_nanos().max(1), Ordering::Relaxed);
        // What it was before says nothing of what it is.
        self.latency.store(0, Ordering::Relaxed);
        self.withheld.store(0, Ordering::Relaxed);
    }

    /// Whether it takes its whole share.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.back_since.load(Ordering::Relaxed) == 0 && self.withheld.load(Ordering::Relaxed) == 0
    }

    /// The part of its share that it takes.
    pub(crate) fn part(&self, slow_start: Duration, now: Timestamp) -> u32 {
        let by_latency = WHOLE - withheld(&self.withheld);
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

    /// A read took so long; says what they take on average.
    pub(crate) fn measured(&self, took: Duration) -> Duration {
        let took = nanos(took).max(1);
        let before = self.latency.load(Ordering::Relaxed);
        let after = match before {
            0 => took,
            _ => before - before / INERTIA + took / INERTIA,
        };
        // Of two at once, one is lost: it is an average.
        self.latency.store(after.max(1), Ordering::Relaxed);
        Duration::from_nanos(after)
    }

    /// What reads take on average, if any was measured.
    pub(crate) fn latency(&self) -> Option<Duration> {
        let word = self.latency.load(Ordering::Relaxed);
        (word != 0).then(|| Duration::from_nanos(word))
    }

    /// The others take so long, on average.
    pub(crate) fn compare(&self, others: Option<Duration>) {
        let part = match (self.latency(), others) {
            (Some(own), Some(others)) => part_of(nanos(own), nanos(others)),
            _ => WHOLE,
        };
        self.withheld
            .store(u64::from(WHOLE - part), Ordering::Relaxed);
    }
}

fn withheld(word: &AtomicU64) -> u32 {
    u32::try_from(word.load(Ordering::Relaxed))
        .unwrap_or(0)
        .min(WHOLE - LEAST)
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
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(seconds))
    }

    #[test]
    fn replicas_that_take_turns_are_measured_alike() {
        for replicas in 1..8 {
            let mut measured = vec![0; replicas];
            for turn in 0..replicas * 4_096 {
                measured[turn % replicas] += usize::from(is_measured());
            }
            let expected = measured.iter().all(|count| (200..320).contains(count));
            assert!(expected, "{measured:?}");
        }
    }

    #[test]
    fn who_comes_back_takes_ever_more() {
        let load = Load::default();
        let ramp = Duration::from_secs(10);
        assert!(load.is_whole());
        load.came_back(at(100));
        assert!(!load.is_whole());
        assert_eq!(load.part(ramp, at(100)), LEAST);
        assert_eq!(load.part(ramp, at(105)), WHOLE / 2);
        assert_eq!(load.part(ramp, at(110)), WHOLE);
        assert!(load.is_whole());
        // A clock that jumps back costs a share, not a panic.
        load.came_back(at(100));
        assert_eq!(load.part(ramp, at(1)), LEAST);
        assert_eq!(load.part(Duration::ZERO, at(1)), WHOLE);
    }

    #[test]
    fn who_is_slow_takes_less_until_he_is_not() {
        let millis = Duration::from_millis;
        let load = Load::default();
        for _ in 0..100 {
            load.measured(millis(100));
        }
        load.compare(Some(millis(10)));
        let part = load.part(Duration::ZERO, at(0));
        assert!((20..=30).contains(&part), "{part}");
        load.compare(Some(millis(1)));
        assert_eq!(load.part(Duration::ZERO, at(0)), LEAST);
        for _ in 0..100 {
            load.measured(millis(11));
        }
        load.compare(Some(millis(10)));
        assert!(load.is_whole());
        // Three times nothing is nothing.
        let noise = Load::default();
        noise.measured(Duration::from_micros(900));
        noise.compare(Some(Duration::from_micros(100)));
        assert!(noise.is_whole());
        noise.compare(None);
        assert!(noise.is_whole());
    }
}
