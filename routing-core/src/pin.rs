//! A session's pin on one set, in one atomic word.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;

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

/// Zero is unpinned; otherwise two bits of reason and the time.
#[derive(Debug, Default)]
pub(crate) struct PinCell(AtomicU64);

const REASON_BITS: u32 = 2;
const REASON_MASK: u64 = 0b11;

impl PinCell {
    #[inline]
    pub(crate) fn is_pinned(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    pub(crate) fn get(&self) -> Option<PinInfo> {
        let word = self.0.load(Ordering::Acquire);
        let reason = match word & REASON_MASK {
            0 => return None,
            1 => PinReason::Declared,
            2 => PinReason::Write,
            _ => PinReason::Carried,
        };
        Some(PinInfo {
            reason,
            since: Timestamp::from_nanos(word >> REASON_BITS),
        })
    }

    /// Sets the pin unless there is one. A new pin replaces a carried one, so that it is handed on.
    pub(crate) fn set(&self, pin: PinInfo) {
        let reason = match pin.reason {
            PinReason::Declared => 1,
            PinReason::Write => 2,
            PinReason::Carried => 3,
        };
        let word = (pin.since.as_nanos() << REASON_BITS) | reason;
        let _unchanged = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |current| {
                let replace = match current & REASON_MASK {
                    0 => true,
                    3 => pin.is_new(),
                    _ => false,
                };
                replace.then_some(word)
            });
    }

    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Release);
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
        assert_eq!(cell.get(), None);
        cell.set(pin(PinReason::Carried, 7));
        cell.set(pin(PinReason::Carried, 8));
        assert_eq!(cell.get(), Some(pin(PinReason::Carried, 7)));
        cell.set(pin(PinReason::Write, 9));
        cell.set(pin(PinReason::Declared, 10));
        cell.set(pin(PinReason::Carried, 11));
        assert_eq!(cell.get(), Some(pin(PinReason::Write, 9)));
        cell.clear();
        assert!(!cell.is_pinned());
    }
}
