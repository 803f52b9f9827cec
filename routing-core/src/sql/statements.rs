//! A text of several statements, cut as the database's own client cuts it.

use super::Dialect;
use super::bytes::find;
use super::bytes::is_any;
use super::lexer::{Lexer, Token};

/// The statements of a text, without the semicolons that end them, as `psql`, `mysql` or `sqlite3`
/// would send them. Comments before a statement belong to it.
///
/// - PostgreSQL: a semicolon in parentheses or in a function's body (`BEGIN ATOMIC … END`) ends
///   nothing. Lines that begin with a backslash are `psql`'s own, and so is the data after
///   `COPY … FROM STDIN`.
/// - MySQL and MariaDB: `DELIMITER` changes what ends a statement.
/// - SQLite: a trigger goes on to its `END`. Lines that begin with a dot are `sqlite3`'s own.
///
/// ```
/// use routing_core::sql::{Dialect, statements};
///
/// let text = "SELECT ';'; -- the last one\nDELETE FROM cake";
/// let all: Vec<_> = statements(text, Dialect::Postgres).collect();
/// assert_eq!(all, [&b"SELECT ';'"[..], b"-- the last one\nDELETE FROM cake"]);
/// ```
pub fn statements<T: AsRef<[u8]> + ?Sized>(text: &T, dialect: Dialect) -> Statements<'_> {
    let text = text.as_ref();
    Statements {
        // A byte order mark is no part of the first.
        rest: text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text),
        dialect,
        delimiter: b";",
    }
}

/// The statements of a text; see [`statements`].
#[derive(Debug, Clone)]
pub struct Statements<'a> {
    rest: &'a [u8],
    dialect: Dialect,
    delimiter: &'a [u8],
}

impl<'a> Iterator for Statements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.is_empty() {
                return None;
            }
            if self.skip_clients_own() {
                continue;
            }
            let (end, after, is_empty) = self.statement();
            let statement = self.rest[..end].trim_ascii();
            self.rest = &self.rest[after..];
            if self.dialect == Dialect::Postgres && copies_from_client(statement) {
                self.skip_copied();
            }
            if !is_empty {
                return Some(statement);
            }
        }
    }
}

impl<'a> Statements<'a> {
    fn skip_clients_own(&mut self) -> bool {
        const DELIMITER: &[u8] = b"delimiter";
        let may_be = match self.dialect {
            Dialect::Postgres => self.rest.starts_with(b"\\"),
            Dialect::Sqlite => self.rest.starts_with(b"."),
            Dialect::MySql => {
                let word = self.rest.get(..DELIMITER.len());
                word.is_some_and(|word| word.eq_ignore_ascii_case(DELIMITER))
            }
        };
        if !may_be {
            return false;
        }
        let line_end = find(self.rest, 0, b'\n').unwrap_or(self.rest.len());
        let line = self.rest[..line_end].trim_ascii();
        if self.dialect == Dialect::MySql {
            let after = line.get(DELIMITER.len()..).unwrap_or_default();
            if !after.first().is_none_or(u8::is_ascii_whitespace) {
                return false;
            }
            let delimiter = after.trim_ascii();
            if !delimiter.is_empty() {
                self.delimiter = delimiter;
            }
        }
        self.rest = &self.rest[line_end..];
        true
    }

    /// Where the next statement ends, where the one after it begins, and whether it is nothing but
    /// comments.
    fn statement(&self) -> (usize, usize, bool) {
        let mut tokens = Lexer::splitting(self.rest, self.dialect);
        let mut is_empty = true;
        let mut nesting = Nesting::new(self.dialect);
        let own_delimiter = self.delimiter != b";";
        loop {
            let token = tokens.next();
            let (start, end) = (tokens.start(), tokens.end());
            // It may be made of anything, and stand at the end of a word.
            if own_delimiter
                && !matches!(token, Token::Literal | Token::Quoted)
                && let Some(place) = position(&self.rest[start..], end - start, self.delimiter)
            {
                let place = start + place;
                let is_empty = is_empty && place == start;
                return (place, place + self.delimiter.len(), is_empty);
            }
            match token {
                // No SQL has one outside of strings: `psql` and `mysql` take what follows.
                Token::Symbol if self.rest.get(start) == Some(&b'\\') => match self.dialect {
                    Dialect::Postgres => return (start, start, is_empty),
                    Dialect::MySql if matches!(self.rest.get(end), Some(b'g' | b'G')) => {
                        return (start, end + 1, is_empty);
                    }
                    Dialect::MySql | Dialect::Sqlite => {}
                },
                Token::End => return (end, end, is_empty),
                Token::Unclear => return (end, end, false),
                Token::Semicolon if !own_delimiter && nesting.is_outside() => {
                    return (start, end, is_empty);
                }
                Token::Open => nesting.open(),
                Token::Close => nesting.close(),
                Token::Word => nesting.word(tokens.slice()),
                _ => {}
            }
            is_empty = false;
        }
    }

    /// To the line that ends the data.
    fn skip_copied(&mut self) {
        let mut at = find(self.rest, 0, b'\n').map_or(self.rest.len(), |end| end + 1);
        while at < self.rest.len() {
            let end = find(self.rest, at, b'\n').unwrap_or(self.rest.len());
            let is_last = self.rest[at..end].trim_ascii_end() == b"\\.";
            at = (end + 1).min(self.rest.len());
            if is_last {
                break;
            }
        }
        self.rest = &self.rest[at..];
    }
}

/// Where `wanted` begins within the first `length` bytes of a text.
fn position(text: &[u8], length: usize, wanted: &[u8]) -> Option<usize> {
    (0..length).find(|at| text[*at..].starts_with(wanted))
}

fn copies_from_client(statement: &[u8]) -> bool {
    let mut tokens = Lexer::splitting(statement, Dialect::Postgres);
    let word = |tokens: &Lexer<'_>, words: &[&str]| is_any(tokens.slice(), words);
    if tokens.next() != Token::Word || !word(&tokens, &["copy"]) {
        return false;
    }
    let mut from = false;
    loop {
        match tokens.next() {
            Token::End | Token::Unclear => return false,
            Token::Word if from && word(&tokens, &["stdin"]) => return true,
            token => from = token == Token::Word && word(&tokens, &["from"]),
        }
    }
}

/// Where a semicolon ends nothing.
struct Nesting {
    dialect: Dialect,
    parentheses: usize,
    /// Open `BEGIN` and `CASE`, in a body that has them.
    blocks: usize,
    words: usize,
    creates: bool,
    is_body: bool,
    begins: bool,
}

impl Nesting {
    const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            parentheses: 0,
            blocks: 0,
            words: 0,
            creates: false,
            is_body: false,
            begins: false,
        }
    }

    const fn is_outside(&self) -> bool {
        // `sqlite3` does not count parentheses.
        let parentheses = match self.dialect {
            Dialect::Postgres => self.parentheses,
            Dialect::MySql | Dialect::Sqlite => 0,
        };
        parentheses == 0 && self.blocks == 0
    }

    const fn open(&mut self) {
        self.parentheses += 1;
    }

    const fn close(&mut self) {
        self.parentheses = self.parentheses.saturating_sub(1);
    }

    fn word(&mut self, word: &[u8]) {
        let is = |words: &[&str]| is_any(word, words);
        self.words += 1;
        match self.words {
            1 => self.creates = is(&["create"]),
            2..=5 if self.creates => {
                let bodies: &[&str] = match self.dialect {
                    Dialect::Postgres => &["function", "procedure"],
                    Dialect::MySql => &[],
                    Dialect::Sqlite => &["trigger"],
                };
                self.is_body |= is(bodies);
            }
            _ => {}
        }
        if !self.is_body {
            return;
        }
        let opens = match self.dialect {
            Dialect::Postgres => self.begins && is(&["atomic"]),
            _ => is(&["begin"]),
        };
        self.begins = is(&["begin"]);
        if opens || (self.blocks > 0 && is(&["case"])) {
            self.blocks += 1;
        } else if self.blocks > 0 && is(&["end"]) {
            self.blocks -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, dialect: Dialect) -> Vec<&str> {
        statements(text, dialect)
            .map(|statement| std::str::from_utf8(statement).expect("UTF-8"))
            .collect()
    }

    #[test]
    fn statements_end_where_the_client_says() {
        for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
            assert_eq!(cut("", dialect), [""; 0]);
            assert_eq!(cut(" ;; ; -- x", dialect), [""; 0]);
            assert_eq!(cut("a; b ';' \n;c", dialect), ["a", "b ';'", "c"]);
            assert_eq!(cut("a 'x", dialect), ["a 'x"]);
        }
        let psql = "\\set x 1\nCREATE RULE r AS ON INSERT TO t DO (DELETE FROM u; SELECT 1);\n\
            CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; \
            SELECT 3; END; COPY t FROM STDIN;\n1;2\n\\.\nSELECT $$;$$";
        assert_eq!(cut(psql, Dialect::Postgres).len(), 4);
        let mysql = "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\nDELIMITER ;\nCALL p(); \
            /*!40101 SET x = 1 */;";
        let expected = ["CREATE PROCEDURE p() BEGIN SELECT 1; END", "CALL p()"];
        let found = cut(mysql, Dialect::MySql);
        assert_eq!(found[..2], expected);
        assert_eq!(found.len(), 3);
        let dump = "-- a dump\n\\restrict x\nSET a = 1;\nSELECT 1 \\gx\nSELECT 2\n\\unrestrict x";
        assert_eq!(
            cut(dump, Dialect::Postgres),
            ["SET a = 1", "SELECT 1", "SELECT 2"]
        );
        assert_eq!(
            cut("SELECT 1\\G SELECT 2", Dialect::MySql),
            ["SELECT 1", "SELECT 2"]
        );
        let sqlite = ".mode csv\nCREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM u; \
            UPDATE v SET a = CASE WHEN 1 THEN 2 END; END; SELECT (1; SELECT 2";
        assert_eq!(cut(sqlite, Dialect::Sqlite).len(), 3);
    }
}
