//! `EXPLAIN` and its like: whether what is explained is executed.

use super::Dialect;
use super::bytes::is_any;
use super::functions::Functions;
use super::lexer::{Lexer, Token};
use super::query::{Found, query};
use super::verb::Verb;
use crate::sql::kind::StatementKind;

/// Reads the next statement of a text, its semicolon included.
type ReadStatement = fn(&mut Lexer<'_>, Option<&Functions>) -> Result<StatementKind, Found>;

/// `EXPLAIN`, `DESCRIBE` and MariaDB's `ANALYZE`: what is explained must only read, where it is
/// executed, where planning it may execute parts of it (MySQL), and where the prefix does not
/// count (SQLite's `sqlite3_stmt_readonly`).
pub(super) fn explain(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
    statement: ReadStatement,
) -> Result<StatementKind, Found> {
    match tokens.dialect() {
        Dialect::Postgres => explain_postgres(found, tokens, functions, statement),
        Dialect::MySql => explain_mysql(found, tokens, functions, statement),
        Dialect::Sqlite => {
            let mut ahead = *tokens;
            if ahead.next() == Token::Word && is_any(ahead.slice(), &["query"]) {
                let mut after = ahead;
                if after.next() == Token::Word && is_any(after.slice(), &["plan"]) {
                    *tokens = after;
                }
            }
            explained(found, tokens, functions, statement)
        }
    }
}

/// The statement that an `EXPLAIN` executes, or may. None can explain another.
fn explained(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
    statement: ReadStatement,
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
    statement: ReadStatement,
) -> Result<StatementKind, Found> {
    if executes(found, tokens)? {
        return explained(found, tokens, functions, statement);
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

/// Reads the options of PostgreSQL's `EXPLAIN`; says whether it executes the statement.
fn executes(found: Found, tokens: &mut Lexer<'_>) -> Result<bool, Found> {
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
    Ok(executes)
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
    statement: ReadStatement,
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
            return Err(explained(found, tokens, functions, statement)
                .err()
                .unwrap_or(found));
        }
    }
    Ok(StatementKind::Explain)
}

const SELECT_IN_PARENTHESES: Verb = Verb::Query(StatementKind::Select);
