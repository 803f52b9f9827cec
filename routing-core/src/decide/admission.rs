//! The nodes that may take one statement: a replica, the primary, or a named node.

use std::time::Duration;

use crate::cluster::members::Members;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::NoReplica;
use crate::decide::attempts::Tried;
use crate::decide::obstacle::Obstacle;
use crate::decide::rule::{self, Wanted};
use crate::decide::select::{Choice, NoChoice};
use crate::error::RoutingError;
use crate::names::MAX_ATTEMPTS;
use crate::names::NodeName;
use crate::observe::decision::{Reason, Role};
use crate::observe::exclusion::Exclusion;
use crate::session::set_state::Slot;
use crate::sql::kind::Access;

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

/// The obstacles that a statement waits for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WaitsFor {
    pub(crate) behind: bool,
    pub(crate) unseen: bool,
}

/// Where one statement is looked for a place for.
pub(super) struct Place<'a, P> {
    pub(super) set: &'a ReplicaSet<P>,
    pub(super) members: &'a Members,
    pub(super) tried: &'a Tried,
}

impl<P> Place<'_, P> {
    #[inline]
    pub(super) fn choose_replica(
        &self,
        slot: Option<&Slot>,
        wanted: Wanted,
        waits_for: WaitsFor,
    ) -> Result<Choice, Stop> {
        let Self { set, members, .. } = *self;
        let tried = self.tried.among(members);
        let left_out = match wanted {
            // A scope that asks for a replica gets no other node.
            Wanted::AnyForced => tried | Members::bit(members.primary()),
            Wanted::CaughtUp | Wanted::AnyAnonymous => tried,
        };
        let most = usize::from(set.rules().retry.attempts).min(MAX_ATTEMPTS);
        let primary = members.all()[members.primary()].place;
        let tried_replicas = self.tried.len() - usize::from(self.tried.has(primary));
        let chosen = if tried_replicas < most {
            set.choose(members, slot, wanted, left_out, &*self.set.ports.clock)
        } else {
            Err(NoChoice {
                behind: false,
                unseen: false,
                unasked: false,
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
        if none.unasked && waits_for.unseen {
            return Err(Stop::Unserved(Obstacle::Unseen));
        }
        if none.behind {
            set.hurry(slot, &*set.ports.clock);
            if waits_for.behind && !set.is_in_vain(slot) && !set.is_far_behind() {
                return Err(Stop::Unserved(Obstacle::Behind));
            }
        }
        let is_behind = none.behind || none.unseen;
        // A set without replicas misses none.
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
    pub(super) fn admit_primary(
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

    pub(super) fn admit_named(&self, name: &NodeName, access: Access) -> Result<Choice, Stop> {
        let Self { set, members, .. } = *self;
        let index = set.named(members, name).ok_or(Stop::Exhausted)?;
        let place = members.all()[index].place;
        if self.tried.has(place) {
            return Err(Stop::Exhausted);
        }
        let (node, role) = (set.node_at(place), members.role(index));
        let unavailable = |retry_in| node_unavailable(set, node, retry_in);
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

pub(crate) fn primary_unavailable<P>(
    set: &ReplicaSet<P>,
    retry_in: Option<Duration>,
) -> RoutingError {
    RoutingError::PrimaryUnavailable {
        set: set.name().clone(),
        node: set.primary().name().clone(),
        retry_in,
        cause: set.primary().probe_error(),
    }
}

/// A statement was for this node, and it has no substitute.
pub(crate) fn node_unavailable<P>(
    set: &ReplicaSet<P>,
    node: &Node<P>,
    retry_in: Option<Duration>,
) -> RoutingError {
    RoutingError::NodeUnavailable {
        set: set.name().clone(),
        node: node.name().clone(),
        retry_in,
        cause: node.probe_error(),
    }
}
