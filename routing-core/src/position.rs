//! Points in a primary's history.
//!
//! The obvious way to compare two positions is `>=` on the log location. It is wrong across a
//! failover: the new primary writes another history, in which the same location holds something
//! else. So a position carries its history, the answer has three values, and *unknown* is treated
//! as *no*.

/// A point in the history of one primary: which history, and how far.
///
/// What the two numbers are is up to the database: for PostgreSQL the history is a hash of system
/// identifier and timeline, and the location is the LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    history: u64,
    location: u64,
}

/// Whether one position reaches another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a third truth value is enough")]
pub enum Reach {
    /// It is there or further.
    Yes,
    /// It is not there yet.
    No,
    /// The two cannot be compared, which is treated as `No`.
    Unknown,
}

impl Position {
    /// The point `location` of `history`.
    #[must_use]
    pub const fn new(history: u64, location: u64) -> Self {
        Self { history, location }
    }

    /// Whether a node that is at this position has seen everything up to `required`.
    ///
    /// ```
    /// use routing_core::{Position, Reach};
    ///
    /// assert_eq!(Position::new(1, 20).reaches(Position::new(1, 10)), Reach::Yes);
    /// assert_eq!(Position::new(1, 10).reaches(Position::new(1, 20)), Reach::No);
    /// assert_eq!(Position::new(2, 20).reaches(Position::new(1, 10)), Reach::Unknown);
    /// ```
    #[must_use]
    pub const fn reaches(self, required: Self) -> Reach {
        if self.history != required.history {
            Reach::Unknown
        } else if self.location >= required.location {
            Reach::Yes
        } else {
            Reach::No
        }
    }
}
