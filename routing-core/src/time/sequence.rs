//! What came before what, without a clock.
//!
//! "Was this sample taken after that commit was acknowledged?" looks like a question for a clock.
//! Clocks are coarse, cost more than the rest of a decision, and jump. Here every probe takes the
//! next number before it is sent, and what a session does is marked with the last number given out:
//! a probe whose number is greater than the mark was sent after it.

use std::sync::atomic::{AtomicU64, Ordering};

/// 0 is kept for "never".
static LAST: AtomicU64 = AtomicU64::new(1);

/// The mark of something that has just happened.
#[inline]
pub(crate) fn now() -> u64 {
    LAST.load(Ordering::SeqCst)
}

/// The number of a probe that is about to be sent.
pub(crate) fn next() -> u64 {
    LAST.fetch_add(1, Ordering::SeqCst) + 1
}
