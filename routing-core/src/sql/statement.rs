//! A statement, and what it does.

use std::fmt;

use super::Dialect;
use super::functions::{Functions, sqlite};
use super::lexer::{Lexer, Strings, Token};
use super::query::{Found, Query, is_any};
use super::statements::statements;
use super::verb::Verb;
use crate::access::{Access, StatementKind};

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
            let has_no_end =
                found.kind == StatementKind::Unknown && found.end == other.text().len();
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
fn statement(
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    let first = tokens.next();
    // Most are.
    if first == Token::Word && tokens.slice().eq_ignore_ascii_case(b"select") {
        tokens.go_to(Query::new(*tokens, functions).check(first)?);
        return Ok(StatementKind::Select);
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
        Verb::Query(StatementKind::Show) => show(tokens, functions),
        Verb::Query(kind) => {
            query(tokens, functions, first)?;
            Ok(kind)
        }
        other => rarer(other, first == Token::Open, &ahead, tokens, functions),
    }
}

/// A query where speed does not count.
#[inline(never)]
fn query(tokens: &mut Lexer<'_>, functions: Option<&Functions>, first: Token) -> Result<(), Found> {
    tokens.go_to(Query::new(*tokens, functions).check(first)?);
    Ok(())
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
        Verb::Explain => explain(found, tokens, functions),
        Verb::Copy => copy(found, tokens, functions),
        Verb::Pragma => pragma(found, tokens),
        Verb::Query(_) => Err(found),
    }
}

/// A statement that is no read. What follows cannot make it one, but a second statement may end the
/// transaction, or be worse than one that is a write only because nobody knows better.
fn of_kind(found: Found, kind: StatementKind, tokens: &mut Lexer<'_>) -> Found {
    let mut kind = kind;
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
            _ => {}
        }
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
    let is_one =
        kind == StatementKind::Ddl && statements(tokens.text(), tokens.dialect()).nth(1).is_none();
    if is_one {
        // Once is enough.
        while !matches!(tokens.next(), Token::End | Token::Unclear) {}
    }
    is_one
}

/// `SHOW`: what the statement before left on the connection is the primary's.
fn show(tokens: &mut Lexer<'_>, functions: Option<&Functions>) -> Result<StatementKind, Found> {
    const LEFT: &[&str] = &["warnings", "errors", "profile", "profiles"];
    if tokens.dialect() == Dialect::MySql {
        let mut ahead = *tokens;
        let mut token = ahead.next();
        // `SHOW COUNT(*) WARNINGS`.
        if token == Token::Word && is_any(ahead.slice(), &["count"]) {
            while !matches!(token, Token::Close | Token::End | Token::Unclear) {
                token = ahead.next();
            }
            token = ahead.next();
        }
        if token == Token::Word && is_any(ahead.slice(), LEFT) {
            return Err(Found {
                kind: StatementKind::SessionState,
                start: ahead.start(),
                end: ahead.end(),
            });
        }
    }
    let first = tokens.next();
    query(tokens, functions, first)?;
    Ok(StatementKind::Show)
}

/// `EXPLAIN`, `DESCRIBE` and MariaDB's `ANALYZE`: what is explained must only read, where it is
/// executed, where planning it may execute parts of it (MySQL), and where the prefix does not
/// count (SQLite's `sqlite3_stmt_readonly`).
fn explain(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    match tokens.dialect() {
        Dialect::Postgres => explain_postgres(found, tokens, functions),
        Dialect::MySql => explain_mysql(found, tokens, functions),
        Dialect::Sqlite => {
            let mut ahead = *tokens;
            if ahead.next() == Token::Word && is_any(ahead.slice(), &["query"]) {
                let mut after = ahead;
                if after.next() == Token::Word && is_any(after.slice(), &["plan"]) {
                    *tokens = after;
                }
            }
            explained(found, tokens, functions)
        }
    }
}

/// The statement that an `EXPLAIN` executes, or may. None can explain another.
fn explained(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    let mut ahead = *tokens;
    if ahead.next() == Token::Word
        && matches!(Verb::of(ahead.slice(), tokens.dialect()), Verb::Explain)
    {
        return Err(found);
    }
    statement(tokens, functions)?;
    Ok(StatementKind::Explain)
}

fn explain_postgres(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    const ANALYZE: &[&str] = &["analyze", "analyse"];
    let mut executes = false;
    let mut ahead = *tokens;
    if ahead.next() == Token::Open && is_option(ahead) {
        loop {
            match ahead.next() {
                Token::Close => break,
                // Its name may be in quotes, and it may be switched off again.
                Token::Quoted => executes = true,
                Token::Word => executes |= is_any(ahead.slice(), ANALYZE),
                Token::Comma | Token::Literal => {}
                _ => return Err(found),
            }
        }
        *tokens = ahead;
    } else {
        loop {
            let mut ahead = *tokens;
            match ahead.next() {
                Token::Word if is_any(ahead.slice(), ANALYZE) => executes = true,
                Token::Word if is_any(ahead.slice(), &["verbose"]) => {}
                _ => break,
            }
            *tokens = ahead;
        }
    }
    if executes {
        return explained(found, tokens, functions);
    }
    let mut ahead = *tokens;
    let mut token = ahead.next();
    while token == Token::Open {
        token = ahead.next();
    }
    let explained = match token {
        Token::Word => Verb::of(ahead.slice(), Dialect::Postgres),
        _ => return Err(found),
    };
    // What `EXECUTE` runs was prepared on another connection.
    let plans = match explained {
        Verb::Query(kind) => kind == StatementKind::Select || kind == StatementKind::Values,
        Verb::Is(kind) => matches!(
            kind,
            StatementKind::Insert
                | StatementKind::Update
                | StatementKind::Delete
                | StatementKind::Merge
        ),
        _ => false,
    };
    if !plans {
        return Err(found);
    }
    // A hot standby refuses even to plan `SELECT … INTO`.
    let is_query = matches!(explained, Verb::Query(_));
    let mut may_be_into = true;
    loop {
        let token = tokens.next();
        match token {
            Token::End | Token::Semicolon => return Ok(StatementKind::Explain),
            Token::Unclear => return Err(found),
            Token::Word if is_query && may_be_into && is_any(tokens.slice(), &["into"]) => {
                return Err(Found {
                    kind: StatementKind::SelectInto,
                    start: tokens.start(),
                    end: tokens.end(),
                });
            }
            _ => {}
        }
        // A label may be called `as`.
        let is_as = may_be_into && token == Token::Word && is_any(tokens.slice(), &["as"]);
        may_be_into = token != Token::Dot && !is_as;
    }
}

/// Whether a parenthesis holds options, and not a query.
fn is_option(mut inside: Lexer<'_>) -> bool {
    match inside.next() {
        Token::Word => !matches!(
            Verb::of(inside.slice(), Dialect::Postgres),
            Verb::Query(StatementKind::Select | StatementKind::Values)
        ),
        Token::Quoted => true,
        _ => false,
    }
}

fn explain_mysql(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    let is_analyze = is_any(tokens.between(found.start, found.end), &["analyze"]);
    // `EXPLAIN [ANALYZE | EXTENDED | PARTITIONS] [FORMAT = name] statement`
    loop {
        let mut ahead = *tokens;
        let token = ahead.next();
        if token == Token::Word && is_any(ahead.slice(), &["analyze", "extended", "partitions"]) {
            *tokens = ahead;
        } else if token == Token::Word && is_any(ahead.slice(), &["format"]) {
            if ahead.next() != Token::Symbol || !matches!(ahead.next(), Token::Word | Token::Quoted)
            {
                return Err(found);
            }
            *tokens = ahead;
        } else {
            break;
        }
    }
    let mut ahead = *tokens;
    let token = ahead.next();
    let verb = match token {
        Token::Word => Verb::of(ahead.slice(), Dialect::MySql),
        Token::Open => SELECT_IN_PARENTHESES,
        // `DESCRIBE table column`.
        Token::Quoted if !is_analyze => Verb::Is(StatementKind::Unknown),
        _ => return Err(found),
    };
    // It writes what it finds.
    if is_analyze && is_any(ahead.slice(), &["table", "local", "no_write_to_binlog"]) {
        return Err(Found {
            kind: StatementKind::Ddl,
            ..found
        });
    }
    match verb {
        Verb::Query(StatementKind::Select | StatementKind::Values) => {
            statement(tokens, functions)?;
        }
        Verb::Is(StatementKind::Unknown) if !is_analyze && !is_any(ahead.slice(), &["for"]) => {
            let first = tokens.next();
            query(tokens, functions, first)?;
        }
        _ => {
            return Err(explained(found, tokens, functions).err().unwrap_or(found));
        }
    }
    Ok(StatementKind::Explain)
}

const SELECT_IN_PARENTHESES: Verb = Verb::Query(StatementKind::Select);

/// `COPY … TO STDOUT` reads, if what it copies does.
fn copy(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    let found = Found {
        kind: StatementKind::BulkTransfer,
        ..found
    };
    let mut ahead = *tokens;
    let mut depth = 0_usize;
    loop {
        match ahead.next() {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word if depth == 0 && is_any(ahead.slice(), &["from"]) => return Err(found),
            Token::Word if depth == 0 && is_any(ahead.slice(), &["to"]) => break,
            Token::Word | Token::Quoted | Token::Dot => {}
            Token::End | Token::Semicolon | Token::Unclear => return Err(found),
            _ if depth == 0 => return Err(found),
            _ => {}
        }
    }
    // Either name is taken for either direction.
    if ahead.next() != Token::Word || !is_any(ahead.slice(), &["stdout", "stdin"]) {
        return Err(found);
    }
    let mut start = *tokens;
    if start.next() == Token::Open {
        // What is in the parentheses is a statement of its own.
        let mut inside = start;
        if inside.next() != Token::Word
            || !matches!(
                Verb::of(inside.slice(), Dialect::Postgres),
                Verb::Query(StatementKind::Select | StatementKind::Values)
            )
        {
            return Err(found);
        }
        let first = tokens.next();
        query(tokens, functions, first)?;
    } else {
        loop {
            match tokens.next() {
                Token::End | Token::Semicolon => break,
                Token::Unclear => return Err(found),
                _ => {}
            }
        }
    }
    Ok(StatementKind::CopyTo)
}

/// `PRAGMA` only tells if it has no value, or one that says of what.
fn pragma(found: Found, tokens: &mut Lexer<'_>) -> Result<StatementKind, Found> {
    let found = Found {
        kind: StatementKind::SessionState,
        ..found
    };
    if !matches!(tokens.next(), Token::Word) {
        return Err(found);
    }
    let mut name = *tokens;
    let mut token = tokens.next();
    if token == Token::Dot {
        if tokens.next() != Token::Word {
            return Err(found);
        }
        name = *tokens;
        token = tokens.next();
    }
    let found = Found {
        start: name.start(),
        end: name.end(),
        ..found
    };
    match token {
        Token::End | Token::Semicolon if is_any(name.slice(), sqlite::READING_PRAGMAS) => {
            Ok(StatementKind::Show)
        }
        Token::Open if is_any(name.slice(), sqlite::PRAGMAS_WITH_SUBJECT) => loop {
            match tokens.next() {
                Token::End | Token::Semicolon => return Ok(StatementKind::Show),
                Token::Unclear => return Err(found),
                _ => {}
            }
        },
        _ => Err(found),
    }
}
