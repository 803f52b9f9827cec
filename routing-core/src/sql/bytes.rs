//! What a byte begins, and where a byte is.

use super::Dialect;

/// What a token that begins with a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Between tokens.
    Blank,
    /// A keyword or a name.
    Word,
    Digit,
    Dot,
    Comma,
    Open,
    Close,
    Semicolon,
    /// `'`, and `"` where it encloses a string.
    String,
    /// A name in quotes that end as they begin.
    Quote,
    /// A name in brackets.
    Bracket,
    /// `-`, which begins a comment if it is doubled.
    Dash,
    /// `/`, which begins a comment before `*`.
    Slash,
    /// `#`, which begins a comment.
    Hash,
    /// `$`, which begins a parameter or a string.
    Dollar,
    Colon,
    /// What begins a parameter, and nothing else.
    Parameter,
    /// `@`, which begins a variable.
    At,
    /// An operator, or nothing that is known.
    Symbol,
    /// What no statement holds.
    Invalid,
}

pub(super) type Classes = [Class; 256];

const POSTGRES: Classes = classes(Dialect::Postgres);
const MYSQL: Classes = classes(Dialect::MySql);
const SQLITE: Classes = classes(Dialect::Sqlite);

pub(super) const fn classes_of(dialect: Dialect) -> &'static Classes {
    match dialect {
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
        Dialect::Sqlite => &SQLITE,
    }
}

const fn classes(dialect: Dialect) -> Classes {
    let mut classes = [Class::Symbol; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = class(byte as u8, dialect);
        byte += 1;
    }
    classes
}

const fn class(byte: u8, dialect: Dialect) -> Class {
    match (byte, dialect) {
        (b' ' | b'\t'..=b'\r', _) => Class::Blank,
        (b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.., _) | (b'$', Dialect::MySql) => Class::Word,
        (b'0'..=b'9', _) => Class::Digit,
        (b'.', _) => Class::Dot,
        (b',', _) => Class::Comma,
        (b'(', _) => Class::Open,
        (b')', _) => Class::Close,
        (b';', _) => Class::Semicolon,
        (b'\'', _) | (b'"', Dialect::MySql) => Class::String,
        (b'"', _) | (b'`', Dialect::MySql | Dialect::Sqlite) => Class::Quote,
        (b'[', Dialect::Sqlite) => Class::Bracket,
        (b'-', _) => Class::Dash,
        (b'/', _) => Class::Slash,
        (b'#', Dialect::MySql) => Class::Hash,
        (b'$', Dialect::Postgres) => Class::Dollar,
        (b':', Dialect::Postgres | Dialect::MySql) => Class::Colon,
        (b':' | b'@' | b'#' | b'$' | b'?', Dialect::Sqlite) => Class::Parameter,
        (b'@', Dialect::MySql) => Class::At,
        (0, _) => Class::Invalid,
        _ => Class::Symbol,
    }
}

/// Whether a byte goes on with a word. All of a character that is not ASCII does, so that a word is
/// cut between characters.
pub(super) const fn is_word(byte: u8) -> bool {
    WORD[byte as usize]
}

const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0;
    while byte < word.len() {
        word[byte] = matches!(
            byte as u8,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | 0x80..
        );
        byte += 1;
    }
    word
};

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Eight bytes as a number, the first the lowest.
#[inline]
pub(super) fn eight(text: &[u8], at: usize) -> Option<u64> {
    let bytes = text.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// Where `byte` is next, at `from` or after it.
///
/// Eight bytes at a time: a byte of `x` is 0 where `x - 1` borrows into its highest bit and `x`
/// has that not set. Mostly what is looked for is that near, where a call of a library costs more
/// than it saves.
#[inline]
pub(super) fn find(text: &[u8], from: usize, byte: u8) -> Option<usize> {
    let mut at = from;
    while let Some(bytes) = eight(text, at) {
        let x = bytes ^ (ONES * byte as u64);
        let found = x.wrapping_sub(ONES) & !x & HIGHS;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = text.get(at..)?;
    Some(at + rest.iter().position(|b| *b == byte)?)
}

/// How many of eight bytes are letters, before the first that is none.
///
/// In lower case, as seven bits, a letter is one to whose byte 0x1f adds the highest bit and 0x05
/// does not.
#[inline]
pub(super) fn letters(bytes: u64) -> usize {
    let lower = (bytes | (ONES * 0x20)) & !HIGHS;
    let is_letter = (lower + ONES * 0x1f) & !(lower + ONES * 0x05) & !bytes & HIGHS;
    ((is_letter ^ HIGHS).trailing_zeros() / 8) as usize
}

/// Whether a word is one of these, which are in small letters.
pub(super) fn is_any(word: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for place in 0..=8 {
            for other in 0..=u8::MAX {
                let mut bytes = *b"aZmNzAyb";
                bytes[place.min(7)..].fill(other);
                let expected = bytes
                    .iter()
                    .position(|b| !b.is_ascii_alphabetic())
                    .unwrap_or(8);
                assert_eq!(letters(u64::from_le_bytes(bytes)), expected, "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for length in 0..40 {
            let mut text = vec![b'"' + 1; length];
            assert_eq!(find(&text, 0, b'"'), None);
            for place in 0..length {
                text[place] = b'"';
                for from in 0..length + 2 {
                    let expected = (from <= place).then_some(place);
                    assert_eq!(find(&text, from, b'"'), expected, "{place} of {length}");
                }
                text[place] = if place % 2 == 0 { 0xa2 } else { b'"' - 1 };
            }
        }
    }
}
