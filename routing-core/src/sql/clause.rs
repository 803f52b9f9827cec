//! Where in a query a token stands.
//!
//! `word (` is a call, except where it is not: `WITH t (a, b) AS …` and `FROM x t (a, b)` name
//! columns. The obvious test is the word before, and it fails as soon as a name follows a word that
//! nobody listed. Here the few clauses that hold names are followed, parenthesis by parenthesis;
//! what is not known to be one of them is [`ELSEWHERE`], where whatever looks like a call is one.

use super::keyword::Keyword;

/// A place in a query; four bits.
pub(super) type Place = u8;

pub(super) const ELSEWHERE: Place = 0;
/// After `FROM`, `JOIN` or a comma between tables.
pub(super) const SOURCE: Place = 1;
/// After a table.
pub(super) const SOURCED: Place = 2;
/// After the alias of a table.
pub(super) const ALIASED: Place = 3;
/// After `WITH` or the comma between two of its parts.
pub(super) const CTE: Place = 4;
/// After the name of such a part.
pub(super) const CTE_NAMED: Place = 5;
/// After its `AS`.
pub(super) const CTE_BODY: Place = 6;
/// After its parenthesis.
pub(super) const CTE_DONE: Place = 7;
/// Between `SELECT` and `FROM`.
const LIST: Place = 8;
/// Among the conditions of joins.
const CONDITION: Place = 9;

/// After `GROUP`.
pub(super) const GROUPING: Place = 10;

const PLACES: usize = 16;

const fn places(moves: &[(Place, Place)]) -> [Place; PLACES] {
    let mut to = [ELSEWHERE; PLACES];
    let mut i = 0;
    while i < moves.len() {
        to[moves[i].0 as usize] = moves[i].1;
        i += 1;
    }
    to
}

const AFTER_NAME: [Place; PLACES] = places(&[
    (SOURCE, SOURCED),
    (SOURCED, ALIASED),
    (ALIASED, CONDITION),
    (CTE, CTE_NAMED),
    (CTE_BODY, CTE_BODY),
    // SEARCH and CYCLE name columns, and then another part may follow.
    (CTE_NAMED, CTE_DONE),
    (CTE_DONE, CTE_DONE),
    (LIST, LIST),
    (CONDITION, CONDITION),
    (GROUPING, GROUPING),
]);

const AFTER_AS: [Place; PLACES] = places(&[
    (SOURCE, SOURCED),
    (SOURCED, SOURCED),
    (ALIASED, CONDITION),
    (CTE_NAMED, CTE_BODY),
    (CTE_BODY, CTE_BODY),
    (LIST, LIST),
    (CONDITION, CONDITION),
    (GROUPING, GROUPING),
]);

const AFTER_COMMA: [Place; PLACES] = places(&[
    (SOURCE, SOURCE),
    (SOURCED, SOURCE),
    (ALIASED, SOURCE),
    (CTE_DONE, CTE),
    (LIST, LIST),
    (CONDITION, SOURCE),
    (GROUPING, GROUPING),
]);

const AFTER_OTHER: [Place; PLACES] = places(&[
    (SOURCE, CONDITION),
    (SOURCED, CONDITION),
    (ALIASED, CONDITION),
    (CTE_BODY, CTE_BODY),
    (CTE_DONE, CTE_DONE),
    (LIST, LIST),
    (CONDITION, CONDITION),
    (GROUPING, GROUPING),
]);

/// Where the parenthesis that begins here leads to when it ends.
const AFTER_PARENTHESES: [Place; PLACES] = places(&[
    (SOURCE, SOURCED),
    (SOURCED, SOURCED),
    (ALIASED, ALIASED),
    (CTE_NAMED, CTE_NAMED),
    (CTE_BODY, CTE_DONE),
    (LIST, LIST),
    (CONDITION, CONDITION),
    (GROUPING, GROUPING),
]);

/// The place of the next token, and of what is around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clauses {
    pub(super) place: Place,
    /// Where each open parenthesis leads to, the innermost in the lowest bits. What is deeper than
    /// 32 is forgotten, and so `ELSEWHERE`.
    outer: u128,
}

impl Clauses {
    pub(super) const fn new() -> Self {
        Self {
            place: ELSEWHERE,
            outer: 0,
        }
    }

    #[inline(always)]
    pub(super) fn name(&mut self) {
        self.place = AFTER_NAME[usize::from(self.place) % PLACES];
    }

    #[inline(always)]
    pub(super) fn comma(&mut self) {
        self.place = AFTER_COMMA[usize::from(self.place) % PLACES];
    }

    #[inline(always)]
    pub(super) fn other(&mut self) {
        self.place = AFTER_OTHER[usize::from(self.place) % PLACES];
    }

    #[inline(always)]
    pub(super) fn open(&mut self) {
        let after = AFTER_PARENTHESES[usize::from(self.place) % PLACES];
        self.outer = self.outer << 4 | u128::from(after);
        // Tables may be put in parentheses.
        self.place = if self.place == SOURCE {
            SOURCE
        } else {
            ELSEWHERE
        };
    }

    /// The parenthesis of `GROUPING SETS (` has opened: what is in it groups as well.
    pub(super) fn grouping_sets(&mut self) {
        self.place = GROUPING;
    }

    #[inline(always)]
    pub(super) fn close(&mut self) {
        self.place = (self.outer & 0xf) as Place;
        self.outer >>= 4;
    }

    /// Goes on by `SELECT`.
    #[inline(always)]
    pub(super) fn select(&mut self) {
        self.place = LIST;
    }

    /// Goes on by `AS`.
    #[inline(always)]
    pub(super) fn alias(&mut self) {
        self.place = AFTER_AS[usize::from(self.place) % PLACES];
    }

    /// Whether it is between `SELECT` and `FROM`.
    #[inline(always)]
    pub(super) const fn is_list(&self) -> bool {
        self.place == LIST
    }

    /// Whether it is in no clause that is followed.
    pub(super) const fn is_elsewhere(&self) -> bool {
        self.place == ELSEWHERE
    }

    /// Whether it is after a table or its alias.
    #[inline(always)]
    pub(super) const fn is_source(&self) -> bool {
        matches!(self.place, SOURCED | ALIASED)
    }

    /// Goes on by `FROM`, `JOIN` or the like.
    #[inline(always)]
    pub(super) fn source(&mut self) {
        self.place = SOURCE;
    }

    /// Goes on by what follows the tables.
    #[inline(always)]
    pub(super) fn clause(&mut self) {
        self.place = ELSEWHERE;
    }

    /// Goes on by a keyword, which follows `before`.
    #[inline]
    pub(super) fn keyword(&mut self, keyword: Keyword, before: &Before<'_>) {
        match (keyword, self.place) {
            (Keyword::Select, _) => self.select(),
            (Keyword::As, _) => self.alias(),
            // Some functions have a `FROM` of their own, in their parentheses.
            (Keyword::From, LIST) if !before.is_word("distinct") => self.place = SOURCE,
            (Keyword::From, SOURCED) => self.place = SOURCE,
            (Keyword::Join, SOURCED | ALIASED) => self.place = SOURCE,
            // PostgreSQL allows a function of that name.
            (Keyword::Join, CONDITION) if before.precedes_join() => self.place = SOURCE,
            (Keyword::On, SOURCED | ALIASED) => self.place = CONDITION,
            (Keyword::Source, SOURCE | SOURCED) => {}
            (Keyword::With, _) if before.begins_query() => self.place = CTE,
            (Keyword::With, SOURCED) | (Keyword::Recursive, CTE) => {}
            (Keyword::Group, _) if before.is_word("within") => {}
            (Keyword::Group, _) => self.place = GROUPING,
            (Keyword::Clause | Keyword::Where | Keyword::For, _) | (Keyword::Values, SOURCE) => {
                self.clause()
            }
            // No table is called so.
            (Keyword::Operator, _) => self.other(),
            _ => self.name(),
        }
    }
}

/// What a token is, to the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing is before it.
    Start,
    Word,
    /// A word that no function is called.
    Reserved,
    /// A name in quotes.
    Quoted,
    /// A word or a name after a dot.
    Member,
    QuotedMember,
    As,
    Cast,
    Literal,
    Dot,
    Comma,
    Open,
    Close,
    Symbol,
}

impl Part {
    /// Whether a dotted chain may go on after it.
    pub(super) const fn is_name(self) -> bool {
        matches!(
            self,
            Self::Word | Self::Reserved | Self::Quoted | Self::Member | Self::QuotedMember
        )
    }
}

/// The token before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    pub(super) part: Part,
    /// Its text, if it is a name.
    pub(super) name: &'a [u8],
}

impl Before<'_> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.part, Part::Word | Part::Reserved)
            && self.name.eq_ignore_ascii_case(word.as_bytes())
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    fn begins_query(&self) -> bool {
        matches!(self.part, Part::Start | Part::Open)
    }

    /// Whether `JOIN` may follow, as a keyword.
    pub(super) fn precedes_join(&self) -> bool {
        const KINDS: &[&str] = &[
            "left", "right", "full", "inner", "cross", "outer", "natural",
        ];
        self.ends_expression() || self.is_any(KINDS)
    }

    pub(super) fn ends_expression(&self) -> bool {
        // Words after which one begins, or a table: the reserved ones, those that PostgreSQL lets be names
        // of functions and types only, and some that are reserved nowhere.
        #[rustfmt::skip] // A word a line would hide them.
        const BEGINS: &[&str] = &[
            "all", "analyse", "analyze", "and", "any", "array", "as", "asymmetric", "between", "binary", "both", "by",
            "case", "cast", "check", "collate", "column", "cross", "distinct", "div", "do", "else", "escape",
            "except", "fetch", "first", "for", "freeze", "from", "full", "glob", "group", "having", "ilike",
            "in", "inner", "intersect", "interval", "into", "is", "join", "lateral", "leading", "left", "like", "limit",
            "match", "mod", "natural", "next", "not", "offset", "on", "only", "or", "order", "outer", "overlaps",
            "placing", "regexp", "returning", "right", "rlike", "select", "similar", "some", "sql_no_cache", "symmetric", "table",
            "tablesample", "then", "to", "trailing", "union", "using", "values", "variadic", "verbose",
            "when", "where", "window", "with", "xor", "zone",
        ];
        match self.part {
            Part::Word | Part::Reserved => !self.is_any(BEGINS),
            Part::Quoted | Part::Member | Part::QuotedMember | Part::Literal | Part::Close => true,
            _ => false,
        }
    }
}
