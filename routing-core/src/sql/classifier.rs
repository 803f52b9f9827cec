//! What a set knows of the statements that it is given.
//!
//! A text says most of it, but not all: which of the database's own functions write is in its
//! catalog, and what a view or an operator hides shows only when a replica refuses it. Both are
//! learnt while the program runs, and both are kept here: per set, as another set may be another
//! database.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::sql::kind::{Access, StatementKind};
use crate::sql::{CatalogFunction, Dialect, Functions, Statement, shape_of};

/// The most shapes that are remembered; when there are more, some are forgotten, and learnt anew.
const MAX_SHAPES: usize = 1024;

/// Tells what a statement does, as far as is known by now.
///
/// ```
/// use routing_core::sql::{CatalogFunction, Dialect, Functions};
/// use routing_core::{Classifier, StatementKind};
///
/// let classifier = Classifier::new(Some(Dialect::Postgres), Functions::default());
/// let sql = "SELECT price_of(cake) FROM cake";
/// assert_eq!(classifier.kind_of(sql), StatementKind::FunctionCall);
///
/// // The database says that the function is stable.
/// classifier.set_catalog([CatalogFunction {
///     schema: "public".to_owned(),
///     name: "price_of".to_owned(),
///     is_volatile: false,
/// }]);
/// assert_eq!(classifier.kind_of(sql), StatementKind::Select);
/// ```
#[derive(Debug)]
pub struct Classifier {
    dialect: Option<Dialect>,
    functions: ArcSwap<Functions>,
    /// What statements of these shapes are, as servers have said.
    learnt: ArcSwap<HashMap<u64, StatementKind>>,
    /// Raised whenever an answer may have changed.
    generation: AtomicU64,
    /// Whether the database's catalog is to be asked, and nobody does so yet.
    wants_catalog: AtomicBool,
    /// How often it was asked in vain.
    catalog_failures: AtomicU32,
}

impl Classifier {
    /// One that knows what the user says of functions. Of a database whose dialect is not known
    /// (`None`) no statement is understood, and all are writes.
    #[must_use]
    pub fn new(dialect: Option<Dialect>, functions: Functions) -> Self {
        Self {
            dialect,
            functions: ArcSwap::from_pointee(match dialect {
                // Everywhere else a function's name has no case.
                Some(Dialect::Postgres) => functions,
                _ => functions.in_lower_case(),
            }),
            learnt: ArcSwap::default(),
            generation: AtomicU64::new(0),
            wants_catalog: AtomicBool::new(false),
            catalog_failures: AtomicU32::new(0),
        }
    }

    /// Wants to know the database's functions, which no adapter has loaded yet. SQLite has no stored ones.
    pub fn want_catalog(&self) {
        if self.dialect.is_some_and(Dialect::has_catalog) {
            self.wants_catalog.store(true, Ordering::Release);
        }
    }

    /// Whether the caller is the one to ask for the catalog now: once, until it is
    /// [wanted](Self::want_catalog) again.
    #[inline]
    #[must_use]
    pub fn take_catalog_request(&self) -> bool {
        self.wants_catalog.load(Ordering::Relaxed)
            && self.wants_catalog.swap(false, Ordering::AcqRel)
    }

    /// Whose SQL it understands.
    #[must_use]
    pub const fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// The kind of a statement.
    #[must_use]
    pub fn kind_of<T: AsRef<[u8]> + ?Sized>(&self, sql: &T) -> StatementKind {
        let sql = sql.as_ref();
        let Some(dialect) = self.dialect else {
            return StatementKind::Unknown;
        };
        let functions = self.functions.load();
        let statement = if functions.is_empty() {
            Statement::new(sql, dialect)
        } else {
            Statement::with_functions(sql, dialect, &functions)
        };
        let kind = statement.kind();
        if kind.access() == Access::Read || kind.is_ambiguous() {
            let learnt = self.learnt.load();
            let learnt = (!learnt.is_empty()).then(|| learnt.get(&shape_of(sql, dialect)).copied());
            match learnt.flatten() {
                // What may write goes to the primary anyway, and says why.
                Some(StatementKind::PrimaryRead) if kind.access() == Access::Write => {}
                Some(learnt) => return learnt,
                None => {}
            }
        }
        kind
    }

    /// Changes when the kind of a statement may have: a kind that was kept under an older number
    /// is to be asked for again.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What is known of functions.
    #[must_use]
    pub fn functions(&self) -> Arc<Functions> {
        self.functions.load_full()
    }

    /// Takes over the answer to [`CATALOG_QUERY`](crate::sql::CATALOG_QUERY) that was asked for in
    /// the background, or says for how long the database is to be left alone: **60 s**, then longer, up to
    /// **16 min**. Until then functions that are not built in stay unknown, and so writes.
    ///
    /// # Errors
    ///
    /// That time, if there was no answer.
    pub fn take_catalog<E: fmt::Display>(
        &self,
        answer: Result<Vec<CatalogFunction>, E>,
    ) -> Result<(), Duration> {
        const BACK_OFF: Duration = Duration::from_secs(60);
        match answer {
            Ok(functions) => {
                self.set_catalog(functions);
                Ok(())
            }
            Err(error) => {
                let failures = self.catalog_failures.fetch_add(1, Ordering::Relaxed);
                // What the administrator does not mend need not be said each minute.
                if failures == 0 {
                    tracing::warn!(
                        target: "routing",
                        %error,
                        "the functions of the database could not be loaded; unknown ones are writes"
                    );
                } else {
                    tracing::debug!(target: "routing", %error, "the functions could still not be loaded");
                }
                Err(BACK_OFF * (1 << failures.min(4)))
            }
        }
    }

    /// Takes over the answer to [`CATALOG_QUERY`](crate::sql::CATALOG_QUERY), in place of an
    /// earlier one.
    pub fn set_catalog(&self, functions: impl IntoIterator<Item = CatalogFunction>) {
        let functions: Vec<_> = functions.into_iter().collect();
        self.functions
            .rcu(|known| Functions::clone(known).with_catalog(functions.iter().cloned()));
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Remembers that statements of this shape are of this kind; whether that is new.
    pub(crate) fn remember(&self, sql: &[u8], kind: StatementKind) -> bool {
        let Some(dialect) = self.dialect else {
            return false;
        };
        let shape = shape_of(sql, dialect);
        let before = self.learnt.rcu(|known| {
            let mut known = HashMap::clone(known);
            if known.len() >= MAX_SHAPES && !known.contains_key(&shape) {
                // Any will do: the order of a hash map is random.
                let forgotten = known.keys().next().copied();
                forgotten.map(|shape| known.remove(&shape));
            }
            // What has written once may write again.
            if known.get(&shape) != Some(&StatementKind::DisguisedWrite) {
                known.insert(shape, kind);
            }
            known
        });
        self.generation.fetch_add(1, Ordering::AcqRel);
        before.get(&shape) != Some(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_remembered_and_memory_is_bounded() {
        let classifier = Classifier::new(Some(Dialect::Postgres), Functions::default());
        let sql = |n: usize| format!("SELECT a FROM view_{n} WHERE b = {n}");
        assert_eq!(classifier.kind_of(&sql(7)), StatementKind::Select);
        let before = classifier.generation();
        assert!(classifier.remember(sql(7).as_bytes(), StatementKind::DisguisedWrite));
        assert!(!classifier.remember(
            b"select a from view_7 where b = 8",
            StatementKind::DisguisedWrite
        ));
        assert!(classifier.generation() > before);
        assert_eq!(
            classifier.kind_of("SELECT a FROM view_7 WHERE b = 'x'"),
            StatementKind::DisguisedWrite
        );
        assert_eq!(classifier.kind_of(&sql(8)), StatementKind::Select);
        // What is a write anyway says why.
        assert_eq!(
            classifier.kind_of("DELETE FROM view_7"),
            StatementKind::Delete
        );
        for n in 0..3 * MAX_SHAPES {
            classifier.remember(sql(n).as_bytes(), StatementKind::DisguisedWrite);
        }
        assert_eq!(classifier.learnt.load().len(), MAX_SHAPES);
    }

    #[test]
    fn one_asks_for_the_catalog() {
        let classifier = Classifier::new(Some(Dialect::Postgres), Functions::default());
        assert!(!classifier.take_catalog_request());
        classifier.want_catalog();
        assert!(classifier.take_catalog_request());
        assert!(!classifier.take_catalog_request());
        let other = Classifier::new(Some(Dialect::Sqlite), Functions::default());
        other.want_catalog();
        assert!(!other.take_catalog_request());
    }

    #[test]
    fn without_a_dialect_nothing_is_a_read() {
        let classifier = Classifier::new(None, Functions::default());
        assert_eq!(classifier.kind_of("SELECT 1"), StatementKind::Unknown);
        assert!(!classifier.remember(b"SELECT 1", StatementKind::DisguisedWrite));
    }
}
