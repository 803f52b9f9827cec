//! The kind of a statement, from its text.
//!
//! The obvious answer is the first word: what starts with `SELECT` is a read. It sends
//! `SELECT … FOR UPDATE`, `WITH x AS (DELETE …) SELECT …`, `SELECT nextval(…)` and
//! `SELECT 1; DELETE …` to a replica. The thorough answer, a parser, costs a hundred times more
//! than the decision it serves. So the text is cut into tokens, once and without allocation, and
//! whatever is not recognised as a plain read is a write:
//!
//! - a statement is a read only if its first word says so, and the dialect's rules for that word;
//! - a lock, an `INTO`, a word that writes, a statement after it that is no read, or anything
//!   unfinished makes a write of it;
//! - so does the call of a function that is not known to be harmless: see [`Functions`].
//!
//! What no text shows is not seen: an operator, a cast, a view or a row-level policy may call a
//! function that writes, and a program may give SQLite's functions other meanings. A replica
//! refuses what these write, and the statement is then known for what it is
//! ([`Running::refused_as_write`](crate::Running::refused_as_write)).

mod behind_verb;
mod bytes;
mod calls;
pub(crate) mod classifier;
mod clause;
mod commands;
mod explain;
mod functions;
mod keyword;
pub(crate) mod kind;
mod lexer;
mod names;
mod query;
pub(crate) mod set_lookup;
mod settings;
mod shape;
mod statement;
mod statements;
mod tables;
mod transaction_control;
mod verb;

use crate::sql::kind::StatementKind;

pub use functions::{CATALOG_QUERY, CatalogFunction, Functions, ROUTINES_QUERY};
pub use statement::Statement;
pub use statements::{Statements, statements};
pub use tables::{TableName, tables};
pub use transaction_control::TransactionControl;

pub(crate) use shape::shape_of;

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// Whether a database of it can be asked for its functions.
    pub(crate) const fn has_catalog(self) -> bool {
        matches!(self, Self::Postgres | Self::MySql)
    }
}

/// The kind of the statement that `sql` holds.
///
/// ```
/// use routing_core::{StatementKind, sql::{Dialect, classify}};
///
/// let kind = |sql| classify(sql, Dialect::Postgres);
/// assert_eq!(kind("SELECT count(*) FROM cake"), StatementKind::Select);
/// assert_eq!(kind("SELECT * FROM cake FOR UPDATE"), StatementKind::LockingSelect);
/// assert_eq!(kind("SELECT nextval('cake_id_seq')"), StatementKind::WritingFunction);
/// assert_eq!(kind("SELECT 1; DELETE FROM cake"), StatementKind::Multiple);
/// ```
#[must_use]
pub fn classify<T: AsRef<[u8]> + ?Sized>(sql: &T, dialect: Dialect) -> StatementKind {
    Statement::new(sql, dialect).kind()
}

#[cfg(test)]
mod tests;
