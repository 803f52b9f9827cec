//! How far a primary was, and who wants to know.
//!
//! The obvious way to learn the position of a commit is to ask for it right after: a round trip for
//! each. Any position of the primary's that is asked for *after* the commit was acknowledged, by
//! whomever, includes the commit. So a commit is only marked, with a [`tick`](crate::time::sequence), and
//! whoever needs its position takes the first sample with a greater number; one sample serves all
//! sessions that wrote before it was sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use event_listener::{Event, EventListener};

use crate::position::{Position, Reach};
use crate::time::clock::Timestamp;

/// Tells a monitor that somebody waits for it. One call wakes it; further ones cost a flag.
#[derive(Debug, Default)]
pub(crate) struct Hurry {
    asked: AtomicBool,
    event: Event,
}

impl Hurry {
    pub(crate) fn ask(&self) {
        if !self.asked.swap(true, Ordering::SeqCst) {
            self.event.notify(usize::MAX);
        }
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Before the probe takes its number: who asks later asks for another. Says whether anybody has.
    pub(crate) fn take(&self) -> bool {
        self.asked.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn listen(&self) -> EventListener {
        self.event.listen()
    }

    /// Wakes the monitor, to look again.
    pub(crate) fn wake(&self) {
        self.event.notify(usize::MAX);
    }
}

/// Whether a primary's position can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positions {
    /// The database has none, or nobody asks for them: what was written is known by time only.
    None,
    /// They are asked for; as yet there may be no answer.
    Asked,
}

#[derive(Debug, Clone)]
struct Sample {
    number: u64,
    position: Position,
    at: Timestamp,
}

/// What replicas are hurried to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) position: Position,
    pub(crate) since: Timestamp,
}

/// The samples of one primary.
#[derive(Debug)]
pub(crate) struct Samples {
    positions: AtomicU8,
    /// Oldest first, so that a commit is given the first that includes it, and not the last, which
    /// replicas reach later.
    ring: Mutex<VecDeque<Sample>>,
    /// Of a longer time, and further apart; for how far behind a replica is.
    tiers: Mutex<[VecDeque<Sample>; TIERS.len()]>,
    /// The number of the last one.
    latest: AtomicU64,
    target: Mutex<Option<Target>>,
    pub(crate) primary: Hurry,
    changed: Event,
}

/// For how long a replica has missed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// For so long.
    For(Duration),
    /// It is behind all that was seen of the primary: for so long, or longer.
    AtLeast(Duration),
}

/// At 5 ms from one to the next these are 1.3 seconds.
const KEPT: usize = 256;

/// How far apart the samples of a tier are, at least, and how many there are: each second for four minutes,
/// each minute for a day.
const TIERS: [(Duration, usize); 2] = [
    (Duration::from_secs(1), 256),
    (Duration::from_secs(60), 1_440),
];

impl Samples {
    pub(crate) fn new(positions: Positions) -> Self {
        Self {
            positions: AtomicU8::new(positions as u8),
            ring: Mutex::default(),
            tiers: Mutex::default(),
            latest: AtomicU64::new(0),
            target: Mutex::default(),
            primary: Hurry::default(),
            changed: Event::new(),
        }
    }

    #[inline]
    pub(crate) fn has_positions(&self) -> bool {
        self.positions.load(Ordering::Relaxed) != Positions::None as u8
    }

    /// Says whether that is news.
    pub(crate) fn set_positions(&self, positions: Positions) -> bool {
        self.positions.swap(positions as u8, Ordering::Relaxed) != positions as u8
    }

    /// The position of the first sample that was sent after `mark`.
    pub(crate) fn after(&self, mark: u64) -> Option<Position> {
        if self.latest.load(Ordering::Acquire) <= mark {
            return None;
        }
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.partition_point(|sample| sample.number <= mark);
        ring.get(first).map(|sample| sample.position.clone())
    }

    /// The last known position of the primary.
    pub(crate) fn latest(&self) -> Option<Position> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.back().map(|sample| sample.position.clone())
    }

    pub(crate) fn take(&self, number: u64, position: Position, at: Timestamp) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = Sample {
            number,
            position,
            at,
        };
        let mut tiers = self.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        for (samples, (spacing, most)) in tiers.iter_mut().zip(TIERS) {
            let is_far = |last: &Sample| at.since(last.at) >= spacing;
            if samples.back().is_none_or(is_far) {
                keep(samples, sample.clone(), most);
            }
        }
        drop(tiers);
        keep(&mut ring, sample, KEPT);
        self.latest.store(number, Ordering::Release);
        drop(ring);
        self.tell();
    }

    /// There is another primary: what was known of the last is of another history.
    pub(crate) fn clear(&self) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.clear();
        self.latest.store(0, Ordering::Release);
        drop(ring);
        let mut tiers = self.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        tiers.iter_mut().for_each(VecDeque::clear);
        drop(tiers);
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        *target = None;
        drop(target);
        self.tell();
    }

    /// For how long a replica at `position` has missed something, as far as samples tell: nothing, if
    /// it has reached all of them. No clock but our own is asked, and an idle primary is no lag.
    pub(crate) fn time_behind(&self, position: &Position, now: Timestamp) -> Option<Behind> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = ring.back()?;
        if position.reaches(&latest.position) == Reach::Unknown {
            return None;
        }
        let (mut is_known, Some(mut since)) = first_missed(&ring, position) else {
            return Some(Behind::For(Duration::ZERO));
        };
        let tiers = self.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        for samples in &*tiers {
            let (reaches_one, first) = first_missed(samples, position);
            is_known |= reaches_one;
            // The oldest of the last may not be the first that it misses.
            since = first.map_or(since, |first| first.min(since));
        }
        let lasts = now.since(since);
        Some(if is_known {
            Behind::For(lasts)
        } else {
            Behind::AtLeast(lasts)
        })
    }

    /// Somebody waits until replicas are there.
    pub(crate) fn aim(&self, position: Position, since: Timestamp) {
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        *target = Some(Target { position, since });
    }

    /// A replica is behind all samples: until somebody waits for more, it is awaited where the last is.
    pub(crate) fn aim_at_last(&self, now: Timestamp) {
        let Some(position) = self.latest() else {
            return;
        };
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        target.get_or_insert(Target {
            position,
            since: now,
        });
    }

    /// Since when a node at `position` is expected to be further than it is.
    pub(crate) fn awaited_since(&self, position: Option<&Position>) -> Option<Timestamp> {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        let target = target.as_ref()?;
        let is_there = position.is_some_and(|at| at.reaches(&target.position) == Reach::Yes);
        (!is_there).then_some(target.since)
    }

    /// To be called before looking at what may change.
    pub(crate) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    /// Something is known that was not.
    pub(crate) fn tell(&self) {
        self.changed.notify(usize::MAX);
    }
}

fn keep(samples: &mut VecDeque<Sample>, sample: Sample, most: usize) {
    if samples.len() == most {
        samples.pop_front();
    }
    samples.push_back(sample);
}

/// Whether `position` reaches one of these, and when the first was taken that it does not reach.
fn first_missed(samples: &VecDeque<Sample>, position: &Position) -> (bool, Option<Timestamp>) {
    let reached =
        samples.partition_point(|sample| position.reaches(&sample.position) == Reach::Yes);
    let first = samples.get(reached).map(|sample| sample.at);
    (reached > 0, first)
}

#[cfg(test)]
mod tests;
