//! SQL text, cut into tokens.

use super::Dialect;
use super::bytes::{Class, Classes, classes_of, eight, find, is_word, letters};
use super::calls::may_write;
use super::clause::{Before, Part};

/// A token, as far as the kind of a statement depends on it. Its text is the lexer's
/// [`slice`](Lexer::slice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes; in MySQL also what is one or a string by the server's settings.
    Quoted,
    /// A string, a number or a parameter.
    Literal,
    Dot,
    Comma,
    Open,
    Close,
    Semicolon,
    /// `::`.
    Cast,
    /// `:=`.
    Assignment,
    /// `@`, before the name of a variable of MySQL's.
    Variable,
    /// `@@`, before the name of a setting of MySQL's.
    Setting,
    /// Any other character.
    Symbol,
    /// Something that has no end, or that servers read differently.
    Unclear,
    /// Nothing is left.
    End,
    /// None; the lexer keeps it to itself.
    Comment,
}

/// What is between two names in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glue {
    /// `.`
    Dot,
    /// `, `
    Comma,
    /// ` AS `
    As,
}

/// Where a lexer has stopped.
#[derive(Clone, Copy)]
pub(super) struct Stop {
    at: usize,
    depends: bool,
}

/// What [`names`](Lexer::names) went over.
pub(super) struct Run {
    /// What is before the last name.
    pub(super) last: Option<Glue>,
    /// What is before the dotted chain that the last name ends, and where that begins, unless it is
    /// the chain of the name before all of them.
    pub(super) chain: Option<(Glue, usize)>,
    /// Where a member begins that may be called like a function that writes.
    pub(super) suspect: Option<usize>,
}

/// What a function that is not inlined found.
#[derive(Clone, Copy)]
struct Cut {
    token: Token,
    at: usize,
    depends: bool,
}

/// How strings are read whose meaning depends on the server's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// As by the server's default settings: a backslash escapes in MySQL, and does not in
    /// PostgreSQL.
    Default,
    /// As by `NO_BACKSLASH_ESCAPES` in MySQL, and without `standard_conforming_strings` in
    /// PostgreSQL.
    Other,
    /// As by `ANSI_QUOTES` in MySQL: what is in double quotes is a name, which has no escapes.
    AnsiQuotes,
}

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
                Class::Digit => self.number(byte),
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

    /// A word that is not just some letters.
    #[inline(never)]
    fn long_word(mut self, first: u8) -> Cut {
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

    /// A string in quotes. Doubled quotes belong to it, and those after a backslash, by the
    /// server's settings.
    fn string(&mut self, end: u8) -> Token {
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
    fn escape_string(&mut self) -> Token {
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

    /// `.`, unless a fraction begins with it.
    #[inline(always)]
    fn dot(&mut self) -> Token {
        if self.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at -= 1;
            self.number(b'.')
        } else {
            Token::Dot
        }
    }

    /// Digits, a fraction and an exponent, or `0x` and its like. Letters that follow at once are a
    /// word to some servers and a mistake to others.
    #[inline]
    fn number(&mut self, first: u8) -> Token {
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

    /// `$1`, or a string between two `$tag$`.
    #[inline]
    fn dollar(&mut self) -> Token {
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

    fn starts_line_comment(&self) -> bool {
        self.byte(0) == Some(b'-')
            && (self.dialect != Dialect::MySql
                || self.byte(1).is_none_or(|b| b <= b' ' || b == 0x7f))
    }

    fn skip_line(&mut self) {
        self.skip_while(|byte| byte != b'\n' && byte != b'\r' && byte != 0);
    }

    /// To the end of the line, which for PostgreSQL a carriage return is too; elsewhere one inside
    /// a line is a trick.
    fn line_comment(&mut self) -> Option<Token> {
        self.skip_line();
        match (self.byte(0), self.byte(1)) {
            (Some(b'\r'), Some(next)) if self.dialect != Dialect::Postgres && next != b'\n' => {
                Some(self.ambiguous())
            }
            _ => None,
        }
    }

    /// PostgreSQL's nest. MySQL and MariaDB execute what some of theirs hold.
    fn block_comment(&mut self) -> Option<Token> {
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
