//! The answer to whether one position reaches another.

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
