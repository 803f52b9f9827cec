//! Words that may stand before a parenthesis in a plain read.

use super::lexer::Token;
use super::{Dialect, is_any};

/// Whether `word (` is harmless after `before`: a keyword that takes a parenthesis there, or a
/// function that the dialect has built in and that neither writes nor touches anything that
/// outlives the statement.
///
/// An overload of such a function, which PostgreSQL lets users define, looks the same.
pub(super) fn may_be_called(word: &str, before: Token<'_>, dialect: Dialect) -> bool {
    let after = |words: &[&str]| matches!(before, Token::Word(before) if is_any(before, words));
    if is_any(word, RESERVED) || is_any(word, FUNCTIONS) {
        return true;
    }
    // These are names like any other, but for where they stand.
    if is_any(word, &["FILTER", "OVER"]) {
        return before == Token::Symbol(b')');
    }
    if is_any(word, &["BY"]) {
        return after(&["GROUP", "ORDER", "PARTITION"]);
    }
    if is_any(word, &["SETS"]) {
        return after(&["GROUPING"]);
    }
    if is_any(word, &["MATERIALIZED"]) {
        return after(&["AS", "NOT"]);
    }
    match dialect {
        Dialect::Postgres => is_any(word, POSTGRES),
        Dialect::MySql => is_any(word, MYSQL),
        Dialect::Sqlite => is_any(word, SQLITE),
    }
}

/// Reserved in all dialects: no function can be called so.
const RESERVED: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "BETWEEN",
    "CASE",
    "DISTINCT",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "FROM",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INTERSECT",
    "IS",
    "JOIN",
    "LATERAL",
    "LIKE",
    "LIMIT",
    "NOT",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ROW",
    "SELECT",
    "SOME",
    "THEN",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
];

/// Built into all three.
const FUNCTIONS: &[&str] = &[
    // Aggregates and windows.
    "COUNT",
    "SUM",
    "MIN",
    "MAX",
    "AVG",
    "ROW_NUMBER",
    "RANK",
    "DENSE_RANK",
    "PERCENT_RANK",
    "CUME_DIST",
    "NTILE",
    "LAG",
    "LEAD",
    "FIRST_VALUE",
    "LAST_VALUE",
    "NTH_VALUE",
    // Conditionals and casts, with the types that take a length.
    "COALESCE",
    "NULLIF",
    "CAST",
    "VARCHAR",
    "CHAR",
    "CHARACTER",
    "NUMERIC",
    "DECIMAL",
    // Text.
    "LOWER",
    "UPPER",
    "LENGTH",
    "OCTET_LENGTH",
    "SUBSTR",
    "SUBSTRING",
    "TRIM",
    "LTRIM",
    "RTRIM",
    "REPLACE",
    "CONCAT",
    "CONCAT_WS",
    "FORMAT",
    // Numbers.
    "ABS",
    "CEIL",
    "CEILING",
    "FLOOR",
    "ROUND",
    "MOD",
    "POWER",
    "SQRT",
    "SIGN",
    "EXP",
    "LN",
    // Dates.
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "DATE",
];

const POSTGRES: &[&str] = &[
    "ARRAY_AGG",
    "STRING_AGG",
    "JSON_AGG",
    "JSONB_AGG",
    "JSON_OBJECT_AGG",
    "BOOL_AND",
    "BOOL_OR",
    "EVERY",
    "STDDEV",
    "VARIANCE",
    "GREATEST",
    "LEAST",
    "TIMESTAMP",
    "TIME",
    "CHAR_LENGTH",
    "CHARACTER_LENGTH",
    "BTRIM",
    "LEFT",
    "RIGHT",
    "POSITION",
    "STRPOS",
    "SPLIT_PART",
    "LPAD",
    "RPAD",
    "REVERSE",
    "REPEAT",
    "MD5",
    "INITCAP",
    "TO_CHAR",
    "TO_NUMBER",
    "TO_DATE",
    "TO_TIMESTAMP",
    "TRUNC",
    "RANDOM",
    "NOW",
    "DATE_TRUNC",
    "DATE_PART",
    "EXTRACT",
    "AGE",
    "JSON_BUILD_OBJECT",
    "JSONB_BUILD_OBJECT",
    "JSON_BUILD_ARRAY",
    "JSONB_BUILD_ARRAY",
    "TO_JSON",
    "TO_JSONB",
    "ROW_TO_JSON",
    "ARRAY_LENGTH",
    "CARDINALITY",
    "UNNEST",
    "GENERATE_SERIES",
    // Which server this is and how far it has come.
    "VERSION",
    "CURRENT_DATABASE",
    "CURRENT_SCHEMA",
    "CURRENT_SETTING",
    "TO_REGCLASS",
    "INET_SERVER_ADDR",
    "INET_SERVER_PORT",
    "PG_BACKEND_PID",
    "PG_IS_IN_RECOVERY",
    "PG_LAST_WAL_RECEIVE_LSN",
    "PG_LAST_WAL_REPLAY_LSN",
    "PG_LAST_XACT_REPLAY_TIMESTAMP",
];

const MYSQL: &[&str] = &[
    "GROUP_CONCAT",
    "STDDEV",
    "VARIANCE",
    "IFNULL",
    "IF",
    "GREATEST",
    "LEAST",
    "CONVERT",
    "CHAR_LENGTH",
    "CHARACTER_LENGTH",
    "LEFT",
    "RIGHT",
    "POSITION",
    "INSTR",
    "LPAD",
    "RPAD",
    "REVERSE",
    "REPEAT",
    "HEX",
    "MD5",
    "RAND",
    "NOW",
    "EXTRACT",
    "DATE_FORMAT",
    "DATE_ADD",
    "DATE_SUB",
    "DATEDIFF",
    "YEAR",
    "MONTH",
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "UNIX_TIMESTAMP",
    "JSON_EXTRACT",
    "JSON_OBJECT",
    "JSON_ARRAY",
    "VERSION",
    "DATABASE",
];

const SQLITE: &[&str] = &[
    "TOTAL",
    "GROUP_CONCAT",
    "STRING_AGG",
    "IFNULL",
    "IIF",
    "INSTR",
    "HEX",
    "RANDOM",
    "TIME",
    "DATETIME",
    "STRFTIME",
    "JULIANDAY",
    "UNIXEPOCH",
    "JSON_EXTRACT",
    "JSON_OBJECT",
    "JSON_ARRAY",
    "SQLITE_VERSION",
];
