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
mod transaction_control;

use crate::access::StatementKind;
use lexer::{Lexer, Token};

pub use transaction_control::TransactionControl;

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
        StatementKind::Select | StatementKind::Values | StatementKind::Show => {
            match query(first, tokens, dialect) {
                StatementKind::Select => kind,
                other => other,
            }
        }
        StatementKind::Explain => explain(first, tokens, dialect),
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
        let names_columns = parts.pass(before, current);
        let called = matches!(token, Some(Token::Symbol(b'(')));
        if before == Token::Symbol(b'.') && matches!(current, Token::Word(_) | Token::Quoted) {
            // A column or a table may be called anything, and so may a function.
            if called {
                return StatementKind::FunctionCall;
            }
            before = current;
            continue;
        }
        match current {
            Token::Unclear => return StatementKind::Unknown,
            Token::Assignment if dialect == Dialect::MySql => return StatementKind::SessionState,
            // Variables belong to the connection.
            Token::Symbol(b'@') if dialect == Dialect::MySql => return StatementKind::SessionState,
            Token::Symbol(b';') if token.is_some() => return StatementKind::Multiple,
            Token::Word(word) => {
                if let Some(kind) = of_inner_word(word, token) {
                    return kind;
                }
                if called && !names_columns && !functions::may_be_called(word, before, dialect) {
                    return StatementKind::FunctionCall;
                }
            }
            // By some servers' settings a string is a name.
            Token::Quoted | Token::Literal if called && !names_columns => {
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
    } else if is_any(word, &["VALUE"]) && followed_by(&["FOR"]) {
        // MariaDB's sequences: `NEXT VALUE FOR s`.
        Some(StatementKind::FunctionCall)
    } else if is_any(word, &["SQL_CALC_FOUND_ROWS", "WARNINGS", "ERRORS"]) {
        // What the connection's statement before this one left there, or the next one asks for.
        Some(StatementKind::SessionState)
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

/// What is explained is executed after `ANALYZE`; and MySQL may execute subqueries to plan.
fn explain(first: &str, tokens: Lexer<'_>, dialect: Dialect) -> StatementKind {
    if dialect == Dialect::MySql {
        return match query(first, tokens, dialect) {
            StatementKind::Select => StatementKind::Explain,
            other => other,
        };
    }
    let mut options = tokens.clone();
    let in_parentheses = options.next() == Some(Token::Symbol(b'('));
    let executes = tokens.clone().any(|token| {
        token == Token::Unclear
            || matches!(token, Token::Word(word) if is_any(word, &["ANALYZE", "ANALYSE"]))
    });
    // The name of an option may be in quotes.
    let hides = in_parentheses
        && options
            .take_while(|token| *token != Token::Symbol(b')'))
            .any(|token| token == Token::Quoted);
    if executes || hides {
        StatementKind::Unknown
    } else {
        single(tokens).unwrap_or(StatementKind::Explain)
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
    /// Whether the list is still going on.
    open: bool,
    /// Whether the last token was the comma between two of them.
    comma: bool,
}

impl CteList {
    fn new(first: &str) -> Self {
        Self {
            depth: 0,
            open: is_any(first, &["WITH"]),
            comma: false,
        }
    }

    /// Goes on by one token; says whether it is a name, so that a parenthesis after it holds
    /// columns: of a table expression, or of an alias.
    fn pass(&mut self, before: Token<'_>, current: Token<'_>) -> bool {
        let follows_comma = std::mem::take(&mut self.comma);
        if self.depth == 0 && before == Token::Symbol(b')') {
            match current {
                Token::Symbol(b',') => self.comma = self.open,
                Token::Word(word) if is_any(word, &["AS"]) => {}
                _ => self.open = false,
            }
        }
        match current {
            Token::Symbol(b'(') => self.depth += 1,
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        follows_comma
            || matches!(before, Token::Word(word) if is_any(word, &["WITH", "RECURSIVE", "AS"]))
    }
}

fn is_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
