//! What the rule's verdict comes to in a set: one node.

use crate::cluster::members::Members;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::LatePin;
use crate::decide::admission::{Place, Stop, WaitsFor};
use crate::decide::attempts::Tried;
use crate::decide::rule::{self, Question, Refusal, SessionView, SetView, State, Verdict, Wanted};
use crate::decide::select::Choice;
use crate::error::RoutingError;
use crate::names::NodeName;
use crate::observe::decision::{Reason, Role};
use crate::session::Session;
use crate::session::connection_state::Kept;
use crate::session::context::Context;
use crate::session::pin::PinReason;
use crate::session::scope::{Override, ScopeView};
use crate::session::set_state::Slot;
use crate::sql::kind::{Access, StatementKind};

/// Where a statement goes, before anybody is told.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) access: Access,
    pub(crate) choice: Choice,
    /// What the set says to a pin that was set just now, after a replica read.
    pub(crate) late: Option<LatePin>,
}

/// What is to be resolved, and for whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inquiry<'a> {
    pub(crate) kind: StatementKind,
    pub(crate) caller: &'a Context,
    pub(crate) tried: &'a Tried,
    /// Who waits for this is told so, instead of being sent to the primary.
    pub(crate) waits_for: WaitsFor,
}

/// Asks the rule, chooses among equals, and pins the session if the rule says so.
#[inline]
pub(crate) fn resolve<P>(
    set: &ReplicaSet<P>,
    inquiry: Inquiry<'_>,
    ambient: &Context,
) -> Result<Found, Stop> {
    let Inquiry {
        kind,
        caller,
        tried,
        waits_for,
    } = inquiry;
    let members = set.members();
    let scopes = ScopeView::new(caller.scopes(), ambient.scopes(), set.name());
    let slot = slot_of(set, caller, ambient);
    let state = state_of(set, caller, slot);
    let (verdict, access) = ask(set, members, kind, None, scopes, slot, state)
        .map_err(|refusal| refuse(set, set.primary().name(), kind, slot, refusal))?;

    let place = Place {
        set,
        members,
        tried,
    };
    let mut late = None;
    let choice = match verdict {
        Verdict::Primary(reason) => place.admit_primary(reason, access, waits_for)?,
        Verdict::Pin { late: when_late } => {
            // A pin that the session did not earn would only cost it the replicas.
            let choice = place.admit_primary(Reason::Write, access, waits_for)?;
            if let Some(slot) = slot {
                slot.pin_now(PinReason::Write);
            }
            late = when_late;
            choice
        }
        Verdict::Node(name) => place.admit_named(name, access)?,
        Verdict::PreferPrimary(wanted) => prefer_primary(&place, slot, wanted, access, waits_for)?,
        Verdict::Replica(wanted) => choose_replica(&place, slot, wanted, waits_for)?,
        // Only said of a transaction, and there is none here.
        Verdict::Transaction | Verdict::PinInTransaction { .. } => return Err(Stop::Exhausted),
    };
    if kind.leaves_state() && access == Access::Write {
        let is_forced = matches!(verdict, Verdict::Primary(Reason::Forced));
        note_state(set, slot, kind, caller, is_forced);
    }
    Ok(Found {
        access,
        choice,
        late,
    })
}

#[cold]
fn prefer_primary<P>(
    place: &Place<'_, P>,
    slot: Option<&Slot>,
    wanted: Wanted,
    access: Access,
    waits_for: WaitsFor,
) -> Result<Choice, Stop> {
    match place.admit_primary(Reason::Preferred, access, waits_for) {
        Err(primary @ (Stop::Refused(_) | Stop::Exhausted)) => {
            match choose_replica(place, slot, wanted, waits_for) {
                // The primary was asked for.
                Err(Stop::Refused(RoutingError::NoReplica { .. })) => Err(primary),
                found => found,
            }
        }
        found => found,
    }
}

#[inline]
fn choose_replica<P>(
    place: &Place<'_, P>,
    slot: Option<&Slot>,
    wanted: Wanted,
    waits_for: WaitsFor,
) -> Result<Choice, Stop> {
    let slot = slot.filter(|_| wanted != Wanted::AnyAnonymous);
    let choice = place.choose_replica(slot, wanted, waits_for)?;
    if let Some(slot) = slot
        && choice.role == Role::Replica
    {
        slot.read_from_replica(place.set.rules().late_pin);
    }
    if wanted == Wanted::AnyForced && place.tried.is_empty() {
        return Ok(Choice {
            reason: forced(choice.reason),
            ..choice
        });
    }
    Ok(choice)
}

/// What the caller has left in connections: in its own, if it keeps them, else the session knows.
#[inline]
fn state_of<P>(set: &ReplicaSet<P>, caller: &Context, slot: Option<&Slot>) -> State {
    let Some(state) = caller.state() else {
        return if slot.is_some_and(Slot::has_state) {
            State::OnPrimary
        } else {
            State::None
        };
    };
    match state.kept() {
        Kept::Nowhere => State::None,
        Kept::On(node) if set.primary().id() == node => State::OnPrimary,
        Kept::On(_) | Kept::Lost => State::Lost,
    }
}

/// A statement is about to leave state in one of the pool's connections, whichever.
#[cold]
fn note_state<P>(
    set: &ReplicaSet<P>,
    slot: Option<&Slot>,
    kind: StatementKind,
    caller: &Context,
    is_forced: bool,
) {
    if caller.state().is_some() || !set.has_rules() {
        return;
    }
    if kind == StatementKind::SessionState {
        set.warn_of_state();
    }
    // In the scope of the primary a session need not see what it writes.
    if let Some(slot) = slot
        && (!is_forced || kind == StatementKind::SessionState)
    {
        slot.leave_state();
    }
}

/// Pins the caller's session, as [`Session::pin`](crate::session::Session::pin) does; the answer is what the set says to a pin
/// that is late.
pub(crate) fn pin<P>(
    set: &ReplicaSet<P>,
    caller: &Context,
    ambient: &Context,
) -> Result<Option<LatePin>, RoutingError> {
    if !set.has_rules() {
        return Ok(None);
    }
    let Some(slot) = slot_of(set, caller, ambient) else {
        let set = set.name().clone();
        return Err(RoutingError::NoSession { set });
    };
    let scopes = ScopeView::new(caller.scopes(), ambient.scopes(), set.name());
    slot.declare(scopes.frozen)
}

/// Why a statement may run in an open transaction on `node`, if it may, and what the set says to
/// the pin if that sets one late.
pub(crate) fn allow_in_transaction<P>(
    set: &ReplicaSet<P>,
    node: &Node<P>,
    transaction: Access,
    kind: StatementKind,
    caller: &Context,
    ambient: &Context,
) -> Result<(Reason, Option<LatePin>), RoutingError> {
    let scopes = ScopeView::new(caller.scopes(), ambient.scopes(), set.name());
    let slot = slot_of(set, caller, ambient);
    let members = set.members();
    let (verdict, _) = ask(
        set,
        members,
        kind,
        Some(transaction),
        scopes,
        slot,
        State::None,
    )
    .map_err(|refusal| refuse(set, node.name(), kind, slot, refusal))?;
    if kind.leaves_state() && transaction == Access::Write {
        match caller.state() {
            Some(state) if set.has_rules() => state.keep(node.id()),
            Some(_) => {}
            None => {
                let is_forced = matches!(scopes.write, Some(Override::Primary | Override::Node(_)));
                note_state(set, slot, kind, caller, is_forced);
            }
        }
    }
    Ok(match verdict {
        Verdict::Primary(reason) => (reason, None),
        Verdict::PinInTransaction { late } => {
            if let Some(slot) = slot {
                slot.pin_now(PinReason::Write);
            }
            (Reason::Transaction, late)
        }
        Verdict::Transaction
        | Verdict::Pin { .. }
        | Verdict::Node(_)
        | Verdict::PreferPrimary(_)
        | Verdict::Replica(_) => (Reason::Transaction, None),
    })
}

/// A read that a scope sent to a replica was forced there, however the replica was chosen.
const fn forced(reason: Reason) -> Reason {
    match reason {
        Reason::Balanced | Reason::Affine => Reason::Forced,
        other => other,
    }
}

/// A handle's own session goes before the one that its caller runs in.
#[inline]
pub(crate) fn slot_of<'a, P>(
    set: &ReplicaSet<P>,
    caller: &'a Context,
    ambient: &'a Context,
) -> Option<&'a Slot> {
    let session = session_of(caller, ambient)?;
    set.has_rules().then(|| session.slot(set.name()))
}

#[inline]
pub(crate) fn session_of<'a>(caller: &'a Context, ambient: &'a Context) -> Option<&'a Session> {
    caller.session().or_else(|| ambient.session())
}

#[inline]
fn ask<'a, P>(
    set: &ReplicaSet<P>,
    members: &Members,
    kind: StatementKind,
    transaction: Option<Access>,
    scopes: ScopeView<'a>,
    slot: Option<&Slot>,
    state: State,
) -> rule::Answer<'a> {
    rule::decide(
        &Question {
            kind,
            transaction,
            scopes,
            session: slot.map(|slot| view(set, slot)),
            state,
        },
        &SetView {
            enabled: set.enabled,
            managed: set.managed,
            mode: set.rules().mode,
            anonymous_reads: set.rules().anonymous_reads,
            role_of: &|name| Some(members.role(set.named(members, name)?)),
        },
    )
}

#[inline]
fn view<P>(set: &ReplicaSet<P>, slot: &Slot) -> SessionView {
    let pinned = slot.is_pinned();
    SessionView {
        pinned,
        holds_reads: pinned && slot.holds_reads(set.rules(), set.samples()),
        late: slot.late(),
    }
}

/// `node` is where the statement would have gone.
fn refuse<P>(
    set: &ReplicaSet<P>,
    node: &NodeName,
    kind: StatementKind,
    slot: Option<&Slot>,
    refusal: Refusal<'_>,
) -> RoutingError {
    let name = set.name().clone();
    match refusal {
        Refusal::UnpinnedWrite => RoutingError::UnpinnedWrite {
            set: name,
            kind,
            in_session: slot.is_some(),
        },
        Refusal::WriteInReadOnlyScope => RoutingError::WriteInReadOnlyScope { set: name, kind },
        Refusal::WriteInReadOnlyTransaction => RoutingError::WriteInReadOnlyTransaction {
            set: name,
            node: node.clone(),
            kind,
        },
        Refusal::WriteOnReplica(node) => RoutingError::WriteOnReplica {
            set: name,
            node: node.clone(),
            kind,
        },
        Refusal::StateElsewhere(node) => RoutingError::StateElsewhere {
            set: name,
            node: node.clone(),
        },
        Refusal::StateLost => RoutingError::StateLost {
            set: name,
            node: node.clone(),
        },
        Refusal::UnknownNode(node) => RoutingError::UnknownNode {
            set: name,
            node: node.clone(),
            known: set.nodes().iter().map(|n| n.name().clone()).collect(),
        },
        Refusal::Frozen => RoutingError::Frozen {
            set: name,
            kind: Some(kind),
        },
        Refusal::LatePin => RoutingError::LatePin {
            set: name,
            kind: Some(kind),
        },
    }
}
