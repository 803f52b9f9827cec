//! What one session tells the next.

use std::time::Duration;

use crate::name::SetName;
use crate::position::Position;

/// What a session has to tell the next one about a set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandOver {
    /// The set.
    pub set: SetName,
    /// What a replica must have replayed, if that is known.
    pub position: Option<Position>,
    /// For how long reads belong on the primary, if something was written whose position is not
    /// known, or if the session was itself told so.
    pub pinned_for: Option<Duration>,
}

impl HandOver {
    /// Nothing to tell about a set.
    #[must_use]
    pub fn new(set: impl Into<SetName>) -> Self {
        Self {
            set: set.into(),
            position: None,
            pinned_for: None,
        }
    }
}
