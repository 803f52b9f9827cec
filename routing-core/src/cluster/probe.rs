//! What a node is asked, and what its answer means.
//!
//! Each database is asked with one statement that answers with one text, so that an adapter has
//! nothing to know of it: it sends [`Probe::question`] on a connection of its own, and hands the
//! answer to [`Observation::read`].

use std::sync::Arc;

use crate::cluster::election::seen::Sighting;
use crate::observe::decision::Role;
use crate::position::{Position, parse_lsn};
use crate::sql::Dialect;

/// How the nodes of a database are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    dialect: Dialect,
    is_mariadb: bool,
    /// The application's, in place of the router's.
    query: Option<Arc<str>>,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation {
    /// What it is, if it says so: a server of MySQL's that takes writes may be either.
    pub role: Option<Role>,
    /// Whether it takes writes.
    pub takes_writes: bool,
    /// PostgreSQL's system identifier: of which database cluster it is.
    pub system: Option<u64>,
    /// PostgreSQL's timeline, which a promotion raises.
    pub timeline: Option<u32>,
    /// MySQL's and MariaDB's server id.
    pub server: Option<u64>,
    /// Whether the application's [`probe_query`](crate::Rules::probe_query) has told it.
    pub is_told: bool,
    /// How far it is: a primary's last write, what a replica has replayed.
    pub position: Position,
    /// All that it has, written or replayed: of MySQL and MariaDB.
    pub holds: Position,
}

impl Observation {
    /// A standby to which nothing is sent just now says which timeline it has begun from, not which
    /// it is on: that is what it was on before, while it goes on.
    pub(crate) fn on_timeline_of(mut self, before: Option<&Sighting>) -> Self {
        if let (Some(Role::Replica), Some(timeline), Some(before)) =
            (self.role, self.timeline, before)
            && let Some(known) = before.timeline.filter(|known| *known > timeline)
        {
            self.timeline = Some(known);
            self.position = self.position.on_timeline(known);
        }
        self
    }
}

/// One statement, so that the location and the role are those of one moment: a standby may be
/// promoted in between. `pg_current_wal_insert_lsn`, as with asynchronous commit what
/// `pg_current_wal_lsn` says does not include what has been acknowledged.
const POSTGRES: &str = "/* routing: probe */ \
WITH server AS MATERIALIZED (SELECT pg_is_in_recovery() AS standby) \
SELECT concat_ws(' ', \
CASE WHEN standby THEN 'replica' ELSE 'primary' END, \
(SELECT system_identifier FROM pg_control_system()), \
CASE WHEN standby THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), \
(SELECT timeline_id FROM pg_control_checkpoint())) \
ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END, \
CASE WHEN standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, \
pg_size_bytes(current_setting('wal_segment_size'))) FROM server";

/// Not `@@last_gtid`, which is the connection's.
const MARIADB: &str = "/* routing: probe */ \
     SELECT CONCAT_WS('|', @@global.read_only, @@global.gtid_binlog_pos, @@global.gtid_slave_pos, \
     @@global.server_id, @@global.gtid_current_pos)";

const MYSQL: &str = "/* routing: probe */ \
     SELECT CONCAT_WS('|', @@global.read_only, @@global.gtid_executed, @@global.gtid_executed, \
     @@global.server_id)";

impl Probe {
    /// What tells how a database of this dialect is asked; its answer is for [`new`](Self::new).
    ///
    /// `None` if nothing need be asked, or if such a database has no positions.
    #[must_use]
    pub const fn version_question(dialect: Dialect) -> Option<&'static str> {
        match dialect {
            Dialect::MySql => Some("/* routing: probe */ SELECT version()"),
            _ => None,
        }
    }

    /// How a database of this dialect is asked, which calls itself `version`; `None` if it has no
    /// positions.
    #[must_use]
    pub fn new(dialect: Dialect, version: &str) -> Option<Self> {
        let is_mariadb = version.contains("MariaDB");
        matches!(dialect, Dialect::Postgres | Dialect::MySql).then_some(Self {
            dialect,
            is_mariadb,
            query: None,
        })
    }

    /// The same with a [query of the application's](crate::Rules::probe_query), if there is one.
    #[must_use]
    pub fn asked_by(mut self, query: Option<Arc<str>>) -> Self {
        self.query = query;
        self
    }

    /// The statement, whose answer is one text.
    #[must_use]
    pub fn question(&self) -> &str {
        match self.dialect {
            _ if self.query.is_some() => self.query.as_deref().unwrap_or_default(),
            Dialect::MySql if self.is_mariadb => MARIADB,
            Dialect::MySql => MYSQL,
            _ => POSTGRES,
        }
    }

    /// What the answer of a node with this role means; `None` if it cannot be understood.
    #[must_use]
    pub fn read(&self, role: Role, answer: &str) -> Option<Observation> {
        match self.dialect {
            _ if self.query.is_some() => read_told(answer),
            Dialect::MySql => self.read_mysql(role, answer),
            _ => read_postgres(answer),
        }
    }

    fn read_mysql(&self, role: Role, answer: &str) -> Option<Observation> {
        let mut parts = answer.split('|');
        // A number or, as MariaDB 10.11.19 has it, a word.
        let takes_writes = matches!(parts.next()?.trim(), "0" | "OFF");
        let (written, replayed) = (parts.next()?, parts.next()?);
        let position = match role {
            Role::Primary => written,
            Role::Replica => replayed,
        };
        let server = parts.next().and_then(|id| id.parse().ok());
        let read = if self.is_mariadb {
            Position::mariadb
        } else {
            Position::mysql
        };
        // Of MySQL both say the same.
        let holds = parts.next().unwrap_or(written);
        Some(Observation {
            role: (!takes_writes).then_some(Role::Replica),
            takes_writes,
            system: None,
            timeline: None,
            server,
            is_told: false,
            // What is not understood costs the position, and not what the node is.
            position: read(position).unwrap_or(Position::UNKNOWN),
            holds: read(holds).unwrap_or(Position::UNKNOWN),
        })
    }
}

/// The answer to a query of the application's: `primary` or `replica`, and a number or an LSN.
fn read_told(answer: &str) -> Option<Observation> {
    let mut parts = answer.split_whitespace();
    let role = match parts.next()? {
        "primary" => Role::Primary,
        "replica" => Role::Replica,
        _ => return None,
    };
    let position = match parts.next() {
        None => 0,
        Some(lsn) if lsn.contains('/') => parse_lsn(lsn)?,
        Some(number) => number.parse().ok()?,
    };
    // What comes behind is not understood.
    parts.next().is_none().then_some(Observation {
        role: Some(role),
        takes_writes: role == Role::Primary,
        system: None,
        timeline: None,
        server: None,
        is_told: true,
        position: Position::number(position),
        holds: Position::UNKNOWN,
    })
}

fn read_postgres(answer: &str) -> Option<Observation> {
    let mut parts = answer.split(' ');
    let role = match parts.next()? {
        "primary" => Role::Primary,
        "replica" => Role::Replica,
        _ => return None,
    };
    let system = parts.next()?.parse().ok()?;
    let timeline = parts.next()?.parse().ok()?;
    let lsn = parse_lsn(parts.next()?)?;
    let segment = parts.next()?.parse().ok()?;
    let position = match role {
        Role::Primary => Position::postgres_insert(system, timeline, lsn, segment),
        Role::Replica => Position::postgres(system, timeline, lsn),
    };
    Some(Observation {
        role: Some(role),
        takes_writes: role == Role::Primary,
        system: Some(system),
        timeline: Some(timeline),
        server: None,
        is_told: false,
        position,
        holds: Position::UNKNOWN,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(answer: &str) -> Option<Observation> {
        let probe = Probe::new(Dialect::Postgres, "")?;
        probe.read(Role::Primary, answer)
    }

    #[test]
    fn a_primary_and_a_standby() {
        let primary = postgres("primary 77 1 0/4002018 16777216").unwrap();
        assert_eq!(primary.role, Some(Role::Primary));
        assert_eq!(primary.position, Position::postgres(77, 1, 0x400_2000));
        let at_a_segment = postgres("primary 77 1 0/4000028 16777216").unwrap();
        assert_eq!(at_a_segment.position, Position::postgres(77, 1, 0x400_0000));
        let standby = postgres("replica 77 2 1/28 16777216").unwrap();
        assert_eq!(standby.role, Some(Role::Replica));
        // What a standby has replayed is where a record ends, whatever it looks like.
        assert_eq!(standby.position, Position::postgres(77, 2, 0x1_0000_0028));
    }

    #[test]
    fn what_is_not_understood_is_nothing() {
        for answer in [
            "",
            "primary",
            "primary 1 1 0 16",
            "primary x 1 0/1 16",
            "else 1 1 0/1 16",
        ] {
            assert_eq!(postgres(answer), None, "{answer}");
        }
        let nothing_yet = postgres("replica 77 1 0/0 16777216").unwrap();
        assert!(!nothing_yet.position.is_known());
    }

    #[test]
    fn what_a_query_of_the_applications_tells() {
        let probe = Probe::new(Dialect::Postgres, "").unwrap();
        let probe = probe.asked_by(Some("SELECT told()".into()));
        assert_eq!(probe.question(), "SELECT told()");
        let read = |answer| probe.read(Role::Replica, answer);
        let primary = read("primary 17").unwrap();
        assert!(primary.takes_writes && primary.position == Position::number(17));
        let replica = read("replica 0/11").unwrap();
        assert_eq!(replica.role, Some(Role::Replica));
        assert_eq!(replica.position, Position::number(17));
        assert!(!read("replica").unwrap().position.is_known());
        for answer in ["", "writer 1", "replica -1", "replica 1 2", "primary x"] {
            assert_eq!(read(answer), None, "{answer}");
        }
    }

    #[test]
    fn mariadb_and_mysql() {
        let mariadb = Probe::new(Dialect::MySql, "10.11.6-MariaDB-log").unwrap();
        let answer = "0|0-1-12,1-1-3|0-1-9|1|0-1-12,1-1-3";
        let primary = mariadb.read(Role::Primary, answer).unwrap();
        assert_eq!(primary.position, Position::mariadb("0-1-12,1-1-3").unwrap());
        let replica = mariadb.read(Role::Replica, answer).unwrap();
        assert_eq!(replica.position, Position::mariadb("0-1-9").unwrap());
        let mysql = Probe::new(Dialect::MySql, "8.4.0").unwrap();
        let gtids = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
        let observed = mysql
            .read(Role::Replica, &format!("1|{gtids}|{gtids}|7"))
            .unwrap();
        assert_eq!(observed.position, Position::mysql(gtids).unwrap());
        assert!(
            !mariadb
                .read(Role::Replica, "0|0-1-1||1|0-1-1")
                .unwrap()
                .position
                .is_known()
        );
        let tagged = format!("{gtids}:app:1-2");
        let observed = mysql
            .read(Role::Primary, &format!("0|{tagged}|{tagged}|7"))
            .unwrap();
        assert_eq!(observed.position, Position::mysql(&tagged).unwrap());
        assert!(observed.position.reaches(&Position::mysql(gtids).unwrap()) == crate::Reach::Yes);
        let strange = mysql.read(Role::Primary, "0|to come|to come|7").unwrap();
        assert!(strange.takes_writes && !strange.position.is_known());
        assert_eq!(Probe::new(Dialect::Sqlite, ""), None);
    }
}
