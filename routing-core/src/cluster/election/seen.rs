//! What is known of a node when the set judges.

use crate::observe::decision::Role;
use crate::position::Position;

/// What a node has said of itself when it last answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// What it is, if it can only be that.
    pub(crate) role: Option<Role>,
    pub(crate) takes_writes: bool,
    /// PostgreSQL's system identifier.
    pub(crate) system: Option<u64>,
    /// PostgreSQL's.
    pub(crate) timeline: Option<u32>,
    /// MariaDB's and MySQL's server id.
    pub(crate) server: Option<u64>,
    /// Whether the application's query has told it.
    pub(crate) is_told: bool,
    /// Whether a read-only MariaDB or MySQL server answers at the primary's address, and may lack acknowledged writes.
    pub(crate) stands_in: bool,
    pub(crate) position: Position,
    /// All that it has, written or replayed.
    pub(crate) holds: Position,
    /// When it was asked, and when it had answered, as sequence numbers.
    pub(crate) asked: u64,
    pub(crate) answered: u64,
    /// Whether it took no writes before, and does now.
    pub(crate) took_over: bool,
}

impl Sighting {
    /// Whether the application's query has answered `primary`, which tells no history.
    pub(super) const fn is_told_primary(&self) -> bool {
        self.is_told && self.takes_writes
    }
}

/// What the rule looks at in a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) sighting: Option<&'a Sighting>,
    pub(crate) is_up: bool,
    /// Whether it may be the server that the primary is, too.
    pub(crate) may_be_primarys: bool,
}

/// Whether a node that takes writes is the server that the primary is: MySQL's and MariaDB's servers say so by
/// their ids. A server of PostgreSQL's that is promoted begins a timeline, so that two on one timeline are one, or
/// one is a copy that was started beside the other.
pub(super) fn is_same_server(one: &Sighting, other: &Sighting) -> bool {
    let is_writable = one.takes_writes || one.role == Some(Role::Primary);
    let says_which = one.server.is_some() || one.timeline.is_some();
    let facts = |of: &Sighting| (of.role, of.takes_writes, of.system, of.timeline, of.server);
    is_writable && says_which && facts(one) == facts(other)
}
