//! Whether a query only reads.

mod call;
mod writes;

use super::Dialect;
use super::calls::{is_unknown_pragma, kind_of_member, may_write};
use super::clause::{Before, Clauses, GROUPING, Part};
use super::functions::Functions;
use super::keyword::Keyword;
use super::lexer::{Glue, Lexer, Stop, Token};
use super::settings;
use crate::sql::kind::StatementKind;

/// What makes a write of a statement, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) struct Found {
    pub(in crate::sql) kind: StatementKind,
    pub(in crate::sql) start: usize,
    pub(in crate::sql) end: usize,
}

/// A query, token by token.
///
/// The loop keeps little: what it needs to know of a name is read again where it matters, which is
/// mostly nowhere. What is called out of line has it by value, so that the loop's own stays in
/// registers.
#[derive(Clone, Copy)]
pub(in crate::sql) struct Query<'l, 'a> {
    tokens: Lexer<'a>,
    functions: Option<&'l Functions>,
    clauses: Clauses,
    part: Part,
    /// Where the last dotted chain of names begins.
    chain: usize,
    /// The token before that chain, and where it begins if it is a word.
    lead: Part,
    lead_start: usize,
    /// The same of the token before that one, if that one is a name.
    earlier: Part,
    earlier_start: usize,
    /// Whether a setting of the transaction's was found before.
    is_local: bool,
}

impl<'l, 'a> Query<'l, 'a> {
    #[inline(always)]
    pub(in crate::sql) const fn new(tokens: Lexer<'a>, functions: Option<&'l Functions>) -> Self {
        Self {
            tokens,
            functions,
            clauses: Clauses::new(),
            part: Part::Start,
            chain: 0,
            lead: Part::Start,
            lead_start: 0,
            earlier: Part::Start,
            earlier_start: 0,
            is_local: false,
        }
    }

    /// Reads from `first`, the lexer's last token, to the end of the statement, its semicolon
    /// included; says where that is.
    ///
    /// # Errors
    ///
    /// The first thing that makes it a write.
    #[inline(always)]
    pub(in crate::sql) fn check(mut self, first: Token) -> Result<Stop, Found> {
        let mut token = first;
        loop {
            match token {
                Token::Quoted => {
                    if self.part == Part::Dot {
                        self.part = Part::QuotedMember;
                        self.member()?;
                    } else {
                        self.table()?;
                        self.clauses.name();
                        self.begin_name(Part::Quoted);
                    }
                    self.names()?;
                }
                Token::Word => {
                    if self.part == Part::Dot {
                        self.part = Part::Member;
                        self.member()?;
                    } else {
                        self.word()?;
                    }
                }
                Token::Dot => {
                    // What follows something else than a name is no part of one before.
                    if !self.part.is_name() {
                        self.chain = self.tokens.start();
                    }
                    self.part = Part::Dot;
                }
                Token::Comma => {
                    self.clauses.comma();
                    self.part = Part::Comma;
                }
                Token::Open => {
                    self.call()?;
                    let is_grouping =
                        self.clauses.place == GROUPING && self.before().is_word("sets");
                    self.clauses.open();
                    if is_grouping {
                        self.clauses.grouping_sets();
                    }
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
                Token::End | Token::Semicolon => return Ok(self.tokens.stop()),
                other => self.rare(other)?,
            }
            token = self.tokens.next_inline();
        }
    }

    #[inline(always)]
    fn begin_name(&mut self, part: Part) {
        self.earlier = self.lead;
        self.earlier_start = self.lead_start;
        self.lead = self.part;
        self.lead_start = self.chain;
        self.chain = self.tokens.start();
        self.part = part;
    }

    /// Goes on over the names in quotes that follow one.
    #[inline(always)]
    fn names(&mut self) -> Result<(), Found> {
        let run = self.tokens.names(self.clauses.is_list());
        if let Some(start) = run.suspect {
            Self::suspects(*self, start)?;
        }
        match run.last {
            None => return Ok(()),
            Some(Glue::Dot) => {
                self.part = Part::QuotedMember;
                self.table()?;
            }
            Some(Glue::Comma | Glue::As) => self.part = Part::Quoted,
        }
        if let Some((glue, start)) = run.chain {
            self.chain = start;
            self.lead = match glue {
                Glue::As => Part::As,
                _ => Part::Comma,
            };
        }
        Ok(())
    }

    /// A member that is called like a function that writes may call it: PostgreSQL takes `x.f` for
    /// `f(x)` (manual, 8.16.5), and MariaDB's Oracle mode `s.nextval` for a draw.
    #[inline(always)]
    fn member(&self) -> Result<(), Found> {
        let quotes = usize::from(self.part == Part::QuotedMember);
        if let [first, second, ..] = self.tokens.slice()[quotes..]
            && may_write(first, second)
        {
            Self::suspects(*self, self.tokens.start())?;
        }
        self.table()
    }

    /// Looks at the members from `start`, which is one, to the last token.
    #[inline(never)]
    fn suspects(self, start: usize) -> Result<(), Found> {
        let mut tokens = self.tokens.from(start);
        let mut is_member = true;
        while tokens.end() < self.tokens.end() {
            let token = tokens.next();
            let is_quoted = token == Token::Quoted;
            if is_member
                && (is_quoted || token == Token::Word)
                && let Some(kind) = kind_of_member(tokens.slice(), is_quoted, tokens.dialect())
            {
                return Err(Found {
                    kind,
                    start: tokens.start(),
                    end: tokens.end(),
                });
            }
            is_member = token == Token::Dot;
        }
        Ok(())
    }

    /// SQLite's pragmas are tables as well, with or without parentheses.
    #[inline(always)]
    fn table(&self) -> Result<(), Found> {
        // Not only as a source: `1 IN pragma_optimize` runs it as well.
        if self.tokens.dialect() == Dialect::Sqlite
            && matches!(
                self.tokens.slice().first(),
                Some(b'p' | b'P' | b'"' | b'[' | b'`')
            )
        {
            Self::pragma(*self)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn pragma(self) -> Result<(), Found> {
        if is_unknown_pragma(self.tokens.slice()) {
            self.found(StatementKind::FunctionCall)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn word(&mut self) -> Result<(), Found> {
        let tokens = &self.tokens;
        // Whatever follows it is a label, or a type.
        if self.part == Part::As {
            self.clauses.name();
            self.begin_name(Part::Word);
            return Ok(());
        }
        match Keyword::at(tokens.text(), tokens.start(), tokens.end()) {
            None => {
                self.table()?;
                self.clauses.name();
                self.begin_name(Part::Word);
            }
            // The most frequent ones need no look around.
            Some(Keyword::As) => {
                self.clauses.alias();
                self.begin_name(Part::As);
            }
            Some(Keyword::Select) => {
                self.clauses.select();
                self.begin_name(Part::Word);
            }
            Some(Keyword::Clause) => {
                self.clauses.clause();
                self.begin_name(Part::Word);
            }
            Some(Keyword::Where) => {
                self.clauses.clause();
                self.begin_name(Part::Reserved);
            }
            Some(Keyword::Operator) => {
                self.clauses.other();
                self.begin_name(Part::Reserved);
            }
            Some(Keyword::From) if self.clauses.is_list() && self.part != Part::Word => {
                self.clauses.source();
                self.begin_name(Part::Word);
            }
            Some(Keyword::Join) if self.clauses.is_source() => {
                self.clauses.source();
                self.begin_name(Part::Word);
            }
            Some(keyword) => {
                self.clauses.place = Self::place_after(*self, keyword)?;
                self.begin_name(Part::Word);
            }
        }
        Ok(())
    }

    /// The token before the last one.
    fn before(&self) -> Before<'a> {
        self.tokens.before(self.part, self.chain)
    }

    #[inline(always)]
    fn rare(&mut self, token: Token) -> Result<(), Found> {
        match token {
            Token::Cast => {
                self.clauses.other();
                self.part = Part::Cast;
            }
            // PostgreSQL names arguments so.
            Token::Assignment if self.tokens.dialect() != Dialect::MySql => {
                self.part = Part::Symbol;
            }
            Token::Setting => {
                self.tokens = Self::setting(*self)?;
                self.clauses.other();
                self.part = Part::Literal;
            }
            Token::Assignment => Self::found(*self, StatementKind::SessionState)?,
            Token::Variable => Self::variable(*self)?,
            _ => Self::found(*self, StatementKind::Unknown)?,
        }
        Ok(())
    }

    #[cold]
    fn found(self, kind: StatementKind) -> Result<(), Found> {
        Err(Found {
            kind,
            start: self.tokens.start(),
            end: self.tokens.end(),
        })
    }

    /// `@name`, which may be given a value further on.
    #[cold]
    fn variable(self) -> Result<(), Found> {
        let mut rest = self.tokens;
        loop {
            match rest.next() {
                Token::Assignment => return self.found(StatementKind::SessionState),
                Token::End | Token::Unclear => return self.found(StatementKind::SessionQuery),
                _ => {}
            }
        }
    }

    /// `@@name` and `@@scope.name`: what the connection's last statement left is the primary's.
    #[cold]
    fn setting(mut self) -> Result<Lexer<'a>, Found> {
        loop {
            let token = self.tokens.next();
            let name = self.tokens.slice();
            if !matches!(token, Token::Word | Token::Quoted) {
                self.found(StatementKind::Unknown)?;
            }
            if token == Token::Quoted || settings::belongs_to_primary(name) {
                self.found(StatementKind::SessionQuery)?;
            }
            let mut ahead = self.tokens;
            if ahead.next() != Token::Dot {
                return Ok(self.tokens);
            }
            self.tokens = ahead;
        }
    }

    /// What a parenthesis begins: harmless, or a call that nobody vouches for.
    #[inline(always)]
    fn call(&self) -> Result<(), Found> {
        match self.part {
            Part::Word | Part::Quoted | Part::Member | Part::QuotedMember => (*self).named_call(),
            // By some servers' settings a string is a name.
            Part::Literal | Part::Dot => (*self).found(StatementKind::FunctionCall),
            _ => Ok(()),
        }
    }
}

/// A query where speed does not count.
#[inline(never)]
pub(in crate::sql) fn query(
    tokens: &mut Lexer<'_>,
    functions: Option<&Functions>,
    first: Token,
) -> Result<(), Found> {
    tokens.go_to(Query::new(*tokens, functions).check(first)?);
    Ok(())
}
