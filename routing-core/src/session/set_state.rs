//! What a session knows of one set: its pin, its marks, and where marks become positions.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::config::rules::{LatePin, PinRelease, Rules};
use crate::error::RoutingError;
use crate::names::SetName;
use crate::position::Position;
use crate::position::log::Samples;
use crate::session::freshness::Marks;
use crate::session::hand_over::{HandOver, TIME_PIN};
use crate::session::pin::{PinCell, PinInfo, PinReason};
use crate::time::clock::{Clock, Timestamp};
use crate::time::sequence;

/// What a session knows of one set.
#[derive(Debug)]
pub(crate) struct Slot {
    clock: SessionClock,
    pub(crate) set: SetName,
    pub(crate) pin: PinCell,
    /// Whether the session has left state in connections to the primary.
    state: AtomicBool,
    /// 0 until a replica served a read; then the set's `LatePin`, so that `pin` can apply it.
    replica_read: AtomicU8,
    pub(crate) marks: Marks,
    /// Where the session's marks become positions.
    samples: OnceLock<Arc<Samples>>,
    /// For how long a write is kept on the primary where there are no positions.
    time_pin: OnceLock<Duration>,
    pub(crate) next: OnceLock<Box<Self>>,
}

/// The session's, by which all of its times are.
struct SessionClock(Arc<dyn Clock>);

impl fmt::Debug for SessionClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Slot {
    /// With the pin that all sets of the session have.
    pub(crate) fn new(set: SetName, clock: &Arc<dyn Clock>, everywhere: &PinCell) -> Self {
        Self {
            clock: SessionClock(Arc::clone(clock)),
            set,
            pin: everywhere.copy(),
            state: AtomicBool::new(false),
            replica_read: AtomicU8::new(0),
            marks: Marks::default(),
            samples: OnceLock::new(),
            time_pin: OnceLock::new(),
            next: OnceLock::new(),
        }
    }

    /// As if the session had never met the set.
    pub(crate) fn clear(&self) {
        self.pin.clear();
        self.state.store(false, Ordering::Release);
        self.replica_read.store(0, Ordering::Release);
        self.marks.clear();
    }

    /// The session has left state in a connection to the primary, or may have.
    pub(crate) fn leave_state(&self) {
        self.state.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn has_state(&self) -> bool {
        self.state.load(Ordering::Acquire)
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

    /// Marks are of one set. One session may meet two of one name, of two routers: then nobody knows
    /// which of them a position is of.
    pub(crate) fn bind(&self, samples: &Arc<Samples>) {
        let first = self.samples.get_or_init(|| Arc::clone(samples));
        if !Arc::ptr_eq(first, samples) {
            self.marks.require(&Position::UNKNOWN);
        }
    }

    /// The session has written, and that was acknowledged, or may have happened.
    pub(crate) fn wrote(&self, rules: &Rules, samples: &Arc<Samples>) {
        self.bind(samples);
        self.time_pin.get_or_init(|| rules.time_pin);
        self.marks.wrote(sequence::now(), self.now());
    }

    /// Turns marks into a required position, as far as there are samples; says whether all are.
    #[cold]
    pub(crate) fn settle(&self, samples: &Arc<Samples>) -> bool {
        self.bind(samples);
        self.marks.settle(samples)
    }

    pub(crate) fn hand_over(&self) -> HandOver {
        let now = self.now();
        let left = |until: Timestamp| Some(until.since(now)).filter(|left| !left.is_zero());
        let mut pinned_for = self.pin.carried_until().and_then(left);
        let lasts = self.time_pin.get().copied().unwrap_or(TIME_PIN);
        let is_settled = self.is_settled();
        let mut position = self.marks.required().as_deref().cloned();
        if position
            .as_ref()
            .is_some_and(|position| !position.is_known())
        {
            // Positions of two histories: what it has written itself can be told, the rest as a time.
            position = self.marks.own();
            pinned_for = pinned_for.max(Some(lasts));
        }
        if self.marks.has_written()
            && !is_settled
            && let Some(at) = self.marks.written_at()
        {
            // Where positions are only not known yet, the write may be as far from a replica as just now.
            let is_awaited = self
                .samples
                .get()
                .is_some_and(|samples| samples.has_positions());
            let for_its_time = if is_awaited {
                Some(lasts)
            } else {
                left(at.after(lasts))
            };
            pinned_for = pinned_for.max(for_its_time);
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

    pub(crate) async fn when_settled(&self) {
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
