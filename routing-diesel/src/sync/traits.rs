//! Diesel's connection traits for [`RoutedConnection`].

use diesel::connection::{
    AnsiTransactionManager, CacheSize, Connection, ConnectionSealed, Instrumentation,
    LoadConnection, SimpleConnection, TransactionManager,
};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, Error, QueryResult};

use super::checkouts::depth;
use super::connection::{RoutedConnection, Settling};
use crate::database::Routable;
use crate::failure::may_leave_open;
use crate::kinds::Examine;
use crate::known::KnownQuery;

impl<C: Routable> SimpleConnection for RoutedConnection<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let kind = self.handle.examine(query)?;
        self.run_text(kind, query, |connection, sql| {
            connection.batch_execute(sql).map(|()| 0)
        })?;
        Ok(())
    }
}

impl<C: Routable> ConnectionSealed for RoutedConnection<C> {}

impl<C: Routable> Connection for RoutedConnection<C> {
    type Backend = C::Backend;
    type TransactionManager = AnsiTransactionManager;

    fn establish(_: &str) -> ConnectionResult<Self> {
        let message = "a routed connection has more than one URL: get it from a `RoutedPool`";
        Err(ConnectionError::BadConnection(message.into()))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        let known = self.handle.kinds().of(source, &self.handle)?;
        let (kind, sql) = (known.kind, known.sql);
        match (&sql, kind) {
            (Some(text), kind) if may_leave_open(kind) => {
                self.run_text(kind, text, |connection, _| {
                    connection.execute_returning_count(source)
                })
            }
            _ => {
                let query = KnownQuery::new(source, sql);
                let text = || query.text::<C::Backend>();
                self.run(kind, text, |connection| {
                    connection.execute_returning_count(&query)
                })
            }
        }
    }

    /// After a transaction whose connection broke, the next one takes another.
    fn transaction<T, E, F>(&mut self, callback: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        self.run_transaction(AnsiTransactionManager::begin_transaction, callback)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        if let Some(Settling { side, around, .. }) = self.settling
            && self.checkouts.connected(side).and_then(depth) == around
        {
            self.settle();
        }
        let open = self.transaction.as_ref().map(|open| open.role());
        let side = open.or(self.settling.map(|settling| settling.side));
        match side.and_then(|side| self.checkouts.connected(side)) {
            Some(connection) => connection.transaction_state(),
            None => &mut self.idle,
        }
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

impl<B, C> LoadConnection<B> for RoutedConnection<C>
where
    C: Routable + LoadConnection<B>,
{
    type Cursor<'conn, 'query> = <C as LoadConnection<B>>::Cursor<'conn, 'query>;
    type Row<'conn, 'query> = <C as LoadConnection<B>>::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        self.load_routed(source)
    }
}
