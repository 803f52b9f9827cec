//! The names and statements that differ between MySQL and MariaDB.

use crate::servers::is_chosen;

/// Which of the two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a test has to know both")]
pub enum Flavor {
    /// MariaDB, unless the environment's `SERVERS` names a MySQL.
    MariaDb,
    /// MySQL with GTIDs.
    MySql,
}

impl Flavor {
    /// The one that the tests run on.
    #[must_use]
    pub fn current() -> Self {
        if is_chosen(Self::MySql.kind()) {
            Self::MySql
        } else {
            Self::MariaDb
        }
    }

    /// The kind of server, as `tests/servers.sh` has it.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    /// Asks a server for the transactions that it has executed.
    pub(super) const fn position(self) -> &'static str {
        match self {
            Self::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
            Self::MySql => "SELECT @@GLOBAL.gtid_executed",
        }
    }

    /// Waits on a replica until it has executed that much; the answer is 0 then.
    pub(super) const fn wait(self) -> &'static str {
        match self {
            Self::MariaDb => "SELECT MASTER_GTID_WAIT(?, 60)",
            Self::MySql => "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 60)",
        }
    }

    /// Makes a server that writes a replica, from what it has written itself, or a replica another one's, from what it
    /// has applied.
    pub(super) fn follow(self, port: u16, has_written: bool) -> String {
        match self {
            Self::MariaDb => {
                let from = if has_written {
                    "current_pos"
                } else {
                    "slave_pos"
                };
                format!(
                    "CHANGE MASTER TO master_host = '127.0.0.1', master_port = {port}, \
                     master_user = 'admin', master_use_gtid = {from}, master_connect_retry = 1"
                )
            }
            Self::MySql => format!(
                "CHANGE REPLICATION SOURCE TO source_host = '127.0.0.1', source_port = {port}, \
                 source_user = 'admin', source_auto_position = 1, source_connect_retry = 1, \
                 get_source_public_key = 1"
            ),
        }
    }

    /// A statement about a replica's threads, in which MariaDB says SLAVE and MySQL REPLICA.
    pub(super) fn replica(self, verb: &str, what: &str) -> String {
        let word = match self {
            Self::MariaDb => "SLAVE",
            Self::MySql => "REPLICA",
        };
        format!("{verb} {word} {what}")
    }

    /// An insert whose place in the log is known to no other server: MariaDB's servers share a domain of such places.
    pub(super) fn apart(self, insert: &str) -> String {
        match self {
            Self::MariaDb => format!("SET STATEMENT gtid_domain_id = 9 FOR {insert}"),
            Self::MySql => insert.to_owned(),
        }
    }

    /// An insert with a label in the log (a MySQL tag, a second MariaDB domain), and the label in a position.
    pub(super) fn labelled(self, insert: &str) -> (String, &'static str) {
        match self {
            Self::MariaDb => (
                format!("SET STATEMENT gtid_domain_id = 7 FOR {insert}"),
                "7-",
            ),
            Self::MySql => (
                format!("SET gtid_next = 'AUTOMATIC:app'; {insert}; SET gtid_next = 'AUTOMATIC'"),
                ":app:",
            ),
        }
    }

    /// The setting with which a server refuses the application's writes.
    #[must_use]
    pub const fn read_only(self) -> &'static str {
        match self {
            Self::MariaDb => "read_only",
            Self::MySql => "super_read_only",
        }
    }
}
