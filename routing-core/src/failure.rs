//! How a statement can fail without it being the user's mistake.

/// What a driver's error says of the node, rather than of the statement.
///
/// An adapter makes it from its driver's error; what is none of these is the user's error and
/// passes through untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// No connection could be had from the node: the statement was certainly not sent.
    Unreachable,
    /// The connection broke, or the server ended it: the statement may have been executed.
    Lost,
    /// The node or the pool has no connection to spare: the statement was certainly not sent, and
    /// the node is not to blame.
    Busy,
    /// The server refused a write, because it or the connection's transaction is read-only: nothing
    /// was executed, and the node is well. See
    /// [`Route::refused_as_write`](crate::Route::refused_as_write).
    ReadOnly,
}

impl Failure {
    /// The failure that a PostgreSQL SQLSTATE stands for, when a statement gets it as its answer.
    ///
    /// From the manual's appendix "PostgreSQL Error Codes": class 08 and `57P01` to `57P05` end
    /// the connection; `57P03` and `53300` refuse a new one; `25006` refuses a write.
    ///
    /// ```
    /// use routing_core::Failure;
    ///
    /// assert_eq!(Failure::from_sqlstate("57P03"), Some(Failure::Unreachable));
    /// assert_eq!(Failure::from_sqlstate("23505"), None);
    /// ```
    #[must_use]
    pub fn from_sqlstate(sqlstate: &str) -> Option<Self> {
        match sqlstate {
            "57P03" | "08001" | "08004" => Some(Self::Unreachable),
            "53300" => Some(Self::Busy),
            "25006" => Some(Self::ReadOnly),
            "57P01" | "57P02" | "57P05" => Some(Self::Lost),
            // A message that breaks the protocol is the client's mistake, such as a parameter too
            // few; the server is well.
            "08P01" => None,
            connection if connection.starts_with("08") => Some(Self::Lost),
            _ => None,
        }
    }

    /// The failure that a MySQL or MariaDB error number stands for.
    ///
    /// From the servers' error message references: 1040 and 1203 are limits on connections, 1053
    /// is a shutdown in progress, 1927 and 3169 a connection that was killed.
    #[must_use]
    pub const fn from_mysql_number(number: u16) -> Option<Self> {
        match number {
            1040 | 1203 => Some(Self::Busy),
            1053 | 1927 | 3169 => Some(Self::Lost),
            1792 | 1836 => Some(Self::ReadOnly),
            _ => None,
        }
    }

    /// The same, for the one number that says more than one thing: 1290 is any option that does not
    /// let a statement run, and `read_only` only if the message names it.
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
        const NAMES: &[&str] = &[
            "--read-only",
            "--read_only",
            "--super-read-only",
            "--super_read_only",
            "--transaction-read-only",
            "--innodb-read-only",
            "--innodb_read_only",
        ];
        if number == 1290 {
            let names_it = NAMES.iter().any(|name| message.contains(name));
            return names_it.then_some(Self::ReadOnly);
        }
        Self::from_mysql_number(number)
    }

    /// The failure that a MySQL or MariaDB message stands for, where a driver keeps only that.
    #[must_use]
    pub fn from_mysql_message(message: &str) -> Option<Self> {
        if message.contains("READ ONLY transaction") || message.contains("in read-only mode") {
            return Some(Self::ReadOnly);
        }
        Self::from_mysql_error(1290, message)
    }

    /// The failure that an SQLite result code, extended or not, stands for.
    ///
    /// From the manual's "Result and Error Codes": the file cannot be opened or read, or is no
    /// database.
    #[must_use]
    pub const fn from_sqlite_code(code: i32) -> Option<Self> {
        const IOERR: i32 = 10;
        const CORRUPT: i32 = 11;
        const CANTOPEN: i32 = 14;
        const NOTADB: i32 = 26;
        const READONLY: i32 = 8;
        match code & 0xff {
            READONLY => Some(Self::ReadOnly),
            IOERR | CORRUPT | CANTOPEN | NOTADB => Some(Self::Lost),
            _ => None,
        }
    }

    /// The failure that SQLite's text for a result code stands for, where a driver keeps only that.
    ///
    /// The texts are those of `sqlite3_errstr`, for the codes of
    /// [`from_sqlite_code`](Self::from_sqlite_code).
    #[must_use]
    pub fn from_sqlite_message(message: &str) -> Option<Self> {
        match message {
            "disk I/O error"
            | "database disk image is malformed"
            | "unable to open database file"
            | "file is not a database" => Some(Self::Lost),
            "attempt to write a readonly database" => Some(Self::ReadOnly),
            _ => None,
        }
    }

    /// The failure that a refused connection stands for, where a driver keeps only the text.
    ///
    /// A server that is full says so in English, unless it is told to speak another language; what
    /// is not understood counts as `Unreachable`.
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
        ];
        if FULL.iter().any(|said| message.contains(said)) {
            Self::Busy
        } else {
            Self::Unreachable
        }
    }

    /// Whether it is certain that the server never saw the statement.
    #[must_use]
    pub const fn was_not_sent(self) -> bool {
        match self {
            Self::Unreachable | Self::Busy => true,
            Self::Lost | Self::ReadOnly => false,
        }
    }

    /// Whether it counts against the node.
    pub(crate) const fn blames_node(self) -> bool {
        match self {
            Self::Unreachable | Self::Lost => true,
            Self::Busy | Self::ReadOnly => false,
        }
    }
}
