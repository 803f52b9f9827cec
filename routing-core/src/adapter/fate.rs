//! The state that an open transaction shares with its savepoints.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the server has ended a transaction, or may have.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Whether the server has ended it, so that the next statement would be committed at once.
    pub(super) is_lost: AtomicBool,
    /// Whether it was, or may have been, committed or divided in a way that the router does not follow.
    pub(super) is_unclear: AtomicBool,
}

impl Fate {
    pub(super) fn is_unclear(&self) -> bool {
        self.is_unclear.load(Ordering::Relaxed)
    }
}
