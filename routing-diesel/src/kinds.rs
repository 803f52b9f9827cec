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
use routing_core::adapter::Handle;

use crate::database::Database;
use crate::error::into_diesel;

/// The kinds of the queries that a set has seen, by type.
#[derive(Debug, Default)]
pub(crate) struct Kinds(ArcSwap<Seen>);

#[derive(Debug, Clone, Default)]
struct Seen {
    /// What the classifier knew then. When it knows more, all is asked again.
    generation: u64,
    by_type: HashMap<TypeId, StatementKind, BuildHasherDefault<AsItIs>>,
}

/// A pool that remembers the kinds of queries, for the set whose primary it is of.
pub(crate) trait Remembers {
    fn kinds(&self) -> &Kinds;
}

impl<P: Remembers> Examine for Handle<P> {
    fn kinds(&self) -> &Kinds {
        self.set.primary().pool().kinds()
    }

    fn generation(&self) -> u64 {
        self.set.classifier().generation()
    }

    fn examine(&self, sql: &str) -> QueryResult<StatementKind> {
        self.router.examine(&self.set, sql).map_err(into_diesel)
    }
}

/// Knows the kind of a text, or why it may not run.
pub(crate) trait Examine {
    /// The kinds that are known by type.
    fn kinds(&self) -> &Kinds;

    /// Changes when an answer may have.
    fn generation(&self) -> u64;

    /// The kind of a statement.
    ///
    /// # Errors
    ///
    /// `CrossSet`, if it has tables of another set.
    fn examine(&self, sql: &str) -> QueryResult<StatementKind>;
}

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
    /// Diesel's, if the query cannot be built, and those of `Examine`.
    #[inline]
    pub(crate) fn of<DB, T>(&self, query: &T, examiner: &impl Examine) -> QueryResult<Known>
    where
        DB: Database,
        T: QueryFragment<DB> + QueryId,
    {
        match T::query_id() {
            Some(id) => match self.seen(id, examiner) {
                Some(kind) => Ok(Known { kind, sql: None }),
                None => self.learn::<DB, T>(id, query, examiner),
            },
            None => by_text(query, examiner),
        }
    }

    /// The kind of a query whose text is there, known by `id` if that stands for one text.
    ///
    /// # Errors
    ///
    /// Those of `Examine`.
    #[cfg(feature = "async")]
    pub(crate) fn of_sql(
        &self,
        id: Option<TypeId>,
        sql: &str,
        examiner: &impl Examine,
    ) -> QueryResult<StatementKind> {
        if let Some(kind) = id.and_then(|id| self.seen(id, examiner)) {
            return Ok(kind);
        }
        let generation = examiner.generation();
        let kind = examiner.examine(sql)?;
        if let Some(id) = id {
            self.remember(id, kind, generation);
        }
        Ok(kind)
    }

    #[inline]
    fn seen(&self, id: TypeId, examiner: &impl Examine) -> Option<StatementKind> {
        let seen = self.0.load();
        let kind = seen.by_type.get(&id).copied();
        kind.filter(|_| seen.generation == examiner.generation())
    }

    /// Takes note of an answer, asked for when the classifier was at `generation`.
    fn remember(&self, id: TypeId, kind: StatementKind, generation: u64) {
        self.0.rcu(|seen| {
            let mut seen = Seen::clone(seen);
            if seen.generation < generation {
                seen = Seen {
                    generation,
                    ..Seen::default()
                };
            }
            // An answer of old is no answer.
            if seen.generation == generation {
                seen.by_type.insert(id, kind);
            }
            seen
        });
    }

    #[cold]
    fn learn<DB, T>(&self, id: TypeId, query: &T, examiner: &impl Examine) -> QueryResult<Known>
    where
        DB: Database,
        T: QueryFragment<DB> + QueryId,
    {
        let generation = examiner.generation();
        let known = by_text(query, examiner)?;
        // Some queries of one type have more than one text, and say so.
        if query.is_safe_to_cache_prepared(&DB::default())? {
            self.remember(id, known.kind, generation);
        }
        Ok(known)
    }
}

fn by_text<DB, T>(query: &T, examiner: &impl Examine) -> QueryResult<Known>
where
    DB: Database,
    T: QueryFragment<DB>,
{
    let sql = text_of(query)?;
    Ok(Known {
        kind: examiner.examine(&sql)?,
        sql: Some(sql),
    })
}

/// The text of a query.
///
/// # Errors
///
/// Diesel's, if it cannot be built.
pub(crate) fn text_of<DB: Database, T: QueryFragment<DB>>(query: &T) -> QueryResult<String> {
    let mut builder = DB::QueryBuilder::default();
    query.to_sql(&mut builder, &DB::default())?;
    Ok(builder.finish())
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
