//! Jobs that read what was written before they were enqueued.

use std::time::Duration;

use crate::session::Session;
use crate::session::token::TokenKeys;

/// What a job needs to read of what was written before it was enqueued.
///
/// Whoever enqueues a job puts the token of its session into the payload; the worker makes the job's
/// session of it.
///
/// ```
/// use routing_core::{Consistency, Session, TokenKeys};
///
/// let keys = TokenKeys::new("a secret of at least 32 bytes, from your vault")?;
/// # let payload_token: Option<String> = None;
/// // In the worker; db is a routed connection.
/// let consistency = Consistency::Delayed;
/// let session = consistency.session(&keys, payload_token.as_deref());
/// // let db = db.with_session(&session);
/// // db.catch_up(consistency.patience()).await;
/// // … the job …
/// assert!(session.is_pinned("default"), "without a token it is the primary's");
/// # Ok::<(), routing_core::WeakSecret>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Consistency {
    /// It reads from the primary.
    #[default]
    Always,
    /// It reads from a replica that has what was written, if there is one at once; else from the
    /// primary.
    Sticky,
    /// It waits for such a replica first, three times half a second at the most.
    Delayed,
}

impl Consistency {
    /// The session of a job. One without a token, or with one that is not good, reads from the
    /// primary.
    #[must_use]
    pub fn session(self, keys: &TokenKeys, token: Option<&str>) -> Session {
        let session = keys.resume(None);
        match (self, token.map(|token| keys.open(token))) {
            (Self::Always, _) => session.pin_everywhere(),
            (Self::Sticky | Self::Delayed, Some(Ok(told))) => session.take_over(told),
            (Self::Sticky | Self::Delayed, _) => session.carry_pin_everywhere(),
        }
        session
    }

    /// How long the job may be kept waiting for a replica; **1.5 s** if `Delayed`, else nothing.
    #[must_use]
    pub const fn patience(self) -> Duration {
        match self {
            Self::Always | Self::Sticky => Duration::ZERO,
            Self::Delayed => Duration::from_millis(3 * 500),
        }
    }
}
