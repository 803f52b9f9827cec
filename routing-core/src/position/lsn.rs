//! PostgreSQL's log sequence numbers.

use super::reach::Reach;

/// A location in the log of one timeline of one database cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LogLocation {
    pub(super) system_identifier: u64,
    pub(super) timeline: u32,
    pub(super) lsn: u64,
}

/// `XLOG_BLCKSZ`, which is fixed when PostgreSQL is built, and is changed by nobody.
const PAGE: u64 = 8192;
/// Of a page, and of the first page of a segment (`SizeOfXLogShortPHD`, `SizeOfXLogLongPHD`).
const SHORT_HEADER: u64 = 24;
const LONG_HEADER: u64 = 40;

/// Takes off the header of a page on which nothing has been written yet. Forty bytes into a page
/// that does not begin a segment is where a record may end, and stays.
pub(super) const fn without_page_header(lsn: u64, segment: u64) -> u64 {
    if segment != 0 && lsn % segment == LONG_HEADER {
        lsn - LONG_HEADER
    } else if lsn % PAGE == SHORT_HEADER {
        lsn - SHORT_HEADER
    } else {
        lsn
    }
}

impl LogLocation {
    /// Timelines are not compared: up to where one has what another had is not known here.
    const fn is_of_the_same_history(&self, other: &Self) -> bool {
        self.system_identifier == other.system_identifier && self.timeline == other.timeline
    }

    pub(super) const fn reaches(&self, required: &Self) -> Reach {
        if !self.is_of_the_same_history(required) {
            Reach::Unknown
        } else if self.lsn >= required.lsn {
            Reach::Yes
        } else {
            Reach::No
        }
    }

    pub(super) const fn merge(&self, other: &Self) -> Option<Self> {
        match self.reaches(other) {
            Reach::Yes => Some(*self),
            Reach::No => Some(*other),
            Reach::Unknown => None,
        }
    }

    pub(super) const fn bytes_behind(&self, ahead: &Self) -> Option<u64> {
        // A number that belongs to no system has an unknown unit.
        let are_bytes = self.system_identifier != 0;
        if are_bytes && self.is_of_the_same_history(ahead) {
            Some(ahead.lsn.saturating_sub(self.lsn))
        } else {
            None
        }
    }
}
