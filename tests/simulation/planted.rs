//! Bugs that are planted in what surrounds the router, to see that the simulation finds them.

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Reads go to any replica, whatever their session requires.
    NoFence,
    /// A write whose connection broke is sent again.
    RetriesWrites,
    /// What was decided is done, however long it took to get a connection.
    NeverLooksAgain,
    /// What a statement leaves in a connection is forgotten.
    ForgetsState,
    /// Servers do not say on which timeline they are.
    IgnoresTimelines,
}
