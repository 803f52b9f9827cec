//! A transaction's callbacks, and whether a statement in it has failed; so for each savepoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    failed: Arc<AtomicBool>,
}

impl Level {
    pub(super) fn new(fate: &Arc<Fate>) -> Self {
        Self {
            callbacks: Callbacks::new(),
            fate: Arc::clone(fate),
            failed: Arc::default(),
        }
    }

    /// A savepoint inside of it.
    #[must_use]
    pub fn savepoint(&self) -> Self {
        Self {
            callbacks: self.callbacks.savepoint(),
            fate: Arc::clone(&self.fate),
            failed: Arc::default(),
        }
    }

    /// Its callbacks.
    #[must_use]
    pub const fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    /// A statement in it has failed, or may have.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether a statement in it has failed, or may have.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// A flag for a statement that may fail later; raise it then.
    #[must_use]
    pub fn failure_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failed)
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
