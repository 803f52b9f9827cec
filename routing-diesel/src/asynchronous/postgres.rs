//! PostgreSQL: its types, its transaction builder, and pipelining.

mod binds;
#[cfg(feature = "rustls")]
mod certificate;
mod connector;
mod pipeline;
mod security;
mod transaction_builder;

use diesel::pg::{Pg, PgMetadataLookup};
use diesel::query_builder::QueryFragment;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::result::QueryResult;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::{AnsiTransactionManager, AsyncConnectionCore, AsyncPgConnection};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use routing_core::sql::CatalogFunction;

use super::driver::sealed::Sealed;
use super::driver::{AsyncRoutable, Rows};
use super::driver::{MaybeId, OwnedQuery};
use super::node_pool::given_pools;
use crate::database::{CatalogRow, catalog_query, function};
use binds::PgBinds;

pub use transaction_builder::AsyncTransactionBuilder;

type PgRow = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;

impl Sealed for AsyncPgConnection {}

given_pools!(AsyncPgConnection);

impl AsyncRoutable for AsyncPgConnection {
    /// The protocol is spoken by a task of its own, which takes the answers nobody waits for.
    const SURVIVES_CANCELLATION: bool = true;

    type OwnedRow = PgRow;

    type Binds = PgBinds;

    type Manager = AsyncDieselConnectionManager<Self>;

    fn check(url: &str) -> Result<(), String> {
        connector::check(url)
    }

    fn manager(url: String) -> Self::Manager {
        connector::manager(url)
    }

    fn collect<Q: QueryFragment<Pg>>(query: &Q) -> QueryResult<PgBinds> {
        PgBinds::of(query)
    }

    fn replay(
        binds: &PgBinds,
        out: &mut RawBytesBindCollector<Pg>,
        lookup: &mut (dyn PgMetadataLookup + 'static),
    ) -> QueryResult<()> {
        binds.replay(out, lookup)
    }

    fn rows<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<Rows<Self>>> {
        first_row(self.load(query)).boxed()
    }

    fn count<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<usize>> {
        self.execute_returning_count(query)
    }

    fn catalog(&mut self) -> BoxFuture<'_, QueryResult<Vec<CatalogFunction>>> {
        async move {
            let rows = diesel_async::RunQueryDsl::load::<CatalogRow>(catalog_query(), self).await?;
            Ok(rows.into_iter().map(function).collect())
        }
        .boxed()
    }

    fn text(&mut self, question: &str) -> BoxFuture<'_, QueryResult<String>> {
        let question = diesel::dsl::sql::<diesel::sql_types::Text>(question);
        async move { diesel_async::RunQueryDsl::get_result(question, self).await }.boxed()
    }

    fn begin_sql<'c>(&'c mut self, sql: &'c str) -> BoxFuture<'c, QueryResult<()>> {
        AnsiTransactionManager::begin_transaction_sql(self, sql).boxed()
    }
}

/// Has the first row before it says that there are rows: it is the last moment at which the
/// statement can go to another node.
async fn first_row(
    loading: BoxFuture<'_, QueryResult<Rows<AsyncPgConnection>>>,
) -> QueryResult<Rows<AsyncPgConnection>> {
    let mut rows = loading.await?;
    Ok(match rows.next().await.transpose()? {
        None => futures_util::stream::empty().boxed(),
        Some(first) => futures_util::stream::iter([Ok(first)]).chain(rows).boxed(),
    })
}
