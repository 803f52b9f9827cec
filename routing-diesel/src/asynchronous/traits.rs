//! diesel-async's connection traits for [`AsyncRoutedConnection`].

use std::any::TypeId;
use std::future::Future;
use std::sync::Arc;

use diesel::associations::{HasTable, Identifiable};
use diesel::connection::{CacheSize, Instrumentation, TransactionManagerStatus};
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::{
    AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection, TransactionManager,
    UpdateAndFetchResults,
};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use routing_core::adapter::{Handle, WatchedRows};
use routing_core::sql::Dialect;
use routing_core::{Access, Scope, StatementKind};

use super::connection::AsyncRoutedConnection;
use super::driver::{AsyncRoutable, Binds, DatabaseOf, Rows};
use super::driver::{Dynamic, MaybeId, OwnedQuery, Parts, Static};
use super::statements::{Load, Loaded, SaveChanges};
use super::transaction_manager::RoutedTransactionManager;
use super::watched::{Arriving, BelongsTo};
use crate::database::Database;
use crate::failure::may_leave_open;
use crate::kinds::Examine;

/// A query on its way, and its kind.
pub(super) type Prepared<C> = QueryResult<(Parts<Binds<C>>, StatementKind)>;

impl<C: AsyncRoutable> AsyncRoutedConnection<C> {
    /// Takes a query apart, and knows its kind.
    pub(super) fn prepare<Q>(&self, query: &Q) -> Prepared<C>
    where
        Q: QueryFragment<DatabaseOf<C>> + QueryId,
    {
        let parts = Parts::of::<C, Q>(query)?;
        let id: Option<TypeId> = parts.id.filter(|_| parts.is_safe_to_cache);
        let handle = &self.handle;
        let kind = handle.kinds().of_sql(id, &parts.sql, handle)?;
        Ok((parts, kind))
    }

    fn load_prepared<M: MaybeId>(
        &mut self,
        prepared: Prepared<C>,
    ) -> BoxFuture<'_, QueryResult<Rows<C>>> {
        let home = self.home;
        let load = async move {
            let (parts, kind) = prepared?;
            let query = OwnedQuery::<C, M>::new(parts);
            self.settle();
            let mut taints = may_leave_open(kind);
            if taints && let Some(transaction) = &self.transaction {
                transaction.lose_track();
                taints = false;
            }
            let rows = self.run_statement(kind, Load { query, taints }).await?;
            Ok(self.watch(rows, kind))
        };
        home.run(load).boxed()
    }

    /// Watches rows that arrive one by one: the caller may stop reading them, and the node may fall silent.
    pub(super) fn watch(&self, (rows, node): Loaded<C>, kind: StatementKind) -> Rows<C> {
        if DatabaseOf::<C>::DIALECT != Dialect::Postgres {
            return rows;
        }
        let Handle { set, context, .. } = &self.handle;
        let belongs_to = match &self.transaction {
            Some(open) => BelongsTo::Transaction(open.innermost().pending()),
            None if kind.access() == Access::Read => BelongsTo::Read,
            None => BelongsTo::Write(Some(context.clone())),
        };
        let arriving = Arriving::<C> {
            rows: WatchedRows::new(rows, set, &node),
            kind,
            role: set.role_of(&node),
            home: self.home,
            belongs_to,
            has_broken_off: false,
        };
        arriving.boxed()
    }

    fn execute_prepared<M: MaybeId>(
        &mut self,
        prepared: Prepared<C>,
    ) -> BoxFuture<'_, QueryResult<usize>> {
        let home = self.home;
        let execute = async move {
            let (parts, kind) = prepared?;
            let query = OwnedQuery::<C, M>::new(parts);
            match kind {
                kind if may_leave_open(kind) => {
                    self.run_text(kind, query.sql(), |connection| {
                        connection.count(query.clone())
                    })
                    .await
                }
                _ => {
                    self.run(kind, query.sql(), |connection| {
                        connection.count(query.clone())
                    })
                    .await
                }
            }
        };
        home.run(execute).boxed()
    }
}

impl<C: AsyncRoutable> SimpleAsyncConnection for AsyncRoutedConnection<C> {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        if query == diesel::migration::CREATE_MIGRATIONS_TABLE {
            // Diesel's harness does not say when it is done: the connection stays on the primary for good.
            self.handle = self.handle.scoped(Scope::migration());
        }
        let kind = self.handle.examine(query)?;
        let query: Arc<str> = query.into();
        let home = self.home;
        let execute = self.run_text(kind, &query, |connection| {
            let sql = Arc::clone(&query);
            async move { connection.batch_execute(&sql).await.map(|()| 0) }.boxed()
        });
        home.run(execute).await.map(drop)
    }
}

impl<C: AsyncRoutable> AsyncConnectionCore for AsyncRoutedConnection<C> {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Rows<C>>>;
    type Stream<'conn, 'query> = Rows<C>;
    type Row<'conn, 'query> = C::OwnedRow;
    type Backend = DatabaseOf<C>;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        let prepared = self.prepare(&source.as_query());
        if T::Query::HAS_STATIC_QUERY_ID {
            self.load_prepared::<Static<<T::Query as QueryId>::QueryId>>(prepared)
        } else {
            self.load_prepared::<Dynamic>(prepared)
        }
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        let prepared = self.prepare(&source);
        if T::HAS_STATIC_QUERY_ID {
            self.execute_prepared::<Static<T::QueryId>>(prepared)
        } else {
            self.execute_prepared::<Dynamic>(prepared)
        }
    }
}

impl<C: AsyncRoutable> AsyncConnection for AsyncRoutedConnection<C> {
    type TransactionManager = RoutedTransactionManager;

    fn establish(_: &str) -> impl Future<Output = ConnectionResult<Self>> + Send {
        let message = "a routed connection has more than one URL: get it from an `AsyncRoutedPool`";
        std::future::ready(Err(ConnectionError::BadConnection(message.into())))
    }

    fn transaction_state(&mut self) -> &mut TransactionManagerStatus {
        RoutedTransactionManager::transaction_manager_status_mut(self)
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.checkouts.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.checkouts.instrumentation.replace(instrumentation);
        self.checkouts.settings_changed();
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.checkouts.cache_size = Some(size);
        self.checkouts.settings_changed();
    }
}

/// `save_changes` updates and fetches on the primary, in one go.
impl<C, Changes, Output> UpdateAndFetchResults<Changes, Output> for AsyncRoutedConnection<C>
where
    C: AsyncRoutable + UpdateAndFetchResults<Changes, Output>,
    Changes: Identifiable + HasTable + Copy + Send + Sync,
    Output: Send,
{
    fn update_and_fetch<'conn, 'changes>(
        &'conn mut self,
        changeset: Changes,
    ) -> BoxFuture<'changes, QueryResult<Output>>
    where
        Changes: 'changes,
        'conn: 'changes,
        Self: 'changes,
    {
        let home = self.home;
        let save = async move {
            self.settle();
            let changes = SaveChanges::new(changeset);
            self.run_statement(StatementKind::Update, changes).await
        };
        home.run(save).boxed()
    }
}
