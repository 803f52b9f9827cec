//! How deep a program is in transactions, as the program sees it.
//!
//! The obvious answer is the count on the connection. But the future of a nested transaction may be
//! dropped: the count stays where it was, and the program is a level further out. It would take the
//! commit of the transaction for that of a savepoint. So each transaction that is begun through a
//! closure leaves a guard in the closure's future, which tells when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The depth that the connection has counted, and the one that is left of it.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    counted: u32,
    left: Arc<AtomicU32>,
}

/// Lies in the future of a closure's transaction.
#[must_use]
pub(super) struct Guard {
    /// The depth outside of the transaction.
    outside: u32,
    left: Arc<AtomicU32>,
    is_armed: bool,
}

/// What has become of the transactions that were open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing was dropped.
    All,
    /// A savepoint was, and its transaction goes on.
    Some,
    /// The transaction was.
    Nothing,
}

impl Nesting {
    /// A level was begun.
    pub(super) fn deeper(&mut self) {
        self.counted += 1;
        self.left.store(self.counted, Ordering::Relaxed);
    }

    /// A level was ended, or its end was at least tried.
    pub(super) fn shallower(&mut self) {
        self.counted = self.counted.saturating_sub(1);
        self.left.store(self.counted, Ordering::Relaxed);
    }

    /// Whether the program is outside of all transactions.
    pub(super) const fn is_outside(&self) -> bool {
        self.counted == 0
    }

    /// Whether a transaction's future was dropped, and nobody has taken note of it yet.
    #[cfg(feature = "async-postgres")]
    pub(super) fn has_dropped(&self) -> bool {
        self.left.load(Ordering::Relaxed) < self.counted
    }

    /// A guard for the level that was begun last.
    pub(super) fn guard(&self) -> Guard {
        Guard {
            outside: self.counted.saturating_sub(1),
            left: Arc::clone(&self.left),
            is_armed: true,
        }
    }

    /// Takes note of what was dropped.
    pub(super) fn catch_up(&mut self) -> Left {
        let left = self.left.load(Ordering::Relaxed);
        if left >= self.counted {
            return Left::All;
        }
        self.counted = left;
        if left == 0 { Left::Nothing } else { Left::Some }
    }
}

impl Guard {
    /// The closure is done, and what it has begun is ended as it should be.
    pub(super) fn disarm(mut self) {
        self.is_armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.is_armed {
            self.left.fetch_min(self.outside, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_that_is_dropped_tells_how_far_out_the_program_is() {
        let mut nesting = Nesting::default();
        nesting.deeper();
        let outer = nesting.guard();
        nesting.deeper();
        let inner = nesting.guard();
        assert_eq!(nesting.catch_up(), Left::All);
        drop(inner);
        #[cfg(feature = "async-postgres")]
        assert!(nesting.has_dropped());
        assert_eq!(nesting.catch_up(), Left::Some);
        assert_eq!(nesting.catch_up(), Left::All, "it is told once");
        nesting.deeper();
        nesting.guard().disarm();
        nesting.shallower();
        assert_eq!(nesting.catch_up(), Left::All);
        drop(outer);
        assert_eq!(nesting.catch_up(), Left::Nothing);
        assert!(nesting.is_outside());
    }
}
