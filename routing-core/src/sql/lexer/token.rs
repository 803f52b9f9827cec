//! What a text is cut into.

/// A token, as far as the kind of a statement depends on it. Its text is the lexer's
/// [`slice`](Lexer::slice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Token {
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
pub(in crate::sql) enum Glue {
    /// `.`
    Dot,
    /// `, `
    Comma,
    /// ` AS `
    As,
}

/// Where a lexer has stopped.
#[derive(Clone, Copy)]
pub(in crate::sql) struct Stop {
    pub(super) at: usize,
    pub(super) depends: bool,
}

/// What [`names`](Lexer::names) went over.
pub(in crate::sql) struct Run {
    /// What is before the last name.
    pub(in crate::sql) last: Option<Glue>,
    /// What is before the dotted chain that the last name ends, and where that begins, unless it is
    /// the chain of the name before all of them.
    pub(in crate::sql) chain: Option<(Glue, usize)>,
    /// Where a member begins that may be called like a function that writes.
    pub(in crate::sql) suspect: Option<usize>,
}

/// What a function that is not inlined found.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) token: Token,
    pub(super) at: usize,
    pub(super) depends: bool,
}

/// How strings are read whose meaning depends on the server's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Strings {
    /// As by the server's default settings: a backslash escapes in MySQL, and does not in
    /// PostgreSQL.
    Default,
    /// As by `NO_BACKSLASH_ESCAPES` in MySQL, and without `standard_conforming_strings` in
    /// PostgreSQL.
    Other,
    /// As by `ANSI_QUOTES` in MySQL: what is in double quotes is a name, which has no escapes.
    AnsiQuotes,
}
