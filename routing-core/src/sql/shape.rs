//! What is left of a statement when its values are taken out.

use super::Dialect;
use super::lexer::{Lexer, Strings, Token};

/// The shape of a statement: the same for texts that differ only in values, in spaces, comments
/// and case, and in the length of lists of values.
///
/// It is a hash (FNV-1a, 64 bits). Two shapes that share one are taken for one another, which
/// sends a read to the primary that a replica could have served.
pub(crate) fn shape_of(sql: &[u8], dialect: Dialect) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = START;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let mut tokens = Lexer::new(sql, dialect, Strings::Default);
    // A value, and a value after a comma after it, count once.
    let mut values = 0;
    loop {
        let token = tokens.next();
        match token {
            Token::End => return hash,
            // MySQL's double quotes mostly enclose a string.
            Token::Literal | Token::Quoted
                if token == Token::Literal
                    || tokens.slice().first() == Some(&b'"') && dialect == Dialect::MySql =>
            {
                if values != 2 {
                    add(b'?');
                }
                values = 1;
                continue;
            }
            Token::Comma if values == 1 => {
                values = 2;
                continue;
            }
            _ => {}
        }
        if values == 2 {
            add(b',');
        }
        values = 0;
        if token == Token::Word {
            tokens
                .slice()
                .iter()
                .for_each(|byte| add(byte.to_ascii_lowercase()));
        } else {
            tokens.slice().iter().for_each(|byte| add(*byte));
        }
        add(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_spaces_do_not_count() {
        let same = [
            "SELECT a FROM t WHERE b = 1 AND c IN ($1, $2)",
            "select a\nfrom T where b = 'x' /* ! */ and c in (1, 2, 3);".trim_end_matches(';'),
            "SELECT a FROM t WHERE b=2.5 AND c IN (?)",
        ];
        let shape = |sql: &str| shape_of(sql.as_bytes(), Dialect::Postgres);
        assert_eq!(shape(same[0]), shape(same[1]));
        let sqlite = |sql: &str| shape_of(sql.as_bytes(), Dialect::Sqlite);
        assert_eq!(
            sqlite("SELECT a WHERE b IN (?, ?)"),
            sqlite("SELECT a WHERE b IN (?)")
        );
        for other in [
            "SELECT a FROM t WHERE b = 1 AND c IN ($1, d)",
            "SELECT a FROM t WHERE b = 1 AND c IN ($1), 2",
            "SELECT a FROM \"T\" WHERE b = 1 AND c IN ($1, $2)",
            "SELECT aa FROM t WHERE b = 1 AND c IN ($1, $2)",
            "SELECT a FROM t WHERE b = 1",
            "",
        ] {
            assert_ne!(shape(same[0]), shape(other), "{other}");
        }
    }
}
