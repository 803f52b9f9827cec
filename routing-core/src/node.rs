//! One database server, as the application reaches it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::breaker::Breaker;
use crate::decision::Role;
use crate::name::NodeName;
use crate::position::{Position, Reach};
use crate::rules::BreakerRules;
use crate::samples::Hurry;
use crate::tick;

/// Identifies a node within the process: sets that share a name do not share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(NonZeroU32);

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

impl NodeId {
    /// The first of `count` that follow each other.
    pub(crate) fn block(count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let first = NEXT_ID.fetch_add(count, Ordering::Relaxed);
        Self(NonZeroU32::new(first).unwrap_or(NonZeroU32::MIN))
    }

    pub(crate) fn from_word(word: u32) -> Option<Self> {
        NonZeroU32::new(word).map(Self)
    }

    pub(crate) const fn to_word(self) -> u32 {
        self.0.get()
    }

    /// The node `index` places behind this one.
    #[inline]
    pub(crate) fn plus(self, index: usize) -> Self {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(index))
    }

    /// How many places behind `first` this one is.
    #[inline]
    pub(crate) const fn behind(self, first: Self) -> usize {
        self.0.get().wrapping_sub(first.0.get()) as usize
    }
}

/// How far a replica is behind, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lag {
    /// Bytes of log between what the primary has written, when it was last asked, and what the
    /// replica has replayed; PostgreSQL's only.
    pub bytes: Option<u64>,
    /// For how long it has missed something that the primary had when it was asked. Nothing while it
    /// misses nothing, however long nobody has written.
    pub time: Option<Duration>,
}

/// A node of a replica set, with the adapter's pool `P`.
#[derive(Debug)]
pub struct Node<P> {
    name: NodeName,
    role: Role,
    pool: P,
    pub(crate) breaker: Breaker,
    /// A lower bound: the node is there or further.
    position: ArcSwapOption<Position>,
    lag: ArcSwapOption<Lag>,
    /// When it was last not certain that the node goes on from where it was.
    broken: AtomicU64,
    pub(crate) hurry: Hurry,
}

impl<P> Node<P> {
    pub(crate) fn new(name: NodeName, role: Role, rules: BreakerRules, pool: P) -> Self {
        Self {
            name,
            role,
            pool,
            breaker: Breaker::new(rules),
            position: ArcSwapOption::const_empty(),
            lag: ArcSwapOption::const_empty(),
            broken: AtomicU64::new(0),
            hurry: Hurry::default(),
        }
    }

    /// Its name, unique in the set.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// What it is in its set.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The adapter's pool of connections to it.
    #[must_use]
    pub const fn pool(&self) -> &P {
        &self.pool
    }

    /// Whether it is up, as far as the queries sent to it tell.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.breaker.is_up()
    }

    /// How far it is known to have replayed, if it is a replica.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position.load().as_deref().cloned()
    }

    /// How far it was behind when it was last asked, if it is a replica that answers.
    #[must_use]
    pub fn lag(&self) -> Option<Lag> {
        self.lag.load().as_deref().copied()
    }

    pub(crate) fn set_lag(&self, lag: Lag) {
        self.lag.store(Some(Arc::new(lag)));
    }

    /// Takes note that the node has replayed up to `position`. It may be further, never less far.
    /// A position that is not known takes the last one back.
    pub fn observe(&self, position: Position) {
        let known = position.is_known().then(|| Arc::new(position));
        self.position.store(known);
    }

    /// The node may have been replaced, or may have started anew from behind where it was.
    pub(crate) fn lose_track(&self) {
        self.position.store(None);
        self.lag.store(None);
        self.broken.store(tick::now(), Ordering::SeqCst);
    }

    /// Whether the node goes on from where it was at `mark`.
    #[inline]
    pub(crate) fn is_unbroken_since(&self, mark: u64) -> bool {
        let broken = self.broken.load(Ordering::Acquire);
        broken == 0 || mark > broken
    }

    #[inline]
    pub(crate) fn reaches(&self, required: &Position) -> bool {
        let position = self.position.load();
        let position = position.as_deref();
        position.is_some_and(|position| position.reaches(required) == Reach::Yes)
    }
}
