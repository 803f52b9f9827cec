//! SeaORM's interfaces that name its own connection types: migrations and schema discovery.
//!
//! They get the primary, or the transaction's own connection, where nothing is checked any more:
//! that a write in a read-only transaction is refused is then the server's business. Both look at the schema to decide what to change in it, and a replica's
//! may be old.

use routing_core::Session;
use routing_core::adapter::Handle;
use sea_orm::{DatabaseExecutor, IntoDatabaseExecutor};

use crate::handle::RoutedConnection;
use crate::transaction::RoutedTransaction;

impl RoutedConnection {
    /// The primary, for somebody who is going to change the schema. The session is pinned, whatever
    /// the rules say to that: the caller has named the primary, and what he does there is not seen.
    fn schema_executor(&self) -> DatabaseExecutor<'_> {
        let Handle { set, context, .. } = &self.handle;
        if set.pin(context).is_err()
            && let Some(session) = context.session().cloned().or_else(Session::current)
        {
            session.carry_pin(set.name(), None);
        }
        set.record_untracked_write(context);
        DatabaseExecutor::Connection(self.primary())
    }
}

impl<'c> From<&'c RoutedConnection> for DatabaseExecutor<'c> {
    fn from(connection: &'c RoutedConnection) -> Self {
        connection.schema_executor()
    }
}

impl<'c> From<&'c RoutedTransaction> for DatabaseExecutor<'c> {
    fn from(transaction: &'c RoutedTransaction) -> Self {
        Self::Transaction(transaction.hand_out())
    }
}

impl<'c> IntoDatabaseExecutor<'c> for &'c RoutedConnection {
    fn into_database_executor(self) -> DatabaseExecutor<'c> {
        self.schema_executor()
    }
}

impl<'c> IntoDatabaseExecutor<'c> for &'c RoutedTransaction {
    fn into_database_executor(self) -> DatabaseExecutor<'c> {
        DatabaseExecutor::Transaction(self.hand_out())
    }
}

/// Whether the executor commits is no longer known here, so the transaction's callbacks are not
/// called.
impl IntoDatabaseExecutor<'static> for RoutedTransaction {
    fn into_database_executor(self) -> DatabaseExecutor<'static> {
        DatabaseExecutor::OwnedTransaction(self.into_transaction())
    }
}

#[cfg(feature = "schema-sync")]
mod schema {
    use async_trait::async_trait;
    use sea_orm::sea_query::SelectStatement;
    use sea_orm::sqlx;
    use sea_schema::Connection;
    use sea_schema::sqlx_types::SqlxRow;

    use crate::handle::RoutedConnection;
    use crate::transaction::RoutedTransaction;

    #[async_trait]
    impl Connection for RoutedConnection {
        async fn query_all(&self, select: SelectStatement) -> Result<Vec<SqlxRow>, sqlx::Error> {
            Connection::query_all(self.primary(), select).await
        }

        async fn query_all_raw(&self, sql: String) -> Result<Vec<SqlxRow>, sqlx::Error> {
            Connection::query_all_raw(self.primary(), sql).await
        }
    }

    #[async_trait]
    impl Connection for RoutedTransaction {
        async fn query_all(&self, select: SelectStatement) -> Result<Vec<SqlxRow>, sqlx::Error> {
            Connection::query_all(self.hand_out(), select).await
        }

        async fn query_all_raw(&self, sql: String) -> Result<Vec<SqlxRow>, sqlx::Error> {
            Connection::query_all_raw(self.hand_out(), sql).await
        }
    }
}
