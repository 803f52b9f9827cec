//! A transaction's callbacks, and whether a statement in it has failed; so for each savepoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::adapter::fate::Fate;
use crate::names::SetName;
use crate::session::hooks::{Callbacks, Committed};

/// A transaction or a savepoint, until it ends.
///
/// Dropped, it was rolled back, unless the router has [lost
/// track](crate::adapter::OpenTransaction::lose_track) of the transaction: then no callback runs.
#[derive(Debug)]
pub struct Level {
    callbacks: Callbacks,
    fate: Arc<Fate>,
    doubt: Arc<Doubt>,
}

/// Whether all of its statements have succeeded.
#[derive(Debug, Default)]
struct Doubt {
    has_failed: AtomicBool,
    /// Statements whose end the router has not seen.
    pending: AtomicU32,
}

/// A statement whose end the router has not seen. Dropped before, the statement may have failed.
#[derive(Debug)]
pub struct Pending(Option<Arc<Doubt>>);

impl Pending {
    /// Whether it has not ended well as yet.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.0.is_some()
    }

    /// The statement has succeeded.
    pub fn succeeded(&mut self) {
        if let Some(doubt) = self.0.take() {
            doubt.pending.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(doubt) = &self.0 {
            doubt.has_failed.store(true, Ordering::Release);
        }
        self.succeeded();
    }
}

impl Level {
    pub(super) fn new(fate: &Arc<Fate>) -> Self {
        Self {
            callbacks: Callbacks::new(),
            fate: Arc::clone(fate),
            doubt: Arc::default(),
        }
    }

    /// A savepoint inside of it.
    #[must_use]
    pub fn savepoint(&self) -> Self {
        Self {
            callbacks: self.callbacks.savepoint(),
            fate: Arc::clone(&self.fate),
            doubt: Arc::default(),
        }
    }

    /// Its callbacks.
    #[must_use]
    pub const fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    /// A statement in it has failed, or may have.
    pub fn fail(&self) {
        self.doubt.has_failed.store(true, Ordering::Release);
    }

    /// Whether a statement in it has failed, or may have.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.doubt.has_failed.load(Ordering::Acquire)
            || self.doubt.pending.load(Ordering::Acquire) > 0
    }

    /// A statement of it that goes on, such as one whose rows are still read.
    #[must_use]
    pub fn pending(&self) -> Pending {
        self.doubt.pending.fetch_add(1, Ordering::AcqRel);
        Pending(Some(Arc::clone(&self.doubt)))
    }

    /// The commit, or the release of the savepoint, is under way: dropped from here on, its outcome is
    /// unknown, and no callback runs.
    pub const fn committing(&mut self) {
        self.callbacks.committing();
    }

    /// The commit, or the release, was acknowledged.
    pub fn committed(mut self, set: &SetName) {
        if !self.fate.is_unclear() {
            let callbacks = std::mem::take(&mut self.callbacks);
            callbacks.committed(&Committed::new(set.clone()));
        }
    }

    /// It was rolled back for certain, unless the router has lost track of it.
    pub fn rolled_back(mut self) {
        if !self.fate.is_unclear() {
            std::mem::take(&mut self.callbacks).rolled_back();
        }
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        if self.fate.is_unclear() {
            self.callbacks.committing();
        }
    }
}
