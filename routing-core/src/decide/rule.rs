//! The routing rule.
//!
//! [`decide`] is the whole of it, read from top to bottom: the first line that applies decides. It
//! looks at nothing but its arguments and changes nothing, so that a table of cases can be its
//! test. [`select`](crate::decide::select) chooses among equals, and [`route`](crate::execute::route)
//! carries the verdict out.

use crate::config::rules::{AnonymousReads, LatePin, Mode, NoReplica};
use crate::names::NodeName;
use crate::observe::decision::{Reason, Role};
use crate::session::scope::{Override, ScopeView};
use crate::sql::kind::{Access, StatementKind};

/// What is to be decided.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) kind: StatementKind,
    /// The access of the transaction that the statement belongs to.
    pub(crate) transaction: Option<Access>,
    pub(crate) scopes: ScopeView<'a>,
    pub(crate) session: Option<SessionView>,
    /// What the caller has left in connections.
    pub(crate) state: State,
}

/// The state that statements rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    None,
    /// It is in a connection to the primary.
    OnPrimary,
    /// It was in a connection that is gone, or to a node that is no longer the primary.
    Lost,
}

/// What the rule looks at in a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionView {
    pub(crate) pinned: bool,
    /// Whether that pin still keeps reads on the primary.
    pub(crate) holds_reads: bool,
    /// What the set says to a late pin, if a pin now would be late.
    pub(crate) late: Option<LatePin>,
}

/// What the rule looks at in a set.
pub(crate) struct SetView<'a> {
    pub(crate) enabled: bool,
    pub(crate) managed: bool,
    pub(crate) mode: Mode,
    pub(crate) anonymous_reads: AnonymousReads,
    pub(crate) role_of: &'a dyn Fn(&NodeName) -> Option<Role>,
}

/// Where a statement belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// To the connection of its transaction.
    Transaction,
    /// The same, and the session is pinned first: it did not begin the transaction.
    PinInTransaction { late: Option<LatePin> },
    /// To the primary.
    Primary(Reason),
    /// To the primary, and the session is pinned first.
    Pin { late: Option<LatePin> },
    /// To this node, which the set has.
    Node(&'a NodeName),
    /// To the primary, and while it is unavailable to a replica.
    PreferPrimary(Wanted),
    /// To a replica.
    Replica(Wanted),
}

/// Which replicas serve a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that have what the session requires.
    CaughtUp,
    /// Any: a scope asked for it.
    AnyForced,
    /// Any, chosen anew each time: no session.
    AnyAnonymous,
}

/// Why a statement is refused, before it is known how to say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal<'a> {
    WriteInReadOnlyScope,
    WriteInReadOnlyTransaction,
    WriteOnReplica(&'a NodeName),
    UnknownNode(&'a NodeName),
    UnpinnedWrite,
    Frozen,
    LatePin,
    /// The state is in a connection to the primary.
    StateElsewhere(&'a NodeName),
    StateLost,
}

/// A verdict, and whether the statement counts as a read.
pub(crate) type Answer<'a> = Result<(Verdict<'a>, Access), Refusal<'a>>;

/// The rule.
#[inline]
pub(crate) fn decide<'a>(question: &Question<'a>, set: &SetView<'_>) -> Answer<'a> {
    let Question {
        kind,
        transaction,
        scopes,
        session,
        state,
    } = question;
    let pinned = session.is_some_and(|session| session.pinned);

    // 0. A capability, which nothing lifts.
    let is_in_one_that_reads = *transaction == Some(Access::Read) && kind.is_for_readers();
    if scopes.read_only && kind.access() == Access::Write && !is_in_one_that_reads {
        return Err(Refusal::WriteInReadOnlyScope);
    }

    // 1. A set without rules.
    if !set.enabled {
        return Ok((Verdict::Primary(Reason::Disabled), kind.access()));
    }
    if !set.managed {
        return Ok((Verdict::Primary(Reason::Unmanaged), kind.access()));
    }

    // What is a write only because nobody knows better may be declared a read, weakly.
    let access = if kind.is_ambiguous() && scopes.ambiguous_to_replica && !pinned {
        Access::Read
    } else {
        kind.access()
    };

    // 2. A transaction stays where it is, whatever scope is open.
    if let Some(transaction) = *transaction {
        let verdict = decide_in_transaction(transaction, *kind, access, scopes, *session)?;
        return Ok((verdict, access));
    }

    // 3. What a statement relies on is in one connection, or was.
    if *state == State::Lost {
        return Err(Refusal::StateLost);
    }
    let has_state = *state == State::OnPrimary;

    let forced = match access {
        Access::Read => scopes.read,
        Access::Write => scopes.write,
    };

    // 4. A named node, and no other.
    if let Some(Override::Node(name)) = forced {
        return decide_on_named(name, access, has_state, set);
    }

    let verdict = match access {
        // 5. A write, or the start of a transaction that may write.
        Access::Write => match (forced, session, set.mode) {
            (Some(Override::Primary), ..) => Verdict::Primary(Reason::Forced),
            _ if pinned => Verdict::Primary(Reason::Pinned),
            (Some(Override::Migration), None, _) => Verdict::Primary(Reason::Forced),
            (Some(Override::Migration), Some(_), _) if scopes.frozen => {
                return Err(Refusal::Frozen);
            }
            (Some(Override::Migration), Some(_), _) => Verdict::Pin { late: None },
            (.., Mode::Strict) => return Err(Refusal::UnpinnedWrite),
            (_, None, Mode::Greedy) => Verdict::Primary(Reason::Write),
            (_, Some(_), Mode::Greedy) if scopes.frozen => return Err(Refusal::Frozen),
            (_, Some(session), Mode::Greedy) => match session.late {
                Some(LatePin::Deny) => return Err(Refusal::LatePin),
                late => Verdict::Pin { late },
            },
        },
        // 6. A read.
        Access::Read => match (forced, session, set.anonymous_reads) {
            (Some(Override::Primary | Override::Migration), ..) => Verdict::Primary(Reason::Forced),
            _ if has_state => Verdict::Primary(Reason::SessionState),
            _ if kind.needs_primary() => Verdict::Primary(Reason::NotOnStandby),
            (Some(Override::Replica), ..) => Verdict::Replica(Wanted::AnyForced),
            (Some(Override::PreferPrimary), None, _) => {
                Verdict::PreferPrimary(Wanted::AnyAnonymous)
            }
            (Some(Override::PreferPrimary), Some(session), _) if !session.holds_reads => {
                Verdict::PreferPrimary(Wanted::CaughtUp)
            }
            (_, None, AnonymousReads::Primary) => Verdict::Primary(Reason::NoSession),
            (_, None, AnonymousReads::Replica) => Verdict::Replica(Wanted::AnyAnonymous),
            (_, Some(session), _) if session.holds_reads => Verdict::Primary(Reason::Pinned),
            (_, Some(_), _) => Verdict::Replica(Wanted::CaughtUp),
        },
    };
    Ok((verdict, access))
}

/// The rule for a statement that a scope sends to this node.
fn decide_on_named<'a>(
    name: &'a NodeName,
    access: Access,
    has_state: bool,
    set: &SetView<'_>,
) -> Answer<'a> {
    match ((set.role_of)(name), access) {
        (None, _) => Err(Refusal::UnknownNode(name)),
        (Some(Role::Replica), Access::Write) => Err(Refusal::WriteOnReplica(name)),
        (Some(Role::Replica), Access::Read) if has_state => Err(Refusal::StateElsewhere(name)),
        (Some(Role::Primary), _) | (Some(Role::Replica), Access::Read) => {
            Ok((Verdict::Node(name), access))
        }
    }
}

/// The rule for a statement of a transaction with this access.
#[inline]
fn decide_in_transaction<'a>(
    transaction: Access,
    kind: StatementKind,
    access: Access,
    scopes: &ScopeView<'_>,
    session: Option<SessionView>,
) -> Result<Verdict<'a>, Refusal<'a>> {
    match (transaction, access, session) {
        (Access::Read, Access::Write, _) if !kind.is_for_readers() => {
            Err(Refusal::WriteInReadOnlyTransaction)
        }
        // The session that began it is pinned, or was not to be. This may be another.
        (Access::Write, Access::Write, Some(session))
            if !session.pinned && matches!(scopes.write, None | Some(Override::Migration)) =>
        {
            match session.late {
                _ if scopes.frozen => Err(Refusal::Frozen),
                Some(LatePin::Deny) => Err(Refusal::LatePin),
                late => Ok(Verdict::PinInTransaction { late }),
            }
        }
        _ => Ok(Verdict::Transaction),
    }
}

/// Where a read goes that no replica can serve; `None` is nowhere.
///
/// A replica that is up but behind is not missing: its read goes to the primary in any case.
pub(crate) const fn without_replica(no_replica: NoReplica, behind: bool) -> Option<Reason> {
    match no_replica {
        _ if behind => Some(Reason::NotCaughtUp),
        NoReplica::Primary => Some(Reason::NoReplica),
        NoReplica::Error => None,
    }
}
