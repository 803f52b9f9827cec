//! Async closures that run in a transaction, as SeaORM's connection types have them.

use sea_orm::{AccessMode, IsolationLevel, TransactionError, TransactionTrait};

use crate::commit::finish;
use crate::handle::RoutedConnection;
use crate::transaction::RoutedTransaction;

/// The same two methods for the connection and for the transaction: they are inherent, as no trait
/// has them.
macro_rules! closures {
    ($connection:ty) => {
        impl $connection {
            /// Runs an async closure in a transaction, which is committed if the closure succeeds
            /// and rolled back if it fails. Inside a transaction it is a savepoint.
            ///
            /// # Errors
            ///
            /// The closure's, or [`TransactionError::Connection`] if the transaction cannot be
            /// begun or ended.
            pub async fn transaction_async<F, T, E>(
                &self,
                callback: F,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c RoutedTransaction) -> Result<T, E> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                self.transaction_with_config_async(callback, None, None)
                    .await
            }

            /// The same with an isolation level, an access mode or both. A read-only transaction
            /// may run on a replica.
            ///
            /// # Errors
            ///
            /// The closure's, or [`TransactionError::Connection`] if the transaction cannot be
            /// begun or ended.
            pub async fn transaction_with_config_async<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c RoutedTransaction) -> Result<T, E> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                let transaction = self.begin_with_config(isolation_level, access_mode).await?;
                let outcome = callback(&transaction).await;
                finish(transaction, outcome).await
            }
        }
    };
}

closures!(RoutedConnection);
closures!(RoutedTransaction);
