//! SQLite, which diesel-async runs on threads that may block.

use diesel::connection::AnsiTransactionManager;
use diesel::query_builder::{MoveableBindCollector, QueryFragment};
use diesel::result::QueryResult;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_async::AsyncConnectionCore;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use futures_util::future::BoxFuture;

use super::driver::sealed::Sealed;
use super::driver::{AsyncRoutable, Collector, Rows};
use super::driver::{MaybeId, OwnedQuery};
use super::node_pool::given_pools;

type Connection = SyncConnectionWrapper<SqliteConnection>;

impl Sealed for Connection {}

given_pools!(Connection);

impl AsyncRoutable for Connection {
    /// The wrapper waits for its thread when it is dropped.
    const SURVIVES_CANCELLATION: bool = true;

    type OwnedRow = <Self as AsyncConnectionCore>::Row<'static, 'static>;

    type Binds = <Collector<'static, Self> as MoveableBindCollector<Sqlite>>::BindData;

    type Manager = AsyncDieselConnectionManager<Self>;

    fn manager(url: String) -> Self::Manager {
        AsyncDieselConnectionManager::new(url)
    }

    fn collect<Q: QueryFragment<Sqlite>>(query: &Q) -> QueryResult<Self::Binds> {
        let mut binds = Collector::<'_, Self>::default();
        query.collect_binds(&mut binds, &mut (), &Sqlite)?;
        Ok(binds.moveable())
    }

    fn replay(binds: &Self::Binds, out: &mut Collector<'_, Self>, (): &mut ()) -> QueryResult<()> {
        out.append_bind_data(binds);
        Ok(())
    }

    fn rows<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<Rows<Self>>> {
        self.load(query)
    }

    fn count<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<usize>> {
        self.execute_returning_count(query)
    }

    fn text(&mut self, question: &str) -> BoxFuture<'_, QueryResult<String>> {
        let question = diesel::dsl::sql::<diesel::sql_types::Text>(question);
        Box::pin(async move { diesel_async::RunQueryDsl::get_result(question, self).await })
    }

    fn begin_sql<'c>(&'c mut self, sql: &'c str) -> BoxFuture<'c, QueryResult<()>> {
        let sql = sql.to_owned();
        self.spawn_blocking(move |connection| {
            AnsiTransactionManager::begin_transaction_sql(connection, &sql)
        })
    }
}
