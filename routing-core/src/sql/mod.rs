//! The kind of a statement, from its text.
//!
//! The obvious answer is the first word: what starts with `SELECT` is a read. It sends
//! `SELECT … FOR UPDATE`, `WITH x AS (DELETE …) SELECT …`, `SELECT nextval(…)` and
//! `SELECT 1; DELETE …` to a replica. The thorough answer, a parser, costs a hundred times more
//! than the decision it serves. So the text is cut into tokens, once and without allocation, and
//! whatever is not recognised as a plain read is a write:
//!
//! - only `SELECT`, `WITH … SELECT`, `VALUES`, `TABLE`, `SHOW` and `EXPLAIN` can be reads;
//! - a lock, an `INTO`, a word that writes, a second statement or anything unfinished makes a
//!   write of them;
//! - so does the call of a function that is not on a short list of harmless ones.

mod functions;
mod lexer;

use crate::access::StatementKind;
use lexer::{Lexer, Token};

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

/// The kind of the statement that `sql` holds.
///
/// ```
/// use routing_core::{StatementKind, sql::{Dialect, classify}};
///
/// let kind = |sql| classify(sql, Dialect::Postgres);
/// assert_eq!(kind("SELECT count(*) FROM cake"), StatementKind::Select);
/// assert_eq!(kind("SELECT * FROM cake FOR UPDATE"), StatementKind::LockingSelect);
/// assert_eq!(kind("SELECT nextval('cake_id_seq')"), StatementKind::FunctionCall);
/// assert_eq!(kind("SELECT 1; DELETE FROM cake"), StatementKind::Multiple);
/// ```
#[must_use]
pub fn classify(sql: &str, dialect: Dialect) -> StatementKind {
    let mut tokens = Lexer::new(sql, dialect);
    let first = loop {
        match tokens.next() {
            Some(Token::Symbol(b'(')) => {}
            Some(Token::Word(word)) => break word,
            Some(_) | None => return StatementKind::Unknown,
        }
    };
    let kind = of_first_word(first);
    match kind {
        StatementKind::Select => query(first, tokens, dialect),
        StatementKind::Values => match query(first, tokens, dialect) {
            StatementKind::Select => StatementKind::Values,
            other => other,
        },
        StatementKind::Explain => explain(tokens),
        // What follows can no longer make it a read, but a second statement can be worse than an
        // ambiguous first one.
        other => single(tokens).unwrap_or(other),
    }
}

fn of_first_word(word: &str) -> StatementKind {
    use StatementKind as Kind;

    const KINDS: &[(&[&str], StatementKind)] = &[
        (&["SELECT", "WITH", "TABLE"], Kind::Select),
        (&["VALUES"], Kind::Values),
        (&["SHOW"], Kind::Show),
        (&["EXPLAIN"], Kind::Explain),
        (&["INSERT"], Kind::Insert),
        (&["UPDATE"], Kind::Update),
        (&["DELETE"], Kind::Delete),
        (&["MERGE", "REPLACE"], Kind::Merge),
        (&["COPY", "LOAD", "HANDLER"], Kind::BulkTransfer),
        (
            &[
                "CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "GRANT", "REVOKE", "REINDEX",
                "VACUUM", "ANALYZE", "CLUSTER", "REFRESH", "RENAME", "OPTIMIZE", "ATTACH",
                "DETACH", "IMPORT", "SECURITY", "REASSIGN",
            ],
            Kind::Ddl,
        ),
        (
            &[
                "SET",
                "RESET",
                "DISCARD",
                "LISTEN",
                "UNLISTEN",
                "NOTIFY",
                "PREPARE",
                "DEALLOCATE",
                "DECLARE",
                "FETCH",
                "MOVE",
                "CLOSE",
                "LOCK",
                "UNLOCK",
                "USE",
                "PRAGMA",
            ],
            Kind::SessionState,
        ),
        (&["CALL", "DO", "EXECUTE"], Kind::Call),
        (
            &[
                "BEGIN",
                "START",
                "COMMIT",
                "END",
                "ROLLBACK",
                "ABORT",
                "SAVEPOINT",
                "RELEASE",
            ],
            Kind::Transaction,
        ),
    ];
    KINDS
        .iter()
        .find(|(words, _)| is_any(word, words))
        .map_or(Kind::Unknown, |(_, kind)| *kind)
}

/// `Select`, unless something in it writes, locks or is not understood.
fn query(first: &str, mut tokens: Lexer<'_>, dialect: Dialect) -> StatementKind {
    let mut parts = CteList::new(first);
    let mut before = Token::Word(first);
    let mut token = tokens.next();
    while let Some(current) = token {
        token = tokens.next();
        parts.pass(current);
        if is_qualified(before) {
            // A column or a table whatever it is called, unless it is called.
            if is_call(current, token) {
                return StatementKind::FunctionCall;
            }
            before = current;
            continue;
        }
        match current {
            Token::Unclear => return StatementKind::Unknown,
            Token::Assignment if dialect == Dialect::MySql => return StatementKind::SessionState,
            Token::Symbol(b';') if token.is_some() => return StatementKind::Multiple,
            Token::Word(word) => {
                if let Some(kind) = of_inner_word(word, token) {
                    return kind;
                }
                if is_call(current, token)
                    && !functions::may_stand_before_parenthesis(word)
                    && !parts.is_name(before)
                {
                    return StatementKind::FunctionCall;
                }
            }
            Token::Quoted if is_call(current, token) && !parts.is_name(before) => {
                return StatementKind::FunctionCall;
            }
            _ => {}
        }
        before = current;
    }
    StatementKind::Select
}

/// What a word inside a query makes of it.
fn of_inner_word(word: &str, next: Option<Token<'_>>) -> Option<StatementKind> {
    let followed_by = |words: &[&str]| matches!(next, Some(Token::Word(w)) if is_any(w, words));
    let called = matches!(next, Some(Token::Symbol(b'(')));
    if is_any(word, &["FOR"]) && followed_by(&["UPDATE", "NO", "SHARE", "KEY"])
        || is_any(word, &["LOCK"]) && followed_by(&["IN"])
    {
        Some(StatementKind::LockingSelect)
    } else if is_any(word, &["INTO"]) {
        Some(StatementKind::SelectInto)
    } else if is_any(word, &["INSERT", "REPLACE"]) && !called
        || is_any(word, &["UPDATE", "DELETE", "MERGE"])
    {
        Some(StatementKind::WritingCte)
    } else {
        None
    }
}

fn explain(mut tokens: Lexer<'_>) -> StatementKind {
    let rest = tokens.clone();
    let executes = tokens.any(|token| {
        matches!(token, Token::Unclear)
            || matches!(token, Token::Word(word) if is_any(word, &["ANALYZE", "ANALYSE"]))
    });
    if executes {
        StatementKind::Unknown
    } else {
        single(rest).unwrap_or(StatementKind::Explain)
    }
}

/// `Multiple` or `Unknown` if the rest of the text is more than the end of one statement.
fn single(mut tokens: Lexer<'_>) -> Option<StatementKind> {
    while let Some(token) = tokens.next() {
        match token {
            Token::Unclear => return Some(StatementKind::Unknown),
            Token::Symbol(b';') if tokens.next().is_some() => {
                return Some(StatementKind::Multiple);
            }
            _ => {}
        }
    }
    None
}

/// Where names of common table expressions stand: `WITH name (column) AS (…), name (column) AS …`.
struct CteList {
    depth: u32,
    open: bool,
}

impl CteList {
    fn new(first: &str) -> Self {
        Self {
            depth: 0,
            open: is_any(first, &["WITH"]),
        }
    }

    fn pass(&mut self, token: Token<'_>) {
        match token {
            Token::Symbol(b'(') => self.depth += 1,
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            Token::Word(word) if self.depth == 0 && is_any(word, &["SELECT", "VALUES"]) => {
                self.open = false;
            }
            _ => {}
        }
    }

    /// Whether what stands after `before` names a table expression or an alias, so that the
    /// parenthesis after it holds columns.
    fn is_name(&self, before: Token<'_>) -> bool {
        match before {
            Token::Word(word) => is_any(word, &["WITH", "RECURSIVE", "AS"]),
            Token::Symbol(b',') => self.open && self.depth == 0,
            _ => false,
        }
    }
}

fn is_qualified(before: Token<'_>) -> bool {
    matches!(before, Token::Symbol(b'.'))
}

fn is_call(token: Token<'_>, next: Option<Token<'_>>) -> bool {
    matches!(token, Token::Word(_) | Token::Quoted) && matches!(next, Some(Token::Symbol(b'(')))
}

fn is_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
