//! What a transaction calls when it has ended.
//!
//! The obvious design, a list that a commit runs and a rollback clears, goes wrong in three places:
//! a savepoint that is rolled back must take its own callbacks with it and no others; a callback
//! must not run before the commit is acknowledged; and when nobody knows whether the commit
//! happened, neither list may run. The rule here:
//!
//! - callbacks belong to the transaction they were given to; a savepoint hands them to the
//!   transaction around it when it is released;
//! - the outermost commit runs the commit callbacks in order, after the acknowledgement;
//! - a rollback, or a drop without a commit, runs the rollback callbacks;
//! - a commit whose outcome is unknown runs neither;
//! - a callback that panics is reported, and changes neither the outcome nor the other callbacks.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::names::SetName;
use crate::position::Position;

/// What a commit callback is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The replica set that took the transaction.
    pub set: SetName,
    /// A position that includes the transaction, if it is known: a commit asks for none, so that
    /// it is `None` from the adapters. [`Session::hand_over`](crate::Session::hand_over) has it later.
    pub position: Option<Position>,
}

impl Committed {
    /// A commit on `set` whose position is not known.
    #[must_use]
    pub const fn new(set: SetName) -> Self {
        Self {
            set,
            position: None,
        }
    }
}

type OnCommit = Box<dyn FnOnce(&Committed) + Send>;
type OnRollback = Box<dyn FnOnce() + Send>;

/// The callbacks of one transaction or savepoint.
///
/// Dropped without a word about the outcome, it runs its rollback callbacks: a transaction that is
/// dropped is rolled back.
pub struct Callbacks {
    registered: Shared,
    around: Option<Shared>,
    outcome: Outcome,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Lists>>);

#[derive(Default)]
struct Lists {
    commit: Vec<OnCommit>,
    rollback: Vec<OnRollback>,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Unknown,
}

impl Callbacks {
    /// For a transaction.
    #[must_use]
    pub fn new() -> Self {
        Self::inside(None)
    }

    /// For a savepoint inside this transaction.
    #[must_use]
    pub fn savepoint(&self) -> Self {
        Self::inside(Some(self.registered.clone()))
    }

    fn inside(around: Option<Shared>) -> Self {
        Self {
            registered: Shared::default(),
            around,
            outcome: Outcome::Open,
        }
    }

    /// Calls back after the outermost commit is acknowledged.
    pub fn on_commit(&self, callback: impl FnOnce(&Committed) + Send + 'static) {
        self.registered
            .with(|lists| lists.commit.push(Box::new(callback)));
    }

    /// Calls back after this transaction, this savepoint or one around it is rolled back.
    pub fn on_rollback(&self, callback: impl FnOnce() + Send + 'static) {
        self.registered
            .with(|lists| lists.rollback.push(Box::new(callback)));
    }

    /// Whether nobody is to be called.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registered
            .with(|lists| lists.commit.is_empty() && lists.rollback.is_empty())
    }

    /// Whether a savepoint inside this transaction is neither released nor rolled back.
    #[must_use]
    pub fn has_open_savepoint(&self) -> bool {
        Arc::strong_count(&self.registered.0) > 1
    }

    /// The commit, or the release of the savepoint, is under way: from here on its outcome is
    /// unknown, until [`committed`](Self::committed) or [`rolled_back`](Self::rolled_back) says it.
    pub const fn committing(&mut self) {
        self.outcome = Outcome::Unknown;
    }

    /// It was acknowledged.
    pub fn committed(mut self, committed: &Committed) {
        self.outcome = Outcome::Unknown;
        let lists = self.registered.take();
        match &self.around {
            Some(around) => around.with(|outer| {
                outer.commit.extend(lists.commit);
                outer.rollback.extend(lists.rollback);
            }),
            None => lists
                .commit
                .into_iter()
                .for_each(|callback| guarded("on_commit", || callback(committed))),
        }
    }

    /// It was rolled back for certain.
    pub fn rolled_back(mut self) {
        self.outcome = Outcome::Open;
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if self.outcome == Outcome::Open {
            for callback in self.registered.take().rollback {
                guarded("on_rollback", callback);
            }
        }
    }
}

impl Default for Callbacks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks")
            .field("nested", &self.around.is_some())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut Lists) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self) -> Lists {
        self.with(std::mem::take)
    }
}

/// The transaction has ended: no callback can change that, by a panic least of all.
fn guarded(which: &str, callback: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(callback)).is_err() {
        tracing::error!(target: "routing", callback = which, "a transaction callback panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn register(log: &Log, callbacks: &Callbacks, commit: &'static str, rollback: &'static str) {
        let (one, other) = (Arc::clone(log), Arc::clone(log));
        callbacks.on_commit(move |_| one.lock().unwrap().push(commit));
        callbacks.on_rollback(move || other.lock().unwrap().push(rollback));
    }

    fn committed() -> Committed {
        Committed::new(SetName::default())
    }

    #[test]
    fn savepoints_keep_and_discard_their_own() {
        let log = Log::default();
        let outer = Callbacks::new();
        register(&log, &outer, "outer+", "outer-");
        let kept = outer.savepoint();
        register(&log, &kept, "kept+", "kept-");
        kept.committed(&committed());
        let dropped = outer.savepoint();
        register(&log, &dropped, "dropped+", "dropped-");
        drop(dropped);
        assert_eq!(*log.lock().unwrap(), ["dropped-"]);
        outer.committed(&committed());
        assert_eq!(*log.lock().unwrap(), ["dropped-", "outer+", "kept+"]);
    }

    #[test]
    fn a_released_savepoint_is_rolled_back_with_what_is_around_it() {
        let log = Log::default();
        let outer = Callbacks::new();
        let inner = outer.savepoint();
        register(&log, &inner, "inner+", "inner-");
        inner.committed(&committed());
        outer.rolled_back();
        assert_eq!(*log.lock().unwrap(), ["inner-"]);
    }

    #[test]
    fn an_unknown_outcome_calls_nobody() {
        let log = Log::default();
        let mut callbacks = Callbacks::new();
        register(&log, &callbacks, "+", "-");
        callbacks.committing();
        drop(callbacks);
        assert!(log.lock().unwrap().is_empty());
    }

    #[test]
    fn a_panic_stops_nobody_else() {
        let log = Log::default();
        let callbacks = Callbacks::new();
        callbacks.on_commit(|_| panic!("a mistake in the callback"));
        register(&log, &callbacks, "+", "-");
        callbacks.committed(&committed());
        assert_eq!(*log.lock().unwrap(), ["+"]);
    }
}
