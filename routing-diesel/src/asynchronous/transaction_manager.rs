//! How transactions are begun and ended.
//!
//! Over synchronous Diesel the ORM's own manager can stay, with its count on the connection that
//! the transaction is open on. Here its future may be dropped while the first `BEGIN` is on its way
//! to a connection that nobody knows of yet, which would then go back to its pool in a transaction.
//! So the manager is our own, and what it is about to do is written down before it does it.

use diesel::connection::TransactionManagerStatus;
use diesel::result::{Error, QueryResult};
use diesel_async::TransactionManager;
use routing_core::StatementKind;

use super::connection::AsyncRoutedConnection;
use super::driver::{AsyncRoutable, DatabaseOf};
use crate::database::{Database, begin_read_only};

/// Begins and ends the transactions of an [`AsyncRoutedConnection`], on the node that was decided.
#[derive(Debug)]
#[non_exhaustive]
pub struct RoutedTransactionManager;

impl<C: AsyncRoutable> TransactionManager<AsyncRoutedConnection<C>> for RoutedTransactionManager {
    type TransactionStateData = TransactionManagerStatus;

    async fn begin_transaction(connection: &mut AsyncRoutedConnection<C>) -> QueryResult<()> {
        let home = connection.home;
        let begin = async {
            connection.settle();
            match connection.transaction {
                None => connection.begin(StatementKind::Transaction, None).await,
                Some(_) => connection.begin_savepoint().await,
            }
        };
        home.run(begin).await
    }

    async fn rollback_transaction(connection: &mut AsyncRoutedConnection<C>) -> QueryResult<()> {
        let home = connection.home;
        let roll_back = async {
            connection.settle();
            connection.leave_lost()?;
            let rolled_back = connection.roll_back().await;
            connection.shallower();
            rolled_back
        };
        home.run(roll_back).await
    }

    async fn commit_transaction(connection: &mut AsyncRoutedConnection<C>) -> QueryResult<()> {
        let home = connection.home;
        let commit = async {
            connection.settle();
            connection.leave_lost()?;
            let committed = connection.commit().await;
            connection.shallower();
            committed
        };
        home.run(commit).await
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

impl<C: AsyncRoutable> AsyncRoutedConnection<C> {
    /// Runs a closure in a transaction that is declared read-only, and may run on a replica.
    ///
    /// On PostgreSQL `build_transaction().read_only()` does the same.
    ///
    /// # Errors
    ///
    /// The closure's, or Diesel's if the transaction cannot be begun or ended.
    pub async fn read_transaction<R, E, F>(&mut self, callback: F) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut Self) -> Result<R, E>,
        E: From<Error>,
    {
        let begin = begin_read_only("BEGIN", DatabaseOf::<C>::DIALECT);
        self.run_transaction(StatementKind::BeginReadOnly, &begin, callback)
            .await
    }

    /// Runs a closure in a transaction that is begun by this text.
    pub(super) async fn run_transaction<R, E, F>(
        &mut self,
        kind: StatementKind,
        sql: &str,
        callback: F,
    ) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut Self) -> Result<R, E>,
        E: From<Error>,
    {
        self.settle();
        if self.transaction.is_some() {
            return Err(Error::AlreadyInTransaction.into());
        }
        let home = self.home;
        home.run(self.begin(kind, Some(sql))).await?;
        self.finish(callback).await
    }

    /// Runs a closure in a transaction or, inside one, a savepoint.
    ///
    /// It is what [`AsyncConnection::transaction`](diesel_async::AsyncConnection::transaction) is,
    /// and takes care of one thing more: when its future is dropped, so is the transaction. After
    /// a dropped savepoint, the transaction around it is lost, and says so; through the trait, as
    /// generic code calls it, statements would go on in the savepoint.
    ///
    /// # Errors
    ///
    /// The closure's, or Diesel's if the transaction cannot be begun or ended.
    pub async fn transaction<R, E, F>(&mut self, callback: F) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut Self) -> Result<R, E>,
        E: From<Error>,
    {
        RoutedTransactionManager::begin_transaction(self).await?;
        self.finish(callback).await
    }

    /// Runs a closure in the transaction that was begun, and ends it.
    async fn finish<R, E, F>(&mut self, callback: F) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut Self) -> Result<R, E>,
        E: From<Error>,
    {
        let guard = self.nesting.guard();
        let ended = match callback(&mut *self).await {
            Ok(value) => match RoutedTransactionManager::commit_transaction(self).await {
                Ok(()) => Ok(value),
                Err(commit) => Err(commit.into()),
            },
            Err(error) => match RoutedTransactionManager::rollback_transaction(self).await {
                // The closure's error says more than that its transaction was lost by then.
                Ok(()) | Err(Error::BrokenTransactionManager) => Err(error),
                Err(rollback) => Err(rollback.into()),
            },
        };
        // Not before: the end may be dropped as well.
        guard.disarm();
        ended
    }
}
