//! What a statement has gone through: where it has failed, how often, since when.

use crate::cluster::members::Members;
use crate::names::MAX_ATTEMPTS;
use crate::time::clock::Timestamp;

/// What a statement has gone through: nothing, nearly always, and a route is moved about much.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past(Option<Box<Trouble>>);

/// How a statement has failed so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trouble {
    /// Nodes that it has failed on, and is not sent to again.
    pub(crate) tried: Tried,
    /// Attempts that certainly did nothing, on nodes that it may be sent to again.
    pub(crate) attempts: u8,
    /// How often it was decided anew before it was sent.
    pub(crate) anew: u8,
    /// Since when it fails.
    pub(crate) failing_since: Option<Timestamp>,
}

impl Past {
    #[inline]
    pub(crate) fn tried(&self) -> &Tried {
        const NONE: &Tried = &Tried::NONE;
        self.0.as_ref().map_or(NONE, |trouble| &trouble.tried)
    }

    /// To be written on.
    pub(crate) fn trouble(&mut self) -> &mut Trouble {
        self.0.get_or_insert_default()
    }

    /// It is decided anew once more; says how often it was.
    pub(crate) fn once_more_anew(&mut self) -> u8 {
        let anew = &mut self.trouble().anew;
        *anew = anew.saturating_add(1);
        *anew
    }

    /// One more attempt; says how many there were.
    pub(crate) fn one_more_attempt(&mut self) -> u8 {
        let attempts = &mut self.trouble().attempts;
        *attempts = attempts.saturating_add(1);
        *attempts
    }
}

/// A few places, as the attempts are few; a place stays a node's own while members come and go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tried {
    places: [u32; MAX_ATTEMPTS],
    len: u8,
}

impl Tried {
    const NONE: Self = Self {
        places: [0; MAX_ATTEMPTS],
        len: 0,
    };

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(crate) fn has(&self, place: usize) -> bool {
        let tried = &self.places[..self.len()];
        tried.iter().any(|&tried| tried as usize == place)
    }

    /// With one more; the first are forgotten when there are too many.
    pub(crate) fn and(mut self, place: usize) -> Self {
        if self.has(place) {
            return self;
        }
        if self.len() == MAX_ATTEMPTS {
            self.places.rotate_left(1);
            self.len -= 1;
        }
        self.places[self.len()] = u32::try_from(place).unwrap_or(u32::MAX);
        self.len += 1;
        self
    }

    /// Those among the members, one bit each.
    #[inline]
    pub(crate) fn among(&self, members: &Members) -> u64 {
        let tried = &self.places[..self.len()];
        let index = |&place: &u32| members.index_at(place as usize);
        tried
            .iter()
            .filter_map(index)
            .fold(0, |word, index| word | Members::bit(index))
    }
}
