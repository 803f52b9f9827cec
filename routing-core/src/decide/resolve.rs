//! What the rule's verdict comes to in a set: one node.

use crate::cluster::members::Members;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::{LatePin, NoReplica};
use crate::decide::attempts::Tried;
use crate::decide::obstacle::Obstacle;
use crate::decide::rule::{self, Question, Refusal, SessionView, SetView, Verdict, Wanted};
use crate::decide::select::{Choice, NoChoice};
use crate::error::RoutingError;
use crate::names::MAX_ATTEMPTS;
use crate::names::NodeName;
use crate::observe::decision::{Reason, Role};
use crate::observe::exclusion::Exclusion;
use crate::session::Session;
use crate::session::context::Context;
use crate::session::pin::PinReason;
use crate::session::scope::ScopeView;
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

/// Why a statement goes nowhere, at least not now.
#[derive(Debug)]
pub(crate) enum Stop {
    Refused(RoutingError),
    /// All that the rule allows has been tried.
    Exhausted,
    /// Replicas are up, and do not serve as yet.
    Unserved(Obstacle),
}

impl From<RoutingError> for Stop {
    fn from(error: RoutingError) -> Self {
        Self::Refused(error)
    }
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

/// What a statement would wait for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WaitsFor {
    pub(crate) behind: bool,
    pub(crate) unseen: bool,
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
    let (verdict, access) = ask(set, members, kind, None, scopes, slot)
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
        Verdict::Replica(wanted) => {
            let slot = slot.filter(|_| wanted != Wanted::AnyAnonymous);
            let choice = place.choose_replica(slot, wanted, waits_for)?;
            if let Some(slot) = slot
                && choice.role == Role::Replica
            {
                slot.read_from_replica(set.rules().late_pin);
            }
            if wanted == Wanted::AnyForced && tried.is_empty() {
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
    let members = set.members();
    let (verdict, _) = ask(set, members, kind, Some(transaction), scopes, slot)
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

/// Where one statement is looked for a place for.
struct Place<'a, P> {
    set: &'a ReplicaSet<P>,
    members: &'a Members,
    tried: &'a Tried,
}

impl<P> Place<'_, P> {
    #[inline]
    fn choose_replica(
        &self,
        slot: Option<&Slot>,
        wanted: Wanted,
        waits_for: WaitsFor,
    ) -> Result<Choice, Stop> {
        let Self { set, members, .. } = *self;
        let tried = self.tried.among(members);
        let left_out = match wanted {
            // Whoever asks for a replica gets none but a replica.
            Wanted::AnyForced => tried | Members::bit(members.primary()),
            Wanted::CaughtUp | Wanted::AnyAnonymous => tried,
        };
        let most = usize::from(set.rules().retry.attempts).min(MAX_ATTEMPTS);
        let chosen = if self.tried.len() < most {
            set.choose(members, slot, wanted, left_out, &*self.set.ports.clock)
        } else {
            Err(NoChoice {
                behind: false,
                unseen: false,
            })
        };
        chosen.or_else(|none| self.without_replica(slot, wanted, none, waits_for))
    }

    /// No replica can serve a read: the primary does, if the set allows it.
    #[cold]
    fn without_replica(
        &self,
        slot: Option<&Slot>,
        wanted: Wanted,
        none: NoChoice,
        waits_for: WaitsFor,
    ) -> Result<Choice, Stop> {
        let Self { set, .. } = *self;
        if none.unseen && waits_for.unseen {
            return Err(Stop::Unserved(Obstacle::Unseen));
        }
        if none.behind {
            set.hurry(slot, &*set.ports.clock);
            if waits_for.behind && !set.is_in_vain(slot) && !set.is_far_behind() {
                return Err(Stop::Unserved(Obstacle::Behind));
            }
        }
        let is_behind = none.behind || none.unseen;
        // Where there are none, nobody misses one.
        let is_alone = self.members.all().len() == 1;
        let no_replica = if is_alone {
            NoReplica::Primary
        } else {
            set.rules().no_replica
        };
        let Some(reason) = rule::without_replica(no_replica, is_behind) else {
            let set = set.name().clone();
            return Err(RoutingError::NoReplica { set }.into());
        };
        let choice = self.admit_primary(reason, Access::Read, waits_for)?;
        if reason == Reason::NoReplica && !is_alone && !set.budget.take(|| set.ports.clock.now()) {
            if let Some(trial) = choice.trial {
                set.node_at(choice.place).breaker.gave_up(trial);
            }
            let set = set.name().clone();
            return Err(RoutingError::FallbackSpent { set }.into());
        }
        // By position it is known when to come back; by nothing else.
        if let (Some(slot), Wanted::CaughtUp, false) = (slot, wanted, set.samples().has_positions())
        {
            set.remember(slot, choice.place);
        }
        Ok(choice)
    }

    #[inline]
    fn admit_primary(
        &self,
        reason: Reason,
        access: Access,
        waits_for: WaitsFor,
    ) -> Result<Choice, Stop> {
        let Self { set, members, .. } = *self;
        if waits_for.unseen && !set.is_surveyed() {
            // Another may have taken its place since the configuration was written.
            return Err(Stop::Unserved(Obstacle::Unseen));
        }
        let index = members.primary();
        let place = members.all()[index].place;
        if self.tried.has(place) {
            return Err(Stop::Exhausted);
        }
        let node = set.node_at(place);
        if set.has_rules()
            && !node.exclusions.is_empty()
            && let Some(why) = keeps_away(node, access)
        {
            let error = primary_unavailable(set, None).because(format_args!("it is {why}"));
            return Err(error.into());
        }
        match set.admit(node, Role::Primary, &*self.set.ports.clock) {
            Ok(trial) => Ok(Choice {
                place,
                role: Role::Primary,
                reason,
                trial,
                relies: false,
            }),
            Err(wait) => Err(primary_unavailable(set, Some(wait)).into()),
        }
    }

    fn admit_named(&self, name: &NodeName, access: Access) -> Result<Choice, Stop> {
        let Self { set, members, .. } = *self;
        let unavailable = |retry_in| RoutingError::NodeUnavailable {
            set: set.name().clone(),
            node: name.clone(),
            retry_in,
            cause: None,
        };
        let index = set.named(members, name).ok_or(Stop::Exhausted)?;
        let place = members.all()[index].place;
        if self.tried.has(place) {
            return Err(Stop::Exhausted);
        }
        let (node, role) = (set.node_at(place), members.role(index));
        if let Some(why) = keeps_away(node, access) {
            return Err(unavailable(None)
                .because(format_args!("it is {why}"))
                .into());
        }
        match set.admit(node, role, &*self.set.ports.clock) {
            Ok(trial) => Ok(Choice {
                place,
                role,
                reason: Reason::Named,
                trial,
                relies: false,
            }),
            Err(wait) => Err(unavailable(Some(wait)).into()),
        }
    }
}

/// Why a node is not to be used even by those who need this one.
pub(crate) fn keeps_away<P>(node: &Node<P>, access: Access) -> Option<Exclusion> {
    let exclusions = node.exclusions.get();
    let for_all = exclusions.first_of(Exclusion::OF_ALL);
    let for_writes = || {
        (access == Access::Write && exclusions.has(Exclusion::ReadOnly))
            .then_some(Exclusion::ReadOnly)
    };
    for_all.or_else(for_writes)
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
) -> rule::Answer<'a> {
    rule::decide(
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
