//! The corpus, without servers: what changes nothing for a server changes no answer.

use std::sync::LazyLock;

use proptest::prelude::*;
use routing_core::Access;
use routing_core::sql::{Dialect, classify, statements, tables};
use routing_tests::corpus::{others, reads};

const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

#[test]
fn there_are_thousands_of_statements() {
    for dialect in ALL {
        let count = reads(dialect).len() + others(dialect).len();
        assert!(count >= 3_000, "{dialect:?}: {count}");
    }
}

#[test]
fn plain_reads_are_reads() {
    for dialect in ALL {
        let reads = reads(dialect);
        let writes = reads
            .iter()
            .filter(|sql| classify(*sql, dialect).access() == Access::Write);
        let writes: Vec<_> = writes.collect();
        let most = reads.len() / 100;
        assert!(
            writes.len() <= most,
            "{dialect:?}, {} of {}: {writes:#?}",
            writes.len(),
            reads.len()
        );
    }
}

/// What stands between tokens of the corpus is one space, and no string of it holds one that
/// matters.
fn disguise(sql: &str, dialect: Dialect, mut choice: impl FnMut() -> u8) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut before = ' ';
    for c in sql.chars() {
        match quote {
            Some(end) => {
                if c == end {
                    quote = None;
                }
                out.push(c);
            }
            None if matches!(
                c,
                '\'' | '"' | '`' | '$' | '[' | '@' | '\\' | '/' | '-' | '*' | '&'
            ) =>
            {
                if matches!(c, '\'' | '"' | '`') {
                    quote = Some(c);
                }
                out.push(c);
            }
            None if c == ' ' && !matches!(before, '-' | '/' | '*') => {
                out.push_str(match choice() % 6 {
                    0 => "\n",
                    1 => "\t ",
                    2 => " /* ; */ ",
                    3 => "/**/",
                    4 if dialect == Dialect::MySql => " # '\n",
                    4 => " -- '\n",
                    _ => " ",
                });
            }
            None if c.is_ascii_alphabetic() && choice().is_multiple_of(2) => {
                out.push(if c.is_ascii_lowercase() {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                });
            }
            None => out.push(c),
        }
        before = c;
    }
    out
}

/// Whether all that is in it means the same in another case and with other spaces.
fn can_be_disguised(sql: &str) -> bool {
    !["--", "/*", "$$", "E'", "U&", "\\", "\"", "`", "\n"]
        .iter()
        .any(|part| sql.contains(part))
}

fn everything(dialect: Dialect) -> impl Iterator<Item = String> {
    reads(dialect).into_iter().chain(others(dialect))
}

fn pick(all: &[Vec<String>; 3], dialect: Dialect, index: prop::sample::Index) -> &String {
    let place = ALL.iter().position(|other| *other == dialect);
    index.get(&all[place.expect("one of them")])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn comments_case_and_spaces_change_nothing(
        dialect in prop::sample::select(&ALL[..]),
        index in any::<prop::sample::Index>(),
        choices in prop::collection::vec(any::<u8>(), 64),
    ) {
        static PLAIN: LazyLock<[Vec<String>; 3]> = LazyLock::new(|| {
            ALL.map(|dialect| everything(dialect).filter(|sql| can_be_disguised(sql)).collect())
        });
        let sql = pick(&PLAIN, dialect, index);
        let mut next = choices.iter().cycle();
        let disguised = disguise(sql, dialect, || *next.next().expect("it goes on for ever"));
        prop_assert_eq!(classify(sql, dialect), classify(&disguised, dialect), "{}\n{}", sql, disguised);
    }

    #[test]
    fn quotes_change_nothing(
        dialect in prop::sample::select(&ALL[..]),
        index in any::<prop::sample::Index>(),
    ) {
        static EVERYTHING: LazyLock<[Vec<String>; 3]> =
            LazyLock::new(|| ALL.map(|dialect| everything(dialect).collect()));
        let sql = pick(&EVERYTHING, dialect, index);
        let quote = if dialect == Dialect::MySql { '`' } else { '"' };
        let quoted = sql.replace(" cake ", &format!(" {quote}cake{quote} ")).replace(" fruit ", &format!(" {quote}fruit{quote} "));
        prop_assert_eq!(classify(sql, dialect).access(), classify(&quoted, dialect).access(), "{}", quoted);
    }
}

/// A generator that is quick and the same each time (xorshift; Marsaglia, 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("below a usize")
    }
}

fn take_apart(text: &[u8]) {
    for dialect in ALL {
        let _ = classify(text, dialect);
        let _ = tables(text, dialect, |table| drop(table.name()));
        assert!(statements(text, dialect).all(|statement| statement.len() <= text.len()));
    }
}

#[test]
fn a_million_random_texts_do_no_harm() {
    const ALPHABET: &[u8] = b"'\"`[]()$;:@#-/*\\.,=!? \n\rEeNnUu&xX019aselctfromwhi_\xef\xbb\xbf\0";
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut text = Vec::new();
    for turn in 0..1_000_000_u32 {
        text.clear();
        for _ in 0..random.below(40) {
            let byte = random.next().to_le_bytes();
            text.push(if turn % 2 == 0 {
                byte[0]
            } else {
                ALPHABET[usize::from(byte[1]) % ALPHABET.len()]
            });
        }
        take_apart(&text);
    }
}

#[test]
fn a_million_mutants_do_no_harm() {
    let mut random = Random(0xfeed_beef_cafe_1235);
    let seeds: Vec<_> = ALL
        .iter()
        .flat_map(|dialect| everything(*dialect))
        .collect();
    for _ in 0..1_000_000_u32 {
        let mut text = seeds[random.below(seeds.len())].clone().into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(text.len() + 1);
            let byte = random.next().to_le_bytes()[3];
            match random.below(4) {
                0 => text.truncate(at),
                1 => text.insert(at, byte),
                2 if at < text.len() => text[at] = byte,
                _ => {
                    let other = seeds[random.below(seeds.len())].as_bytes();
                    text.extend_from_slice(&other[random.below(other.len())..]);
                }
            }
        }
        take_apart(&text);
    }
}

/// Twice the length takes twice the steps: a length that would take minutes if it were squared.
#[test]
fn no_text_takes_more_than_its_length() {
    for part in [
        "'",
        "\"",
        "`",
        "[",
        "]",
        "(",
        ")",
        "\\'",
        "\\\\'",
        "$",
        "$a$",
        "$$",
        "/*",
        "*/",
        "/*/*",
        "--\n",
        "-- \r",
        "E'\\'",
        "E'a'\n",
        "@",
        "@@a.",
        ":",
        "::",
        "::a(",
        ";",
        "SELECT 1;",
        "1",
        "1e",
        "0x",
        ".",
        ",",
        "a",
        "a.",
        "é",
        "\u{feff}",
        "FOR ",
        "UPDATE ",
        "a(",
        "WITH a AS (",
        "SELECT (",
        "EXPLAIN ",
        "EXPLAIN (",
        "VALUES (1),",
        "#",
        "!",
        "IN (1,",
        "''",
        "U&\"",
        "SHOW COUNT(",
        "INTO ",
        "AS (",
        "FROM t a (b),",
        "COPY (",
        "LOCK IN ",
        "BEGIN ATOMIC ",
    ] {
        let text = part.repeat(100_000 / part.len());
        take_apart(text.as_bytes());
        take_apart(format!("SELECT {text}").as_bytes());
    }
}
