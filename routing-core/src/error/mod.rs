//! Refusals.

mod problem;
mod text;

use std::fmt;
use std::time::Duration;

use crate::names::{NodeName, SetName};
use crate::sql::kind::StatementKind;
use text::{Cause, Hint, Listing, Problems, Retry, Unpinned, cause};

pub use problem::ConfigProblem;

/// Why a statement was not run, or a configuration not taken.
///
/// The adapters carry it inside their ORM's own error type; each has an extension trait that
/// gives it back (`err.routing()`). A refusal comes before any server sees the statement, except
/// for `PrimaryUnavailable`, `NodeUnavailable` and `NoReplica`, which may come after a failed
/// attempt to connect. In no case was the statement executed, except for `OutcomeUnknown`, which says
/// that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoutingError {
    /// A write on a session that is not pinned, in strict mode.
    #[error("set `{set}`: {kind} {}{}", Unpinned { set, in_session: *in_session }, Hint(*kind))]
    UnpinnedWrite {
        /// The replica set.
        set: SetName,
        /// What was refused.
        kind: StatementKind,
        /// Whether there was a session at all.
        in_session: bool,
    },

    /// A pin where there is no session to pin.
    #[error(
        "set `{set}`: there is no session to pin; run this in `session.run(…)`, \
         or on a handle from `with_session(&session)`"
    )]
    NoSession {
        /// The replica set.
        set: SetName,
    },

    /// A write in a scope that names a replica.
    #[error(
        "set `{set}`: {kind} in a scope on node `{node}`, which is a replica; \
         take the write out of the scope"
    )]
    WriteOnReplica {
        /// The replica set.
        set: SetName,
        /// The node that the scope names.
        node: NodeName,
        /// What was refused.
        kind: StatementKind,
    },

    /// A write in a transaction that is read-only.
    #[error(
        "set `{set}`: {kind} in a read-only transaction on node `{node}`; \
         begin the transaction without declaring it read-only"
    )]
    WriteInReadOnlyTransaction {
        /// The replica set.
        set: SetName,
        /// The node that the transaction is open on.
        node: NodeName,
        /// What was refused.
        kind: StatementKind,
    },

    /// A write in a `read_only` scope, or on a `ReadOnly` handle; no server saw it.
    #[error(
        "set `{set}`: {kind} where only reads may run, inside `Scope::read_only()` or on a \
         `ReadOnly` handle; take it out of there"
    )]
    WriteInReadOnlyScope {
        /// The replica set.
        set: SetName,
        /// What was refused.
        kind: StatementKind,
    },

    /// A commit while a savepoint inside the transaction is still open; all is rolled back.
    #[error(
        "set `{set}`: the transaction has a savepoint that is still open; \
         commit it or roll it back first"
    )]
    OpenSavepoint {
        /// The replica set.
        set: SetName,
    },

    /// A statement in a transaction that has ended: the statement would be committed at once, by itself.
    /// MySQL and MariaDB roll back the whole transaction of a deadlock's victim; and a node that does
    /// not answer any more rolls back what it has not committed.
    #[error(
        "set `{set}`: the transaction on node `{node}` has ended on the server; \
         roll it back here, and begin it again"
    )]
    TransactionLost {
        /// The replica set.
        set: SetName,
        /// The node that the transaction was open on.
        node: NodeName,
    },

    /// A pin or a write where a `frozen` scope forbids pins.
    #[error(
        "set `{set}`: {} would pin the session inside `Scope::frozen()`; \
         pin it before the scope, or take this out of it",
        cause(*kind)
    )]
    Frozen {
        /// The replica set.
        set: SetName,
        /// The write that was refused; `None` for a call of `pin`.
        kind: Option<StatementKind>,
    },

    /// A pin or a write after a replica read of the same session, under `LatePin::Deny`.
    #[error(
        "set `{set}`: {} after the session has read from a replica, so it may rest on stale rows; \
         call `session.pin(\"{set}\")` before the session's first read",
        cause(*kind)
    )]
    LatePin {
        /// The replica set.
        set: SetName,
        /// The write that was refused; `None` for a call of `pin`.
        kind: Option<StatementKind>,
    },

    /// A statement over tables of two sets, or of another set than its transaction's.
    #[error(
        "set `{set}`: table `{table}` is in set `{other}`; take a handle to it (`on_set(\"{other}\")`), \
         as a statement, a transaction and a connection of Diesel's are of one set"
    )]
    CrossSet {
        /// The replica set that the statement belongs to, or would run on.
        set: SetName,
        /// The set that has the table.
        other: SetName,
        /// The table.
        table: String,
    },

    /// A scope names a node that the set does not have.
    #[error("set `{set}` has no node `{node}`; it has {}", Listing(known))]
    UnknownNode {
        /// The replica set.
        set: SetName,
        /// The name that was asked for.
        node: NodeName,
        /// The names there are.
        known: Vec<NodeName>,
    },

    /// A read on a replica that a scope names, where the caller has left state in its connection to the
    /// primary: the read would run without that.
    #[error(
        "set `{set}`: a read in a scope on node `{node}`, after a statement has left state in the \
         connection to the primary (`SET`, a temporary table, a lock); run the read outside of the \
         scope, or on another connection"
    )]
    StateElsewhere {
        /// The replica set.
        set: SetName,
        /// The node that the scope names.
        node: NodeName,
    },

    /// The connection is gone in which the caller has left state, or its node is no longer the primary: a
    /// statement would run without that state.
    #[error(
        "set `{set}`: the connection to the primary is gone, and with it what was left in it (`SET`, a \
         temporary table, a lock); take another connection from the pool, and begin again"
    )]
    StateLost {
        /// The replica set.
        set: SetName,
        /// The node that the statement would run on.
        node: NodeName,
    },

    /// No replica set has that name.
    #[error("there is no replica set `{set}`; there is {}", Listing(known))]
    UnknownSet {
        /// The name that was asked for.
        set: SetName,
        /// The names there are.
        known: Vec<SetName>,
    },

    /// No connection could be had to a node that a scope names, or that is the last one left: it is down, or
    /// its pool is exhausted; `cause` has what the pool said.
    #[error(
        "set `{set}`: node `{node}` cannot serve this{}{}",
        Cause(cause.as_deref()), Retry(*retry_in)
    )]
    NodeUnavailable {
        /// The replica set.
        set: SetName,
        /// The node.
        node: NodeName,
        /// When it will be tried again at the latest, if that is known.
        retry_in: Option<Duration>,
        /// What the driver or its pool said, or why the router did not ask them, if the node is not down.
        cause: Option<String>,
    },

    /// The primary is needed and cannot be reached.
    #[error(
        "set `{set}`: the primary `{node}` is unavailable{}{}",
        Cause(cause.as_deref()), Retry(*retry_in)
    )]
    PrimaryUnavailable {
        /// The replica set.
        set: SetName,
        /// The primary.
        node: NodeName,
        /// How long statements are kept from it at the most; a probe that is answered ends that at
        /// once. `None` if it is not left alone: it failed just now, or the cause is that it takes no
        /// writes or is none of the set's any more, until it says otherwise.
        retry_in: Option<Duration>,
        /// What the driver said, or why nobody was asked, if that is not that it is down.
        cause: Option<String>,
    },

    /// No replica can serve the read, and the set does not let reads go to the primary.
    #[error(
        "set `{set}`: no replica can serve the read, and `no_replica = \"error\"` \
         keeps it from the primary"
    )]
    NoReplica {
        /// The replica set.
        set: SetName,
    },

    /// No replica can serve the read, and the primary takes no more of them for now.
    #[error(
        "set `{set}`: no replica can serve the read, and the primary has taken as many as \
         `fallback_budget` allows"
    )]
    FallbackSpent {
        /// The replica set.
        set: SetName,
    },

    /// The node stopped answering while it ran the statement, and it is not known whether it did.
    /// Nobody has run it again.
    #[error(
        "set `{set}`: {kind} on node `{node}`, which does not answer: it is not known whether it \
         was executed"
    )]
    OutcomeUnknown {
        /// The replica set.
        set: SetName,
        /// The node.
        node: NodeName,
        /// What was sent.
        kind: StatementKind,
    },

    /// The configuration has mistakes: all of them, each with its path.
    #[error("{}", Problems(.0))]
    Config(Vec<ConfigProblem>),
}

impl RoutingError {
    /// A write on a session that is not pinned, in strict mode.
    #[must_use]
    pub const fn is_unpinned_write(&self) -> bool {
        matches!(self, Self::UnpinnedWrite { .. })
    }

    /// The statement may have been executed, or not: whoever runs it again has to be sure that twice
    /// does no harm.
    ///
    /// ```
    /// use routing_core::{RoutingError, StatementKind};
    ///
    /// let error = RoutingError::OutcomeUnknown {
    ///     set: "default".into(),
    ///     node: "primary".into(),
    ///     kind: StatementKind::Insert,
    /// };
    /// assert!(error.is_outcome_unknown() && !error.is_unavailable());
    /// ```
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }

    /// The same with what the driver said, where there is a place for it.
    #[must_use]
    pub fn because(mut self, said: impl fmt::Display) -> Self {
        if let Self::NodeUnavailable { cause, .. } | Self::PrimaryUnavailable { cause, .. } =
            &mut self
        {
            *cause = Some(said.to_string());
        }
        self
    }

    /// A node could not be reached, rather than the program having broken a rule: it was not executed,
    /// and may work later. `OutcomeUnknown` is not one of these.
    ///
    /// ```
    /// use routing_core::RoutingError;
    ///
    /// let error = RoutingError::NoReplica { set: "default".into() };
    /// assert!(error.is_unavailable());
    /// ```
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::NodeUnavailable { .. }
                | Self::PrimaryUnavailable { .. }
                | Self::NoReplica { .. }
                | Self::FallbackSpent { .. }
        )
    }
}
