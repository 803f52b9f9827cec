//! What a session has done and seen on one set, as marks that replicas have to catch up with.
//!
//! The obvious record is a position for each read and write. It costs a round trip for each, and
//! what a replica is known to have replayed is a lower bound, so it says nothing of what a read of
//! it has *shown*. Here a session keeps [ticks](crate::time::sequence): when it last wrote, when it last saw
//! something on a node that is not its own, and when it last read from its own. Ticks become a
//! required position when a sample is there that was sent after them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use crate::names::NodeId;
use crate::position::log::Samples;
use crate::position::{Position, Reach};
use crate::time::clock::Timestamp;
use crate::time::sequence;

/// The marks of a session on one set.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The tick of the last write whose position is not yet required; 0 is none.
    written: AtomicU64,
    /// The tick of the last look at the primary that is not yet covered; 0 is none.
    seen: AtomicU64,
    has_written: AtomicBool,
    /// The session's time of the last write plus one, in nanoseconds; 0 is none.
    written_at: AtomicU64,
    home: Home,
    required: ArcSwapOption<Position>,
    /// What of that the session has written itself.
    own: ArcSwapOption<Position>,
    /// The tick when the session was last told of a position; 0 is never.
    told: AtomicU64,
}

/// The node that serves the session's reads, and the tick of the last one, in one word.
#[derive(Debug, Default)]
struct Home(AtomicU64);

const TICK_BITS: u32 = 40;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;

impl Home {
    #[inline]
    fn get(&self) -> Option<(NodeId, u64)> {
        let word = self.0.load(Ordering::Acquire);
        let id = u32::try_from(word >> TICK_BITS).unwrap_or(0);
        Some((NodeId::from_word(id)?, word & TICK_MASK))
    }

    /// A process that makes more than 16 million nodes has some that are nobody's home.
    fn word(node: NodeId, tick: u64) -> u64 {
        let id = u64::from(node.to_word());
        let id = if id >> (u64::BITS - TICK_BITS) == 0 {
            id
        } else {
            0
        };
        (id << TICK_BITS) | tick.min(TICK_MASK)
    }

    /// Says whether the node is the home.
    #[inline]
    fn read(&self, node: NodeId, tick: u64) -> bool {
        let mut word = self.0.load(Ordering::Acquire);
        let next = Self::word(node, tick);
        loop {
            if word >> TICK_BITS != next >> TICK_BITS || next >> TICK_BITS == 0 {
                return false;
            }
            if word >= next {
                return true;
            }
            match self
                .0
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(current) => word = current,
            }
        }
    }
}

impl Marks {
    /// A write was acknowledged, or may have been executed.
    pub(crate) fn wrote(&self, tick: u64, at: Timestamp) {
        self.written.fetch_max(tick, Ordering::SeqCst);
        self.written_at
            .fetch_max(at.as_nanos().saturating_add(1), Ordering::Relaxed);
        self.has_written.store(true, Ordering::Release);
    }

    /// Something was read on a node that has everything, or that is not the home any more.
    #[inline]
    pub(crate) fn saw(&self, tick: u64) {
        self.seen.fetch_max(tick, Ordering::SeqCst);
    }

    /// Something was read on a replica.
    #[inline]
    pub(crate) fn read(&self, node: NodeId, tick: u64) -> bool {
        self.home.read(node, tick)
    }

    #[inline]
    pub(crate) fn home(&self) -> Option<(NodeId, u64)> {
        self.home.get()
    }

    /// The session's reads go from one node, as `home` has said, to another from now on. What was
    /// read before is required by now; what was read there since is not, and counts as seen elsewhere.
    pub(crate) fn move_from(&self, home: Option<(NodeId, u64)>, node: NodeId) {
        let mut expected = home.map_or(0, |(node, tick)| Home::word(node, tick));
        while let Err(current) = self.home.0.compare_exchange(
            expected,
            Home::word(node, 0),
            Ordering::SeqCst,
            Ordering::SeqCst,
        ) {
            let read = current & TICK_MASK;
            if read != 0 {
                self.saw(read);
            }
            expected = current;
        }
    }

    /// Whether the session has written, ever.
    pub(crate) fn has_written(&self) -> bool {
        self.has_written.load(Ordering::Acquire)
    }

    /// When it last wrote, on its clock.
    pub(crate) fn written_at(&self) -> Option<Timestamp> {
        let word = self.written_at.load(Ordering::Relaxed);
        word.checked_sub(1).map(Timestamp::from_nanos)
    }

    /// Whether nothing keeps any replica from serving.
    #[inline]
    pub(crate) fn is_clean(&self) -> bool {
        self.written.load(Ordering::Acquire) == 0 && self.seen.load(Ordering::Acquire) == 0
    }

    /// Whether the position of the last write is required by now.
    pub(crate) fn is_write_settled(&self, samples: &Samples) -> bool {
        self.settle_write(samples)
    }

    fn settle_write(&self, samples: &Samples) -> bool {
        if let mark @ 1.. = self.written.load(Ordering::SeqCst)
            && let Some(position) = samples.after(mark)
        {
            require(&self.own, &position);
        }
        settle(&self.written, &self.required, samples)
    }

    /// The position of what the session has written itself, as far as that is settled.
    pub(crate) fn own(&self) -> Option<Position> {
        self.own.load().as_deref().cloned()
    }

    /// Turns marks into a required position, as far as there are samples; says whether all are.
    #[cold]
    pub(crate) fn settle(&self, samples: &Samples) -> bool {
        let written = self.settle_write(samples);
        settle(&self.seen, &self.required, samples) && written
    }

    #[inline]
    pub(crate) fn required(&self) -> arc_swap::Guard<Option<Arc<Position>>> {
        self.required.load()
    }

    /// The further of two positions counts.
    pub(crate) fn require(&self, position: &Position) {
        require(&self.required, position);
    }

    /// The same for a position that somebody else has found, who may be wrong.
    pub(crate) fn be_told(&self, position: &Position) {
        self.require(position);
        self.told.fetch_max(sequence::now(), Ordering::SeqCst);
    }

    /// Whether it was told of a position, and the primary has not been asked since.
    pub(crate) fn is_untested(&self, samples: &Samples) -> bool {
        let told = self.told.load(Ordering::SeqCst);
        told != 0 && samples.after(told).is_none()
    }

    /// Whether it was told of a position that the primary, asked since, has not reached itself, or
    /// requires one that nothing reaches.
    pub(crate) fn is_beyond(&self, samples: &Samples) -> bool {
        let told = self.told.load(Ordering::SeqCst);
        let required = self.required.load();
        let Some(required) = required.as_deref() else {
            return false;
        };
        if !required.is_known() {
            return true;
        }
        told != 0
            && samples.after(told).is_some()
            && samples
                .latest()
                .is_some_and(|at| at.reaches(required) != Reach::Yes)
    }

    pub(crate) fn clear(&self) {
        self.written.store(0, Ordering::SeqCst);
        self.seen.store(0, Ordering::SeqCst);
        self.has_written.store(false, Ordering::Release);
        self.written_at.store(0, Ordering::Relaxed);
        self.home.0.store(0, Ordering::Release);
        self.required.store(None);
        self.own.store(None);
        self.told.store(0, Ordering::SeqCst);
    }
}

/// The position is required before the mark goes, so that nobody sees neither.
fn settle(cell: &AtomicU64, required: &ArcSwapOption<Position>, samples: &Samples) -> bool {
    let mark = cell.load(Ordering::SeqCst);
    if mark == 0 {
        return true;
    }
    let Some(position) = samples.after(mark) else {
        return false;
    };
    require(required, &position);
    // Unless it has been marked again.
    let settled = cell.compare_exchange(mark, 0, Ordering::SeqCst, Ordering::SeqCst);
    settled.is_ok()
}

fn require(required: &ArcSwapOption<Position>, position: &Position) {
    required.rcu(|current| match current {
        None => Some(Arc::new(position.clone())),
        Some(current) => match current.reaches(position) {
            Reach::Yes => Some(Arc::clone(current)),
            Reach::No | Reach::Unknown => Some(Arc::new(current.merge(position))),
        },
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::log::Positions;

    fn at(lsn: u64) -> Position {
        Position::postgres(7, 1, lsn)
    }

    #[test]
    fn a_mark_stays_until_a_sample_covers_it() {
        let marks = Marks::default();
        let samples = Samples::new(Positions::Asked);
        samples.take(5, at(50), Timestamp::default());
        marks.wrote(5, Timestamp::default());
        assert!(!marks.is_clean());
        assert!(!marks.settle(&samples));
        assert!(marks.required().is_none());
        samples.take(6, at(60), Timestamp::default());
        samples.take(7, at(70), Timestamp::default());
        assert!(marks.settle(&samples));
        assert!(marks.is_clean());
        assert_eq!(marks.required().as_deref(), Some(&at(60)));
        assert!(marks.has_written());
        // What was seen later is required too, and never less than before.
        marks.saw(4);
        assert!(marks.settle(&samples));
        assert_eq!(marks.required().as_deref(), Some(&at(60)));
        marks.saw(6);
        assert!(marks.settle(&samples));
        assert_eq!(marks.required().as_deref(), Some(&at(70)));
    }

    #[test]
    fn positions_of_two_histories_are_never_reached() {
        let marks = Marks::default();
        marks.require(&at(5));
        marks.require(&Position::postgres(7, 2, 5));
        marks.require(&at(9));
        assert_eq!(marks.required().as_deref(), Some(&Position::UNKNOWN));
    }

    #[test]
    fn only_the_home_counts_as_read() {
        let marks = Marks::default();
        let (one, two) = (NodeId::next(), NodeId::next());
        assert!(!marks.read(one, 3));
        marks.move_from(None, one);
        assert!(marks.read(one, 3));
        assert!(!marks.read(two, 4));
        assert!(marks.read(one, 2), "an older one changes nothing");
        assert_eq!(marks.home(), Some((one, 3)));
    }
}
