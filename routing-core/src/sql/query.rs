//! Whether a query only reads.

use super::Dialect;
use super::calls::{Call, Verdict};
use super::clause::{ALIASED, Before, CTE_BODY, CTE_NAMED, Clauses, Part};
use super::functions::Functions;
use super::keyword::Keyword;
use super::lexer::{Lexer, Token};
use super::settings;
use crate::access::StatementKind;

/// What makes a write of a statement, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: StatementKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A query, token by token.
pub(super) struct Query<'l, 'a> {
    tokens: &'l mut Lexer<'a>,
    functions: Option<&'l Functions>,
    clauses: Clauses,
    part: Part,
    /// Where the last name stands, and where the dotted chain begins that it ends.
    name: (usize, usize),
    chain: usize,
    /// The token before that chain.
    lead: Part,
    lead_name: (usize, usize),
}

impl<'l, 'a> Query<'l, 'a> {
    pub(super) fn new(tokens: &'l mut Lexer<'a>, functions: Option<&'l Functions>) -> Self {
        Self {
            tokens,
            functions,
            clauses: Clauses::new(),
            part: Part::Start,
            name: (0, 0),
            chain: 0,
            lead: Part::Start,
            lead_name: (0, 0),
        }
    }

    /// Reads from `token`, the lexer's last, to the end of the statement, its semicolon included.
    ///
    /// # Errors
    ///
    /// The first thing that makes it a write.
    #[inline]
    pub(super) fn check(mut self, first: Token) -> Result<(), Found> {
        let mut token = first;
        loop {
            match token {
                Token::Word => {
                    if self.part == Part::Dot {
                        self.member(Part::Member);
                    } else {
                        match Keyword::at(
                            self.tokens.text(),
                            self.tokens.start(),
                            self.tokens.end(),
                        ) {
                            Some(keyword) => self.keyword(keyword)?,
                            None => {
                                self.clauses.name();
                                self.begin_name(Part::Word);
                            }
                        }
                    }
                }
                Token::Quoted => {
                    if self.part == Part::Dot {
                        self.member(Part::QuotedMember);
                    } else {
                        self.clauses.name();
                        self.begin_name(Part::Quoted);
                    }
                }
                Token::Dot => self.part = Part::Dot,
                Token::Comma => {
                    self.clauses.comma();
                    self.part = Part::Comma;
                }
                Token::Open => {
                    self.call()?;
                    self.clauses.open();
                    self.part = Part::Open;
                }
                Token::Close => {
                    self.clauses.close();
                    self.part = Part::Close;
                }
                Token::Literal => {
                    self.clauses.other();
                    self.part = Part::Literal;
                }
                Token::Symbol => {
                    self.clauses.other();
                    self.part = Part::Symbol;
                }
                Token::End | Token::Semicolon => return Ok(()),
                other => self.rare(other)?,
            }
            token = self.tokens.next();
        }
    }

    #[inline(always)]
    fn begin_name(&mut self, part: Part) {
        self.lead = self.part;
        self.lead_name = self.name;
        self.chain = self.tokens.start();
        self.name = (self.tokens.start(), self.tokens.end());
        self.part = part;
    }

    #[inline(always)]
    fn member(&mut self, part: Part) {
        self.name = (self.tokens.start(), self.tokens.end());
        self.part = part;
    }

    fn before(&self) -> Before<'a> {
        Before {
            part: self.part,
            name: self.tokens.between(self.name.0, self.name.1),
        }
    }

    #[inline(never)]
    fn rare(&mut self, token: Token) -> Result<(), Found> {
        match token {
            Token::Cast => {
                self.clauses.other();
                self.part = Part::Cast;
                Ok(())
            }
            // PostgreSQL names arguments so.
            Token::Assignment if self.tokens.dialect() != Dialect::MySql => {
                self.part = Part::Symbol;
                Ok(())
            }
            Token::Assignment | Token::Variable => self.found(StatementKind::SessionState),
            Token::Setting => self.setting(),
            _ => self.found(StatementKind::Unknown),
        }
    }

    fn found(&self, kind: StatementKind) -> Result<(), Found> {
        Err(Found {
            kind,
            start: self.tokens.start(),
            end: self.tokens.end(),
        })
    }

    /// `@@name` and `@@scope.name`: what the connection's last statement left is the primary's.
    fn setting(&mut self) -> Result<(), Found> {
        loop {
            let token = self.tokens.next();
            if !matches!(token, Token::Word | Token::Quoted) {
                return self.found(StatementKind::Unknown);
            }
            if token == Token::Quoted || settings::belongs_to_primary(self.tokens.slice()) {
                return self.found(StatementKind::SessionState);
            }
            let mut ahead = *self.tokens;
            if ahead.next() != Token::Dot {
                self.clauses.other();
                self.part = Part::Literal;
                return Ok(());
            }
            *self.tokens = ahead;
        }
    }

    fn next_is(&self, accept: impl FnOnce(Token, &[u8]) -> bool) -> bool {
        let mut ahead = *self.tokens;
        let token = ahead.next();
        accept(token, ahead.slice())
    }

    fn next_is_any(&self, words: &[&str]) -> bool {
        self.next_is(|token, slice| token == Token::Word && is_any(slice, words))
    }

    #[inline]
    fn keyword(&mut self, keyword: Keyword) -> Result<(), Found> {
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
                    return self.found(kind);
                }
            }
            _ => {}
        }
        self.clauses.keyword(keyword, &before);
        self.begin_name(if keyword == Keyword::As {
            Part::As
        } else {
            Part::Word
        });
        Ok(())
    }

    /// What a word makes of the query that it is in.
    fn write(&self, keyword: Keyword, before: &Before<'_>) -> Option<StatementKind> {
        let reserved = self.tokens.dialect() != Dialect::Postgres;
        let is_label = before.part == Part::As;
        let writes = match keyword {
            Keyword::For if is_label => false,
            // MariaDB's sequences: `NEXT VALUE FOR s`.
            Keyword::For if before.is_word("value") => return Some(StatementKind::WritingFunction),
            Keyword::For => {
                let locks = self.next_is_any(&["update", "no", "share", "key"]);
                return locks.then_some(StatementKind::LockingSelect);
            }
            Keyword::Lock => {
                let locks = self.next_is_any(&["in"]) && !is_label;
                return locks.then_some(StatementKind::LockingSelect);
            }
            Keyword::Into => return (!is_label).then_some(StatementKind::SelectInto),
            // What `found_rows` says is asked for after it.
            Keyword::CalcFoundRows => return Some(StatementKind::SessionState),
            // Functions of that name are harmless.
            Keyword::Insert | Keyword::Replace if reserved => {
                !self.next_is(|token, _| token == Token::Open)
            }
            Keyword::Update | Keyword::Delete | Keyword::Merge if reserved => true,
            // To PostgreSQL these are names like any other, except where a statement may begin.
            _ if is_label || !begins_statement(before) => false,
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

    /// What a parenthesis begins: harmless, or a call that nobody vouches for.
    #[inline]
    fn call(&self) -> Result<(), Found> {
        match self.part {
            Part::Word | Part::Quoted | Part::Member | Part::QuotedMember => self.named_call(),
            // By some servers' settings a string is a name.
            Part::Literal | Part::Dot => self.found(StatementKind::FunctionCall),
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn named_call(&self) -> Result<(), Found> {
        let is_member = matches!(self.part, Part::Member | Part::QuotedMember);
        // Names of columns; and a type, or an alias.
        let names_columns = matches!(self.clauses.place, ALIASED | CTE_NAMED | CTE_BODY);
        if (names_columns && !is_member) || matches!(self.lead, Part::As | Part::Cast) {
            return Ok(());
        }
        let tokens = &self.tokens;
        let name = tokens.between(self.name.0, self.name.1);
        let call = Call {
            name,
            is_quoted: matches!(self.part, Part::Quoted | Part::QuotedMember),
            qualifier: tokens.between(self.chain, self.name.0),
            is_adjacent: self.name.1 == tokens.start(),
            lead: Before {
                part: self.lead,
                name: tokens.between(self.lead_name.0, self.lead_name.1),
            },
        };
        let kind = match call.verdict(tokens.dialect(), self.functions) {
            Verdict::Harmless => return Ok(()),
            Verdict::Writes => StatementKind::WritingFunction,
            Verdict::Unknown => StatementKind::FunctionCall,
        };
        Err(Found {
            kind,
            start: self.chain,
            end: self.name.1,
        })
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
        Part::Word => !before.is_any(GOES_ON),
        _ => true,
    }
}

pub(super) fn is_any(word: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}
