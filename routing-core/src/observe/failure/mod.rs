//! How a statement can fail without it being the user's mistake.
//!
//! The obvious test, "did it return an error", takes a user's mistake for a dead node and a dead
//! node for a user's mistake. Here each driver has a table: what is in it is the node's, and says
//! what may follow; what is not is the user's, and passes through untouched.

mod mysql;
mod postgres;
mod sqlite;

pub use mysql::{ERROR_NUMBERS, ROLLBACKS, rolls_back_on_mysql};
pub use postgres::{RECOVERY_CONFLICTS, SQLSTATES};
pub use sqlite::RESULT_CODES;

use crate::observe::decision::Role;

/// What a driver's error says of the node, rather than of the statement.
///
/// An adapter makes it from its driver's error; what is none of these is the user's error and
/// passes through untouched.
///
/// | failure | was sent | blames the node | a read | a write, outside a transaction |
/// |---|---|---|---|---|
/// | `Unreachable`, `Starting` | no | yes | moves on | is tried again |
/// | `Lost`, `Stopping` | perhaps | yes | moves on | fails |
/// | `Ended` | perhaps | no | moves on | fails |
/// | `Silent` | perhaps | has done so | moves on | is `OutcomeUnknown` |
/// | `Busy` | no | no | moves on | fails |
/// | `ReadOnly` on a replica | refused | no | is a write from now on | |
/// | `ReadOnly` on the primary | refused | no | | its role is asked for; goes to the new primary |
/// | `RecoveryConflict` | cancelled | no | moves on | |
/// | `NotOnStandby` | refused | no | goes to the primary from now on | |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// No connection could be had from the node: the statement was certainly not sent.
    Unreachable,
    /// The server takes no connections yet, or no more: the statement was certainly not sent.
    Starting,
    /// The server ends, and the connection with it: the statement may have been executed.
    Stopping,
    /// The connection broke, or the server ended it: the statement may have been executed.
    Lost,
    /// The server ended this connection and is well: it was idle for too long, or somebody has ended it.
    /// The statement may have been executed.
    Ended,
    /// Neither the statement nor a probe sent after it was answered: the statement may have been
    /// executed. No driver says so, but [`Running::attend`](crate::Running::attend).
    Silent,
    /// The node or the pool has no connection to spare: the statement was certainly not sent, and
    /// the node is not to blame.
    Busy,
    /// The server refused a write, because it or the connection's transaction is read-only: nothing
    /// was executed, and the node is well. See
    /// [`Running::refused_as_write`](crate::Running::refused_as_write).
    ReadOnly,
    /// A standby cancelled a read, because the log that it replays needs what the read holds: another
    /// node can answer it.
    RecoveryConflict,
    /// A hot standby does not run the read, as it needs what only a primary has: an unlogged table, a
    /// serializable snapshot.
    NotOnStandby,
}

impl Failure {
    /// The failure that a PostgreSQL SQLSTATE stands for, when a statement gets it as its answer from
    /// a node with this role: see [`SQLSTATES`] and [`RECOVERY_CONFLICTS`].
    ///
    /// `is_fatal` is whether its severity is `FATAL` or `PANIC`, after which the connection is over.
    /// Where it is not, only what a standby says of its own replay, and of writes, is the node's: a
    /// foreign server's `08001`, say, comes as an `ERROR` of the statement that asked for it.
    ///
    /// ```
    /// use routing_core::{Failure, Role};
    ///
    /// let starting = Failure::from_sqlstate("57P03", true, "the database system is starting up", Role::Replica);
    /// assert_eq!(starting, Some(Failure::Starting));
    /// // On a primary two transactions of the application's met.
    /// assert_eq!(Failure::from_sqlstate("40001", false, "", Role::Primary), None);
    /// let conflict = Failure::from_sqlstate("40001", false, "", Role::Replica);
    /// assert_eq!(conflict, Some(Failure::RecoveryConflict));
    /// assert_eq!(Failure::from_sqlstate("08001", false, "", Role::Primary), None);
    /// ```
    #[must_use]
    pub fn from_sqlstate(
        sqlstate: &str,
        is_fatal: bool,
        message: &str,
        role: Role,
    ) -> Option<Self> {
        postgres::of(sqlstate, is_fatal, message, role)
    }

    /// The failure that a PostgreSQL standby's message stands for, where a driver keeps only that; in
    /// English.
    ///
    /// ```
    /// use routing_core::Failure;
    ///
    /// let said = "cannot access temporary or unlogged relations during recovery";
    /// assert_eq!(Failure::from_standby_message(said), Some(Failure::NotOnStandby));
    /// assert_eq!(Failure::from_standby_message("relation \"cake\" does not exist"), None);
    /// ```
    #[must_use]
    pub fn from_standby_message(message: &str) -> Option<Self> {
        postgres::of_standby_message(message)
    }

    /// The failure that a MySQL or MariaDB error stands for: see [`ERROR_NUMBERS`]. 1290 is any option
    /// that does not let a statement run, and `ReadOnly` only if the message names that one.
    ///
    /// ```
    /// use routing_core::Failure;
    ///
    /// let said = "The MariaDB server is running with the --read-only option so it cannot execute \
    ///             this statement";
    /// assert_eq!(Failure::from_mysql_error(1290, said), Some(Failure::ReadOnly));
    /// let said = "The MariaDB server is running with the --skip-grant-tables option so it …";
    /// assert_eq!(Failure::from_mysql_error(1290, said), None);
    /// ```
    #[must_use]
    pub fn from_mysql_error(number: u16, message: &str) -> Option<Self> {
        mysql::of(number, message)
    }

    /// The failure that a MySQL or MariaDB message stands for, where a driver keeps only that.
    #[must_use]
    pub fn from_mysql_message(message: &str) -> Option<Self> {
        mysql::of_message(message)
    }

    /// The failure that an SQLite result code, extended or not, stands for: see [`RESULT_CODES`].
    #[must_use]
    pub fn from_sqlite_code(code: i32) -> Option<Self> {
        sqlite::of(code)
    }

    /// The failure that SQLite's text for a result code stands for, where a driver keeps only that.
    #[must_use]
    pub fn from_sqlite_message(message: &str) -> Option<Self> {
        sqlite::of_message(message)
    }

    /// The failure that a refused connection stands for, where a driver keeps only the text.
    ///
    /// A server that is full, or starting, says so in English, unless it is told to speak another
    /// language; what is not understood counts as `Unreachable`.
    ///
    /// ```
    /// use routing_core::Failure;
    ///
    /// let full = "FATAL:  sorry, too many clients already";
    /// assert_eq!(Failure::from_refused_connection(full), Failure::Busy);
    /// assert_eq!(Failure::from_refused_connection("Connection refused"), Failure::Unreachable);
    /// ```
    #[must_use]
    pub fn from_refused_connection(message: &str) -> Self {
        const FULL: &[&str] = &[
            "too many clients",
            "too many connections",
            "Too many connections",
            "connection slots are reserved",
            "max_user_connections",
            // PgBouncer's.
            "no more connections allowed",
        ];
        const STARTING: &[&str] = &[
            "the database system is starting up",
            "the database system is not yet accepting connections",
            "the database system is shutting down",
            "the database system is in recovery mode",
        ];
        let says = |list: &[&str]| list.iter().any(|said| message.contains(said));
        if says(FULL) {
            Self::Busy
        } else if says(STARTING) {
            Self::Starting
        } else {
            Self::Unreachable
        }
    }

    /// Whether it is certain that the server never saw the statement.
    #[must_use]
    pub const fn was_not_sent(self) -> bool {
        match self {
            Self::Unreachable | Self::Starting | Self::Busy => true,
            Self::Stopping
            | Self::Lost
            | Self::Ended
            | Self::Silent
            | Self::ReadOnly
            | Self::RecoveryConflict
            | Self::NotOnStandby => false,
        }
    }

    /// Whether the connection is of no use afterwards.
    #[must_use]
    pub const fn ends_connection(self) -> bool {
        !self.is_refusal()
    }

    /// Whether the server has refused the statement, and goes on.
    const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::ReadOnly | Self::RecoveryConflict | Self::NotOnStandby
        )
    }

    /// Whether it is certain that the statement changed nothing: it was not sent, or was refused.
    pub(crate) const fn did_nothing(self) -> bool {
        self.was_not_sent() || self.is_refusal()
    }

    /// Whether the server may still execute the statement: the connection was lost, or never answered.
    #[must_use]
    pub const fn may_go_on(self) -> bool {
        matches!(self, Self::Lost | Self::Silent)
    }

    /// Whether it says only that a connection, which the node had granted, is over.
    pub(crate) const fn is_of_connection(self) -> bool {
        matches!(self, Self::Lost | Self::Stopping)
    }

    /// Whether it counts against the node.
    pub(crate) const fn blames_node(self) -> bool {
        match self {
            Self::Unreachable | Self::Starting | Self::Stopping | Self::Lost | Self::Silent => true,
            Self::Busy
            | Self::Ended
            | Self::ReadOnly
            | Self::RecoveryConflict
            | Self::NotOnStandby => false,
        }
    }
}
