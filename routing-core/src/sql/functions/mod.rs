//! Which functions only read.
//!
//! The obvious list is of those that write. It is never complete: users, extensions and the next
//! version add to it, and a statement that calls one goes to a replica. So the lists here are of
//! functions that are known to be harmless, and a call of any other is a write, unless a
//! [`Functions`] knows better.

pub(super) mod mysql;
pub(super) mod postgres;
pub(super) mod postgres_catalog;
pub(super) mod postgres_extensions;
pub(super) mod sqlite;

use std::collections::HashMap;

use super::names::LONGEST;

/// What is known of a function that is not built in, or of all overloads of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Volatility {
    /// The user says that it only reads, or the catalog that it is not volatile.
    Read,
    /// The catalog says that it is volatile: it may write.
    Volatile,
    /// The user says that it writes.
    Write,
}

/// What users and their server's catalog say of functions.
///
/// Names are `name` or `schema.name`, for PostgreSQL in lower case unless they were created in quotes;
/// a name without schema stands for all functions of that name. What is built in and writes stays a
/// write.
///
/// ```
/// use routing_core::StatementKind;
/// use routing_core::sql::{Dialect, Functions, Statement};
///
/// let kind = |functions: &Functions, sql| {
///     Statement::with_functions(sql, Dialect::Postgres, functions).kind()
/// };
/// let unknown = Functions::default();
/// assert_eq!(kind(&unknown, "SELECT price_of(1)"), StatementKind::FunctionCall);
///
/// let known = Functions::new(["price_of"], ["audit.note"]);
/// assert_eq!(kind(&known, "SELECT price_of(1)"), StatementKind::Select);
/// assert_eq!(kind(&known, "SELECT audit.note('x')"), StatementKind::WritingFunction);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Functions {
    /// By `name`, and by `schema.name`.
    named: HashMap<Box<[u8]>, Volatility>,
    catalog: HashMap<Box<[u8]>, Volatility>,
}

/// A function of a server's catalog, or several that share their name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a row of `CATALOG_QUERY`")]
pub struct CatalogFunction {
    /// The schema that it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether it, or what it consists of, is volatile.
    pub is_volatile: bool,
}

/// Asks PostgreSQL for its functions: schema, name, whether one of that name is volatile.
///
/// An aggregate is as volatile as the functions that it is made of; the catalog calls it immutable
/// (manual, `CREATE AGGREGATE`). A procedure is volatile.
pub const CATALOG_QUERY: &str = "/* routing: functions */ \
SELECT n.nspname::text, p.proname::text, \
bool_or(p.provolatile = 'v' OR p.prokind = 'p' OR EXISTS (\
SELECT 1 FROM pg_catalog.pg_proc AS part WHERE part.provolatile = 'v' AND part.oid IN (\
a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, \
a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))) \
FROM pg_catalog.pg_proc AS p \
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
LEFT JOIN pg_catalog.pg_aggregate AS a ON a.aggfnoid = p.oid \
GROUP BY 1, 2";

/// Asks MySQL or MariaDB for its stored functions: schema and name.
///
/// Each counts as volatile, as no server checks what `CREATE FUNCTION` declares (MySQL manual, `CREATE PROCEDURE and
/// CREATE FUNCTION Statements`). A bare name calls one only if the server has no function of that name built in; which
/// it has is not known here, so the name is a write in either case. Those of `sys` only read, and are called by that
/// schema's name.
pub const ROUTINES_QUERY: &str = "/* routing: functions */ \
SELECT CAST(LOWER(routine_schema) AS CHAR), CAST(LOWER(routine_name) AS CHAR) \
FROM information_schema.routines WHERE routine_type = 'FUNCTION' AND routine_schema <> 'sys'";

impl CatalogFunction {
    /// A row of [`ROUTINES_QUERY`].
    #[must_use]
    pub const fn stored(schema: String, name: String) -> Self {
        Self {
            schema,
            name,
            is_volatile: true,
        }
    }
}

impl Functions {
    /// What the user says: these only read, those write. A function in both writes.
    pub fn new<R, W>(read: impl IntoIterator<Item = R>, write: impl IntoIterator<Item = W>) -> Self
    where
        R: AsRef<str>,
        W: AsRef<str>,
    {
        let mut named = HashMap::new();
        for name in read {
            named.insert(name.as_ref().as_bytes().into(), Volatility::Read);
        }
        for name in write {
            named.insert(name.as_ref().as_bytes().into(), Volatility::Write);
        }
        Self {
            named,
            catalog: HashMap::new(),
        }
    }

    /// The same with the functions of a server's catalog in place of those of an earlier one.
    #[must_use]
    pub fn with_catalog(mut self, functions: impl IntoIterator<Item = CatalogFunction>) -> Self {
        self.catalog.clear();
        for function in functions {
            let (schema, name) = (&function.schema, &function.name);
            // Some of the system's own are judged by hand.
            if schema == "pg_catalog" && postgres::READ.contains(&name.as_str()) {
                continue;
            }
            let volatility = if function.is_volatile {
                Volatility::Volatile
            } else {
                Volatility::Read
            };
            for key in [name.clone(), format!("{schema}.{name}")] {
                let known = self
                    .catalog
                    .entry(key.into_bytes().into())
                    .or_insert(volatility);
                if volatility == Volatility::Volatile {
                    *known = volatility;
                }
            }
        }
        self
    }

    /// The same for a database where names of functions have no case.
    pub(crate) fn in_lower_case(mut self) -> Self {
        let lower =
            |(name, volatility): (Box<[u8]>, _)| (name.to_ascii_lowercase().into(), volatility);
        self.named = self.named.into_iter().map(lower).collect();
        self
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.catalog.is_empty()
    }

    /// Whether a server's catalog is among what is known.
    pub(super) fn have_catalog(&self) -> bool {
        !self.catalog.is_empty()
    }

    /// What is known of a name, as the server looks for it.
    pub(super) fn volatility(&self, schema: Option<&[u8]>, name: &[u8]) -> Option<Volatility> {
        let mut qualified = [0; 2 * LONGEST + 1];
        let full = match schema {
            Some(schema) => {
                let end = schema.len() + 1 + name.len();
                let full = qualified.get_mut(..end)?;
                full[..schema.len()].copy_from_slice(schema);
                full[schema.len()] = b'.';
                full[schema.len() + 1..].copy_from_slice(name);
                &*full
            }
            None => name,
        };
        let said = [self.named.get(full), self.named.get(name)];
        if said.contains(&Some(&Volatility::Write)) {
            return Some(Volatility::Write);
        }
        if said.contains(&Some(&Volatility::Read)) {
            return Some(Volatility::Read);
        }
        self.catalog.get(full).copied()
    }
}
