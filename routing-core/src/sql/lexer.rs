//! SQL text, cut into tokens.

use super::Dialect;

/// A token, as far as the kind of a statement depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name without quotes.
    Word(&'a str),
    /// A name in quotes.
    Quoted,
    /// A string, a number or a parameter.
    Literal,
    /// `:=`.
    Assignment,
    /// Any other character.
    Symbol(u8),
    /// Something that has no end, or that servers read differently by their settings.
    Unclear,
}

/// Total on every text: what it cannot cut is `Unclear`.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            text,
            at: 0,
            dialect,
        }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.byte(0).is_some_and(&accept) {
            self.at += 1;
        }
    }

    /// Skips to the end of the line, which for PostgreSQL a carriage return is too; elsewhere one
    /// inside a line is a trick.
    fn skip_line(&mut self) -> Result<(), Token<'a>> {
        self.skip_while(|byte| byte != b'\n' && byte != b'\r');
        match (self.byte(0), self.byte(1)) {
            (Some(b'\r'), Some(next)) if self.dialect != Dialect::Postgres && next != b'\n' => {
                Err(Token::Unclear)
            }
            _ => Ok(()),
        }
    }

    /// Skips spaces and comments; the error is a comment that is none, or has no end.
    fn skip_blank(&mut self) -> Result<(), Token<'a>> {
        loop {
            let my_sql = self.dialect == Dialect::MySql;
            match (self.byte(0), self.byte(1)) {
                (Some(byte), _) if byte.is_ascii_whitespace() || byte == 0x0b => self.at += 1,
                (Some(b'#'), _) if my_sql => self.skip_line()?,
                (Some(b'-'), Some(b'-'))
                    if !my_sql || self.byte(2).is_none_or(|b| b <= b' ' || b == 0x7f) =>
                {
                    self.skip_line()?;
                }
                // MySQL and MariaDB execute what such a comment holds.
                (Some(b'/'), Some(b'*')) if my_sql && matches!(self.byte(2), Some(b'!' | b'M')) => {
                    self.at = self.text.len();
                    return Err(Token::Unclear);
                }
                (Some(b'/'), Some(b'*')) => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), Token<'a>> {
        let nests = self.dialect == Dialect::Postgres;
        let mut depth = 0_u32;
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(b'/'), Some(b'*')) if depth == 0 || nests => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (Some(_), _) => self.at += 1,
                (None, _) => return Err(Token::Unclear),
            }
        }
    }

    /// Skips to the end of a quoted stretch that starts here. Doubled quotes belong to it.
    fn quoted(&mut self, end: u8, token: Token<'a>) -> Token<'a> {
        // A backslash before a quote escapes it or not, by the server's settings.
        let escapes = match self.dialect {
            Dialect::Postgres => end == b'\'',
            Dialect::MySql => end != b'`',
            Dialect::Sqlite => false,
        };
        self.at += 1;
        let mut after_backslash = false;
        while let Some(byte) = self.byte(0) {
            self.at += 1;
            if byte == end {
                if escapes && after_backslash {
                    self.at = self.text.len();
                    return Token::Unclear;
                }
                if self.byte(0) != Some(end) {
                    return token;
                }
                self.at += 1;
            }
            after_backslash = byte == b'\\';
        }
        Token::Unclear
    }

    /// `$1`, or a string between two `$tag$`.
    fn dollar(&mut self) -> Token<'a> {
        self.at += 1;
        if self.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_while(|byte| byte.is_ascii_digit());
            return Token::Literal;
        }
        let start = self.at - 1;
        self.skip_while(|byte| is_word(byte) && byte != b'$');
        if self.byte(0) != Some(b'$') {
            return Token::Symbol(b'$');
        }
        self.at += 1;
        let tag = &self.text[start..self.at];
        match self.text[self.at..].find(tag) {
            Some(end) => {
                self.at += end + tag.len();
                Token::Literal
            }
            None => {
                self.at = self.text.len();
                Token::Unclear
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let start = self.at;
        self.skip_while(is_word);
        let word = &self.text[start..self.at];
        // SQLite takes a byte order mark for a space, wherever it stands.
        if word.contains('\u{feff}') {
            Token::Unclear
        } else {
            Token::Word(word)
        }
    }

    /// Digits, a fraction and an exponent, or `0x` and its like. Letters that follow at once are a
    /// word to some servers and a mistake to others.
    fn number(&mut self) -> Token<'a> {
        if self.byte(0) == Some(b'0') && matches!(self.byte(1), Some(b'x' | b'X' | b'b' | b'o')) {
            self.skip_while(|byte| byte.is_ascii_alphanumeric());
            return Token::Literal;
        }
        self.skip_while(|byte| byte.is_ascii_digit());
        if self.byte(0) == Some(b'.') {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if matches!(self.byte(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.byte(1), Some(b'+' | b'-')));
            if self
                .byte(1 + sign)
                .is_some_and(|byte| byte.is_ascii_digit())
            {
                self.at += 1 + sign;
                self.skip_while(|byte| byte.is_ascii_digit());
            }
        }
        if self.byte(0).is_some_and(is_word) {
            Token::Unclear
        } else {
            Token::Literal
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Err(unclear) = self.skip_blank() {
            return Some(unclear);
        }
        let byte = self.byte(0)?;
        let token = match (byte, self.dialect) {
            (b'\'', _) => self.quoted(b'\'', Token::Literal),
            (b'"', Dialect::MySql) => self.quoted(b'"', Token::Literal),
            (b'"', Dialect::Postgres | Dialect::Sqlite) => self.quoted(b'"', Token::Quoted),
            (b'`', Dialect::MySql | Dialect::Sqlite) => self.quoted(b'`', Token::Quoted),
            (b'[', Dialect::Sqlite) => self.quoted(b']', Token::Quoted),
            (b'$', Dialect::Postgres) => self.dollar(),
            (b'0'..=b'9', _) => self.number(),
            (b':', _) if self.byte(1) == Some(b'=') => {
                self.at += 2;
                Token::Assignment
            }
            (start, _) if is_word(start) && start != b'$' => self.word(),
            (symbol, _) => {
                self.at += 1;
                Token::Symbol(symbol)
            }
        };
        Some(token)
    }
}

/// All of a character that is not ASCII belongs to a word, so a word is cut between characters.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
