//! Why a read finds no replica, although some are up.

/// Why replicas that are up do not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// None is known to have what the session requires: one may soon.
    Behind,
    /// None has been observed yet.
    Unseen,
}
