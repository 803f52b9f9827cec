//! The kind of a Diesel query: by its type where that is enough, else by its text.
//!
//! Diesel's types would say it, but from outside only the text of a query can be seen. Building and
//! cutting it costs more than the decision that it serves. What Diesel does to find a prepared
//! statement works here too: a query whose [`QueryId`] is static has one text, so it has one kind.

use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use arc_swap::ArcSwap;
use diesel::query_builder::{QueryBuilder, QueryFragment, QueryId};
use diesel::result::QueryResult;
use routing_core::StatementKind;
use routing_core::sql::classify;

use crate::database::Database;

/// The kinds of the queries that a pool has seen, by type.
#[derive(Debug, Default)]
pub(crate) struct Kinds(ArcSwap<ByType>);

type ByType = HashMap<TypeId, StatementKind, BuildHasherDefault<AsItIs>>;

/// What is known of a query before it runs.
pub(crate) struct Known {
    pub(crate) kind: StatementKind,
    /// The text, if it had to be built to know the kind.
    pub(crate) sql: Option<String>,
}

impl Kinds {
    /// The kind of `query`.
    ///
    /// # Errors
    ///
    /// Diesel's, if the query cannot be built.
    #[inline]
    pub(crate) fn of<DB, T>(&self, query: &T) -> QueryResult<Known>
    where
        DB: Database,
        T: QueryFragment<DB> + QueryId,
    {
        match T::query_id() {
            Some(id) => match self.0.load().get(&id) {
                Some(kind) => Ok(Known {
                    kind: *kind,
                    sql: None,
                }),
                None => self.learn::<DB, T>(id, query),
            },
            None => by_text(query),
        }
    }

    /// The kind of a query whose text is there, known by `id` if that stands for one text.
    #[cfg(feature = "async")]
    pub(crate) fn of_sql(
        &self,
        id: Option<TypeId>,
        classify: impl FnOnce() -> StatementKind,
    ) -> StatementKind {
        if let Some(kind) = id.and_then(|id| self.0.load().get(&id).copied()) {
            return kind;
        }
        let kind = classify();
        if let Some(id) = id {
            self.remember(id, kind);
        }
        kind
    }

    fn remember(&self, id: TypeId, kind: StatementKind) {
        self.0.rcu(|kinds| {
            let mut kinds = ByType::clone(kinds);
            kinds.insert(id, kind);
            kinds
        });
    }

    #[cold]
    fn learn<DB, T>(&self, id: TypeId, query: &T) -> QueryResult<Known>
    where
        DB: Database,
        T: QueryFragment<DB> + QueryId,
    {
        let known = by_text(query)?;
        // Some queries of one type have more than one text, and say so.
        if query.is_safe_to_cache_prepared(&DB::default())? {
            self.remember(id, known.kind);
        }
        Ok(known)
    }
}

fn by_text<DB, T>(query: &T) -> QueryResult<Known>
where
    DB: Database,
    T: QueryFragment<DB>,
{
    let mut builder = DB::QueryBuilder::default();
    query.to_sql(&mut builder, &DB::default())?;
    let sql = builder.finish();
    Ok(Known {
        kind: classify(&sql, DB::DIALECT),
        sql: Some(sql),
    })
}

/// A `TypeId` is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
