//! What is needed of a connection of diesel-async's, and of the queries that it runs.
//!
//! diesel-async is handed a query that need not be `Send`, before it is known which connection runs
//! it, and that may have to run again on another. So the query is taken apart at once: its text,
//! and what it binds. Diesel's own `CollectedQuery` does the same but forgets the query's type, so
//! that its statement would be prepared anew each time.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryBuilder, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::row::Row;
use diesel::sql_types::{TypeMetadata, Untyped};
use diesel_async::AsyncConnection;
use diesel_async::pooled_connection::{PoolError, PoolableConnection};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use routing_core::sql::CatalogFunction;

use crate::database::Database;

/// Rows that borrow from nobody.
pub(crate) type Rows<C> = BoxStream<'static, QueryResult<<C as AsyncRoutable>::OwnedRow>>;

/// What a query binds, apart from the query.
pub(crate) type Binds<C> = <C as AsyncRoutable>::Binds;

pub(crate) type Collector<'b, C> = <DatabaseOf<C> as Backend>::BindCollector<'b>;

pub(crate) type DatabaseOf<C> = <C as diesel_async::AsyncConnectionCore>::Backend;

/// A connection of diesel-async's that can be routed: `AsyncPgConnection`,
/// `AsyncMysqlConnection` and `SyncConnectionWrapper<SqliteConnection>`.
///
/// It is sealed: what it does depends on how the driver works inside.
pub trait AsyncRoutable:
    sealed::Sealed + PoolableConnection + AsyncConnection<Backend: Database> + Sized + 'static
{
    /// Whether a connection can be used again after a statement's future was dropped half-way.
    #[doc(hidden)]
    const SURVIVES_CANCELLATION: bool;

    #[doc(hidden)]
    type OwnedRow: for<'a> Row<'a, DatabaseOf<Self>> + Send + 'static;

    #[doc(hidden)]
    type Binds: Send + Sync + 'static;

    #[doc(hidden)]
    type Manager: Manage<Self>;

    /// Whether the driver understands such a URL.
    #[doc(hidden)]
    fn check(url: &str) -> Result<(), String> {
        let _ = url;
        Ok(())
    }

    #[doc(hidden)]
    fn manager(url: String) -> Self::Manager;

    /// Takes what a query binds.
    #[doc(hidden)]
    fn collect<Q>(query: &Q) -> QueryResult<Self::Binds>
    where
        Q: QueryFragment<DatabaseOf<Self>>;

    /// Puts it into the collector of the connection that runs the query.
    #[doc(hidden)]
    fn replay(
        binds: &Self::Binds,
        out: &mut Collector<'_, Self>,
        lookup: &mut <DatabaseOf<Self> as TypeMetadata>::MetadataLookup,
    ) -> QueryResult<()>;

    /// Loads, and has the first row before it says that it could.
    #[doc(hidden)]
    fn rows<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<Rows<Self>>>;

    #[doc(hidden)]
    fn count<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<usize>>;

    /// The functions of the database, if it says which of them may write.
    #[doc(hidden)]
    fn catalog(&mut self) -> BoxFuture<'_, QueryResult<Vec<CatalogFunction>>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// The one text that a question is answered with.
    #[doc(hidden)]
    fn text(&mut self, question: &str) -> BoxFuture<'_, QueryResult<String>>;

    /// Begins a transaction by this text, and counts it.
    #[doc(hidden)]
    fn begin_sql<'c>(&'c mut self, sql: &'c str) -> BoxFuture<'c, QueryResult<()>>;
}

pub(super) mod sealed {
    #[expect(unnameable_types, reason = "nobody else is to name it")]
    pub trait Sealed {}
}

/// A manager for pools of both kinds.
#[cfg(not(feature = "deadpool"))]
#[expect(unnameable_types, reason = "it is part of what is sealed")]
pub trait Manage<C>: bb8::ManageConnection<Connection = C, Error = PoolError> {}

#[cfg(not(feature = "deadpool"))]
impl<C, M> Manage<C> for M where M: bb8::ManageConnection<Connection = C, Error = PoolError> {}

/// A manager for pools of both kinds.
#[cfg(feature = "deadpool")]
#[expect(unnameable_types, reason = "it is part of what is sealed")]
pub trait Manage<C>:
    bb8::ManageConnection<Connection = C, Error = PoolError>
    + deadpool::managed::Manager<Type = C, Error = PoolError>
{
}

#[cfg(feature = "deadpool")]
impl<C, M> Manage<C> for M where
    M: bb8::ManageConnection<Connection = C, Error = PoolError>
        + deadpool::managed::Manager<Type = C, Error = PoolError>
{
}

/// The type by which a statement cache knows a query, if it has one.
#[expect(unnameable_types, reason = "it is part of what is sealed")]
pub trait MaybeId: 'static {
    #[doc(hidden)]
    type Id: 'static;
    #[doc(hidden)]
    const IS_STATIC: bool;
}

pub(crate) struct Static<Id>(PhantomData<fn() -> Id>);

pub(crate) struct Dynamic;

impl<Id: 'static> MaybeId for Static<Id> {
    type Id = Id;
    const IS_STATIC: bool = true;
}

impl MaybeId for Dynamic {
    type Id = ();
    const IS_STATIC: bool = false;
}

/// A query taken apart. It is a cheap clone.
#[expect(unnameable_types, reason = "it is part of what is sealed")]
pub struct OwnedQuery<C: AsyncRoutable, M> {
    parts: Arc<Parts<Binds<C>>>,
    id: PhantomData<fn() -> M>,
}

/// What it consists of.
pub(crate) struct Parts<B> {
    pub(crate) sql: String,
    pub(crate) is_safe_to_cache: bool,
    pub(crate) id: Option<TypeId>,
    binds: B,
}

impl<B> Parts<B> {
    /// Takes a query apart.
    ///
    /// # Errors
    ///
    /// Diesel's, if it cannot be built.
    pub(crate) fn of<C, Q>(query: &Q) -> QueryResult<Self>
    where
        C: AsyncRoutable<Binds = B>,
        Q: QueryFragment<DatabaseOf<C>> + QueryId,
    {
        let database = DatabaseOf::<C>::default();
        let mut builder = <DatabaseOf<C> as Backend>::QueryBuilder::default();
        query.to_sql(&mut builder, &database)?;
        Ok(Self {
            sql: builder.finish(),
            is_safe_to_cache: query.is_safe_to_cache_prepared(&database)?,
            id: Q::query_id(),
            binds: C::collect(query)?,
        })
    }
}

impl<C: AsyncRoutable, M> OwnedQuery<C, M> {
    pub(crate) fn new(parts: Parts<Binds<C>>) -> Self {
        Self {
            parts: Arc::new(parts),
            id: PhantomData,
        }
    }

    pub(crate) fn sql(&self) -> &str {
        &self.parts.sql
    }
}

impl<C: AsyncRoutable, M> Clone for OwnedQuery<C, M> {
    fn clone(&self) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            id: PhantomData,
        }
    }
}

impl<C: AsyncRoutable, M> fmt::Debug for OwnedQuery<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedQuery").field(&self.sql()).finish()
    }
}

impl<C: AsyncRoutable, M> Query for OwnedQuery<C, M> {
    type SqlType = Untyped;
}

impl<C: AsyncRoutable, M: MaybeId> QueryId for OwnedQuery<C, M> {
    type QueryId = M::Id;

    const HAS_STATIC_QUERY_ID: bool = M::IS_STATIC;
}

impl<C, M, DB> QueryFragment<DB> for OwnedQuery<C, M>
where
    C: AsyncRoutable + diesel_async::AsyncConnectionCore<Backend = DB>,
    DB: Database,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.parts.is_safe_to_cache {
            pass.unsafe_to_cache_prepared();
        }
        pass.push_sql(&self.parts.sql);
        Ok(())
    }

    fn collect_binds<'b>(
        &'b self,
        out: &mut Collector<'b, C>,
        lookup: &mut <DB as TypeMetadata>::MetadataLookup,
        _: &'b DB,
    ) -> QueryResult<()> {
        C::replay(&self.parts.binds, out, lookup)
    }
}
