//! The kind of a SeaORM statement: by its type where that is enough, else by its text.

use std::any::TypeId;

use routing_core::sql::Dialect;
use routing_core::{Classifier, StatementKind};
use sea_orm::sea_query::{
    DeleteStatement, ForeignKeyCreateStatement, ForeignKeyDropStatement, IndexCreateStatement,
    IndexDropStatement, InsertStatement, TableAlterStatement, TableDropStatement,
    TableRenameStatement, TableTruncateStatement, UpdateStatement,
    extension::postgres::{TypeAlterStatement, TypeCreateStatement, TypeDropStatement},
};
use sea_orm::{
    AccessMode, DbBackend, IsolationLevel, SqliteTransactionMode, StatementBuilder,
    TransactionOptions,
};

/// The kind of a statement of type `S` whose text is `sql`: by its type where that is enough, and
/// then the text would say the same.
#[inline]
pub(crate) fn kind_of<S: StatementBuilder>(sql: &str, classifier: &Classifier) -> StatementKind {
    let Some(kind) = kind_of_type::<S>() else {
        return classifier.kind_of(sql);
    };
    debug_assert_eq!(kind.access(), classifier.kind_of(sql).access(), "{sql}");
    kind
}

/// The comparisons are of constants, so that one branch is left of them. The type does not decide a select,
/// as locks, `INTO` and functions are private to it, nor `CREATE TABLE`, which may be temporary.
#[inline]
fn kind_of_type<S: StatementBuilder>() -> Option<StatementKind> {
    // `S` need not be `'static`, which the standard library's `TypeId::of` asks for.
    let id = typeid::of::<S>();
    let is = |other: TypeId| id == other;
    if is(TypeId::of::<InsertStatement>()) {
        Some(StatementKind::Insert)
    } else if is(TypeId::of::<UpdateStatement>()) {
        Some(StatementKind::Update)
    } else if is(TypeId::of::<DeleteStatement>()) {
        Some(StatementKind::Delete)
    } else if is(TypeId::of::<TableDropStatement>())
        || is(TypeId::of::<TableAlterStatement>())
        || is(TypeId::of::<TableRenameStatement>())
        || is(TypeId::of::<TableTruncateStatement>())
        || is(TypeId::of::<IndexCreateStatement>())
        || is(TypeId::of::<IndexDropStatement>())
        || is(TypeId::of::<ForeignKeyCreateStatement>())
        || is(TypeId::of::<ForeignKeyDropStatement>())
        || is(TypeId::of::<TypeCreateStatement>())
        || is(TypeId::of::<TypeAlterStatement>())
        || is(TypeId::of::<TypeDropStatement>())
    {
        Some(StatementKind::Ddl)
    } else {
        None
    }
}

/// The dialect that a database of SeaORM's speaks.
pub(crate) const fn dialect_of(backend: DbBackend) -> Option<Dialect> {
    match backend {
        DbBackend::Postgres => Some(Dialect::Postgres),
        DbBackend::MySql => Some(Dialect::MySql),
        DbBackend::Sqlite => Some(Dialect::Sqlite),
        _ => None,
    }
}

/// A transaction that takes SQLite's write lock writes, whatever it declares.
pub(crate) const fn kind_of_begin(
    options: &TransactionOptions,
    backend: DbBackend,
) -> StatementKind {
    match (options.access_mode, options.sqlite_transaction_mode) {
        (Some(AccessMode::ReadOnly), None | Some(SqliteTransactionMode::Deferred)) => {
            match (options.isolation_level, backend) {
                (Some(IsolationLevel::Serializable), DbBackend::Postgres) => {
                    StatementKind::BeginSerializable
                }
                _ => StatementKind::BeginReadOnly,
            }
        }
        _ => StatementKind::Transaction,
    }
}

#[cfg(test)]
mod tests {
    use routing_core::sql::Functions;
    use sea_orm::sea_query::{Alias, Query, Table};

    use super::*;

    const BACKEND: DbBackend = DbBackend::Postgres;

    fn classifier() -> Classifier {
        Classifier::new(dialect_of(BACKEND), Functions::default())
    }

    fn kind<S: StatementBuilder>(statement: &S) -> StatementKind {
        kind_of::<S>(&BACKEND.build(statement).sql, &classifier())
    }

    fn agrees<S: StatementBuilder>(statement: &S) -> bool {
        kind(statement) == classifier().kind_of(&BACKEND.build(statement).sql)
    }

    #[test]
    fn types_decide_and_texts_agree() {
        let table = Alias::new("cake");
        assert!(agrees(Query::insert().into_table(table.clone())));
        assert!(agrees(Query::update().table(table.clone()).value("a", 1)));
        assert!(agrees(Query::delete().from_table(table.clone())));
        assert!(agrees(Table::drop().table(table)));
    }

    #[test]
    fn selects_are_decided_by_their_text() {
        let mut select = Query::select().expr(1).from("cake").to_owned();
        assert_eq!(kind(&select), StatementKind::Select);
        assert_eq!(kind(select.lock_exclusive()), StatementKind::LockingSelect);
    }
}
