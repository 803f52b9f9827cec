//! What a replica must have replayed before it may serve a session.
//!
//! Three things keep a replica from serving: what the session has written and seen elsewhere, until
//! it is known where that lies in the log; a position that is known and not reached; and, if it is
//! not the session's own replica, what the session has read there. The last is what keeps a session
//! from going back in time when its replica is lost.

use std::cell::OnceCell;
use std::sync::Arc;

use arc_swap::Guard;

use crate::cluster::members::Members;
use crate::cluster::node::Node;
use crate::decide::rule::Wanted;
use crate::names::NodeId;
use crate::observe::decision::Role;
use crate::position::Position;
use crate::position::log::Samples;
use crate::session::set_state::Slot;

/// What is required of the candidates for one read.
pub(crate) struct Needs<'a> {
    members: &'a Members,
    /// None if any replica will do.
    demands: Option<Demands<'a>>,
    /// The session's own node, by index; of another set, or no member any more, if that is beyond.
    home: Option<usize>,
    /// What the session has said of it.
    said: Option<(NodeId, u64)>,
}

struct Demands<'a> {
    samples: &'a Samples,
    has_positions: bool,
    is_settled: bool,
    required: Guard<Option<Arc<Position>>>,
    /// The tick of the last read of the home.
    read: u64,
    /// What has to be reached by who is not the home.
    of_others: OnceCell<Option<Position>>,
}

impl<'a> Needs<'a> {
    #[inline]
    pub(crate) fn of(
        slot: Option<&Slot>,
        wanted: Wanted,
        samples: &'a Arc<Samples>,
        members: &'a Members,
    ) -> Self {
        let said = slot.and_then(|slot| slot.marks.home());
        let (home, read) = match said {
            Some((node, read)) => (Some(members.index_of(node).unwrap_or(usize::MAX)), read),
            None => (None, 0),
        };
        let slot = slot.filter(|_| wanted == Wanted::CaughtUp);
        let demands = slot.map(|slot| {
            let has_positions = samples.has_positions();
            let is_settled = !has_positions || slot.marks.is_clean() || slot.settle(samples);
            Demands {
                samples,
                has_positions,
                is_settled,
                required: slot.marks.required(),
                read,
                of_others: OnceCell::new(),
            }
        });
        Self {
            members,
            demands,
            home,
            said,
        }
    }

    #[inline]
    pub(crate) const fn home(&self) -> Option<usize> {
        self.home
    }

    /// Whether a node is known to have all of it; a primary has everything.
    #[inline]
    pub(crate) fn are_met_by<P>(&self, node: &Node<P>, index: usize) -> bool {
        let Some(demands) = &self.demands else {
            return true;
        };
        if self.members.role(index) == Role::Primary {
            return true;
        }
        if !demands.is_settled {
            return false;
        }
        if let Some(required) = demands.required.as_deref()
            && !node.reaches(required)
        {
            return false;
        }
        let Some(home) = self.home else {
            return true;
        };
        if demands.read == 0 || !demands.has_positions {
            return true;
        }
        if home == index && node.is_unbroken_since(demands.read) {
            return true;
        }
        demands
            .of_others()
            .is_some_and(|position| node.reaches(position))
    }

    /// Whether it counts for them what a replica has shown before, or is known to have.
    #[inline]
    pub(crate) fn rely(&self) -> bool {
        self.demands.as_ref().is_some_and(|demands| {
            demands.has_positions && (demands.required.is_some() || demands.read != 0)
        })
    }

    /// Another node was chosen, and becomes the home: from now on all have to reach what it had to.
    pub(crate) fn move_to(&self, slot: &Slot, node: NodeId) {
        if let Some(demands) = &self.demands
            && demands.has_positions
            && demands.read != 0
        {
            match demands.of_others() {
                Some(position) => slot.marks.require(position),
                // The primary was chosen, of which nothing need be known.
                None => slot.marks.saw(demands.read),
            }
        }
        slot.marks.move_from(self.said, node);
    }
}

impl Demands<'_> {
    fn of_others(&self) -> Option<&Position> {
        let sample = || self.samples.after(self.read);
        self.of_others.get_or_init(sample).as_ref()
    }
}
