//! A query on its way to a connection, with what is known of it.

use std::rc::Rc;

use diesel::query_builder::{AstPass, Query, QueryBuilder, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::database::Database;
use crate::kinds::text_of;

/// A query whose text is not built again, and which can be run again.
///
/// It has the type of the query itself as far as Diesel's statement cache is concerned.
pub(crate) struct KnownQuery<T>(Rc<Inside<T>>);

struct Inside<T> {
    query: T,
    sql: Option<String>,
}

impl<T> KnownQuery<T> {
    pub(crate) fn new(query: T, sql: Option<String>) -> Self {
        Self(Rc::new(Inside { query, sql }))
    }
}

impl<T> KnownQuery<T> {
    /// Its text; empty if it cannot be built, which has been reported where it was to run.
    pub(crate) fn text<DB: Database>(&self) -> String
    where
        T: QueryFragment<DB>,
    {
        match &self.0.sql {
            Some(sql) => sql.clone(),
            None => text_of(&self.0.query).unwrap_or_default(),
        }
    }
}

impl<T> Clone for KnownQuery<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Query> Query for KnownQuery<T> {
    type SqlType = T::SqlType;
}

impl<T: QueryId> QueryId for KnownQuery<T> {
    type QueryId = T::QueryId;

    const HAS_STATIC_QUERY_ID: bool = T::HAS_STATIC_QUERY_ID;
    const IS_WINDOW_FUNCTION: bool = T::IS_WINDOW_FUNCTION;
}

impl<DB: Database, T: QueryFragment<DB>> QueryFragment<DB> for KnownQuery<T> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.query.walk_ast(pass)
    }

    fn to_sql(&self, out: &mut DB::QueryBuilder, backend: &DB) -> QueryResult<()> {
        match &self.0.sql {
            Some(sql) => {
                out.push_sql(sql);
                Ok(())
            }
            None => self.0.query.to_sql(out, backend),
        }
    }
}
