//! A session's pin on one set, in one atomic word.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::clock::Timestamp;

/// Why a session is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PinReason {
    /// [`Session::pin`](crate::Session::pin) was called.
    Declared,
    /// A greedy set took a write.
    Write,
    /// An earlier session handed it over; it is not new, and is not handed on by itself.
    Carried,
}

/// A session's promise to use the primary of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinInfo {
    /// Why the session is pinned.
    pub reason: PinReason,
    /// Since when, on the session's clock.
    pub since: Timestamp,
}

impl PinInfo {
    /// Whether this session pinned itself, rather than being handed the pin.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.reason != PinReason::Carried
    }
}

/// The word is zero if unpinned; otherwise two bits of reason and the time.
#[derive(Debug, Default)]
pub(crate) struct PinCell {
    word: AtomicU64,
    /// When what was carried is over, also behind a new pin; 0 if nothing was.
    until: AtomicU64,
}

const REASON_BITS: u32 = 2;
const REASON_MASK: u64 = 0b11;
const CARRIED: u64 = 3;
const ENDLESS: u64 = u64::MAX;

impl PinCell {
    /// Whether there is a pin that is not over; the time is asked only of a carried one.
    #[inline]
    pub(crate) fn is_pinned_at(&self, now: impl FnOnce() -> Timestamp) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word != 0 && (word & REASON_MASK != CARRIED || !self.is_over(now))
    }

    fn is_over(&self, now: impl FnOnce() -> Timestamp) -> bool {
        match self.until.load(Ordering::Acquire) {
            ENDLESS => false,
            until => now() >= Timestamp::from_nanos(until),
        }
    }

    /// Whether something was carried that is not over, be it behind a new pin.
    pub(crate) fn is_carried_at(&self, now: impl FnOnce() -> Timestamp) -> bool {
        self.until.load(Ordering::Acquire) != 0 && !self.is_over(now)
    }

    /// When what was carried is over, if it ever is.
    pub(crate) fn carried_until(&self) -> Option<Timestamp> {
        match self.until.load(Ordering::Acquire) {
            0 | ENDLESS => None,
            until => Some(Timestamp::from_nanos(until)),
        }
    }

    pub(crate) fn get_at(&self, now: impl FnOnce() -> Timestamp) -> Option<PinInfo> {
        let word = self.word.load(Ordering::Acquire);
        let reason = match word & REASON_MASK {
            0 => return None,
            1 => PinReason::Declared,
            2 => PinReason::Write,
            _ if self.is_over(now) => return None,
            _ => PinReason::Carried,
        };
        Some(PinInfo {
            reason,
            since: Timestamp::from_nanos(word >> REASON_BITS),
        })
    }

    pub(crate) fn copy(&self) -> Self {
        Self {
            word: AtomicU64::new(self.word.load(Ordering::Acquire)),
            until: AtomicU64::new(self.until.load(Ordering::Acquire)),
        }
    }

    /// Sets a carried pin, until then or for ever; of several the longest counts.
    pub(crate) fn carry(&self, since: Timestamp, until: Option<Timestamp>) {
        let until = until.map_or(ENDLESS, |until| until.as_nanos().clamp(1, ENDLESS - 1));
        self.until.fetch_max(until, Ordering::AcqRel);
        self.set(PinInfo {
            reason: PinReason::Carried,
            since,
        });
    }

    /// Sets the pin unless there is one. A new pin goes before a carried one, which stays behind it.
    pub(crate) fn set(&self, pin: PinInfo) {
        let reason = match pin.reason {
            PinReason::Declared => 1,
            PinReason::Write => 2,
            PinReason::Carried => CARRIED,
        };
        let word = (pin.since.as_nanos() << REASON_BITS) | reason;
        let _unchanged = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |current| {
                let replace = match current & REASON_MASK {
                    0 => true,
                    CARRIED => pin.is_new(),
                    _ => false,
                };
                replace.then_some(word)
            });
    }

    pub(crate) fn clear(&self) {
        self.word.store(0, Ordering::Release);
        self.until.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(reason: PinReason, nanos: u64) -> PinInfo {
        PinInfo {
            reason,
            since: Timestamp::from_nanos(nanos),
        }
    }

    #[test]
    fn the_first_pin_stays_and_a_new_one_replaces_a_carried_one() {
        let cell = PinCell::default();
        assert_eq!(cell.get_at(Timestamp::default), None);
        cell.carry(Timestamp::from_nanos(7), None);
        cell.carry(Timestamp::from_nanos(8), None);
        assert_eq!(
            cell.get_at(Timestamp::default),
            Some(pin(PinReason::Carried, 7))
        );
        cell.set(pin(PinReason::Write, 9));
        cell.set(pin(PinReason::Declared, 10));
        cell.carry(Timestamp::from_nanos(11), None);
        assert_eq!(
            cell.get_at(Timestamp::default),
            Some(pin(PinReason::Write, 9))
        );
        cell.clear();
        assert!(!cell.is_pinned_at(Timestamp::default));
    }

    #[test]
    fn a_carried_pin_ends_at_the_latest_of_its_times() {
        let at = Timestamp::from_nanos;
        let cell = PinCell::default();
        cell.carry(at(1), Some(at(10)));
        cell.carry(at(2), Some(at(5)));
        assert!(cell.is_pinned_at(|| at(9)));
        assert!(!cell.is_pinned_at(|| at(10)));
        cell.carry(at(3), None);
        cell.carry(at(4), Some(at(20)));
        assert!(cell.is_pinned_at(|| at(1_000)), "one without end stays");
        cell.set(pin(PinReason::Write, 7));
        assert_eq!(cell.get_at(|| at(1_000)), Some(pin(PinReason::Write, 7)));
        assert!(
            cell.is_carried_at(|| at(1_000)),
            "and is still behind the new one"
        );
    }
}
