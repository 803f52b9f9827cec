//! Strings, whose ends are where the dialect and its settings say.

use super::super::Dialect;
use super::super::bytes::{find, is_word};
use super::{Cut, Lexer, Strings, Token};

impl Lexer<'_> {
    /// A string in quotes. Doubled quotes belong to it, and those after a backslash, by the
    /// server's settings.
    pub(super) fn string(&mut self, end: u8) -> Token {
        let escapes = match (self.dialect, self.strings) {
            (Dialect::Postgres, Strings::Other) | (Dialect::MySql, Strings::Default) => true,
            (Dialect::MySql, Strings::AnsiQuotes) => end == b'\'',
            (Dialect::Postgres, Strings::Default | Strings::AnsiQuotes)
            | (Dialect::MySql, Strings::Other)
            | (Dialect::Sqlite, _) => false,
        };
        let (token, backslash) = self.rest_of_string(end, escapes);
        self.depends |= backslash && self.dialect != Dialect::Sqlite;
        // A string of MySQL's is a name by its setting `ANSI_QUOTES`.
        if token == Token::Literal && end == b'"' {
            Token::Quoted
        } else {
            token
        }
    }

    /// Also says whether a quote in it or at its end comes after a backslash.
    fn rest_of_string(&mut self, end: u8, escapes: bool) -> (Token, bool) {
        let from = self.at;
        let mut after_backslash = false;
        loop {
            let Some(found) = find(self.text, self.at, end) else {
                return (self.unclear(), after_backslash);
            };
            let before = self.text[from..found].iter().rev();
            // Each run of backslashes is counted once, before the quote that it ends at.
            let backslashes = before.take_while(|byte| **byte == b'\\').count();
            after_backslash |= backslashes > 0;
            self.at = found + 1;
            if escapes && backslashes % 2 == 1 {
                continue;
            }
            if self.byte(0) != Some(end) {
                return (Token::Literal, after_backslash);
            }
            self.at += 1;
        }
    }

    /// `E'…'` of PostgreSQL's, and what goes on with it: a string on a line after it is read as it
    /// is (manual, 4.1.2.1).
    pub(super) fn escape_string(&mut self) -> Token {
        loop {
            let (token, _) = self.rest_of_string(b'\'', true);
            let end = self.at;
            if token == Token::Unclear {
                return token;
            }
            let mut new_line = false;
            loop {
                match self.byte(0) {
                    Some(byte @ (b' ' | b'\t'..=b'\r')) => {
                        new_line |= matches!(byte, b'\n' | b'\r');
                        self.at += 1;
                    }
                    Some(b'-') if self.byte(1) == Some(b'-') => self.skip_line(),
                    _ => break,
                }
            }
            if !new_line || self.byte(0) != Some(b'\'') {
                self.at = end;
                return Token::Literal;
            }
            self.at += 1;
        }
    }

    /// `$1`, or a string between two `$tag$`.
    #[inline(always)]
    pub(super) fn dollar(&mut self) -> Token {
        if self.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_while(|byte| byte.is_ascii_digit());
            return if self.byte(0).is_some_and(is_word) {
                self.ambiguous()
            } else {
                Token::Literal
            };
        }
        self.go_on(Self::dollar_quoted(*self))
    }

    #[inline(never)]
    fn dollar_quoted(mut self) -> Cut {
        let token = self.dollar_token();
        self.cut(token)
    }

    fn dollar_token(&mut self) -> Token {
        self.skip_while(|byte| is_word(byte) && byte != b'$');
        if self.byte(0) != Some(b'$') {
            return Token::Symbol;
        }
        self.at += 1;
        let tag = self.slice();
        // A tag has no dollar inside, so no byte is compared twice.
        while let Some(found) = find(self.text, self.at, b'$') {
            if self.text[found..].starts_with(tag) {
                self.at = found + tag.len();
                return Token::Literal;
            }
            self.at = found + 1;
        }
        self.unclear()
    }
}
