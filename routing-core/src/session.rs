//! One pinning context: a web request, a job, a script.
//!
//! The obvious home of a pin is the connection or the thread. Connections are shared by everybody
//! and threads by many tasks, so pins leak from one user to the next. Here the pin lives in a
//! value that is created for a unit of work, is handed along, and dies with it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::RoutingError;
use crate::name::SetName;
use crate::node::NodeId;
use crate::pin::{PinCell, PinInfo, PinReason};
use crate::position::{Position, Reach};
use crate::rules::LatePin;

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
    set: SetName,
    pin: PinCell,
    /// The node that serves the session's reads; 0 is none.
    affinity: AtomicU32,
    /// 0 until a replica served a read; then the set's `LatePin`, so that `pin` can apply it.
    replica_read: AtomicU8,
    required: Mutex<Required>,
    has_requirement: AtomicBool,
    next: OnceLock<Box<Self>>,
}

/// What a node must have replayed before it may serve the session's reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Required {
    #[default]
    Nothing,
    Position(Position),
    /// Points of two histories: no known position reaches both.
    Unknown,
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
            slots: OnceLock::new(),
        }))
    }

    /// Whether reads of this set go to the primary because of a pin.
    #[must_use]
    pub fn is_pinned(&self, set: impl AsRef<str>) -> bool {
        self.find(set.as_ref()).is_some_and(Slot::is_pinned)
    }

    /// The pin on this set: why and since when.
    #[must_use]
    pub fn pinned(&self, set: impl AsRef<str>) -> Option<PinInfo> {
        self.find(set.as_ref())?.pin.get()
    }

    /// All pins, new and carried.
    #[must_use]
    pub fn pins(&self) -> Vec<(SetName, PinInfo)> {
        self.slots()
            .filter_map(|slot| Some((slot.set.clone(), slot.pin.get()?)))
            .collect()
    }

    /// Pins a set because an earlier session of the same user was pinned.
    ///
    /// Such a pin is not [new](PinInfo::is_new), and it never counts as late. It lasts as long as
    /// this session: for how long pins are carried is up to whoever carries them.
    pub fn carry_pin(&self, set: impl Into<SetName>) {
        self.slot(&set.into())
            .pin_now(PinReason::Carried, self.now());
    }

    /// Forgets pins, replicas and required positions of all sets, as if the session were new.
    ///
    /// For a context that outlives its units of work, such as a worker's; where a session can be
    /// created per unit, there is nothing to forget.
    pub fn unpin_all(&self) {
        for slot in self.slots() {
            slot.pin.clear();
            slot.affinity.store(0, Ordering::Release);
            slot.replica_read.store(0, Ordering::Release);
            slot.set_required(|_| Required::Nothing);
        }
    }

    /// Demands that a node has reached `position` before it serves this session's reads.
    ///
    /// The further of two positions counts. Nodes whose position is not known do not serve.
    pub fn require(&self, set: impl Into<SetName>, position: Position) {
        self.slot(&set.into())
            .set_required(|required| required.merge(position));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The slot of a set, made if there is none.
    #[inline]
    pub(crate) fn slot(&self, set: &SetName) -> &Slot {
        let mut cell = &self.0.slots;
        loop {
            let slot = cell.get_or_init(|| Box::new(Slot::new(set.clone())));
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
    fn new(set: SetName) -> Self {
        Self {
            set,
            pin: PinCell::default(),
            affinity: AtomicU32::new(0),
            replica_read: AtomicU8::new(0),
            required: Mutex::default(),
            has_requirement: AtomicBool::new(false),
            next: OnceLock::new(),
        }
    }

    #[inline]
    pub(crate) fn is_pinned(&self) -> bool {
        self.pin.is_pinned()
    }

    /// Pins by declaration, unless that is forbidden; says whether and how late it was.
    pub(crate) fn declare(
        &self,
        frozen: bool,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<Option<LatePin>, RoutingError> {
        let late = if self.is_pinned() { None } else { self.late() };
        if frozen && !self.is_pinned() {
            let set = self.set.clone();
            return Err(RoutingError::Frozen { set, kind: None });
        }
        if late == Some(LatePin::Deny) {
            let set = self.set.clone();
            return Err(RoutingError::LatePin { set, kind: None });
        }
        self.pin_now(PinReason::Declared, now());
        Ok(late)
    }

    pub(crate) fn pin_now(&self, reason: PinReason, since: Timestamp) {
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

    /// The node that the session's reads go to.
    #[inline]
    pub(crate) fn affinity(&self) -> Option<NodeId> {
        NodeId::from_word(self.affinity.load(Ordering::Acquire))
    }

    pub(crate) fn set_affinity(&self, node: NodeId) {
        self.affinity.store(node.to_word(), Ordering::Release);
    }

    #[inline]
    pub(crate) fn required(&self) -> Required {
        if self.has_requirement.load(Ordering::Acquire) {
            *self.required.lock().unwrap_or_else(PoisonError::into_inner)
        } else {
            Required::Nothing
        }
    }

    fn set_required(&self, change: impl FnOnce(Required) -> Required) {
        let mut required = self.required.lock().unwrap_or_else(PoisonError::into_inner);
        *required = change(*required);
        self.has_requirement
            .store(*required != Required::Nothing, Ordering::Release);
    }
}

impl Required {
    fn merge(self, position: Position) -> Self {
        match self {
            Self::Nothing => Self::Position(position),
            Self::Unknown => Self::Unknown,
            Self::Position(current) => match current.reaches(position) {
                Reach::Yes => self,
                Reach::No => Self::Position(position),
                Reach::Unknown => Self::Unknown,
            },
        }
    }
}
