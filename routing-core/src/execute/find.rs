//! Finding a route for a statement.

use crate::cluster::replica_set::ReplicaSet;
use crate::decide::admission::{Stop, WaitsFor};
use crate::decide::attempts::Past;
use crate::decide::obstacle::Obstacle;
use crate::decide::resolve::{self, Inquiry, session_of};
use crate::error::RoutingError;
use crate::execute::announce::{announce, announce_late_pin};
use crate::execute::patience::{CatchUp, Patience};
use crate::execute::route::{Route, refused};
use crate::observe::decision::Reason;
use crate::session::context::Context;
use crate::sql::kind::{Access, StatementKind};
use crate::time::sequence;

/// The answer to a statement that can wait.
#[derive(Debug)]
pub(crate) enum Arrival<'r, P> {
    /// Run it there.
    Route(Route<'r, P>),
    /// Replicas are up, and do not serve as yet: wait, and ask again.
    Unserved(CatchUp),
}

impl<'r, P> Route<'r, P> {
    /// Finds the way of a new statement.
    #[inline]
    pub(crate) fn find(
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<Self, RoutingError> {
        Self::find_after(set, kind, caller, Past::default(), WaitsFor::default())
            .map_err(|stop| refused(set, stop))
    }

    /// The same for who can wait until a replica serves.
    #[inline]
    pub(crate) fn find_patiently(
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
        patience: &mut Patience,
    ) -> Result<Arrival<'r, P>, RoutingError> {
        let waits_for = WaitsFor {
            behind: patience.has(Obstacle::Behind, set.rules()),
            unseen: patience.has(Obstacle::Unseen, set.rules()),
        };
        match Self::find_after(set, kind, caller, Past::default(), waits_for) {
            Ok(route) => Ok(Arrival::Route(route)),
            Err(Stop::Unserved(obstacle)) => Self::wait(set, kind, caller, patience, obstacle),
            Err(stop) => Err(refused(set, stop)),
        }
    }

    #[cold]
    fn wait(
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
        patience: &mut Patience,
        obstacle: Obstacle,
    ) -> Result<Arrival<'r, P>, RoutingError> {
        let left = patience.left(obstacle, set.rules(), &*set.ports.clock);
        // The set may have changed before the router listened.
        let changed = set.samples().listen();
        let waits_for = WaitsFor {
            behind: patience.has(Obstacle::Behind, set.rules()),
            unseen: patience.has(Obstacle::Unseen, set.rules()),
        };
        match Self::find_after(set, kind, caller, Past::default(), waits_for) {
            Err(Stop::Unserved(now)) => {
                // Another obstacle than before has its time the next time round.
                let left = left.filter(|_| now == obstacle).unwrap_or_default();
                let wait = CatchUp::new(changed, left, obstacle);
                Ok(Arrival::Unserved(wait))
            }
            found => found.map(Arrival::Route).map_err(|stop| refused(set, stop)),
        }
    }

    #[inline]
    pub(crate) fn find_after(
        set: &'r ReplicaSet<P>,
        kind: StatementKind,
        caller: &Context,
        past: Past,
        waits_for: WaitsFor,
    ) -> Result<Self, Stop> {
        let inquiry = Inquiry {
            kind,
            caller,
            tried: past.tried(),
            waits_for,
        };
        let mark = sequence::now();
        let found = Context::with_current(|ambient| resolve::resolve(set, inquiry, ambient))?;
        let reason = match found.choice.reason {
            Reason::Balanced | Reason::Affine if !past.tried().is_empty() => Reason::Failover,
            reason => reason,
        };
        let mut route = Self {
            set,
            kind,
            access: found.access,
            node: set.node_at(found.choice.place),
            place: found.choice.place,
            role: found.choice.role,
            reason,
            trial: found.choice.trial,
            relies: found.choice.relies,
            writer: None,
            leaves: None,
            past,
            mark,
            started: None,
        };
        // An observer may panic, and must not take a trial with it.
        if let Some(late) = found.late {
            announce_late_pin(&set.ports, set.name(), late, kind.as_str());
        }
        route.note_writer(caller);
        announce(&set.ports, &route.decision());
        Ok(route)
    }

    /// The session that writes is kept: if nobody reports what became of the statement, it may have. So are
    /// the connections that the statement may leave state in.
    #[inline]
    fn note_writer(&mut self, caller: &Context) {
        if self.access == Access::Read || !self.set.has_rules() {
            return;
        }
        if self.kind.leaves_state() {
            self.leaves = caller.state().cloned();
        }
        if self.is_marked() {
            self.writer = Context::with_current(|ambient| session_of(caller, ambient).cloned());
        }
    }

    /// Whether what the statement does or shows is the session's to remember.
    pub(super) fn is_marked(&self) -> bool {
        match self.kind {
            StatementKind::Transaction
            | StatementKind::BeginReadOnly
            | StatementKind::BeginSerializable => false,
            // The user's way to write something that the session need not see.
            _ => self.access == Access::Read || self.reason != Reason::Forced,
        }
    }
}
