//! How transactions are begun and ended.
//!
//! Over synchronous Diesel the ORM's own manager can stay, with its count on the connection that
//! the transaction is open on. Here its future may be dropped while the first `BEGIN` is on its way
//! to a connection that nobody knows of yet, which would then go back to its pool in a transaction.
//! So the manager is our own, and what it is about to do is written down before it does it.

use diesel::connection::TransactionManagerStatus;
use diesel::result::QueryResult;
use diesel_async::TransactionManager;
use routing_core::StatementKind;

use super::connection::AsyncRoutedConnection;
use super::driver::AsyncRoutable;

/// Begins and ends the transactions of an [`AsyncRoutedConnection`], on the node that was decided.
#[derive(Debug)]
#[non_exhaustive]
pub struct RoutedTransactionManager;

impl<C: AsyncRoutable> TransactionManager<AsyncRoutedConnection<C>> for RoutedTransactionManager {
    type TransactionStateData = TransactionManagerStatus;

    async fn begin_transaction(connection: &mut AsyncRoutedConnection<C>) -> QueryResult<()> {
        connection.settle();
        match connection.transaction {
            None => connection.begin(StatementKind::Transaction, None).await,
            Some(_) => connection.begin_savepoint().await,
        }
    }

    async fn rollback_transaction(connection: &mut AsyncRoutedConnection<C>) -> QueryResult<()> {
        connection.settle();
        connection.leave_lost()?;
        let rolled_back = connection.roll_back().await;
        connection.nesting.shallower();
        rolled_back
    }

    async fn commit_transaction(connection: &mut AsyncRoutedConnection<C>) -> QueryResult<()> {
        connection.settle();
        connection.leave_lost()?;
        let committed = connection.commit().await;
        connection.nesting.shallower();
        committed
    }

    fn transaction_manager_status_mut(
        connection: &mut AsyncRoutedConnection<C>,
    ) -> &mut TransactionManagerStatus {
        let node = connection.transaction.as_ref().map(|open| open.node());
        match node.and_then(|node| connection.checkouts.connected(node)) {
            Some(inner) => C::TransactionManager::transaction_manager_status_mut(inner),
            None => &mut connection.idle,
        }
    }
}
