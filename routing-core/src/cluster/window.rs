//! How long a node's reads took since its window began, and their median.
//!
//! The obvious measure is a moving average, and one report that takes a minute moves it for long. A median needs
//! the reads themselves, or how many took about how long: 50 numbers, each as exact as a comparison by factors
//! needs it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How many reads took how long, by half powers of two of microseconds.
#[derive(Debug)]
pub(crate) struct Window([AtomicU32; BUCKETS]);

/// The last is for what takes longer than half a minute.
const BUCKETS: usize = 50;

impl Default for Window {
    fn default() -> Self {
        Self([const { AtomicU32::new(0) }; BUCKETS])
    }
}

impl Window {
    #[inline]
    pub(crate) fn measured(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let octave = micros.ilog2();
        let is_upper_half = octave > 0 && micros & (1 << (octave - 1)) != 0;
        let bucket = 2 * octave as usize + usize::from(is_upper_half);
        self.0[bucket.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        for count in &self.0 {
            count.store(0, Ordering::Relaxed);
        }
    }

    fn counts(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn count(&self) -> u32 {
        self.counts().fold(0, u32::saturating_add)
    }

    pub(crate) fn median(&self) -> Option<Duration> {
        let (all, mut below) = (self.count(), 0_u32);
        let median = self.counts().position(|count| {
            below = below.saturating_add(count);
            below > all / 2
        });
        median.map(middle_of)
    }
}

/// How long a read took that is counted in this bucket.
fn middle_of(bucket: usize) -> Duration {
    let quarters: u64 = if bucket.is_multiple_of(2) { 5 } else { 7 };
    Duration::from_nanos(((quarters * 1_000) << (bucket / 2)) / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_knows_what_it_counts() {
        for micros in [1, 2, 3, 5, 100, 400, 2_900, 10_000, 999_999, 20_000_000] {
            let (window, took) = (Window::default(), Duration::from_micros(micros));
            window.measured(took);
            let median = window.median().expect("one of them");
            let ratio = median.as_secs_f64() / took.as_secs_f64();
            assert!((0.8..1.3).contains(&ratio), "{took:?} counts as {median:?}");
        }
        let window = Window::default();
        assert_eq!(window.median(), None);
        for took in [Duration::MAX, Duration::ZERO, Duration::MAX] {
            window.measured(took);
        }
        assert!(
            window
                .median()
                .is_some_and(|median| median > Duration::from_secs(20))
        );
    }
}
