//! The state that a caller has put into a connection of its own.
//!
//! `SET search_path`, a temporary table or an advisory lock lives in a connection: whoever runs the next
//! statement elsewhere runs it without. An adapter whose callers keep their connections has one of these for
//! each caller; where statements take any connection of a pool, the session knows that there is state
//! somewhere, and no more.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::names::NodeId;

/// Where a caller's state is, as far as it has left any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The caller has left none.
    Nowhere,
    /// In the caller's connection to the node of this id.
    On(NodeId),
    /// It is gone, as the connection is.
    Lost,
}

/// The state that a caller has left in its own connection, shared by its clones.
#[derive(Clone, Default)]
pub struct ConnectionState(Arc<AtomicU64>);

const LOST: u64 = u64::MAX;

impl ConnectionState {
    /// A statement that may leave state is about to be sent to the node of this id.
    pub(crate) fn keep(&self, node: NodeId) {
        let word = u64::from(node.to_word());
        // What is lost stays lost.
        let _lost = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |current| {
                (current != LOST).then_some(word)
            });
    }

    /// The caller's connection to the node of this id is gone, and with it the state that was in it.
    pub(crate) fn lose_with(&self, node: NodeId) {
        let (word, lost) = (&self.0, Ordering::Acquire);
        let _elsewhere =
            word.compare_exchange(u64::from(node.to_word()), LOST, Ordering::AcqRel, lost);
    }

    pub(crate) fn kept(&self) -> Kept {
        match self.0.load(Ordering::Acquire) {
            LOST => Kept::Lost,
            word => {
                let node = u32::try_from(word).ok().and_then(NodeId::from_word);
                node.map_or(Kept::Nowhere, Kept::On)
            }
        }
    }
}

impl fmt::Debug for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kept().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_lost_with_its_connection_and_no_other() {
        let (one, other) = (NodeId::next(), NodeId::next());
        let state = ConnectionState::default();
        state.lose_with(one);
        assert_eq!(state.kept(), Kept::Nowhere, "there was none");
        state.keep(one);
        state.lose_with(other);
        assert_eq!(state.kept(), Kept::On(one));
        state.lose_with(one);
        state.keep(one);
        assert_eq!(state.kept(), Kept::Lost, "and is not had again");
    }
}
