//! How many reads the primary takes in place of the replicas.
//!
//! A primary that is sized for its writes does not survive the reads of all its replicas, so that
//! losing them would lose everything. The bucket of tokens is kept as a time, as the generic cell
//! rate algorithm does (ITU-T I.371): the theoretical arrival time of the next read, in one word.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::rules::FallbackBudget;
use crate::time::clock::Timestamp;

#[derive(Debug)]
pub(crate) struct Budget {
    arrival: AtomicU64,
    /// Nanoseconds that a read takes up, and that may be taken up ahead of time.
    rule: Option<(u64, u64)>,
}

const SECOND: u64 = 1_000_000_000;

impl Budget {
    pub(crate) fn new(rule: Option<FallbackBudget>) -> Self {
        let rule = rule.map(|FallbackBudget { per_second, burst }| {
            let each = (SECOND / u64::from(per_second.max(1))).max(1);
            (each, each.saturating_mul(u64::from(burst.max(1))))
        });
        Self {
            arrival: AtomicU64::new(0),
            rule,
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&self, now: impl FnOnce() -> Timestamp) -> bool {
        let Some((each, ahead)) = self.rule else {
            return true;
        };
        let now = now().as_nanos();
        let step = |arrival: u64| {
            let next = arrival.max(now).saturating_add(each);
            (next - now <= ahead).then_some(next)
        };
        let taken = self
            .arrival
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        taken.is_ok()
    }

    /// How many reads could be let through now; `None` is any number.
    pub(crate) fn left(&self, now: Timestamp) -> Option<u64> {
        let (each, ahead) = self.rule?;
        let taken = self
            .arrival
            .load(Ordering::Acquire)
            .saturating_sub(now.as_nanos());
        Some(ahead.saturating_sub(taken) / each)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let budget = Budget::new(Some(FallbackBudget::new(10, 3)));
        let at = |millis: u64| Timestamp::default().after(Duration::from_millis(1_000 + millis));
        let takes = |millis: u64, most: usize| {
            assert_eq!(budget.left(at(millis)), Some(most as u64));
            let taken = (0..100).filter(|_| budget.take(|| at(millis))).count();
            assert_eq!(taken, most, "at {millis}");
        };
        takes(0, 3);
        takes(99, 0);
        takes(100, 1);
        takes(350, 2);
        takes(10_000, 3);
        let unlimited = Budget::new(None);
        assert!((0..1_000).all(|_| unlimited.take(|| at(0))));
        assert_eq!(unlimited.left(at(0)), None);
    }
}
