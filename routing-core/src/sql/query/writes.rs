//! The words that make a write of a query.

use super::super::Dialect;
use super::super::bytes::is_any;
use super::super::clause::{Before, Part, Place};
use super::super::keyword::Keyword;
use super::super::lexer::{Lexer, Token};
use super::{Found, Query};
use crate::sql::kind::StatementKind;

impl Query<'_, '_> {
    fn next_is(&self, accept: impl FnOnce(Token, &[u8]) -> bool) -> bool {
        let mut ahead = self.tokens;
        let token = ahead.next();
        accept(token, ahead.slice())
    }

    fn next_is_any(&self, words: &[&str]) -> bool {
        self.next_is(|token, slice| token == Token::Word && is_any(slice, words))
    }

    #[inline(never)]
    pub(super) fn place_after(mut self, keyword: Keyword) -> Result<Place, Found> {
        let before = self.before();
        match keyword {
            Keyword::For
            | Keyword::Lock
            | Keyword::Into
            | Keyword::Insert
            | Keyword::Update
            | Keyword::Delete
            | Keyword::Merge
            | Keyword::Replace
            | Keyword::CalcFoundRows => {
                if let Some(kind) = self.write(keyword, &before) {
                    self.found(kind)?;
                }
            }
            _ => {}
        }
        self.clauses.keyword(keyword, &before);
        Ok(self.clauses.place)
    }

    /// `INTO` a variable or a temporary table leaves it in the connection.
    fn kind_of_target(&self) -> StatementKind {
        let mut ahead = self.tokens;
        let mut token = ahead.next();
        while token == Token::Word && is_any(ahead.slice(), &["table", "unlogged"]) {
            token = ahead.next();
        }
        let leaves = match token {
            Token::Variable => true,
            Token::Word => is_any(
                ahead.slice(),
                &["temp", "temporary", "pg_temp", "local", "global"],
            ),
            Token::Quoted => ahead.slice() == b"\"pg_temp\"",
            _ => false,
        };
        if leaves {
            StatementKind::SessionState
        } else {
            StatementKind::SelectInto
        }
    }

    /// What a word makes of the query that it is in.
    fn write(&self, keyword: Keyword, before: &Before<'_>) -> Option<StatementKind> {
        let reserved = self.tokens.dialect() != Dialect::Postgres;
        let writes = match keyword {
            // MariaDB's sequences: `NEXT VALUE FOR s`.
            Keyword::For if before.is_word("value") => return Some(StatementKind::WritingFunction),
            Keyword::For => {
                let locks = self.next_is_any(&["update", "no", "share", "key"]);
                return locks.then_some(StatementKind::LockingSelect);
            }
            Keyword::Lock => {
                let mut ahead = self.tokens;
                let follows = |ahead: &mut Lexer<'_>, word| {
                    ahead.next() == Token::Word && is_any(ahead.slice(), &[word])
                };
                let locks = follows(&mut ahead, "in") && follows(&mut ahead, "share");
                return locks.then_some(StatementKind::LockingSelect);
            }
            Keyword::Into => return Some(self.kind_of_target()),
            // What `found_rows` says is asked for after it.
            Keyword::CalcFoundRows => return Some(StatementKind::SessionQuery),
            // Functions of that name are harmless.
            // To SQLite it is a name like any other, unless `INTO` follows.
            Keyword::Replace if self.tokens.dialect() == Dialect::Sqlite => false,
            Keyword::Insert | Keyword::Replace if reserved => {
                !self.next_is(|token, _| token == Token::Open)
            }
            Keyword::Update | Keyword::Delete if reserved => true,
            // Only PostgreSQL has it.
            Keyword::Merge if reserved => false,
            // To PostgreSQL these are names like any other, except where a statement may begin.
            _ if !begins_statement(before) => false,
            Keyword::Insert | Keyword::Merge => self.next_is_any(&["into"]),
            Keyword::Delete => self.next_is_any(&["from"]),
            Keyword::Update => self.next_is(|token, slice| match token {
                Token::Word => !is_any(slice, AFTER_A_COLUMN),
                token => token == Token::Quoted,
            }),
            _ => false,
        };
        writes.then_some(StatementKind::WritingCte)
    }
}

/// Words that no table can be called, but may follow a column called `update`.
const AFTER_A_COLUMN: &[&str] = &[
    "from",
    "where",
    "as",
    "and",
    "or",
    "not",
    "is",
    "in",
    "like",
    "group",
    "order",
    "limit",
    "offset",
    "having",
    "union",
    "except",
    "intersect",
    "window",
    "end",
    "when",
    "then",
    "else",
    "asc",
    "desc",
    "for",
    "join",
    "left",
    "right",
    "inner",
    "cross",
    "full",
    "natural",
    "on",
    "using",
];

/// Whether PostgreSQL may begin a statement after this, in a query or around it.
fn begins_statement(before: &Before<'_>) -> bool {
    // Reserved words, after which an expression goes on.
    const GOES_ON: &[&str] = &[
        "select", "distinct", "all", "and", "or", "not", "where", "from", "join", "on", "having",
    ];
    match before.part {
        Part::Comma | Part::Symbol | Part::Literal | Part::Cast | Part::As => false,
        Part::Word | Part::Reserved => !before.is_any(GOES_ON),
        _ => true,
    }
}
