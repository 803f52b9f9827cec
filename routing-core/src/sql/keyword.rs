//! The words that a query turns at.

use super::bytes::eight;

/// What a word inside a query is, besides a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Select,
    From,
    Join,
    /// `ON` and `USING`.
    On,
    As,
    With,
    Recursive,
    /// `LATERAL`, `ONLY` and `ORDINALITY`: a table goes on.
    Source,
    /// What follows the tables.
    Clause,
    /// The same, where no dialect has a function of that name.
    Where,
    /// `GROUP`: the same, unless it is in `WITHIN GROUP`.
    Group,
    /// `VALUES`, which is a table of its own between parentheses.
    Values,
    /// Within expressions; no dialect has a function of that name.
    Operator,
    For,
    Lock,
    Into,
    Insert,
    Update,
    Delete,
    Merge,
    Replace,
    CalcFoundRows,
}

const KEYWORDS: &[(&str, Keyword)] = &[
    ("select", Keyword::Select),
    ("from", Keyword::From),
    ("join", Keyword::Join),
    ("straight_join", Keyword::Join),
    ("on", Keyword::On),
    ("using", Keyword::On),
    ("as", Keyword::As),
    ("with", Keyword::With),
    ("recursive", Keyword::Recursive),
    ("lateral", Keyword::Source),
    ("only", Keyword::Source),
    ("ordinality", Keyword::Source),
    ("where", Keyword::Where),
    ("group", Keyword::Group),
    ("having", Keyword::Where),
    ("and", Keyword::Operator),
    ("or", Keyword::Operator),
    ("not", Keyword::Operator),
    ("in", Keyword::Operator),
    ("exists", Keyword::Operator),
    ("between", Keyword::Operator),
    ("case", Keyword::Operator),
    ("when", Keyword::Operator),
    ("then", Keyword::Operator),
    ("else", Keyword::Operator),
    ("order", Keyword::Clause),
    ("limit", Keyword::Clause),
    ("offset", Keyword::Clause),
    ("fetch", Keyword::Clause),
    ("union", Keyword::Clause),
    ("intersect", Keyword::Clause),
    ("except", Keyword::Clause),
    ("minus", Keyword::Clause),
    ("window", Keyword::Clause),
    ("values", Keyword::Values),
    ("for", Keyword::For),
    ("lock", Keyword::Lock),
    ("into", Keyword::Into),
    ("insert", Keyword::Insert),
    ("update", Keyword::Update),
    ("delete", Keyword::Delete),
    ("merge", Keyword::Merge),
    ("replace", Keyword::Replace),
    ("sql_calc_found_rows", Keyword::CalcFoundRows),
];

const BITS: u32 = 8;
const SLOTS: usize = 1 << BITS;

/// A table without collisions: a word is compared with one other at most.
struct Table {
    multiplier: u64,
    /// The first eight letters of the word; none has the key 0.
    keys: [u64; SLOTS],
    /// Its place in [`KEYWORDS`].
    places: [u8; SLOTS],
}

static TABLE: Table = Table::build();

const fn slot(key: u64, multiplier: u64) -> usize {
    (key.wrapping_mul(multiplier) >> (u64::BITS - BITS)) as usize
}

impl Table {
    const fn build() -> Self {
        // Any odd number may do; the first of this sequence that does is taken.
        let mut multiplier = 0x9e37_79b9_7f4a_7c15_u64;
        loop {
            if let Some(table) = Self::with(multiplier) {
                return table;
            }
            multiplier = multiplier
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(2);
        }
    }

    const fn with(multiplier: u64) -> Option<Self> {
        let mut table = Self {
            multiplier,
            keys: [0; SLOTS],
            places: [0; SLOTS],
        };
        let mut place = 0;
        while place < KEYWORDS.len() {
            let word = KEYWORDS[place].0.as_bytes();
            let key = key_of(word);
            let slot = slot(key, multiplier);
            if table.keys[slot] != 0 {
                return None;
            }
            table.keys[slot] = key;
            table.places[slot] = place as u8;
            place += 1;
        }
        Some(table)
    }
}

/// The first eight bytes, letters in lower case. Only a letter has a letter's key.
const fn key_of(word: &[u8]) -> u64 {
    let mut key = 0;
    let mut i = 0;
    while i < word.len() && i < 8 {
        key |= ((word[i] | 0x20) as u64) << (8 * i);
        i += 1;
    }
    key
}

impl Keyword {
    /// The word that stands from `start` to `end`.
    #[inline(always)]
    pub(super) fn at(text: &[u8], start: usize, end: usize) -> Option<Self> {
        let length = end - start;
        let key = match eight(text, start) {
            Some(bytes) => {
                let bytes = bytes | u64::from_ne_bytes([0x20; 8]);
                if length < 8 {
                    bytes & ((1 << (8 * length)) - 1)
                } else {
                    bytes
                }
            }
            None => key_of(text.get(start..end)?),
        };
        let slot = slot(key, TABLE.multiplier);
        if TABLE.keys[slot] != key {
            return None;
        }
        let (word, keyword) = KEYWORDS[TABLE.places[slot] as usize];
        let whole = length <= 8 || text[start..end].eq_ignore_ascii_case(word.as_bytes());
        (whole && length >= word.len().min(8)).then_some(keyword)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_in_any_case_and_nothing_else_is() {
        let at = |word: &str| {
            let long = format!("({word} and more text");
            let found = Keyword::at(long.as_bytes(), 1, 1 + word.len());
            assert_eq!(found, Keyword::at(word.as_bytes(), 0, word.len()), "{word}");
            found
        };
        for (word, keyword) in KEYWORDS {
            assert_eq!(at(word), Some(*keyword));
            assert_eq!(at(&word.to_uppercase()), Some(*keyword));
            assert_eq!(at(&format!("{word}x")), None);
            assert_eq!(at(&word[1..]).filter(|other| other == keyword), None);
        }
        for name in [
            "",
            "a",
            "cake",
            "SQL_CALC_FOUND_ROWZ",
            "intersecT_",
            "recursivE1",
            "\u{e9}",
        ] {
            assert_eq!(at(name), None, "{name}");
        }
    }
}
