//! One pinning context: a web request, a job, a script.
//!
//! The obvious home of a pin is the connection or the thread. Connections are shared by everybody
//! and threads by many tasks, so pins leak from one user to the next. Here the pin lives in a
//! value that is created for a unit of work, is handed along, and dies with it.

pub(crate) mod connection_state;
pub(crate) mod context;
pub(crate) mod entry;
pub(crate) mod freshness;
pub(crate) mod hand_over;
pub(crate) mod hooks;
#[cfg(feature = "token")]
pub(crate) mod job;
pub(crate) mod pin;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod scope;
pub(crate) mod set_state;
#[cfg(feature = "token")]
pub(crate) mod store;
#[cfg(feature = "token")]
pub(crate) mod token;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::names::SetName;
use crate::position::Position;
use crate::session::hand_over::{EVERYWHERE, HandOver};
use crate::session::pin::{PinCell, PinInfo, PinReason};
use crate::session::set_state::Slot;
use crate::time::clock::{Clock, SystemClock, Timestamp};

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
        self.carry_everywhere(None);
    }

    fn carry_everywhere(&self, lasts: Option<Duration>) {
        let since = self.now();
        let until = lasts.map(|lasts| since.after(lasts));
        self.0.everywhere.carry(since, until);
        for slot in self.slots() {
            slot.pin.carry(since, until);
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
            if told.set == *EVERYWHERE {
                self.carry_everywhere(told.pinned_for);
                continue;
            }
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
            slot.clear();
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
            let slot = cell.get_or_init(|| {
                Box::new(Slot::new(set.clone(), &self.0.clock, &self.0.everywhere))
            });
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
