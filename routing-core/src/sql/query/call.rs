//! Calls in a query: of functions, and of what only looks like one.

use super::super::Dialect;
use super::super::bytes::is_any;
use super::super::calls::{Call, Verdict};
use super::super::clause::{ALIASED, CTE_BODY, CTE_NAMED, GROUPING, Part, SOURCED};
use super::super::lexer::{Stop, Token};
use super::{Found, Query};
use crate::sql::kind::StatementKind;

impl Query<'_, '_> {
    #[inline(never)]
    pub(super) fn named_call(self) -> Result<(), Found> {
        let is_member = matches!(self.part, Part::Member | Part::QuotedMember);
        // Names of columns; and a type, or an alias.
        let names_columns = matches!(self.clauses.place, ALIASED | CTE_NAMED | CTE_BODY);
        if (names_columns && !is_member) || matches!(self.lead, Part::As | Part::Cast) {
            return Ok(());
        }
        let tokens = &self.tokens;
        // The chain is read again, for its last name.
        let mut names = tokens.from(self.chain);
        let (mut start, mut end) = (self.chain, self.chain);
        while names.end() < tokens.start() {
            match names.next() {
                Token::Word | Token::Quoted => (start, end) = (names.start(), names.end()),
                Token::Dot => {}
                _ => break,
            }
        }
        let call = Call {
            name: tokens.between(start, end),
            is_quoted: matches!(self.part, Part::Quoted | Part::QuotedMember),
            qualifier: tokens.between(self.chain, start),
            is_adjacent: end == tokens.start(),
            is_grouping: self.clauses.place == GROUPING,
            lead: tokens.before(self.lead, self.lead_start),
            earlier: tokens.before(self.earlier, self.earlier_start),
        };
        if self.is_operator(call.name) {
            return Ok(());
        }
        let verdict = call.verdict(tokens.dialect(), self.functions);
        // A table of SQLite's with arguments, such as one for full-text search, is no function; the pragmas
        // among them have been looked at.
        let is_table = tokens.dialect() == Dialect::Sqlite && self.clauses.place == SOURCED;
        if is_table && verdict == Verdict::Unknown {
            return Ok(());
        }
        let Some(mut kind) = verdict.kind() else {
            return Ok(());
        };
        if kind == StatementKind::SessionState && self.is_local_setting(call.name) {
            if self.is_local {
                return Ok(());
            }
            // What follows may do more, or be read differently by other settings of the server.
            let mut tokens = self.tokens;
            tokens.go_to(self.rest()?);
            if !tokens.depends_on_settings() {
                kind = StatementKind::TransactionState;
            }
        }
        Err(Found {
            kind,
            start: self.chain,
            end,
        })
    }

    /// Whether it is PostgreSQL's `OPERATOR(schema.~)`.
    fn is_operator(&self, name: &[u8]) -> bool {
        if self.tokens.dialect() != Dialect::Postgres || !is_any(name, &["operator"]) {
            return false;
        }
        let mut tokens = self.tokens;
        let mut has_symbol = false;
        loop {
            match tokens.next() {
                Token::Word | Token::Quoted | Token::Dot if !has_symbol => {}
                Token::Symbol => has_symbol = true,
                Token::Close => return has_symbol,
                _ => return false,
            }
        }
    }

    /// Whether it is `set_config('name', value, true)`, which sets what ends with the transaction. What
    /// makes a read-only transaction one that writes is not among these.
    fn is_local_setting(&self, name: &[u8]) -> bool {
        if self.tokens.dialect() != Dialect::Postgres || !is_any(name, &["set_config"]) {
            return false;
        }
        let mut tokens = self.tokens;
        if tokens.next() != Token::Literal
            || may_be_read_only(tokens.slice())
            || tokens.next() != Token::Comma
        {
            return false;
        }
        let (mut depth, mut commas, mut is_true) = (0_usize, 1, true);
        loop {
            let token = tokens.next();
            match token {
                Token::Open => depth += 1,
                Token::Close if depth == 0 => return commas == 2 && is_true,
                Token::Close => depth -= 1,
                Token::Comma if depth == 0 => commas += 1,
                Token::End | Token::Semicolon | Token::Unclear => return false,
                _ => {}
            }
            is_true = match token {
                Token::Comma => true,
                Token::Word => is_true && is_any(tokens.slice(), &["true"]),
                _ => false,
            };
        }
    }

    /// Goes on behind a parenthesis, to the end.
    #[inline(never)]
    fn rest(mut self) -> Result<Stop, Found> {
        self.is_local = true;
        self.clauses.open();
        self.part = Part::Open;
        let first = self.tokens.next();
        self.check(first)
    }
}

/// Whether a literal may be the setting that lets a transaction write.
fn may_be_read_only(literal: &[u8]) -> bool {
    const NAME: &[u8] = b"transaction_read_only";
    let is_plain = literal.first() == Some(&b'\'') && !literal.contains(&b'\\');
    let inside = literal.get(1..literal.len().saturating_sub(1));
    !is_plain || inside.is_none_or(|name| name.trim_ascii().eq_ignore_ascii_case(NAME))
}
