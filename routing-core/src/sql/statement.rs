//! A statement, and what it does.

use std::fmt;

use super::Dialect;
use super::behind_verb::{is_autocommit, is_temporary, of_mysql, of_postgres};
use super::commands::{copy, cursor, pragma, show};
use super::explain::explain;
use super::functions::Functions;
use super::lexer::{Lexer, Strings, Token};
use super::query::{Found, Query, query};
use super::statements::statements;
use super::verb::Verb;
use crate::sql::kind::{Access, StatementKind};

/// What a text does, and the words that say so.
///
/// ```
/// use routing_core::{Access, StatementKind};
/// use routing_core::sql::{Dialect, Statement};
///
/// let statement = Statement::new("SELECT id, nextval('cake_id_seq') FROM cake", Dialect::Postgres);
/// assert_eq!(statement.access(), Access::Write);
/// assert_eq!(statement.kind(), StatementKind::WritingFunction);
/// assert_eq!(statement.to_string(), "call of a writing function: nextval");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    kind: StatementKind,
    words: &'a [u8],
}

impl<'a> Statement<'a> {
    /// Takes a text apart. Any bytes will do: what is not understood is a write.
    #[must_use]
    pub fn new<T: AsRef<[u8]> + ?Sized>(sql: &'a T, dialect: Dialect) -> Self {
        Self::read(sql.as_ref(), dialect, None)
    }

    /// The same, where more is known of functions than that they are built in.
    #[must_use]
    pub fn with_functions<T: AsRef<[u8]> + ?Sized>(
        sql: &'a T,
        dialect: Dialect,
        functions: &Functions,
    ) -> Self {
        Self::read(sql.as_ref(), dialect, Some(functions))
    }

    /// What it does.
    #[must_use]
    pub const fn kind(&self) -> StatementKind {
        self.kind
    }

    /// Whether it may run on a replica.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.kind.access()
    }

    /// The words that decided; empty for a plain read, and where nothing in the text is to blame.
    #[must_use]
    pub const fn words(&self) -> &'a [u8] {
        self.words
    }

    fn read(sql: &'a [u8], dialect: Dialect, functions: Option<&Functions>) -> Self {
        let mut tokens = Lexer::new(sql, dialect, Strings::Default);
        let found = text(&mut tokens, functions);
        let found = match found {
            Ok(kind) if tokens.depends_on_settings() => in_doubt(&tokens, functions).map(|()| kind),
            other => other,
        };
        match found {
            Ok(kind) => Self { kind, words: &[] },
            Err(found) => Self {
                kind: found.kind,
                words: sql.get(found.start..found.end).unwrap_or_default(),
            },
        }
    }
}

impl fmt::Display for Statement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.words.is_empty() {
            return Ok(());
        }
        // Long strings say no more than their beginning.
        let words = self.words.get(..60).unwrap_or(self.words);
        let words = String::from_utf8_lossy(words);
        write!(f, ": {}", words.replace(char::is_control, " "))
    }
}

/// By other settings of the server the text has to be a read too, or a mistake.
#[cold]
fn in_doubt(tokens: &Lexer<'_>, functions: Option<&Functions>) -> Result<(), Found> {
    for strings in [Strings::Other, Strings::AnsiQuotes] {
        let mut other = Lexer::new(tokens.text(), tokens.dialect(), strings);
        if let Err(found) = text(&mut other, functions) {
            // A string without an end: the server refuses it, as far as it gets.
            let begins = other.text().get(found.start);
            let has_no_end = found.kind == StatementKind::Unknown
                && found.end == other.text().len()
                && matches!(begins, Some(b'\'' | b'"' | b'`'));
            if !has_no_end {
                return Err(Found {
                    kind: StatementKind::Unknown,
                    ..found
                });
            }
        }
    }
    Ok(())
}

/// The kind of the only statement of a text, or of the first if all of them only read.
#[inline]
fn text(tokens: &mut Lexer<'_>, functions: Option<&Functions>) -> Result<StatementKind, Found> {
    let kind = statement(tokens, functions)?;
    if tokens.is_at_end() {
        return Ok(kind);
    }
    several(kind, tokens, functions)
}

#[cold]
fn several(
    kind: StatementKind,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    loop {
        let mut ahead = *tokens;
        match ahead.next() {
            Token::End => return Ok(kind),
            Token::Semicolon => *tokens = ahead,
            _ => {
                let start = ahead.start();
                statement(tokens, functions).map_err(|found| Found {
                    kind: StatementKind::Multiple,
                    start: start.min(found.start),
                    end: found.end,
                })?;
            }
        }
    }
}

/// The next statement of a text, its semicolon included.
#[inline]
pub(super) fn statement(
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    let first = tokens.next();
    // Most are.
    if first == Token::Word && tokens.slice().eq_ignore_ascii_case(b"select") {
        return match Query::new(*tokens, functions).check(first) {
            Ok(stop) => {
                tokens.go_to(stop);
                Ok(StatementKind::Select)
            }
            Err(found) => Err(with_rest(found, tokens, functions)),
        };
    }
    let mut ahead = *tokens;
    let mut token = first;
    while token == Token::Open {
        token = ahead.next();
    }
    let verb = match token {
        Token::Word => Verb::of(ahead.slice(), tokens.dialect()),
        _ => Verb::Is(StatementKind::Unknown),
    };
    match verb {
        Verb::Query(StatementKind::Show) => {
            show(tokens, functions).map_err(|found| with_rest(found, tokens, functions))
        }
        Verb::Query(kind) => match query(tokens, functions, first) {
            Ok(()) => Ok(kind),
            Err(found) => Err(with_rest(found, tokens, functions)),
        },
        other => rarer(other, first == Token::Open, &ahead, tokens, functions),
    }
}

/// What makes a write of a query, unless there is another statement after it, or what follows in the query
/// leaves state in the connection.
#[cold]
fn with_rest(found: Found, tokens: &Lexer<'_>, functions: Option<&Functions>) -> Found {
    let mut rest = tokens.from(found.end);
    let mut is_over = false;
    loop {
        match rest.next() {
            Token::End => break,
            Token::Semicolon => is_over = true,
            _ if is_over => {
                let kind = StatementKind::Multiple;
                return Found { kind, ..found };
            }
            Token::Unclear => {
                let kind = StatementKind::Unknown;
                return Found { kind, ..found };
            }
            _ => {}
        }
    }
    if found.kind.leaves_state() {
        return found;
    }
    // What changes rows has names before parentheses that are no calls.
    let trusts_calls = matches!(
        found.kind,
        StatementKind::WritingFunction | StatementKind::SessionQuery
    );
    let mut rest = tokens.from(found.end);
    for _ in 0..MOST_LOOKS {
        let first = rest.next();
        match Query::new(rest, functions).check(first) {
            Ok(_) => return found,
            // A name after a parenthesis is an alias, and what follows it are its columns.
            Err(later)
                if later.kind == StatementKind::FunctionCall
                    && follows_parenthesis(tokens.from(found.end), later.start) =>
            {
                rest = rest.from(later.end);
            }
            Err(later) if later.kind == StatementKind::SessionState => {
                let kind = StatementKind::SessionState;
                return Found { kind, ..found };
            }
            Err(later) if later.kind.leaves_state() && trusts_calls => {
                let kind = StatementKind::SessionState;
                return Found { kind, ..found };
            }
            Err(later) if later.end > rest.start() => rest = rest.from(later.end),
            Err(_) => return found,
        }
    }
    let kind = StatementKind::SessionState;
    Found { kind, ..found }
}

/// How often the rest of a write is looked at for what leaves state; with more in it, it may.
const MOST_LOOKS: usize = 64;

/// Whether the token before `place` closes a parenthesis.
fn follows_parenthesis(mut tokens: Lexer<'_>, place: usize) -> bool {
    let mut last = Token::End;
    loop {
        let token = tokens.next();
        if tokens.start() >= place || matches!(token, Token::End | Token::Unclear) {
            return last == Token::Close;
        }
        last = token;
    }
}

#[inline(never)]
fn rarer(
    verb: Verb,
    in_parentheses: bool,
    word: &Lexer<'_>,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    let found = Found {
        kind: StatementKind::Unknown,
        start: word.start(),
        end: word.end(),
    };
    match verb {
        Verb::Is(kind) => Err(of_kind(found, kind, tokens)),
        // Nothing but a query is ever put in parentheses.
        _ if in_parentheses => Err(found),
        Verb::Explain => explain(found, tokens, functions, statement),
        Verb::Copy => {
            copy(found, tokens, functions).map_err(|found| with_rest(found, tokens, functions))
        }
        Verb::Pragma => pragma(found, tokens).map_err(|found| with_rest(found, tokens, functions)),
        Verb::Cursor => {
            cursor(found, tokens, functions).map_err(|found| with_rest(found, tokens, functions))
        }
        Verb::Query(_) => Err(found),
    }
}

/// A statement that is no read. What follows cannot make it one, but a second statement may end the
/// transaction, or be worse than one that is a write only because nobody knows better.
fn of_kind(found: Found, kind: StatementKind, tokens: &mut Lexer<'_>) -> Found {
    let is_mysql = tokens.dialect() == Dialect::MySql;
    let mut kind = match tokens.dialect() {
        Dialect::Postgres => of_postgres(kind, *tokens),
        Dialect::MySql => of_mysql(kind, *tokens),
        Dialect::Sqlite if kind == StatementKind::Ddl && is_temporary(*tokens) => {
            StatementKind::SessionState
        }
        Dialect::Sqlite => kind,
    };
    loop {
        match tokens.next() {
            Token::End => break,
            Token::Unclear => {
                kind = StatementKind::Unknown;
                break;
            }
            Token::Semicolon => {
                let mut ahead = *tokens;
                if ahead.next() != Token::End && !is_one_body(kind, tokens) {
                    kind = StatementKind::Multiple;
                    break;
                }
            }
            // Its change may commit the open transaction.
            _ if is_mysql && kind == StatementKind::SessionState && is_autocommit(tokens) => {
                kind = StatementKind::TransactionEnd;
            }
            _ => {}
        }
    }
    if kind == StatementKind::TransactionState && tokens.depends_on_settings() {
        kind = StatementKind::Unknown;
    }
    let words = (found.start, found.end);
    // The kind's name is the word, mostly.
    let (start, end) = if kind == StatementKind::Unknown {
        words
    } else {
        (words.0, words.0)
    };
    Found { kind, start, end }
}

/// Whether the semicolons are those in the body of a function or a trigger.
fn is_one_body(kind: StatementKind, tokens: &mut Lexer<'_>) -> bool {
    let may_have_body = matches!(kind, StatementKind::Ddl | StatementKind::SessionState);
    let is_one = may_have_body && statements(tokens.text(), tokens.dialect()).nth(1).is_none();
    if is_one {
        // Once is enough.
        while !matches!(tokens.next(), Token::End | Token::Unclear) {}
    }
    is_one
}
