//! The clock, the timer, and sequence numbers.

pub(crate) mod clock;
pub(crate) mod sequence;
pub(crate) mod timer;
