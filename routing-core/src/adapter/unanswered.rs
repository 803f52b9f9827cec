//! A statement that may commit its transaction, until the server answers it.

use std::fmt;
use std::sync::Arc;

use crate::cluster::replica_set::ReplicaSet;
use crate::session::context::Context;

/// A commit, or what may contain one, that was sent: dropped without its answer, as when its future is, the
/// server may execute it at any time.
#[must_use = "its answer is to be reported"]
pub struct Unanswered<P>(pub(super) Option<(Arc<ReplicaSet<P>>, [Context; 2])>);

impl<P> Unanswered<P> {
    /// The server has answered, or it is known that it does not.
    pub fn answered(mut self) {
        self.0 = None;
    }
}

impl<P> Drop for Unanswered<P> {
    fn drop(&mut self) {
        if let Some((set, sessions)) = self.0.take() {
            for session in &sessions {
                set.record_untracked_write(session);
            }
        }
    }
}

impl<P> fmt::Debug for Unanswered<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unanswered").finish_non_exhaustive()
    }
}
