//! What was decided, and why.

use std::fmt;

use crate::names::{NodeName, SetName};
use crate::sql::kind::{Access, StatementKind};

/// What a node is in its replica set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third role")]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It follows the primary and takes reads.
    Replica,
}

impl Role {
    /// The word used in logs: `primary` or `replica`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a statement went where it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Routing is switched off.
    Disabled,
    /// The set has no rules.
    Unmanaged,
    /// A transaction is open, and it is this one's.
    Transaction,
    /// A `node` scope names the node.
    Named,
    /// A `primary` or `replica` scope is open.
    Forced,
    /// A `prefer_primary` scope is open, and the primary is there.
    Preferred,
    /// The session is pinned.
    Pinned,
    /// The caller, or the session, has left state in a connection to the primary.
    SessionState,
    /// It is a write on a greedy set.
    Write,
    /// It is a read that belongs to no session.
    NoSession,
    /// The balancer chose the node.
    Balanced,
    /// The session has read from the node before.
    Affine,
    /// No standby runs it: it reads an unlogged table, say, or begins a serializable transaction. Or it is the read
    /// with which SeaORM ends a write on MySQL and MariaDB.
    NotOnStandby,
    /// No replica is known to have what the session requires.
    NotCaughtUp,
    /// No replica is up.
    NoReplica,
    /// Another node failed first.
    Failover,
}

impl Reason {
    /// The words used in logs, such as `not caught up`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Unmanaged => "unmanaged",
            Self::Transaction => "transaction",
            Self::Named => "named",
            Self::Forced => "forced",
            Self::Preferred => "preferred",
            Self::Pinned => "pinned",
            Self::SessionState => "session state",
            Self::Write => "write",
            Self::NoSession => "no session",
            Self::Balanced => "balanced",
            Self::Affine => "affine",
            Self::NotOnStandby => "not on a standby",
            Self::NotCaughtUp => "not caught up",
            Self::NoReplica => "no replica",
            Self::Failover => "failover",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One decision: which node runs a statement, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision<'a> {
    /// The replica set.
    pub set: &'a SetName,
    /// The node that was chosen.
    pub node: &'a NodeName,
    /// What the node is.
    pub role: Role,
    /// What is to run.
    pub kind: StatementKind,
    /// Why it runs there.
    pub reason: Reason,
}

impl Decision<'_> {
    /// Whether the statement counts as a read.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.kind.access()
    }
}
