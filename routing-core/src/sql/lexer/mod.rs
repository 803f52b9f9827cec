//! SQL text, cut into tokens.

mod comments;
mod strings;
mod token;
mod words;

use super::Dialect;
use super::bytes::{Class, Classes, classes_of, eight, find, is_word, letters};
use super::calls::may_write;
use super::clause::{Before, Part};
use token::Cut;

pub(super) use token::{Glue, Run, Stop, Strings, Token};

/// Total on every text: what it cannot cut is `Unclear`, and the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    start: usize,
    at: usize,
    classes: &'static Classes,
    dialect: Dialect,
    strings: Strings,
    /// Whether a string was read that ends elsewhere by other settings.
    depends: bool,
    /// Whether only the ends of statements are looked for, so that what is read differently by some
    /// servers does not matter.
    splits: bool,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a [u8], dialect: Dialect, strings: Strings) -> Self {
        Self {
            text,
            start: 0,
            at: 0,
            classes: classes_of(dialect),
            dialect,
            strings,
            depends: false,
            splits: false,
        }
    }

    /// For who looks for the ends of statements: only what has no end is `Unclear`.
    pub(super) const fn splitting(text: &'a [u8], dialect: Dialect) -> Self {
        let mut lexer = Self::new(text, dialect, Strings::Default);
        lexer.splits = true;
        lexer
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) const fn depends_on_settings(&self) -> bool {
        self.depends
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Where the last token begins.
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// Where the last token ends.
    pub(super) const fn end(&self) -> usize {
        self.at
    }

    /// The text of the last token.
    pub(super) fn slice(&self) -> &'a [u8] {
        self.between(self.start, self.at)
    }

    pub(super) fn between(&self, start: usize, end: usize) -> &'a [u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    pub(super) const fn text(&self) -> &'a [u8] {
        self.text
    }

    #[inline]
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// Where it is, for another lexer of the same text to go on.
    pub(super) const fn stop(&self) -> Stop {
        Stop {
            at: self.at,
            depends: self.depends,
        }
    }

    /// Goes on where another lexer of the same text has stopped.
    pub(super) const fn go_to(&mut self, stop: Stop) {
        self.at = stop.at;
        self.depends |= stop.depends;
    }

    /// The same text, from `at` on.
    pub(super) const fn from(mut self, at: usize) -> Self {
        self.start = at;
        self.at = at;
        self
    }

    /// The last token, as the next one sees it; `start` is where it begins if it is a word.
    pub(super) fn before(&self, part: Part, start: usize) -> Before<'a> {
        let name = match part {
            Part::Word | Part::Reserved => {
                let mut word = self.from(start);
                word.next();
                word.slice()
            }
            _ => &[],
        };
        Before { part, name }
    }

    /// The next token; after the last it is `End` for ever.
    #[inline(never)]
    pub(super) fn next(&mut self) -> Token {
        self.next_inline()
    }

    /// Goes on over what mostly follows a name in quotes, as ORMs write it: `."name"`, and in a list
    /// `, "name"` and ` AS "name"`. The last token is then the last of these names.
    #[inline(always)]
    pub(super) fn names(&mut self, is_list: bool) -> Run {
        let mut run = Run {
            last: None,
            chain: None,
            suspect: None,
        };
        let (Some(&quote), Some(mut bytes)) = (
            self.text.get(self.at.wrapping_sub(1)),
            eight(self.text, self.at),
        ) else {
            return run;
        };
        // Not MySQL's `"`, which may enclose a string.
        if self.classes[quote as usize] != Class::Quote {
            return run;
        }
        let name = u64::from(quote);
        let (dot, comma, alias) = (
            name << 8 | 0x2e,
            name << 16 | 0x202c,
            name << 32 | 0x2053_4120,
        );
        loop {
            let (glue, length) = if bytes & 0xffff == dot {
                (Glue::Dot, 2)
            } else if !is_list {
                return run;
            } else if bytes & 0xff_ffff == comma {
                (Glue::Comma, 3)
            } else if bytes & 0xff_ffff_ffff == alias {
                (Glue::As, 5)
            } else {
                return run;
            };
            let start = self.at + length - 1;
            let Some(end) = find(self.text, start + 1, quote) else {
                return run;
            };
            // A doubled quote is for the general case, and so is the end of the text.
            let seen = bytes;
            match eight(self.text, end + 1) {
                Some(next) if next & 0xff != name => bytes = next,
                _ => return run,
            }
            if glue != Glue::Dot {
                run.chain = Some((glue, start));
            } else if may_write(seen.to_le_bytes()[2], seen.to_le_bytes()[3]) {
                run.suspect = run.suspect.or(Some(start));
            }
            run.last = Some(glue);
            self.start = start;
            self.at = end + 1;
        }
    }

    /// [`next`](Self::next) for the one loop that is in a hurry.
    #[inline(always)]
    pub(super) fn next_inline(&mut self) -> Token {
        loop {
            // Mostly there is one.
            self.at += usize::from(self.text.get(self.at) == Some(&b' '));
            let Some(&byte) = self.text.get(self.at) else {
                self.start = self.at;
                return Token::End;
            };
            self.start = self.at;
            self.at += 1;
            return match self.classes[byte as usize] {
                Class::Blank => continue,
                Class::Word => self.word(byte),
                Class::Quote => self.quoted(byte),
                Class::Dot => self.dot(),
                Class::Comma => Token::Comma,
                Class::Open => Token::Open,
                Class::Close => Token::Close,
                Class::Symbol => Token::Symbol,
                Class::Digit => self.digits(byte),
                Class::Dollar => self.dollar(),
                other => match self.go_on(Self::rare(*self, other, byte)) {
                    Token::Comment => continue,
                    token => token,
                },
            };
        }
    }

    #[inline(always)]
    fn go_on(&mut self, cut: Cut) -> Token {
        self.at = cut.at;
        self.depends |= cut.depends;
        cut.token
    }

    fn cut(self, token: Token) -> Cut {
        Cut {
            token,
            at: self.at,
            depends: self.depends,
        }
    }

    /// What is not in every statement.
    ///
    /// It has the lexer by value, as do the others that are not inlined: a lexer whose address
    /// another function knows cannot stay in registers.
    #[inline(never)]
    fn rare(mut self, class: Class, byte: u8) -> Cut {
        let token = self.rare_token(class, byte).unwrap_or(Token::Comment);
        self.cut(token)
    }

    fn rare_token(&mut self, class: Class, byte: u8) -> Option<Token> {
        Some(match class {
            Class::String => self.string(byte),
            Class::Semicolon => Token::Semicolon,
            Class::Bracket => self.quoted(b']'),
            Class::Dash if self.starts_line_comment() => return self.line_comment(),
            Class::Hash => return self.line_comment(),
            Class::Slash if self.byte(0) == Some(b'*') => return self.block_comment(),
            Class::Colon => match self.byte(0) {
                Some(b':') => self.longer(Token::Cast),
                Some(b'=') => self.longer(Token::Assignment),
                _ => Token::Symbol,
            },
            Class::At => match self.byte(0) {
                Some(b'@') => self.longer(Token::Setting),
                _ => Token::Variable,
            },
            Class::Parameter => {
                self.skip_while(is_word);
                Token::Literal
            }
            Class::Invalid => self.ambiguous(),
            _ => Token::Symbol,
        })
    }

    fn longer(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn unclear(&mut self) -> Token {
        self.at = self.text.len();
        Token::Unclear
    }

    /// Something that some servers read differently.
    fn ambiguous(&mut self) -> Token {
        if self.splits {
            Token::Symbol
        } else {
            self.unclear()
        }
    }

    #[inline]
    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.byte(0).is_some_and(&accept) {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn word(&mut self, first: u8) -> Token {
        if let Some(bytes) = eight(self.text, self.start) {
            let length = letters(bytes);
            self.at = self.start + length.max(1);
            match self.byte(0) {
                Some(b'\'') => {}
                Some(byte) if is_word(byte) => {}
                _ if length > 0 => return Token::Word,
                _ => {}
            }
        }
        self.go_on(Self::long_word(*self, first))
    }

    /// A name in quotes. Doubled quotes belong to it.
    #[inline(always)]
    fn quoted(&mut self, end: u8) -> Token {
        loop {
            let Some(found) = find(self.text, self.at, end) else {
                return self.unclear();
            };
            self.at = found + 1;
            if end == b']' || self.byte(0) != Some(end) {
                return Token::Quoted;
            }
            self.at += 1;
        }
    }

    /// `.`, unless a fraction begins with it.
    #[inline(always)]
    fn dot(&mut self) -> Token {
        if self.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at -= 1;
            self.go_on(Self::number(*self, b'.'))
        } else {
            Token::Dot
        }
    }

    /// Mostly a few digits.
    #[inline(always)]
    fn digits(&mut self, first: u8) -> Token {
        let mut end = self.at;
        while let Some(byte) = self.text.get(end)
            && byte.is_ascii_digit()
        {
            end += 1;
        }
        match self.text.get(end) {
            Some(byte) if is_word(*byte) || *byte == b'.' => self.go_on(Self::number(*self, first)),
            _ => {
                self.at = end;
                Token::Literal
            }
        }
    }
}
