//! Why a node takes no statements although it answers.
//!
//! The obvious state is one enum: healthy, lagging, draining, and so on. Reasons overlap, and the
//! end of one would forget the others. Here each is a bit of one word, set and cleared by whoever
//! knows it, and a node serves when there is none.

use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};

/// A reason why a node takes no statements, or not all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exclusion {
    /// It is to be observed, and has not been yet.
    Unseen,
    /// It belongs to another database system than the set.
    Foreign,
    /// It takes writes, and another node is the primary.
    Superseded,
    /// It takes writes, and the monitors cannot tell it from the primary: it is the primary under another address,
    /// or a copy that an operator has started beside it. With
    /// [`allow_same_server`](crate::Rules::allow_same_server) it serves.
    SameServer,
    /// It is the set's primary, and follows another server: the router does not know its lag.
    ///
    /// PostgreSQL and a [`probe_query`](crate::Rules::probe_query) tell that. On MariaDB and MySQL the router concludes
    /// it of a read-only server at the primary's address which has another server id than before, or lacks what the
    /// primary has shown.
    Demoted,
    /// It follows another history than the primary's: another timeline of PostgreSQL's.
    OtherHistory,
    /// It is the set's primary, and says that it takes no writes.
    ReadOnly,
    /// It takes writes, and so does another node: the router cannot tell which is the primary.
    ///
    /// Each has transactions that the other lacks, or a [`probe_query`](crate::Rules::probe_query) tells no history.
    Undecided,
    /// It is over the set's [limits](crate::LagLimits).
    Lagging,
    /// Somebody wants it to take nothing new.
    Draining,
}

impl Exclusion {
    const ALL: [Self; 10] = [
        Self::Unseen,
        Self::Foreign,
        Self::Superseded,
        Self::SameServer,
        Self::Demoted,
        Self::OtherHistory,
        Self::ReadOnly,
        Self::Undecided,
        Self::Lagging,
        Self::Draining,
    ];

    /// Exclusions that the [election](crate::cluster::election) decides.
    pub(crate) const OF_TOPOLOGY: Exclusions = Exclusions(
        Self::Foreign.bit()
            | Self::Superseded.bit()
            | Self::SameServer.bit()
            | Self::Demoted.bit()
            | Self::OtherHistory.bit()
            | Self::ReadOnly.bit()
            | Self::Undecided.bit(),
    );

    /// What keeps even those away who name the node.
    pub(crate) const OF_ALL: Exclusions = Exclusions(
        Self::Foreign.bit()
            | Self::Superseded.bit()
            | Self::SameServer.bit()
            | Self::Demoted.bit()
            | Self::OtherHistory.bit()
            | Self::Undecided.bit(),
    );

    const fn bit(self) -> u16 {
        1 << self as u8
    }

    /// The words used in logs, such as `other history`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Foreign => "foreign",
            Self::Superseded => "superseded",
            Self::SameServer => "same server",
            Self::Demoted => "demoted",
            Self::OtherHistory => "other history",
            Self::ReadOnly => "read-only",
            Self::Undecided => "undecided",
            Self::Lagging => "lagging",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Some reasons, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Exclusions(u16);

impl Exclusions {
    pub(crate) const fn with(self, one: Exclusion) -> Self {
        Self(self.0 | one.bit())
    }

    pub(crate) const fn is_only_unseen(self) -> bool {
        self.0 == Exclusion::Unseen.bit()
    }

    pub(crate) const fn has(self, one: Exclusion) -> bool {
        self.0 & one.bit() != 0
    }

    /// The first of these that is among them.
    pub(crate) fn first_of(self, some: Self) -> Option<Exclusion> {
        Self(self.0 & some.0).iter().next()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Exclusion> {
        Exclusion::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

/// A node's.
#[derive(Debug, Default)]
pub(crate) struct ExclusionCell(AtomicU16);

impl ExclusionCell {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    #[inline]
    pub(crate) fn get(&self) -> Exclusions {
        Exclusions(self.0.load(Ordering::Acquire))
    }

    /// Those of the topology are these from now on; says what they were.
    pub(crate) fn replace(&self, these: Exclusions) -> Exclusions {
        let of_topology = Exclusion::OF_TOPOLOGY.0;
        let replaced = |word| Some((word & !of_topology) | these.0);
        let word = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, replaced);
        Exclusions(word.unwrap_or_else(|word| word) & of_topology)
    }

    /// Says whether that is news.
    pub(crate) fn set(&self, one: Exclusion, is: bool) -> bool {
        let bit = one.bit();
        let before = if is {
            self.0.fetch_or(bit, Ordering::AcqRel)
        } else {
            self.0.fetch_and(!bit, Ordering::AcqRel)
        };
        (before & bit != 0) != is
    }
}
