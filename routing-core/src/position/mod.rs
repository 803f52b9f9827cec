//! Points in a primary's history.
//!
//! The obvious way to compare two positions is `>=` on the log location. It is wrong across a
//! failover: the new primary writes another history, in which the same location holds something
//! else. So a position carries its history, the answer has three values, and *unknown* is treated
//! as *no*. There is an order only where histories are the same: no zero that is before everything,
//! and no unknown that equals itself.

#[cfg(feature = "token")]
pub(crate) mod binary;
mod gtid_list;
mod gtid_set;
pub(crate) mod log;
mod lsn;
mod reach;
mod text;

use std::sync::Arc;

use gtid_list::GtidList;
use gtid_set::GtidSet;
use lsn::LogLocation;

pub use reach::Reach;
pub use text::InvalidPosition;
pub(crate) use text::parse_lsn;

/// A point in the history of one primary: which history, and how far.
///
/// PostgreSQL's is a system identifier, a timeline and a log sequence number; MariaDB's a list of
/// GTIDs, one for each replication domain; MySQL's a set of GTIDs. Positions of different histories
/// cannot be compared, and [`UNKNOWN`](Self::UNKNOWN) cannot be compared with anything.
///
/// Its string form is for logs, files and other programs; a client gets a [token](crate::Session),
/// which cannot be forged.
///
/// ```
/// use routing_core::{Position, Reach};
///
/// let required: Position = "pg:7710695643927383485/1/0/40012F8".parse()?;
/// let replica: Position = "pg:7710695643927383485/1/0/4001330".parse()?;
/// assert_eq!(replica.reaches(&required), Reach::Yes);
/// assert_eq!(required.reaches(&replica), Reach::No);
///
/// // After a failover: another timeline.
/// let promoted: Position = "pg:7710695643927383485/2/0/5000000".parse()?;
/// assert_eq!(promoted.reaches(&required), Reach::Unknown);
/// # Ok::<(), routing_core::InvalidPosition>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position(Inner);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Inner {
    Unknown,
    Postgres(LogLocation),
    MariaDb(Arc<GtidList>),
    MySql(Arc<GtidSet>),
}

impl Position {
    /// No position that anybody knows: it reaches nothing, and nothing reaches it.
    pub const UNKNOWN: Self = Self(Inner::Unknown);

    /// A log location of PostgreSQL's: where a standby has replayed up to, or where a record ends.
    ///
    /// Location 0 is what a server says that has none; it is `UNKNOWN`.
    #[must_use]
    pub const fn postgres(system_identifier: u64, timeline: u32, lsn: u64) -> Self {
        if lsn == 0 {
            return Self::UNKNOWN;
        }
        Self(Inner::Postgres(LogLocation {
            system_identifier,
            timeline,
            lsn,
        }))
    }

    /// A number that only grows, of a database whose history is one through every failover: what a
    /// [`probe_query`](crate::Rules::probe_query) tells. 0 is `UNKNOWN`.
    ///
    /// ```
    /// use routing_core::{Position, Reach};
    ///
    /// assert_eq!(Position::number(42).reaches(&Position::number(41)), Reach::Yes);
    /// ```
    #[must_use]
    pub const fn number(number: u64) -> Self {
        Self::postgres(0, 0, number)
    }

    /// The same location, if it is one, on another timeline.
    pub(crate) fn on_timeline(self, timeline: u32) -> Self {
        match self.0 {
            Inner::Postgres(at) => Self(Inner::Postgres(LogLocation { timeline, ..at })),
            other => Self(other),
        }
    }

    /// What `pg_current_wal_insert_lsn()` says: where the next record begins. At the start of a page
    /// that is behind the page's header, which no standby ever replays up to on an idle primary, so
    /// the header is taken off. `wal_segment_size` is the server's setting, in bytes.
    ///
    /// ```
    /// use routing_core::Position;
    ///
    /// let segment = 16 << 20;
    /// assert_eq!(Position::postgres_insert(7, 1, 0x4018, segment), Position::postgres(7, 1, 0x4000));
    /// assert_eq!(Position::postgres_insert(7, 1, 0x4028, segment), Position::postgres(7, 1, 0x4028));
    /// ```
    #[must_use]
    pub const fn postgres_insert(
        system_identifier: u64,
        timeline: u32,
        lsn: u64,
        wal_segment_size: u64,
    ) -> Self {
        let lsn = lsn::without_page_header(lsn, wal_segment_size);
        Self::postgres(system_identifier, timeline, lsn)
    }

    /// MariaDB's `@@gtid_binlog_pos` or `@@gtid_slave_pos`, such as `0-1-100,1-2-30`.
    ///
    /// An empty list is `UNKNOWN`: the server writes no binary log, or has replicated nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidPosition`] if it is no such list.
    pub fn mariadb(list: &str) -> Result<Self, InvalidPosition> {
        let list = GtidList::parse(list).ok_or(InvalidPosition)?;
        Ok(if list.is_empty() {
            Self::UNKNOWN
        } else {
            Self(Inner::MariaDb(Arc::new(list)))
        })
    }

    /// MySQL's `@@gtid_executed`, such as `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7`.
    ///
    /// An empty set is `UNKNOWN`: the server does not use GTIDs. Sources may have tags (MySQL 8.3 and later).
    ///
    /// # Errors
    ///
    /// [`InvalidPosition`] if it is no such set.
    pub fn mysql(set: &str) -> Result<Self, InvalidPosition> {
        let set = GtidSet::parse(set).ok_or(InvalidPosition)?;
        Ok(if set.is_empty() {
            Self::UNKNOWN
        } else {
            Self(Inner::MySql(Arc::new(set)))
        })
    }

    /// Whether it is known at all.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !matches!(self.0, Inner::Unknown)
    }

    /// Whether a node that is at this position has seen everything up to `required`.
    #[must_use]
    #[inline]
    pub fn reaches(&self, required: &Self) -> Reach {
        match (&self.0, &required.0) {
            (Inner::Postgres(here), Inner::Postgres(there)) => here.reaches(there),
            (Inner::MariaDb(here), Inner::MariaDb(there)) => here.reaches(there),
            (Inner::MySql(here), Inner::MySql(there)) => here.reaches(there),
            _ => Reach::Unknown,
        }
    }

    /// The least position that reaches both; `UNKNOWN` if there is none, for ever.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let merged = match (&self.0, &other.0) {
            (Inner::Postgres(one), Inner::Postgres(two)) => one.merge(two).map(Inner::Postgres),
            (Inner::MariaDb(one), Inner::MariaDb(two)) => {
                one.merge(two).map(|list| Inner::MariaDb(Arc::new(list)))
            }
            (Inner::MySql(one), Inner::MySql(two)) => Some(Inner::MySql(Arc::new(one.merge(two)))),
            _ => None,
        };
        merged.map_or(Self::UNKNOWN, Self)
    }

    /// Whether both are of one history or of parts of one: of one system and timeline (PostgreSQL),
    /// of a common replication domain (MariaDB), of a common source (MySQL).
    #[must_use]
    pub(crate) fn shares_history(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Inner::Postgres(one), Inner::Postgres(two)) => one.reaches(two) != Reach::Unknown,
            (Inner::MariaDb(one), Inner::MariaDb(two)) => one.shares_domain(two),
            (Inner::MySql(one), Inner::MySql(two)) => one.shares_source(two),
            _ => false,
        }
    }

    /// How many bytes of log lie between here and `ahead`, where that is how far is measured
    /// (PostgreSQL, but not a [`number`](Self::number)); none if this is ahead itself.
    #[must_use]
    pub fn bytes_behind(&self, ahead: &Self) -> Option<u64> {
        match (&self.0, &ahead.0) {
            (Inner::Postgres(here), Inner::Postgres(there)) => here.bytes_behind(there),
            _ => None,
        }
    }
}
