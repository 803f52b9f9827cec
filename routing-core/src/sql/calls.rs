//! Whether what a parenthesis follows is a call, and a harmless one.
//!
//! The order is: words that are no names; the user's lists; what is built in and writes; the
//! server's catalog; what is built in and harmless. What is left is unknown, and unknown is never
//! a read. An overload of a built-in function in another schema looks the same as the function: if
//! the catalog has a volatile one, the name is unknown.

use super::Dialect;
use super::bytes::is_any;
use super::clause::{Before, Part};
use super::functions::{
    Functions, Volatility, mysql, postgres, postgres_catalog, postgres_extensions, sqlite,
};
use super::names::{Lower, Names, hash};
use crate::sql::kind::StatementKind;

/// A name before a parenthesis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) name: &'a [u8],
    pub(super) is_quoted: bool,
    /// What is before the name in its dotted chain, dot included; mostly empty.
    pub(super) qualifier: &'a [u8],
    /// Whether nothing is between the name and the parenthesis.
    pub(super) is_adjacent: bool,
    /// Whether it is in a `GROUP BY`.
    pub(super) is_grouping: bool,
    /// What is before the chain.
    pub(super) lead: Before<'a>,
    /// The token before that, if that is a name.
    pub(super) earlier: Before<'a>,
}

/// What is known of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Harmless,
    Writes,
    /// It leaves state in the connection.
    Leaves,
    Unknown,
}

impl Verdict {
    /// What a statement is that calls such a function.
    pub(super) const fn kind(self) -> Option<StatementKind> {
        match self {
            Self::Harmless => None,
            Self::Writes => Some(StatementKind::WritingFunction),
            Self::Leaves => Some(StatementKind::SessionState),
            Self::Unknown => Some(StatementKind::FunctionCall),
        }
    }
}

struct Tables<
    const READ: usize,
    const MORE: usize,
    const WRITE: usize,
    const STATE: usize,
    const KEYWORDS: usize,
> {
    read: Names<READ>,
    more: Names<MORE>,
    write: Names<WRITE>,
    state: Names<STATE>,
    keywords: Names<KEYWORDS>,
}

impl<
    const READ: usize,
    const MORE: usize,
    const WRITE: usize,
    const STATE: usize,
    const KEYWORDS: usize,
> Tables<READ, MORE, WRITE, STATE, KEYWORDS>
{
    /// What a function does that no replica is to call; `None` of any other.
    fn effect(&self, name: &[u8], hash: u32) -> Option<Verdict> {
        if self.state.contains(name, hash) {
            Some(Verdict::Leaves)
        } else if self.write.contains(name, hash) {
            Some(Verdict::Writes)
        } else {
            None
        }
    }
}

static POSTGRES: Tables<128, 4096, 256, 64, 256> = Tables {
    read: Names::new(postgres::READ),
    more: Names::new(postgres_catalog::READ),
    write: Names::new(postgres::WRITE),
    state: Names::new(postgres::STATE),
    keywords: Names::new(postgres::KEYWORDS),
};

/// What is taken for an extension's function until the server's catalog says what is there.
static EXTENSIONS: [Names<4096>; 2] = [
    Names::new(postgres_extensions::READ),
    Names::new(postgres::OF_EXTENSIONS),
];

static MYSQL: Tables<1024, 128, 64, 16, 256> = Tables {
    read: Names::new(mysql::READ),
    more: Names::new(mysql::ADJACENT),
    write: Names::new(mysql::WRITE),
    state: Names::new(mysql::STATE),
    keywords: Names::new(mysql::KEYWORDS),
};

static SQLITE: Tables<512, 1, 32, 8, 128> = Tables {
    read: Names::new(sqlite::READ),
    more: Names::new(&[]),
    write: Names::new(sqlite::WRITE),
    state: Names::new(sqlite::STATE),
    keywords: Names::new(sqlite::KEYWORDS),
};

/// Whether a name that begins with these letters may be that of a function that writes: few columns
/// share their first two letters with one.
#[inline(always)]
pub(super) fn may_write(first: u8, second: u8) -> bool {
    BEGINNINGS[usize::from(first & 31)] >> (second & 31) & 1 == 1
}

/// By the first letter, the second ones of the functions that write; of a letter the lowest five
/// bits, in which case does not count.
static BEGINNINGS: [u32; 32] = {
    let mut beginnings = [0; 32];
    let lists = [postgres::WRITE, postgres::STATE, mysql::WRITE, mysql::STATE];
    let mut list = 0;
    while list < lists.len() {
        let mut place = 0;
        while place < lists[list].len() {
            let name = lists[list][place].as_bytes();
            beginnings[(name[0] & 31) as usize] |= 1 << (name[1] & 31);
            place += 1;
        }
        list += 1;
    }
    beginnings
};

/// What a statement is with a member of this name, if it may be the call of a function that writes.
pub(super) fn kind_of_member(
    name: &[u8],
    is_quoted: bool,
    dialect: Dialect,
) -> Option<StatementKind> {
    let name = if is_quoted {
        name.get(1..name.len().saturating_sub(1))
            .unwrap_or_default()
    } else {
        name
    };
    let name = Lower::of(name)?;
    let (name, hash) = (name.as_bytes(), hash(name.as_bytes()));
    let effect = match dialect {
        Dialect::Postgres => POSTGRES.effect(name, hash),
        Dialect::MySql => MYSQL.effect(name, hash),
        Dialect::Sqlite => None,
    };
    effect?.kind()
}

/// Whether a table of SQLite's is a pragma that may do more than tell.
pub(super) fn is_unknown_pragma(name: &[u8]) -> bool {
    let name = match name {
        [b'"' | b'`' | b'[', inside @ .., _] => inside,
        plain => plain,
    };
    let Some(name) = Lower::of(name) else {
        return false;
    };
    let name = name.as_bytes();
    name.starts_with(b"pragma_") && !SQLITE.read.contains(name, hash(name))
}

impl Call<'_> {
    pub(super) fn verdict(&self, dialect: Dialect, functions: Option<&Functions>) -> Verdict {
        let verdict = self.of_name(dialect, functions);
        // Mostly it is a function, so this comes last. What is known to write is no keyword.
        if verdict != Verdict::Harmless
            && self.is_plain()
            && !self.is_known_to_write(functions)
            && self.follows_its_keyword(dialect)
        {
            return Verdict::Harmless;
        }
        verdict
    }

    fn is_known_to_write(&self, functions: Option<&Functions>) -> bool {
        let known =
            Lower::of(self.name).and_then(|name| functions?.volatility(None, name.as_bytes()));
        matches!(known, Some(Volatility::Write | Volatility::Volatile))
    }

    const fn is_plain(&self) -> bool {
        !self.is_quoted && self.qualifier.is_empty()
    }

    fn of_name(&self, dialect: Dialect, functions: Option<&Functions>) -> Verdict {
        let Some((name, schema)) = self.resolve(dialect) else {
            return Verdict::Unknown;
        };
        let name = name.as_bytes();
        let hash = hash(name);
        if self.is_plain() {
            let is_keyword = match dialect {
                Dialect::Postgres => POSTGRES.keywords.contains(name, hash),
                Dialect::MySql => MYSQL.keywords.contains(name, hash),
                Dialect::Sqlite => SQLITE.keywords.contains(name, hash),
            };
            if is_keyword {
                return Verdict::Harmless;
            }
        }
        if dialect == Dialect::Postgres && postgres::RUNS.iter().any(|runs| runs.as_bytes() == name)
        {
            return Verdict::Writes;
        }
        if dialect == Dialect::Postgres && name == postgres::LEAVES.as_bytes() {
            return Verdict::Leaves;
        }
        let schema = schema.as_ref().map(Lower::as_bytes);
        // A qualified name is the system's only in PostgreSQL's own schema.
        let built_in = if schema.is_none_or(|schema| schema == b"pg_catalog") {
            self.built_in(name, hash, dialect)
        } else {
            Verdict::Unknown
        };
        match functions.and_then(|functions| functions.volatility(schema, name)) {
            Some(Volatility::Write) => Verdict::Writes,
            _ if matches!(built_in, Verdict::Writes | Verdict::Leaves) => built_in,
            Some(Volatility::Read) => Verdict::Harmless,
            Some(Volatility::Volatile) => Verdict::Unknown,
            None if built_in == Verdict::Unknown
                && dialect == Dialect::Postgres
                && schema.is_none_or(|schema| schema == b"public")
                && !functions.is_some_and(Functions::have_catalog)
                && EXTENSIONS.iter().any(|names| names.contains(name, hash)) =>
            {
                Verdict::Harmless
            }
            None => built_in,
        }
    }

    fn built_in(&self, name: &[u8], hash: u32, dialect: Dialect) -> Verdict {
        let (reads, effect) = match dialect {
            Dialect::Postgres => (
                POSTGRES.more.contains(name, hash) || POSTGRES.read.contains(name, hash),
                POSTGRES.effect(name, hash),
            ),
            Dialect::MySql => (
                // What is in backticks, or away from its parenthesis, may be a stored function.
                MYSQL.read.contains(name, hash)
                    && !self.is_quoted
                    && (self.is_adjacent || !MYSQL.more.contains(name, hash)),
                MYSQL.effect(name, hash),
            ),
            Dialect::Sqlite => (SQLITE.read.contains(name, hash), SQLITE.effect(name, hash)),
        };
        match (effect, reads) {
            (Some(effect), _) => effect,
            (None, true) => Verdict::Harmless,
            (None, false) => Verdict::Unknown,
        }
    }

    /// The name and its schema as the server looks for them; `None` if that is not plain.
    fn resolve(&self, dialect: Dialect) -> Option<(Lower, Option<Lower>)> {
        let name = |text: &[u8], is_quoted: bool| {
            let text = if is_quoted {
                text.get(1..text.len().checked_sub(1)?)?
            } else {
                text
            };
            match dialect {
                Dialect::Postgres if is_quoted => Lower::exactly(text),
                // What lower case is there depends on the database.
                Dialect::Postgres if !text.is_ascii() => None,
                _ => Lower::of(text),
            }
        };
        let own = name(self.name, self.is_quoted)?;
        let Some(schema) = self.qualifier.trim_ascii().strip_suffix(b".") else {
            return self.qualifier.is_empty().then_some((own, None));
        };
        let schema = schema.trim_ascii();
        let is_quoted = matches!(schema.first(), Some(b'"' | b'`' | b'['));
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let inside = if is_quoted {
            schema.get(1..schema.len().checked_sub(1)?)?
        } else {
            schema
        };
        if inside.is_empty() || !inside.iter().all(plain) {
            return None;
        }
        Some((own, Some(name(schema, is_quoted)?)))
    }

    /// Whether an expression is before it, or before the `NOT` that is: then it is an operator.
    fn follows_expression(&self) -> bool {
        if self.lead.is_word("not") {
            self.earlier.ends_expression()
        } else {
            self.lead.ends_expression()
        }
    }

    /// Whether it is a keyword because of what is before it, and no name.
    fn follows_its_keyword(&self, dialect: Dialect) -> bool {
        let word = |words: &[&str]| is_any(self.name, words);
        let lead = &self.lead;
        if word(&["over", "filter"]) {
            // `IGNORE NULLS OVER (…)`.
            return lead.part == Part::Close || lead.is_word("nulls");
        }
        if lead.is_word("returning") {
            // The type that `JSON_VALUE` gives.
            return word(&[
                "decimal",
                "numeric",
                "char",
                "varchar",
                "character",
                "varying",
            ]);
        }
        if word(&["by"]) {
            return lead.is_any(&["group", "order", "partition"]);
        }
        match dialect {
            Dialect::Postgres => {
                word(&["sets"]) && lead.is_word("grouping")
                    || word(&["cube", "rollup"]) && self.is_grouping
                    || word(&["columns"]) && lead.ends_expression()
                    || word(&["stdout"]) && lead.is_word("to") && self.earlier.part == Part::Close
                    || word(&["repeatable"]) && lead.part == Part::Close
                    || word(&["second"]) && lead.part == Part::Literal
                    || word(&["second"])
                        && lead.is_word("to")
                        && self.earlier.is_any(&["day", "hour", "minute"])
                    || word(&["varying"]) && lead.is_any(&["character", "char", "bit", "nchar"])
                    || word(&["bernoulli", "system"]) && lead.is_word("tablesample")
                    || word(&["zone"]) && lead.is_word("time")
                    || word(&["first", "next"]) && lead.is_word("fetch")
                    || word(&["escape"]) && lead.part != Part::Start && lead.ends_expression()
                    || word(&["join"]) && lead.precedes_join()
                    || word(&["like", "ilike", "overlaps"]) && self.follows_expression()
            }
            Dialect::MySql => {
                word(&["against"]) && lead.part == Part::Close
                    || word(&["columns"]) && matches!(lead.part, Part::Literal | Part::Quoted)
                    || word(&["escape"]) && lead.part != Part::Start && lead.ends_expression()
                    || word(&["of"]) && lead.is_word("member")
                    || word(&["values"]) && lead.part == Part::Start
            }
            Dialect::Sqlite => {
                word(&["like", "glob", "match", "regexp"]) && self.follows_expression()
            }
        }
    }
}
