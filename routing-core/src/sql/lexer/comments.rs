//! Comments, and what only looks like one.

use super::super::Dialect;
use super::{Lexer, Token};

impl Lexer<'_> {
    pub(super) fn starts_line_comment(&self) -> bool {
        self.byte(0) == Some(b'-')
            && (self.dialect != Dialect::MySql
                || self.byte(1).is_none_or(|b| b <= b' ' || b == 0x7f))
    }

    pub(super) fn skip_line(&mut self) {
        self.skip_while(|byte| byte != b'\n' && byte != b'\r' && byte != 0);
    }

    /// To the end of the line, which for PostgreSQL a carriage return is too; elsewhere one inside
    /// a line is a trick.
    pub(super) fn line_comment(&mut self) -> Option<Token> {
        self.skip_line();
        match (self.byte(0), self.byte(1)) {
            (Some(b'\r'), Some(next)) if self.dialect != Dialect::Postgres && next != b'\n' => {
                Some(self.ambiguous())
            }
            _ => None,
        }
    }

    /// PostgreSQL's nest. MySQL and MariaDB execute what some of theirs hold.
    pub(super) fn block_comment(&mut self) -> Option<Token> {
        self.at += 1;
        let executed = matches!(
            (self.byte(0), self.byte(1)),
            (Some(b'!'), _) | (Some(b'M'), Some(b'!'))
        );
        if self.dialect == Dialect::MySql && executed {
            // Who only looks for ends finds them in what it holds as well.
            return (!self.splits).then(|| self.unclear());
        }
        let nests = self.dialect == Dialect::Postgres;
        let mut depth = 1_usize;
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return None;
                    }
                }
                (Some(b'/'), Some(b'*')) if nests => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(0) | None, _) => return Some(self.unclear()),
                _ => self.at += 1,
            }
        }
    }
}
