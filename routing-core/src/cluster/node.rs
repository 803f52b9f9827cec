//! One database server, as the application reaches it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use event_listener::Event;

use crate::cluster::breaker::Breaker;
use crate::cluster::connected::Connected;
use crate::cluster::election::seen::Sighting;
use crate::cluster::latency::Load;
use crate::names::{NodeId, NodeName};
use crate::observe::exclusion::ExclusionCell;
use crate::position::log::Hurry;
use crate::position::{Position, Reach};
use crate::time::sequence;

/// How far a replica is behind, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lag {
    /// Bytes of log between what the primary has written, when it was last asked, and what the
    /// replica has replayed; PostgreSQL's only.
    pub bytes: Option<u64>,
    /// For how long it has missed something that the primary had when it was asked. Nothing while it
    /// misses nothing, however long nobody has written. Not known while it is behind all that this process
    /// has seen of the primary. To a second for four minutes, then to a minute.
    pub time: Option<Duration>,
    /// For how long it has been behind all that this process has seen of the primary, if it is: the lag
    /// itself is that or more.
    pub at_least: Option<Duration>,
}

/// Somebody waits for a node's answer.
pub(crate) struct Attended<'a>(&'a AtomicU32);

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A node of a replica set, with the adapter's pool `P`.
#[derive(Debug)]
pub struct Node<P> {
    name: NodeName,
    id: NodeId,
    pool: P,
    pub(crate) breaker: Breaker,
    pub(crate) exclusions: ExclusionCell,
    pub(crate) load: Load,
    /// A lower bound: the node is there or further.
    position: ArcSwapOption<Position>,
    lag: ArcSwapOption<Lag>,
    sighting: ArcSwapOption<Sighting>,
    /// What went wrong with the last probe, unless it told what the node is.
    probe_error: ArcSwapOption<String>,
    /// When it was last not certain that the node goes on from where it was.
    broken: AtomicU64,
    pool_epoch: AtomicU32,
    /// When its connections were last given up.
    renewed: AtomicU64,
    /// When it was last found to be down.
    fell: AtomicU64,
    /// When it was last found to be up again.
    rose: AtomicU64,
    /// When it was last found to take writes, and had not before.
    turned: AtomicU64,
    /// How many statements wait for its answer, and have for a while.
    attended: AtomicU32,
    /// The numbers of the last probe that was answered, and of the last that was not.
    answered: AtomicU64,
    unanswered: AtomicU64,
    /// Something has gone wrong with it, for who waits for its answer.
    trouble: Event,
    is_monitored: AtomicBool,
    is_removed: AtomicBool,
    connected: Connected,
    /// The number of the last probe that told what the node is.
    observed: AtomicU64,
}

impl<P> Node<P> {
    pub(crate) fn new(name: NodeName, pool: P) -> Self {
        Self {
            name,
            id: NodeId::next(),
            pool,
            breaker: Breaker::new(),
            exclusions: ExclusionCell::default(),
            load: Load::default(),
            position: ArcSwapOption::const_empty(),
            lag: ArcSwapOption::const_empty(),
            sighting: ArcSwapOption::const_empty(),
            probe_error: ArcSwapOption::const_empty(),
            broken: AtomicU64::new(0),
            pool_epoch: AtomicU32::new(0),
            renewed: AtomicU64::new(0),
            fell: AtomicU64::new(0),
            rose: AtomicU64::new(0),
            turned: AtomicU64::new(0),
            attended: AtomicU32::new(0),
            answered: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            trouble: Event::new(),
            is_monitored: AtomicBool::new(false),
            is_removed: AtomicBool::new(false),
            connected: Connected::default(),
            observed: AtomicU64::new(1),
        }
    }

    /// A probe of the node has gone wrong; an adapter says how.
    pub fn probe_failed(&self, error: impl fmt::Display) {
        self.probe_error.store(Some(Arc::new(error.to_string())));
    }

    pub(crate) fn probe_succeeded(&self) {
        // Most probes follow one that succeeded.
        if self.probe_error.load().is_some() {
            self.probe_error.store(None);
        }
    }

    pub(crate) fn probe_error(&self) -> Option<String> {
        self.probe_error.load().as_deref().cloned()
    }

    /// Its name, unique in the set.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    pub(crate) const fn id(&self) -> NodeId {
        self.id
    }

    /// The adapter's pool of connections to it.
    #[must_use]
    pub const fn pool(&self) -> &P {
        &self.pool
    }

    /// Whether it is up, as far as the queries and probes sent to it tell.
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
        self.broken.fetch_max(sequence::next(), Ordering::SeqCst);
    }

    /// Whether the node goes on from where it was at `mark`.
    #[inline]
    pub(crate) fn is_unbroken_since(&self, mark: u64) -> bool {
        let broken = self.broken.load(Ordering::Acquire);
        mark >= broken
    }

    #[inline]
    pub(crate) fn reaches(&self, required: &Position) -> bool {
        let position = self.position.load();
        let position = position.as_deref();
        position.is_some_and(|position| position.reaches(required) == Reach::Yes)
    }

    /// What is to be told of the connections that are made to it.
    #[must_use]
    pub const fn connected(&self) -> &Connected {
        &self.connected
    }

    pub(crate) fn hurry(&self) -> &Hurry {
        self.connected.hurry()
    }

    /// The probe of this number has told what the node is, and that it goes on, if it does.
    pub(crate) fn has_been_observed(&self, number: u64) {
        self.observed.fetch_max(number, Ordering::AcqRel);
    }

    /// Whether what is known of it counts over all the connections to it: it has told what it is after
    /// the last was made.
    #[inline]
    pub(crate) fn is_proven(&self) -> bool {
        self.is_proven_over(self.connected.last())
    }

    /// The same over connections that were made until then.
    pub(crate) fn is_proven_over(&self, last: u64) -> bool {
        last < self.observed.load(Ordering::Acquire)
    }

    pub(crate) fn sighting(&self) -> Option<Arc<Sighting>> {
        self.sighting.load_full()
    }

    pub(crate) fn see(&self, sighting: Sighting) {
        self.sighting.store(Some(Arc::new(sighting)));
    }

    pub(crate) fn pool_epoch(&self) -> u32 {
        self.pool_epoch.load(Ordering::Acquire)
    }

    /// Its connections are of no use any more.
    pub(crate) fn renew(&self) {
        self.pool_epoch.fetch_add(1, Ordering::AcqRel);
        self.renewed.fetch_max(sequence::next(), Ordering::SeqCst);
        self.tell_trouble();
    }

    /// Whether its connections are what they were at `mark`.
    #[inline]
    pub(crate) fn is_the_same_since(&self, mark: u64) -> bool {
        mark >= self.renewed.load(Ordering::Acquire)
    }

    pub(crate) fn went_down(&self) {
        self.fell.fetch_max(sequence::next(), Ordering::SeqCst);
        self.tell_trouble();
    }

    pub(crate) fn went_up(&self) {
        self.rose.fetch_max(sequence::next(), Ordering::SeqCst);
    }

    /// Whether a failure of what was decided at `mark` says something of the node as it is now: it has not
    /// come up again since.
    pub(crate) fn is_told_by(&self, mark: u64) -> bool {
        mark >= self.rose.load(Ordering::Acquire)
    }

    /// Whether it was not found to be down since `mark`.
    pub(crate) fn is_up_since(&self, mark: u64) -> bool {
        mark >= self.fell.load(Ordering::Acquire)
    }

    /// Whether the probe of this number was sent after the node was last found to be down.
    pub(crate) fn was_down_before(&self, number: u64) -> bool {
        number > self.fell.load(Ordering::Acquire)
    }

    /// It was a replica's.
    pub(crate) fn forget_lag(&self) {
        self.lag.store(None);
    }

    pub(crate) fn turned(&self) {
        self.turned.fetch_max(sequence::next(), Ordering::SeqCst);
    }

    /// Whether the probe of this number was sent after the node was found to take writes.
    pub(crate) fn has_turned_before(&self, number: u64) -> bool {
        number > self.turned.load(Ordering::Acquire)
    }

    /// Its monitor goes on for as long as this is kept.
    pub(crate) fn attend(&self) -> Attended<'_> {
        self.attended.fetch_add(1, Ordering::AcqRel);
        Attended(&self.attended)
    }

    pub(crate) fn is_attended(&self) -> bool {
        self.attended.load(Ordering::Acquire) > 0
    }

    /// The probe of this number was answered.
    pub(crate) fn has_answered(&self, number: u64) {
        self.answered.fetch_max(number, Ordering::AcqRel);
    }

    /// Whether a probe that was sent after `mark` was answered.
    pub(crate) fn is_answered_since(&self, mark: u64) -> bool {
        self.answered.load(Ordering::Acquire) > mark
    }

    /// The probe of this number was not answered.
    pub(crate) fn left_unanswered(&self, number: u64) {
        self.unanswered.fetch_max(number, Ordering::AcqRel);
    }

    /// Whether a probe that was sent after `mark` was not answered.
    pub(crate) fn is_silent_since(&self, mark: u64) -> bool {
        self.unanswered.load(Ordering::Acquire) > mark
    }

    /// Whether a probe of it has been answered, or has not.
    pub(crate) fn has_been_asked(&self) -> bool {
        self.is_answered_since(0) || self.is_silent_since(0)
    }

    /// To be called before looking at what may change.
    pub(crate) const fn trouble(&self) -> &Event {
        &self.trouble
    }

    pub(crate) fn tell_trouble(&self) {
        self.trouble.notify(usize::MAX);
    }

    pub(crate) fn is_monitored(&self) -> bool {
        self.is_monitored.load(Ordering::Acquire)
    }

    /// Says whether that is news.
    pub(crate) fn set_monitored(&self, is: bool) -> bool {
        self.is_monitored.swap(is, Ordering::AcqRel) != is
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Acquire)
    }

    pub(crate) fn remove(&self) {
        self.is_removed.store(true, Ordering::Release);
        self.hurry().wake();
    }
}
