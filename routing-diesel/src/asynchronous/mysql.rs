//! MySQL and MariaDB.

use diesel::connection::TransactionManagerStatus;
use diesel::mysql::{Mysql, MysqlType};
use diesel::query_builder::QueryFragment;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::result::QueryResult;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::{
    AnsiTransactionManager, AsyncConnectionCore, AsyncMysqlConnection, TransactionManager,
};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use routing_core::sql::CatalogFunction;

use super::driver::sealed::Sealed;
use super::driver::{AsyncRoutable, Rows};
use super::driver::{MaybeId, OwnedQuery};
use super::node_pool::given_pools;
use crate::database::{routine, routines_query};

impl Sealed for AsyncMysqlConnection {}

given_pools!(AsyncMysqlConnection);

/// Asks whether a connection works, before a pool hands it out.
///
/// The pool stops waiting when its time is over, and would keep the connection: the answer that is still
/// to come would be taken for the next statement's, as if that had been acknowledged. So the connection
/// counts as broken until the answer is here.
fn ping(connection: &mut AsyncMysqlConnection) -> BoxFuture<'_, QueryResult<()>> {
    async move {
        *AnsiTransactionManager::transaction_manager_status_mut(connection) =
            TransactionManagerStatus::InError;
        let question = diesel::sql_query("SELECT 1");
        diesel_async::RunQueryDsl::execute(question, connection).await?;
        *AnsiTransactionManager::transaction_manager_status_mut(connection) =
            TransactionManagerStatus::default();
        Ok(())
    }
    .boxed()
}

impl AsyncRoutable for AsyncMysqlConnection {
    /// What is half-way read is taken for the answer to what is asked next.
    const SURVIVES_CANCELLATION: bool = false;

    type OwnedRow = <Self as AsyncConnectionCore>::Row<'static, 'static>;

    type Binds = (Vec<MysqlType>, Vec<Option<Vec<u8>>>);

    type Manager = AsyncDieselConnectionManager<Self>;

    /// The driver's TLS is a feature of `mysql_async` that diesel-async does not have; without it the driver panics.
    fn check(url: &str) -> Result<(), String> {
        let (_, query) = url.split_once('?').unwrap_or_default();
        if query.split('&').any(|option| option == "require_ssl=true") {
            return Err("requires TLS, which diesel-async has not for MySQL".to_owned());
        }
        Ok(())
    }

    fn manager(url: String) -> Self::Manager {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::CustomFunction(Box::new(ping));
        AsyncDieselConnectionManager::new_with_config(url, config)
    }

    fn collect<Q: QueryFragment<Mysql>>(query: &Q) -> QueryResult<Self::Binds> {
        let mut binds = RawBytesBindCollector::new();
        query.collect_binds(&mut binds, &mut (), &Mysql)?;
        Ok((binds.metadata, binds.binds))
    }

    fn replay(
        (metadata, binds): &Self::Binds,
        out: &mut RawBytesBindCollector<Mysql>,
        (): &mut (),
    ) -> QueryResult<()> {
        out.metadata.extend(metadata);
        out.binds.extend_from_slice(binds);
        Ok(())
    }

    /// The driver's rows borrow from the connection, and a statement that may have to go to another
    /// cannot wait for them: they are taken first.
    fn rows<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<Rows<Self>>> {
        async move {
            // An error among them is the statement's.
            let rows: Vec<_> = self.load(query).await?.try_collect().await?;
            Ok(futures_util::stream::iter(rows.into_iter().map(Ok)).boxed())
        }
        .boxed()
    }

    fn count<M: MaybeId>(
        &mut self,
        query: OwnedQuery<Self, M>,
    ) -> BoxFuture<'_, QueryResult<usize>> {
        self.execute_returning_count(query)
    }

    fn catalog(&mut self) -> BoxFuture<'_, QueryResult<Vec<CatalogFunction>>> {
        async move {
            let rows = diesel_async::RunQueryDsl::load(routines_query(), self).await?;
            Ok(rows.into_iter().map(routine).collect())
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
