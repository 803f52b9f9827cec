//! What the words behind a verb make of a statement that is no read, on each database.

use super::bytes::is_any;
use super::lexer::{Lexer, Token};
use crate::sql::kind::StatementKind;

/// The kind of a statement on MySQL or MariaDB after a look at the words behind its verb: DDL commits the
/// open transaction, but not that of temporary tables, which belong to the connection; some statements
/// commit it that are no DDL elsewhere
/// (<https://dev.mysql.com/doc/refman/9.5/en/implicit-commit.html>).
pub(super) fn of_mysql(kind: StatementKind, mut tokens: Lexer<'_>) -> StatementKind {
    let (verb, at_verb) = (tokens.slice(), tokens);
    let mut next = || match tokens.next() {
        Token::Word => tokens.slice(),
        _ => &[],
    };
    let is = |word: &[u8], one: &str| word.eq_ignore_ascii_case(one.as_bytes());
    match kind {
        StatementKind::TransactionEnd if divides(at_verb) => StatementKind::Transaction,
        // FLUSH TABLES … WITH READ LOCK, FOR EXPORT: the connection holds the lock.
        StatementKind::Ddl if is(verb, "flush") => {
            let mut rest = at_verb;
            loop {
                match rest.next() {
                    Token::End | Token::Semicolon | Token::Unclear => return kind,
                    Token::Word if is_any(rest.slice(), &["lock", "export"]) => {
                        return StatementKind::Lock;
                    }
                    _ => {}
                }
            }
        }
        StatementKind::Ddl => {
            // CREATE [OR REPLACE] TEMPORARY, DROP TEMPORARY.
            let first = next();
            let is_temporary = is(first, "temporary")
                || (is(first, "or") && is(next(), "replace") && is(next(), "temporary"));
            if is_temporary {
                StatementKind::SessionState
            } else {
                kind
            }
        }
        StatementKind::SessionState if is(verb, "reset") => StatementKind::Ddl,
        StatementKind::SessionState if is(verb, "set") => match next() {
            word if is(word, "password") => StatementKind::Ddl,
            // MariaDB's SET STATEMENT … FOR any statement.
            word if is(word, "statement") => StatementKind::Unknown,
            _ => kind,
        },
        // LOAD INDEX INTO CACHE.
        StatementKind::BulkTransfer if is(next(), "index") => StatementKind::Ddl,
        _ => kind,
    }
}

/// The kind of a statement on PostgreSQL after a look at the words behind its verb: what is the
/// transaction's own, and temporary tables, which are the connection's.
pub(super) fn of_postgres(kind: StatementKind, mut tokens: Lexer<'_>) -> StatementKind {
    let is_verb = |word: &str| is_any(tokens.slice(), &[word]);
    match kind {
        StatementKind::TransactionEnd if divides(tokens) => StatementKind::Transaction,
        StatementKind::Ddl if is_verb("create") && is_temporary(tokens) => {
            StatementKind::SessionState
        }
        StatementKind::SessionState if is_verb("set") => {
            let mut is_local = tokens.next() == Token::Word
                && is_any(tokens.slice(), &["local", "transaction", "constraints"]);
            let mut words = tokens;
            // `SET local.x = 1` sets a variable of that name.
            let mut next = tokens;
            is_local &= match next.next() {
                Token::Word => !is_any(next.slice(), &["to"]),
                Token::Quoted => true,
                _ => false,
            };
            let lets_write = loop {
                match words.next() {
                    Token::End | Token::Semicolon => break false,
                    // READ WRITE, and the settings of the same effect, whatever their value.
                    Token::Word | Token::Quoted
                        if is_any(
                            words.slice(),
                            &[
                                "write",
                                "transaction_read_only",
                                "\"transaction_read_only\"",
                            ],
                        ) =>
                    {
                        break true;
                    }
                    Token::Unclear => break true,
                    // `U&"…"` may be any name.
                    Token::Symbol if words.slice() == b"&" => break true,
                    _ => {}
                }
            };
            if is_local && !lets_write {
                StatementKind::TransactionState
            } else {
                kind
            }
        }
        // LOCK … IN ACCESS SHARE MODE: what every read takes.
        StatementKind::Lock => {
            let mut wanted = ["in", "access", "share", "mode"].iter();
            loop {
                match tokens.next() {
                    Token::End | Token::Semicolon | Token::Unclear => return kind,
                    Token::Word => {}
                    _ => continue,
                }
                let mut ahead = wanted.clone();
                if ahead
                    .next()
                    .is_some_and(|word| is_any(tokens.slice(), &[word]))
                {
                    wanted = ahead;
                } else {
                    wanted = ["in", "access", "share", "mode"].iter();
                }
                if wanted.len() == 0 {
                    return StatementKind::TransactionState;
                }
            }
        }
        _ => kind,
    }
}

/// Whether it is `RELEASE`, or `ROLLBACK TO`, and so about a savepoint.
fn divides(mut tokens: Lexer<'_>) -> bool {
    if is_any(tokens.slice(), &["release"]) {
        return true;
    }
    loop {
        match tokens.next() {
            Token::Word if is_any(tokens.slice(), &["to"]) => return true,
            Token::Word if is_any(tokens.slice(), &["work", "transaction"]) => {}
            _ => return false,
        }
    }
}

/// Whether `CREATE` makes something temporary, by one of the words before its first parenthesis.
pub(super) fn is_temporary(mut tokens: Lexer<'_>) -> bool {
    loop {
        match tokens.next() {
            Token::Word if is_any(tokens.slice(), &["temp", "temporary", "pg_temp"]) => {
                return true;
            }
            Token::Quoted if is_any(tokens.slice(), &["\"temp\"", "\"pg_temp\""]) => return true,
            Token::Word if is_any(tokens.slice(), &["as", "begin"]) => return false,
            Token::Word | Token::Quoted | Token::Dot => {}
            _ => return false,
        }
    }
}

/// Whether a token is MySQL's setting.
pub(super) fn is_autocommit(tokens: &Lexer<'_>) -> bool {
    let token = tokens.slice();
    let quoted = token
        .strip_prefix(b"`")
        .and_then(|token| token.strip_suffix(b"`"));
    quoted.unwrap_or(token).eq_ignore_ascii_case(b"autocommit")
}
