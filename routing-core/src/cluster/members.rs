//! Who is in a set just now, as one value that is swapped whole.
//!
//! A decision looks at one of these and at no other, so that it never sees a set without a primary
//! or with two. Nodes themselves stay where they are for as long as the set lives: who leaves it is
//! missing here, and what runs on it ends in peace.
//!
//! The obvious cell for such a value counts who looks at it, which is two atomic writes per decision.
//! Members change a few times in the life of a program, so those of before are kept too, some hundred
//! bytes each, and looking costs two loads.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::names::NodeId;
use crate::observe::decision::Role;

/// A node's share in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where its node is among all that the set has ever had.
    pub(crate) place: usize,
    pub(crate) id: NodeId,
    /// Its share of reads as a replica.
    pub(crate) weight: u16,
}

/// The members of a set, now and before.
#[derive(Debug)]
pub(crate) struct Rolls {
    all: boxcar::Vec<Members>,
    current: AtomicUsize,
}

impl Rolls {
    pub(crate) fn new(members: Members) -> Self {
        let all = boxcar::Vec::with_capacity(1);
        let current = AtomicUsize::new(all.push(members));
        Self { all, current }
    }

    #[inline]
    pub(crate) fn now(&self) -> &Members {
        &self.all[self.current.load(Ordering::Acquire)]
    }

    /// Who calls this holds what keeps others from it.
    pub(crate) fn replace(&self, members: Members) {
        if *self.now() != members {
            self.current
                .store(self.all.push(members), Ordering::Release);
        }
    }
}

/// The members of a set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Members {
    all: Box<[Member]>,
    primary: usize,
    /// Shares of reads, by index; the primary's is its own.
    shares: Box<[u16]>,
}

impl Members {
    pub(crate) fn new(all: Vec<Member>, primary: usize, primary_read_weight: u16) -> Self {
        let share = |(index, member): (usize, &Member)| {
            if index == primary {
                primary_read_weight
            } else {
                member.weight
            }
        };
        Self {
            shares: all.iter().enumerate().map(share).collect(),
            all: all.into(),
            primary,
        }
    }

    #[inline]
    pub(crate) fn all(&self) -> &[Member] {
        &self.all
    }

    #[inline]
    pub(crate) fn shares(&self) -> &[u16] {
        &self.shares
    }

    /// The primary's index.
    #[inline]
    pub(crate) const fn primary(&self) -> usize {
        self.primary
    }

    #[inline]
    pub(crate) const fn role(&self, index: usize) -> Role {
        if index == self.primary {
            Role::Primary
        } else {
            Role::Replica
        }
    }

    #[inline]
    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        self.all.iter().position(|member| member.id == id)
    }

    pub(crate) fn index_at(&self, place: usize) -> Option<usize> {
        self.all.iter().position(|member| member.place == place)
    }

    /// The bit of a member in a word of candidates.
    #[inline]
    pub(crate) const fn bit(index: usize) -> u64 {
        1 << index
    }
}
