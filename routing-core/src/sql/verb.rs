//! What the first word of a statement says.

use super::Dialect;
use super::bytes::is_any;
use crate::sql::kind::StatementKind;

/// How a statement goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// A query, which is of this kind if it only reads.
    Query(StatementKind),
    /// `EXPLAIN` and its like.
    Explain,
    Copy,
    Pragma,
    /// PostgreSQL's `DECLARE` and `PREPARE`: a query for later.
    Cursor,
    /// What the rest of the statement does not change.
    Is(StatementKind),
}

const SELECT: Verb = Verb::Query(StatementKind::Select);
const SHOW: Verb = Verb::Query(StatementKind::Show);

/// The verbs of all dialects, and then of each.
const COMMON: &[(&[&str], Verb)] = &[
    (&["select", "with"], SELECT),
    (&["insert"], Verb::Is(StatementKind::Insert)),
    (&["update"], Verb::Is(StatementKind::Update)),
    (&["delete"], Verb::Is(StatementKind::Delete)),
    (&["values"], Verb::Query(StatementKind::Values)),
    (&["merge", "replace"], Verb::Is(StatementKind::Merge)),
    (
        &["begin", "start", "savepoint"],
        Verb::Is(StatementKind::Transaction),
    ),
    (
        &["commit", "end", "rollback", "abort", "release"],
        Verb::Is(StatementKind::TransactionEnd),
    ),
    (&["explain"], Verb::Explain),
    (
        &[
            "create",
            "alter",
            "drop",
            "truncate",
            "comment",
            "grant",
            "revoke",
            "reindex",
            "vacuum",
            "analyze",
            "analyse",
            "cluster",
            "refresh",
            "rename",
            "optimize",
            "attach",
            "detach",
            "import",
            "security",
            "reassign",
            "repair",
            "checkpoint",
            "flush",
            "purge",
            "install",
            "uninstall",
            "kill",
            "shutdown",
        ],
        Verb::Is(StatementKind::Ddl),
    ),
    (&["lock", "unlock"], Verb::Is(StatementKind::Lock)),
    (
        &["set", "prepare", "declare", "fetch", "close", "use"],
        Verb::Is(StatementKind::SessionState),
    ),
    (&["call", "do", "execute"], Verb::Is(StatementKind::Call)),
];

const POSTGRES: &[(&[&str], Verb)] = &[
    (&["table"], SELECT),
    (&["show"], SHOW),
    (&["copy"], Verb::Copy),
    (&["declare", "prepare"], Verb::Cursor),
    (
        &[
            "reset",
            "discard",
            "deallocate",
            "load",
            "listen",
            "unlisten",
        ],
        Verb::Is(StatementKind::SessionState),
    ),
    (&["notify"], Verb::Is(StatementKind::Notify)),
    (
        &["fetch", "move", "close"],
        Verb::Is(StatementKind::TransactionState),
    ),
];

const MYSQL: &[(&[&str], Verb)] = &[
    (&["table"], SELECT),
    (&["show"], SHOW),
    (&["help"], SHOW),
    (&["describe", "desc", "analyze"], Verb::Explain),
    (&["load"], Verb::Is(StatementKind::BulkTransfer)),
    (
        &[
            "handler",
            "deallocate",
            "get",
            "signal",
            "resignal",
            "reset",
        ],
        Verb::Is(StatementKind::SessionState),
    ),
    (&["xa"], Verb::Is(StatementKind::TransactionEnd)),
];

const SQLITE: &[(&[&str], Verb)] = &[
    (&["pragma"], Verb::Pragma),
    (&["attach", "detach"], Verb::Is(StatementKind::SessionState)),
];

impl Verb {
    /// The verb that a statement begins with; what is not known is `Unknown`.
    pub(super) fn of(word: &[u8], dialect: Dialect) -> Self {
        let own = match dialect {
            Dialect::Postgres => POSTGRES,
            Dialect::MySql => MYSQL,
            Dialect::Sqlite => SQLITE,
        };
        own.iter()
            .chain(COMMON)
            .find(|(words, _)| is_any(word, words))
            .map_or(Self::Is(StatementKind::Unknown), |(_, verb)| *verb)
    }
}
