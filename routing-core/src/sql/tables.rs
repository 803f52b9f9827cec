//! The tables that a statement names.

use super::Dialect;
use super::bytes::is_any;
use super::clause::{CTE, Clauses, Part, SOURCE};
use super::keyword::Keyword;
use super::lexer::{Lexer, Strings, Token};

/// The most common table expressions of a statement; one with more is not followed.
const MAX_CTES: usize = 16;

/// The name of a table, as a statement has it.
///
/// ```
/// use routing_core::sql::{Dialect, tables};
///
/// let mut found = Vec::new();
/// let sql = "SELECT * FROM shop.cake c JOIN \"Fruit\" f ON f.cake_id = c.id";
/// tables(sql, Dialect::Postgres, |table| found.push(table));
/// assert!(found[0].is("cake") && found[0].is("shop.cake") && !found[0].is("store.cake"));
/// // In quotes, case counts in PostgreSQL.
/// assert!(found[1].is("Fruit") && !found[1].is("fruit"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableName<'a> {
    schema: Option<&'a [u8]>,
    name: &'a [u8],
    dialect: Dialect,
}

impl TableName<'_> {
    /// Whether it is the table of that name, `name` or `schema.name`. Case counts in PostgreSQL's
    /// quotes and nowhere else, though a MySQL server may be told to regard it. A name that is not
    /// qualified, here or in the statement, is in any schema.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let same = |written: &[u8], name: &str| match inside(written) {
            (inside, true) if self.dialect == Dialect::Postgres => inside == name.as_bytes(),
            (inside, _) => inside.eq_ignore_ascii_case(name.as_bytes()),
        };
        match name.rsplit_once('.') {
            Some((schema, name)) => {
                same(self.name, name) && self.schema.is_none_or(|written| same(written, schema))
            }
            None => same(self.name, name),
        }
    }

    /// The name without schema and quotes.
    #[must_use]
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(inside(self.name).0)
    }
}

/// What is in the quotes, and whether there are any.
fn inside(written: &[u8]) -> (&[u8], bool) {
    match written {
        [b'"' | b'`' | b'[', inside @ .., _] => (inside, true),
        plain => (plain, false),
    }
}

/// Visits the tables of a statement, each as often as it is named; whether these are all.
///
/// `false` is an honest answer: a statement that is no query and changes no rows is not followed,
/// nor is one with more than sixteen common table expressions. Nobody sees what functions, views
/// and triggers use. A table that is called like a common table expression of the same statement
/// is taken for that.
///
/// ```
/// use routing_core::sql::{Dialect, tables};
///
/// let mut names = Vec::new();
/// let sql = "WITH old AS (SELECT * FROM cake) INSERT INTO archive (id) SELECT id FROM old";
/// let complete = tables(sql, Dialect::Sqlite, |table| names.push(table.name().into_owned()));
/// assert!(complete);
/// assert_eq!(names, ["cake", "archive"]);
/// ```
pub fn tables<'a, T: AsRef<[u8]> + ?Sized>(
    sql: &'a T,
    dialect: Dialect,
    visit: impl FnMut(TableName<'a>),
) -> bool {
    let mut walk = Walk {
        tokens: Lexer::new(sql.as_ref(), dialect, Strings::Default),
        clauses: Clauses::new(),
        part: Part::Start,
        word: 0,
        ctes: [b""; MAX_CTES],
        known: 0,
        visit,
    };
    walk.all().is_some()
}

struct Walk<'a, V> {
    tokens: Lexer<'a>,
    clauses: Clauses,
    part: Part,
    /// Where the last word begins.
    word: usize,
    ctes: [&'a [u8]; MAX_CTES],
    known: usize,
    visit: V,
}

impl<'a, V: FnMut(TableName<'a>)> Walk<'a, V> {
    /// `None` is what cannot be followed.
    fn all(&mut self) -> Option<()> {
        loop {
            let token = self.tokens.next();
            let begins = matches!(self.part, Part::Start | Part::Open);
            match token {
                // A label, or a type.
                Token::Word if self.part == Part::As => {
                    self.clauses.name();
                    self.part = Part::Word;
                    self.word = self.tokens.start();
                    continue;
                }
                Token::Word if self.part != Part::Dot => {
                    if self.part == Part::Start {
                        // What is explained begins like any other statement.
                        if is_any(self.tokens.slice(), &["explain", "describe"]) {
                            self.skip(&["analyze", "analyse", "verbose", "query", "plan"]);
                            continue;
                        }
                        self.verb()?;
                    } else {
                        self.word(begins)?;
                    }
                    self.part = if is_any(self.tokens.slice(), &["as"]) {
                        Part::As
                    } else {
                        Part::Word
                    };
                    self.word = self.tokens.start();
                    continue;
                }
                Token::Quoted if self.part != Part::Dot => {
                    self.name(false)?;
                    self.part = Part::Quoted;
                    continue;
                }
                Token::Word | Token::Quoted => self.part = Part::Member,
                Token::Dot => self.part = Part::Dot,
                Token::Comma => {
                    self.clauses.comma();
                    self.part = Part::Comma;
                }
                Token::Open => {
                    self.clauses.open();
                    // The first word of a text may be in parentheses.
                    if self.part != Part::Start {
                        self.part = Part::Open;
                    }
                }
                Token::Close => {
                    self.clauses.close();
                    self.part = Part::Close;
                }
                Token::End => return Some(()),
                Token::Semicolon => {
                    self.clauses = Clauses::new();
                    self.part = Part::Start;
                }
                Token::Unclear => return None,
                _ => {
                    self.clauses.other();
                    self.part = Part::Symbol;
                }
            }
        }
    }

    /// The first word of a statement.
    fn verb(&mut self) -> Option<()> {
        const QUERIES: &[&str] = &["select", "with", "values"];
        const CHANGES: &[&str] = &["insert", "update", "delete", "merge", "replace"];
        let word = self.tokens.slice();
        if is_any(word, QUERIES) || is_any(word, CHANGES) {
            return self.word(true);
        }
        if is_any(word, &["table"]) {
            self.clauses.source();
            return Some(());
        }
        if is_any(word, &["truncate"]) {
            self.skip(&["table", "only"]);
            self.clauses.source();
            return Some(());
        }
        None
    }

    fn word(&mut self, begins: bool) -> Option<()> {
        let tokens = &self.tokens;
        let keyword = Keyword::at(tokens.text(), tokens.start(), tokens.end());
        let before = tokens.before(self.part, self.word);
        let starts = begins || self.part == Part::Close;
        match keyword {
            Some(Keyword::Into) => {
                self.clauses.source();
                self.target()?;
            }
            Some(Keyword::Insert | Keyword::Merge | Keyword::Replace) if starts => {
                // MySQL lets `INTO` be left out; then who knows which word is the table.
                let mut ahead = self.tokens;
                for _ in 0..3 {
                    if ahead.next() == Token::Word && is_any(ahead.slice(), &["into"]) {
                        return Some(());
                    }
                }
                return None;
            }
            Some(Keyword::Update) if starts => {
                self.skip(&[
                    "or",
                    "only",
                    "low_priority",
                    "ignore",
                    "rollback",
                    "abort",
                    "fail",
                    "replace",
                ]);
                self.clauses.source();
            }
            Some(Keyword::Delete) if starts => self.clauses.select(),
            Some(Keyword::From) if !self.clauses.is_elsewhere() && !before.is_word("distinct") => {
                self.clauses.source();
            }
            // `USING (column)` is of a join, `USING table` is not.
            Some(Keyword::On) if is_any(self.tokens.slice(), &["using"]) => {
                let mut ahead = self.tokens;
                if ahead.next() == Token::Open {
                    self.clauses.keyword(Keyword::On, &before);
                } else {
                    self.clauses.source();
                }
            }
            Some(keyword) => self.clauses.keyword(keyword, &before),
            None => self.name(false)?,
        }
        Some(())
    }

    /// The table of an `INSERT`, whose columns may follow in parentheses.
    fn target(&mut self) -> Option<()> {
        match self.tokens.next() {
            Token::Word | Token::Quoted => self.name(true),
            _ => None,
        }
    }

    /// A name, which is a table's if one is expected here.
    fn name(&mut self, is_target: bool) -> Option<()> {
        let place = self.clauses.place;
        let first = self.tokens.slice();
        self.clauses.name();
        if place == CTE {
            *self.ctes.get_mut(self.known)? = first;
            self.known += 1;
        }
        if place != SOURCE {
            return Some(());
        }
        let (mut schema, mut name) = (None, first);
        let mut ahead = self.tokens;
        while ahead.next() == Token::Dot {
            match ahead.next() {
                Token::Word | Token::Quoted => (schema, name) = (Some(name), ahead.slice()),
                _ => return None,
            }
            self.tokens = ahead;
        }
        let mut ahead = self.tokens;
        let is_call = ahead.next() == Token::Open && !is_target;
        let is_cte = schema.is_none()
            && self.ctes[..self.known]
                .iter()
                .any(|cte| same_name(cte, name));
        if !is_call && !is_cte {
            let dialect = self.tokens.dialect();
            (self.visit)(TableName {
                schema,
                name,
                dialect,
            });
        }
        Some(())
    }

    fn skip(&mut self, words: &[&str]) {
        let mut ahead = self.tokens;
        while ahead.next() == Token::Word && is_any(ahead.slice(), words) {
            self.tokens = ahead;
        }
    }
}

fn same_name(one: &[u8], other: &[u8]) -> bool {
    inside(one).0.eq_ignore_ascii_case(inside(other).0)
}
