//! What is needed of a connection of diesel-async's.

use diesel::backend::Backend;
use diesel::query_builder::QueryFragment;
use diesel::result::QueryResult;
use diesel::row::Row;
use diesel_async::AsyncConnection;
use diesel_async::pooled_connection::{PoolError, PoolableConnection};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use routing_core::sql::CatalogFunction;

use super::owned_query::{MaybeId, OwnedQuery};
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
        lookup: &mut <DatabaseOf<Self> as diesel::sql_types::TypeMetadata>::MetadataLookup,
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
    fn text(&mut self, question: &'static str) -> BoxFuture<'_, QueryResult<String>>;

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
