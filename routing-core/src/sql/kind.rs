//! What a statement does, as far as that is known before it is sent.
//!
//! The obvious answer is a flag, "is it a read?". It is not enough: a refusal must say *what* was
//! refused, and a scope may treat a statement differently when it is a write only because nobody
//! knows better. So a statement has a [`StatementKind`], and the kind alone gives its [`Access`].

use std::fmt;

/// What a statement does to the database it runs on.
///
/// Whatever is not known to be a harmless read is a `Write`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third access")]
pub enum Access {
    /// It can run on a replica and leaves no trace there.
    Read,
    /// It belongs on the primary.
    Write,
}

impl Access {
    /// The word used in logs: `read` or `write`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of a statement, from the ORM's type where that is enough, else from the text.
///
/// ```
/// use routing_core::{Access, StatementKind};
///
/// assert_eq!(StatementKind::Select.access(), Access::Read);
/// assert_eq!(StatementKind::LockingSelect.access(), Access::Write);
/// // What nobody understands is a write, and says so.
/// assert_eq!(StatementKind::Unknown.access(), Access::Write);
/// assert!(StatementKind::Unknown.is_ambiguous());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatementKind {
    /// `SELECT`, `WITH … SELECT` or `TABLE` that neither locks nor writes.
    Select,
    /// `VALUES`.
    Values,
    /// `SHOW`, or a `PRAGMA` that only tells.
    Show,
    /// `EXPLAIN` or `DESCRIBE`, unless it executes something that is no read.
    Explain,
    /// `COPY … TO STDOUT`.
    CopyTo,
    /// The start of a transaction that is declared read-only.
    BeginReadOnly,
    /// The same with PostgreSQL's isolation level `SERIALIZABLE`, which no hot standby has.
    BeginSerializable,
    /// A read that a hot standby has refused to run: it reads an unlogged table, say.
    PrimaryRead,

    /// `INSERT`, with or without `RETURNING`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `MERGE` or `REPLACE`.
    Merge,
    /// `SELECT … FOR UPDATE`, `FOR SHARE` or `LOCK IN SHARE MODE`: it takes row locks.
    LockingSelect,
    /// `SELECT … INTO`: it creates a table or a file, or sets a variable.
    SelectInto,
    /// A `WITH` one of whose parts inserts, updates, deletes or merges.
    WritingCte,
    /// A call of a function that is not known to be harmless.
    FunctionCall,
    /// A call of a function that is known to write, or to belong to the primary.
    WritingFunction,
    /// What looked like a read, until a replica refused it as a write.
    DisguisedWrite,
    /// `COPY … FROM` or `LOAD DATA`.
    BulkTransfer,
    /// `CREATE`, `ALTER`, `DROP`, `TRUNCATE` and their like.
    Ddl,
    /// `LOCK TABLE` and its like.
    Lock,
    /// `NOTIFY`.
    Notify,
    /// `SET`, `PREPARE`, `LISTEN`, a temporary table, an advisory lock, and whatever else lives on in the
    /// connection.
    SessionState,
    /// A question for what an earlier statement has left in the connection: `SHOW WARNINGS`, a user
    /// variable.
    SessionQuery,
    /// `SET LOCAL`, a cursor, PostgreSQL's `LOCK … IN ACCESS SHARE MODE`: it changes nothing but the
    /// transaction that it is in, which may be a read-only one.
    TransactionState,
    /// PostgreSQL's `PREPARE` of a query that only reads, which may be done in a read-only transaction.
    Prepare,
    /// `CALL`, `DO` or `EXECUTE`: it runs what is stored elsewhere.
    Call,
    /// `BEGIN`, `SAVEPOINT`, or the start of a transaction through the ORM.
    Transaction,
    /// `COMMIT`, `ROLLBACK`, and whatever else may end a transaction.
    TransactionEnd,
    /// More than one statement in one text.
    Multiple,
    /// A statement that was not understood.
    Unknown,
}

impl StatementKind {
    /// Whether it is done as a whole or not at all: neither several statements, nor a call of what
    /// may commit in the middle.
    pub(crate) const fn is_one_whole(self) -> bool {
        !matches!(
            self,
            Self::Multiple
                | Self::Unknown
                | Self::Call
                | Self::FunctionCall
                | Self::WritingFunction
                | Self::DisguisedWrite
                | Self::SessionState
                | Self::BulkTransfer
        )
    }

    /// Whether it only reads, and yet runs on the primary alone.
    #[inline]
    pub(crate) const fn needs_primary(self) -> bool {
        matches!(self, Self::BeginSerializable | Self::PrimaryRead)
    }

    /// What a statement of this kind is that a standby has refused to run.
    pub(crate) const fn refused_by_standby(self) -> Self {
        match self {
            Self::BeginReadOnly => Self::BeginSerializable,
            // The primary would let it write.
            kind if kind.is_ambiguous() => Self::DisguisedWrite,
            _ => Self::PrimaryRead,
        }
    }

    /// Whether a statement of this kind may run on a replica.
    #[must_use]
    pub const fn access(self) -> Access {
        match self {
            Self::Select
            | Self::Values
            | Self::Show
            | Self::Explain
            | Self::CopyTo
            | Self::BeginReadOnly
            | Self::BeginSerializable
            | Self::PrimaryRead => Access::Read,
            Self::Insert
            | Self::Update
            | Self::Delete
            | Self::Merge
            | Self::LockingSelect
            | Self::SelectInto
            | Self::WritingCte
            | Self::FunctionCall
            | Self::WritingFunction
            | Self::DisguisedWrite
            | Self::BulkTransfer
            | Self::Ddl
            | Self::Lock
            | Self::Notify
            | Self::SessionState
            | Self::SessionQuery
            | Self::TransactionState
            | Self::Prepare
            | Self::Call
            | Self::Transaction
            | Self::TransactionEnd
            | Self::Multiple
            | Self::Unknown => Access::Write,
        }
    }

    /// Whether a statement of this kind leaves state in its connection, or may: the statements after it
    /// belong to the same connection.
    ///
    /// A trigger, or a function inside a write, can do so as well, and is not seen.
    ///
    /// ```
    /// use routing_core::StatementKind;
    ///
    /// assert!(StatementKind::SessionState.leaves_state());
    /// // A function that nobody knows may call `set_config`.
    /// assert!(StatementKind::FunctionCall.leaves_state());
    /// assert!(!StatementKind::Insert.leaves_state());
    /// ```
    #[must_use]
    pub const fn leaves_state(self) -> bool {
        matches!(
            self,
            Self::SessionState
                | Self::Prepare
                | Self::Lock
                | Self::FunctionCall
                | Self::Call
                | Self::TransactionEnd
                | Self::Multiple
                | Self::Unknown
        )
    }

    /// Whether a transaction that only reads may have it, wherever it runs.
    pub(crate) const fn is_for_readers(self) -> bool {
        matches!(self, Self::TransactionState | Self::Prepare)
    }

    /// Whether it begins, divides or ends a transaction.
    #[must_use]
    pub const fn controls_transaction(self) -> bool {
        matches!(self, Self::Transaction | Self::TransactionEnd)
    }

    /// Whether this is a write only because nobody knows what it does.
    ///
    /// A [`Scope::ambiguous_to_replica`](crate::Scope::ambiguous_to_replica) treats such a
    /// statement, and a transaction that is not declared read-only, as a read.
    #[must_use]
    pub const fn is_ambiguous(self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::FunctionCall
                | Self::SessionQuery
                | Self::TransactionState
                | Self::Call
                | Self::Transaction
        )
    }

    /// The name used in logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Values => "VALUES",
            Self::Show => "SHOW",
            Self::Explain => "EXPLAIN",
            Self::CopyTo => "COPY TO",
            Self::BeginReadOnly => "BEGIN READ ONLY",
            Self::BeginSerializable => "BEGIN SERIALIZABLE READ ONLY",
            Self::PrimaryRead => "read on the primary",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Merge => "MERGE",
            Self::LockingSelect => "locking SELECT",
            Self::SelectInto => "SELECT INTO",
            Self::WritingCte => "writing WITH",
            Self::FunctionCall => "call of an unknown function",
            Self::WritingFunction => "call of a writing function",
            Self::DisguisedWrite => "disguised write",
            Self::BulkTransfer => "bulk transfer",
            Self::Ddl => "DDL",
            Self::Lock => "LOCK",
            Self::Notify => "NOTIFY",
            Self::SessionState => "session state",
            Self::SessionQuery => "question for session state",
            Self::TransactionState => "transaction state",
            Self::Prepare => "PREPARE",
            Self::Call => "CALL",
            Self::Transaction => "BEGIN",
            Self::TransactionEnd => "end of a transaction",
            Self::Multiple => "several statements",
            Self::Unknown => "unknown statement",
        }
    }
}

impl fmt::Display for StatementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
