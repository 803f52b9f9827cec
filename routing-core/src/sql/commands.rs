//! `SHOW`, `COPY`, `PRAGMA` and cursors: what tells, and what does more.

use super::Dialect;
use super::bytes::is_any;
use super::functions::{Functions, sqlite};
use super::lexer::{Lexer, Token};
use super::query::{Found, query};
use super::verb::Verb;
use crate::sql::kind::StatementKind;

/// `SHOW`: what the statement before left on the connection is the primary's.
pub(super) fn show(
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    const LEFT: &[&str] = &["warnings", "errors", "profile", "profiles"];
    // What the connection has, and what only the primary's log has.
    const OWN: &[&str] = &["variables", "status", "binary", "binlog", "master"];
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
        let mut after = ahead;
        let is_of_session = token == Token::Word && is_any(ahead.slice(), &["session", "local"]);
        let is_own = is_of_session && after.next() == Token::Word && is_any(after.slice(), OWN)
            || token == Token::Word && is_any(ahead.slice(), OWN);
        if token == Token::Word && is_any(ahead.slice(), &["grants"]) && is_only_of_accounts(ahead)
        {
            while tokens.next() != Token::End {}
            return Ok(StatementKind::Show);
        }
        if is_own || token == Token::Word && is_any(ahead.slice(), LEFT) {
            let found = Found {
                kind: StatementKind::SessionQuery,
                start: ahead.start(),
                end: ahead.end(),
            };
            // Its condition may do more.
            let first = tokens.next();
            query(tokens, functions, first)?;
            return Err(found);
        }
    }
    let first = tokens.next();
    query(tokens, functions, first)?;
    Ok(StatementKind::Show)
}

/// Whether `SHOW GRANTS` only names accounts, `'user'@'host'`, whose host looks like a variable; nothing is called.
fn is_only_of_accounts(mut tokens: Lexer<'_>) -> bool {
    loop {
        match tokens.next() {
            Token::End => return true,
            Token::Semicolon => return tokens.next() == Token::End,
            Token::Word | Token::Quoted | Token::Literal | Token::Variable | Token::Comma => {}
            _ => return false,
        }
    }
}

/// `COPY … TO STDOUT` reads, if what it copies does.
pub(super) fn copy(
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
pub(super) fn pragma(found: Found, tokens: &mut Lexer<'_>) -> Result<StatementKind, Found> {
    let found = Found {
        kind: StatementKind::SessionState,
        ..found
    };
    if !matches!(tokens.next(), Token::Word | Token::Quoted) {
        return Err(found);
    }
    let mut name = *tokens;
    let mut token = tokens.next();
    if token == Token::Dot {
        if !matches!(tokens.next(), Token::Word | Token::Quoted) {
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
    let name = match name.slice() {
        [b'"' | b'`' | b'[', inside @ .., _] => inside,
        plain => plain,
    };
    let is = |list| is_any(name, list);
    match token {
        Token::End | Token::Semicolon if is(sqlite::READING_PRAGMAS) => Ok(StatementKind::Show),
        Token::Open | Token::Symbol if is(sqlite::PRAGMAS_WITH_SUBJECT) => loop {
            match tokens.next() {
                Token::End | Token::Semicolon => return Ok(StatementKind::Show),
                Token::Unclear => return Err(found),
                _ => {}
            }
        },
        _ => Err(found),
    }
}

/// PostgreSQL's `DECLARE … CURSOR FOR query` is the transaction's, unless it is one `WITH HOLD`;
/// `PREPARE … AS query` is the connection's.
/// Either is as bad as its query.
pub(super) fn cursor(
    found: Found,
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
) -> Result<StatementKind, Found> {
    let prepares = is_any(tokens.between(found.start, found.end), &["prepare"]);
    let of_kind = |kind| Found { kind, ..found };
    let mut lexer = tokens.from(found.end);
    let mut depth = 0_usize;
    let before_query = if prepares { "as" } else { "for" };
    let (mut is_first, mut is_without) = (true, false);
    loop {
        match lexer.next() {
            Token::Word if is_first && prepares && is_any(lexer.slice(), &["transaction"]) => {
                return Err(of_kind(StatementKind::TransactionEnd));
            }
            Token::Word if depth == 0 && is_any(lexer.slice(), &[before_query]) => break,
            Token::Word if is_any(lexer.slice(), &["hold"]) && !prepares && !is_without => {
                return Err(of_kind(StatementKind::SessionState));
            }
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::End | Token::Semicolon | Token::Unclear => {
                return Err(of_kind(StatementKind::SessionState));
            }
            _ => {}
        }
        is_first = false;
        is_without = is_any(lexer.slice(), &["without"]);
    }
    let mut verb = lexer;
    let mut token = verb.next();
    while token == Token::Open {
        token = verb.next();
    }
    if token != Token::Word
        || !matches!(
            Verb::of(verb.slice(), Dialect::Postgres),
            Verb::Query(StatementKind::Select | StatementKind::Values)
        )
    {
        return Err(of_kind(StatementKind::SessionState));
    }
    let first = lexer.next();
    if let Err(wrong) = query(&mut lexer, functions, first) {
        let leaves = prepares && wrong.kind != StatementKind::Unknown;
        let kind = if leaves {
            StatementKind::SessionState
        } else {
            wrong.kind
        };
        return Err(Found { kind, ..wrong });
    }
    if lexer.depends_on_settings() {
        Err(of_kind(StatementKind::Unknown))
    } else if lexer.is_at_end() {
        Err(of_kind(if prepares {
            StatementKind::Prepare
        } else {
            StatementKind::TransactionState
        }))
    } else {
        Err(of_kind(StatementKind::Multiple))
    }
}
