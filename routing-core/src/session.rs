//! One pinning context: a web request, a job, a script.
//!
//! The obvious home of a pin is the connection or the thread. Connections are shared by everybody
//! and threads by many tasks, so pins leak from one user to the next. Here the pin lives in a
//! value that is created for a unit of work, is handed along, and dies with it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::RoutingError;
use crate::marks::Marks;
use crate::name::SetName;
use crate::pin::{PinCell, PinInfo, PinReason};
use crate::position::Position;
use crate::rules::{LatePin, PinRelease, Rules};
use crate::samples::Samples;
use crate::tick;

/// One unit of work that must read its own writes.
///
/// It is a cheap clone; all clones are the same session. It spans all replica sets, with one pin
/// for each, and ends when the last clone is dropped: nothing has to be reset.
///
/// ```
/// use routing_core::Session;
///
/// let session = Session::new();
/// session.pin("default")?;
/// assert!(session.is_pinned("default"));
/// assert!(!session.is_pinned("orders"));
/// # Ok::<(), routing_core::RoutingError>(())
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inside>);

struct Inside {
    clock: Arc<dyn Clock>,
    /// Of all sets, also of those that are met later.
    everywhere: PinCell,
    /// Whether somebody will ask for the positions of what it writes.
    hands_over: AtomicBool,
    /// The sets this session has met; the list only grows, so it is read without a lock.
    slots: OnceLock<Box<Slot>>,
}

/// One after the other: a list of many sets is too long to be dropped by recursion.
impl Drop for Inside {
    fn drop(&mut self) {
        let mut next = self.slots.take();
        while let Some(mut slot) = next {
            next = slot.next.take();
        }
    }
}

/// What a session knows of one set.
#[derive(Debug)]
pub(crate) struct Slot {
    clock: SessionClock,
    set: SetName,
    pin: PinCell,
    /// 0 until a replica served a read; then the set's `LatePin`, so that `pin` can apply it.
    replica_read: AtomicU8,
    pub(crate) marks: Marks,
    /// Where the session's marks become positions.
    samples: OnceLock<Arc<Samples>>,
    /// For how long a write is kept on the primary where there are no positions.
    time_pin: OnceLock<Duration>,
    next: OnceLock<Box<Self>>,
}

/// The session's, by which all of its times are.
struct SessionClock(Arc<dyn Clock>);

impl fmt::Debug for SessionClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What a session has to tell the next one about a set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandOver {
    /// The set.
    pub set: SetName,
    /// What a replica must have replayed, if that is known.
    pub position: Option<Position>,
    /// For how long reads belong on the primary, if something was written whose position is not
    /// known, or if the session was itself told so.
    pub pinned_for: Option<Duration>,
}

impl HandOver {
    /// Nothing to tell about a set.
    #[must_use]
    pub fn new(set: impl Into<SetName>) -> Self {
        Self {
            set: set.into(),
            position: None,
            pinned_for: None,
        }
    }
}

impl Session {
    /// A session that has neither read nor written.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// The same, with another clock for the times of its pins.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inside {
            clock,
            everywhere: PinCell::default(),
            hands_over: AtomicBool::new(false),
            slots: OnceLock::new(),
        }))
    }

    /// Whether reads of this set go to the primary because of a pin.
    #[must_use]
    pub fn is_pinned(&self, set: impl AsRef<str>) -> bool {
        self.pinned(set).is_some()
    }

    /// The pin on this set: why and since when.
    #[must_use]
    pub fn pinned(&self, set: impl AsRef<str>) -> Option<PinInfo> {
        match self.find(set.as_ref()) {
            Some(slot) => slot.pin.get_at(|| self.now()),
            None => self.0.everywhere.get_at(|| self.now()),
        }
    }

    /// All pins, new and carried.
    #[must_use]
    pub fn pins(&self) -> Vec<(SetName, PinInfo)> {
        self.slots()
            .filter_map(|slot| Some((slot.set.clone(), slot.pin.get_at(|| self.now())?)))
            .collect()
    }

    /// Pins a set because an earlier session of the same user was pinned; for as long as this
    /// session lasts, or for so long.
    ///
    /// Such a pin is not [new](PinInfo::is_new), and it never counts as late.
    pub fn carry_pin(&self, set: impl Into<SetName>, lasts: Option<Duration>) {
        let now = self.now();
        let until = lasts.map(|lasts| now.after(lasts));
        self.slot(&set.into()).pin.carry(now, until);
    }

    /// Pins all sets, also those that the session meets later, because of what is not known of an
    /// earlier one.
    pub fn carry_pin_everywhere(&self) {
        let since = self.now();
        self.0.everywhere.carry(since, None);
        for slot in self.slots() {
            slot.pin.carry(since, None);
        }
    }

    /// Pins all sets, also those that the session meets later. Nothing forbids it, and it never
    /// counts as late.
    pub fn pin_everywhere(&self) {
        let (reason, since) = (PinReason::Declared, self.now());
        self.0.everywhere.set(PinInfo { reason, since });
        for slot in self.slots() {
            slot.pin_now(reason);
        }
    }

    /// Has the positions of this session's writes asked for as soon as it writes, because a later
    /// session is going to be told of them ([`hand_over`](Self::hand_over)).
    pub fn expect_hand_over(&self) {
        self.0.hands_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_to_hand_over(&self) -> bool {
        self.0.hands_over.load(Ordering::Relaxed)
    }

    /// Whether it has written to any set, or may have.
    #[must_use]
    pub fn has_written(&self) -> bool {
        self.slots().any(|slot| slot.marks.has_written())
    }

    /// What a later session of the same user has to be told, so that it misses none of this one's
    /// writes: see [`take_over`](Self::take_over).
    ///
    /// A write whose position is not known yet is told as a time.
    /// [`when_settled`](Self::when_settled) waits until it is.
    #[must_use]
    pub fn hand_over(&self) -> Vec<HandOver> {
        self.slots()
            .map(Slot::hand_over)
            .filter(|told| told.position.is_some() || told.pinned_for.is_some())
            .collect()
    }

    /// Takes over what an earlier session of the same user has handed over.
    pub fn take_over(&self, told: impl IntoIterator<Item = HandOver>) {
        for told in told {
            if let Some(lasts) = told.pinned_for {
                self.carry_pin(told.set.clone(), Some(lasts));
            }
            if let Some(position) = told.position {
                self.require(told.set, &position);
            }
        }
    }

    /// Waits until the positions of all that the session has written are known: where nobody can
    /// know them, not at all, and otherwise for the answer of a primary, which may never come. Use
    /// it with a timeout.
    pub async fn when_settled(&self) {
        for slot in self.slots() {
            slot.when_settled().await;
        }
    }

    /// Forgets pins, replicas and required positions of all sets, as if the session were new.
    ///
    /// For a context that outlives its units of work, such as a worker's; where a session can be
    /// created per unit, there is nothing to forget.
    pub fn unpin_all(&self) {
        self.0.everywhere.clear();
        for slot in self.slots() {
            slot.pin.clear();
            slot.replica_read.store(0, Ordering::Release);
            slot.marks.clear();
        }
    }

    /// Demands that a node has reached `position` before it serves this session's reads.
    ///
    /// The further of two positions counts. Nodes whose position is not known do not serve.
    pub fn require(&self, set: impl Into<SetName>, position: &Position) {
        self.slot(&set.into()).marks.be_told(position);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The slot of a set, made if there is none.
    #[inline]
    pub(crate) fn slot(&self, set: &SetName) -> &Slot {
        let mut cell = &self.0.slots;
        loop {
            let slot = cell.get_or_init(|| Box::new(Slot::new(set.clone(), &self.0)));
            if slot.set.same(set) {
                return slot;
            }
            cell = &slot.next;
        }
    }

    fn find(&self, set: &str) -> Option<&Slot> {
        self.slots().find(|slot| slot.set == *set)
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        std::iter::successors(self.0.slots.get(), |slot| slot.next.get()).map(|slot| &**slot)
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("pins", &self.pins())
            .finish_non_exhaustive()
    }
}

impl Slot {
    fn new(set: SetName, session: &Inside) -> Self {
        Self {
            clock: SessionClock(Arc::clone(&session.clock)),
            set,
            pin: session.everywhere.copy(),
            replica_read: AtomicU8::new(0),
            marks: Marks::default(),
            samples: OnceLock::new(),
            time_pin: OnceLock::new(),
            next: OnceLock::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.0.now()
    }

    #[inline]
    pub(crate) fn is_pinned(&self) -> bool {
        self.pin.is_pinned_at(|| self.now())
    }

    /// Whether reads go to the primary because of the pin; `is_pinned` says that there is one.
    #[inline]
    pub(crate) fn holds_reads(&self, rules: &Rules, samples: &Samples) -> bool {
        let is_carried = || self.pin.is_carried_at(|| self.now());
        if rules.pin_release == PinRelease::SessionEnd || is_carried() {
            return true;
        }
        match self.marks.written_at() {
            None => true,
            // What has to be reached is among the marks.
            Some(_) if samples.has_positions() => false,
            Some(at) => self.now() < at.after(rules.time_pin),
        }
    }

    /// The session has written, and that was acknowledged, or may have happened.
    pub(crate) fn wrote(&self, rules: &Rules, samples: &Arc<Samples>) {
        self.samples.get_or_init(|| Arc::clone(samples));
        self.time_pin.get_or_init(|| rules.time_pin);
        self.marks.wrote(tick::now(), self.now());
    }

    fn hand_over(&self) -> HandOver {
        let now = self.now();
        let left = |until: Timestamp| Some(until.since(now)).filter(|left| !left.is_zero());
        let mut pinned_for = self.pin.carried_until().and_then(left);
        let is_settled = self.is_settled();
        let position = self.marks.required().as_deref().cloned();
        let is_lost = position
            .as_ref()
            .is_some_and(|position| !position.is_known());
        if self.marks.has_written()
            && (is_lost || !is_settled)
            && let Some(at) = self.marks.written_at()
        {
            let lasts = self.time_pin.get().copied().unwrap_or_default();
            pinned_for = pinned_for.max(left(at.after(lasts)));
        }
        HandOver {
            set: self.set.clone(),
            position: position.filter(Position::is_known),
            pinned_for,
        }
    }

    fn is_settled(&self) -> bool {
        let samples = self.samples.get();
        samples
            .is_some_and(|samples| samples.has_positions() && self.marks.is_write_settled(samples))
    }

    async fn when_settled(&self) {
        let Some(samples) = self.samples.get() else {
            return;
        };
        loop {
            let changed = samples.listen();
            if !samples.has_positions() || self.marks.is_write_settled(samples) {
                return;
            }
            samples.primary.ask();
            changed.await;
        }
    }

    /// Pins by declaration, unless that is forbidden; says whether and how late it was.
    pub(crate) fn declare(&self, frozen: bool) -> Result<Option<LatePin>, RoutingError> {
        let is_pinned = self.is_pinned();
        let late = if is_pinned { None } else { self.late() };
        if frozen && !is_pinned {
            let set = self.set.clone();
            return Err(RoutingError::Frozen { set, kind: None });
        }
        if late == Some(LatePin::Deny) {
            let set = self.set.clone();
            return Err(RoutingError::LatePin { set, kind: None });
        }
        self.pin_now(PinReason::Declared);
        Ok(late)
    }

    pub(crate) fn pin_now(&self, reason: PinReason) {
        let since = self.now();
        self.pin.set(PinInfo { reason, since });
    }

    /// What the set says to a pin that comes after a replica read; `None` if it would be in time.
    #[inline]
    pub(crate) fn late(&self) -> Option<LatePin> {
        match self.replica_read.load(Ordering::Acquire) {
            0 => None,
            1 => Some(LatePin::Allow),
            2 => Some(LatePin::Warn),
            _ => Some(LatePin::Deny),
        }
    }

    #[inline]
    pub(crate) fn read_from_replica(&self, late_pin: LatePin) {
        let word = match late_pin {
            LatePin::Allow => 1,
            LatePin::Warn => 2,
            LatePin::Deny => 3,
        };
        if self.replica_read.load(Ordering::Relaxed) != word {
            self.replica_read.store(word, Ordering::Release);
        }
    }
}
