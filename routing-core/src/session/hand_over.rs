//! What one session tells the next.

use std::time::Duration;

use crate::names::SetName;
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

/// In place of a position that cannot be told.
pub(crate) const TIME_PIN: Duration = Duration::from_secs(15);

/// A set's name that stands for all of them; none can be called so by a configuration.
pub(crate) const EVERYWHERE: &str = "\0";

impl HandOver {
    /// What two sessions tell a third, who is to miss nothing of either. Of positions that no
    /// position reaches both of, the later one's stays, and a time.
    #[must_use]
    pub fn merge(earlier: Vec<Self>, later: Vec<Self>) -> Vec<Self> {
        let mut all = later;
        for told in earlier {
            let Some(same) = all.iter_mut().find(|same| same.set == told.set) else {
                all.push(told);
                continue;
            };
            same.pinned_for = same.pinned_for.max(told.pinned_for);
            match (&same.position, told.position) {
                (_, None) => {}
                (None, position) => same.position = position,
                (Some(one), Some(other)) => {
                    let merged = one.merge(&other);
                    if merged.is_known() {
                        same.position = Some(merged);
                    } else {
                        same.pinned_for = same.pinned_for.max(Some(TIME_PIN));
                    }
                }
            }
        }
        all
    }

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
