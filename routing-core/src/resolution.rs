//! What the rule's verdict comes to in a set: one node.

use crate::access::{Access, StatementKind};
use crate::ambient::Context;
use crate::choice::{Choice, NoChoice};
use crate::decision::{Reason, Role};
use crate::error::RoutingError;
use crate::name::NodeName;
use crate::node::Node;
use crate::pin::PinReason;
use crate::policy::{self, Question, Refusal, SessionView, SetView, Verdict, Wanted};
use crate::ports::Ports;
use crate::replica_set::ReplicaSet;
use crate::rules::LatePin;
use crate::scope::ScopeView;
use crate::session::Session;
use crate::slot::Slot;

/// Where a statement goes, before anybody is told.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) access: Access,
    pub(crate) choice: Choice,
    /// What the set says to a pin that was set just now, after a replica read.
    pub(crate) late: Option<LatePin>,
}

/// Why a statement goes nowhere, at least not now.
#[derive(Debug)]
pub(crate) enum Stop {
    Refused(RoutingError),
    /// All that the rule allows has been tried.
    Exhausted,
    /// Replicas are up, and none is known to have what the session requires: one may soon.
    Behind,
}

impl From<RoutingError> for Stop {
    fn from(error: RoutingError) -> Self {
        Self::Refused(error)
    }
}

/// Asks the rule, chooses among equals, and pins the session if the rule says so.
///
/// Who is `patient` is told that replicas are behind, instead of being sent to the primary.
#[inline]
pub(crate) fn resolve<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    kind: StatementKind,
    caller: &Context,
    ambient: &Context,
    tried: u64,
    patient: bool,
) -> Result<Found, Stop> {
    let scopes = ScopeView::new(caller.scopes(), ambient.scopes(), set.name());
    let slot = slot_of(set, caller, ambient);
    let (verdict, access) = ask(set, kind, None, scopes, slot)
        .map_err(|refusal| refuse(set, set.primary().name(), kind, slot, refusal))?;

    let mut late = None;
    let choice = match verdict {
        Verdict::Primary(reason) => admit_primary(ports, set, reason, tried)?,
        Verdict::Pin { late: when_late } => {
            // A pin that the session did not earn would only cost it the replicas.
            let choice = admit_primary(ports, set, Reason::Write, tried)?;
            if let Some(slot) = slot {
                slot.pin_now(PinReason::Write);
            }
            late = when_late;
            choice
        }
        Verdict::Node(name) => admit_named(ports, set, name, tried)?,
        Verdict::Replica(wanted) => {
            let slot = slot.filter(|_| wanted != Wanted::AnyAnonymous);
            let choice = choose_replica(ports, set, slot, wanted, tried, patient)?;
            if let Some(slot) = slot
                && set.nodes()[choice.index].role() == Role::Replica
            {
                slot.read_from_replica(set.rules().late_pin);
            }
            if wanted == Wanted::AnyForced && tried == 0 {
                Choice {
                    reason: forced(choice.reason),
                    ..choice
                }
            } else {
                choice
            }
        }
        // Only said of a transaction, and there is none here.
        Verdict::Transaction | Verdict::PinInTransaction { .. } => return Err(Stop::Exhausted),
    };
    Ok(Found {
        access,
        choice,
        late,
    })
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
    let (verdict, _) = ask(set, kind, Some(transaction), scopes, slot)
        .map_err(|refusal| refuse(set, node.name(), kind, slot, refusal))?;
    Ok(match verdict {
        Verdict::Primary(reason) => (reason, None),
        Verdict::PinInTransaction { late } => {
            if let Some(slot) = slot {
                slot.pin_now(PinReason::Write);
            }
            (Reason::Transaction, late)
        }
        Verdict::Transaction | Verdict::Pin { .. } | Verdict::Node(_) | Verdict::Replica(_) => {
            (Reason::Transaction, None)
        }
    })
}

fn choose_replica<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    slot: Option<&Slot>,
    wanted: Wanted,
    tried: u64,
    patient: bool,
) -> Result<Choice, Stop> {
    let left_out = match wanted {
        // Whoever asks for a replica gets none but a replica.
        Wanted::AnyForced => tried | (1 << ReplicaSet::<P>::primary_index()),
        Wanted::CaughtUp | Wanted::AnyAnonymous => tried,
    };
    match set.choose(slot, wanted, left_out, &*ports.clock) {
        Ok(choice) => Ok(choice),
        Err(none) => without_replica(ports, set, slot, wanted, none, tried, patient),
    }
}

/// No replica can serve a read: the primary does, if the set allows it.
#[cold]
fn without_replica<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    slot: Option<&Slot>,
    wanted: Wanted,
    none: NoChoice,
    tried: u64,
    patient: bool,
) -> Result<Choice, Stop> {
    if none.behind {
        set.hurry(slot, &*ports.clock);
        if patient && !set.is_in_vain(slot) && !set.is_far_behind() {
            return Err(Stop::Behind);
        }
    }
    let Some(reason) = policy::without_replica(set.rules().no_replica, none.behind) else {
        let set = set.name().clone();
        return Err(RoutingError::NoReplica { set }.into());
    };
    let choice = admit_primary(ports, set, reason, tried)?;
    // By position it is known when to come back; by nothing else.
    if let (Some(slot), Wanted::CaughtUp, false) = (slot, wanted, set.samples().has_positions()) {
        set.remember(slot, choice.index);
    }
    Ok(choice)
}

/// A read that a scope sent to a replica was forced there, however the replica was chosen.
const fn forced(reason: Reason) -> Reason {
    match reason {
        Reason::Balanced | Reason::Affine => Reason::Forced,
        other => other,
    }
}

#[inline]
fn admit_primary<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    reason: Reason,
    tried: u64,
) -> Result<Choice, Stop> {
    let index = ReplicaSet::<P>::primary_index();
    if tried & (1 << index) != 0 {
        return Err(Stop::Exhausted);
    }
    match set.admit(index, &*ports.clock) {
        Ok(trial) => Ok(Choice {
            index,
            reason,
            trial,
        }),
        Err(wait) => Err(primary_unavailable(set, Some(wait)).into()),
    }
}

fn admit_named<P>(
    ports: &Ports,
    set: &ReplicaSet<P>,
    name: &NodeName,
    tried: u64,
) -> Result<Choice, Stop> {
    let index = set.position_of(name).filter(|i| tried & (1 << i) == 0);
    let index = index.ok_or(Stop::Exhausted)?;
    match set.admit(index, &*ports.clock) {
        Ok(trial) => Ok(Choice {
            index,
            reason: Reason::Named,
            trial,
        }),
        Err(wait) => Err(Stop::Refused(RoutingError::NodeUnavailable {
            set: set.name().clone(),
            node: name.clone(),
            retry_in: Some(wait),
            cause: None,
        })),
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
    kind: StatementKind,
    transaction: Option<Access>,
    scopes: ScopeView<'a>,
    slot: Option<&Slot>,
) -> policy::Answer<'a> {
    policy::decide(
        &Question {
            kind,
            transaction,
            scopes,
            session: slot.map(|slot| view(set, slot)),
        },
        &SetView {
            enabled: set.enabled,
            managed: set.managed,
            mode: set.rules().mode,
            anonymous_reads: set.rules().anonymous_reads,
            role_of: &|name| set.role_of(name),
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

pub(crate) fn primary_unavailable<P>(
    set: &ReplicaSet<P>,
    retry_in: Option<std::time::Duration>,
) -> RoutingError {
    RoutingError::PrimaryUnavailable {
        set: set.name().clone(),
        node: set.primary().name().clone(),
        retry_in,
        cause: None,
    }
}
