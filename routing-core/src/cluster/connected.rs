//! New connections to a node, and what they may mean.
//!
//! A server that crashes ends its connections. If it is back before anybody has asked how it is, nobody
//! need notice: a pool finds its idle connections dead, and makes new ones. A standby of PostgreSQL's
//! then shows what it had replayed by its last restart point, or a little more, and not what it was known
//! to have. The obvious check is to ask each new connection when its server was started: a round trip,
//! and a standby also begins anew without that (`restart_after_crash`). Here what is known of a node
//! counts over connections of before it was found out. When one is made, the node is asked once more,
//! over the monitor's own connection, which would have ended, too; who relies on what is known waits
//! for the answer ([`Route::holds_patiently`](crate::Route::holds_patiently)), a few milliseconds for
//! each connection that a pool makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::position::log::Hurry;
use crate::time::sequence;

/// Is told of each connection that a pool makes to a node.
///
/// Pools that the application has made itself tell nobody.
#[derive(Debug, Clone, Default)]
pub struct Connected {
    /// The tick of the last one; 0 is none.
    last: Arc<AtomicU64>,
    hurry: Arc<Hurry>,
}

impl Connected {
    /// A connection has been made, and nothing sent over it yet.
    pub fn tell(&self) {
        self.last.fetch_max(sequence::now(), Ordering::SeqCst);
        self.hurry.ask();
    }

    /// The tick of the last one, or 0.
    #[inline]
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// What has the node asked.
    pub(crate) fn hurry(&self) -> &Hurry {
        &self.hurry
    }
}
