//! Words and numbers that are not just letters or digits.

use super::super::Dialect;
use super::super::bytes::is_word;
use super::{Cut, Lexer, Token};

impl Lexer<'_> {
    /// A word that is not just some letters.
    #[inline(never)]
    pub(super) fn long_word(mut self, first: u8) -> Cut {
        let mut bits = first;
        while let Some(byte) = self.byte(0)
            && is_word(byte)
        {
            bits |= byte;
            self.at += 1;
        }
        let token = if bits >= 0x80 || self.byte(0) == Some(b'\'') {
            self.special_word()
        } else {
            Token::Word
        };
        self.cut(token)
    }

    fn special_word(&mut self) -> Token {
        const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
        let word = self.slice();
        // SQLite takes a byte order mark for a space, wherever it stands.
        if word.windows(3).any(|bytes| bytes == BYTE_ORDER_MARK) {
            return self.ambiguous();
        }
        if self.dialect == Dialect::Postgres && matches!(word, b"e" | b"E") {
            self.at += 1;
            return self.escape_string();
        }
        Token::Word
    }

    /// Digits, a fraction and an exponent, or `0x` and its like. Letters that follow at once are a
    /// word to some servers and a mistake to others.
    #[inline(never)]
    pub(super) fn number(mut self, first: u8) -> Cut {
        let token = self.number_token(first);
        self.cut(token)
    }

    fn number_token(&mut self, first: u8) -> Token {
        let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'_';
        if first == b'0' && matches!(self.byte(0), Some(b'x' | b'X' | b'b' | b'B' | b'o' | b'O')) {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_hexdigit() || byte == b'_');
        } else {
            self.skip_while(is_digit);
            if self.byte(0) == Some(b'.') {
                self.at += 1;
                self.skip_while(is_digit);
            }
            if matches!(self.byte(0), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(self.byte(1), Some(b'+' | b'-')));
                if self.byte(1 + sign).is_some_and(|b| b.is_ascii_digit()) {
                    self.at += 1 + sign;
                    self.skip_while(is_digit);
                }
            }
        }
        if self.byte(0).is_some_and(is_word) {
            self.ambiguous()
        } else {
            Token::Literal
        }
    }
}
