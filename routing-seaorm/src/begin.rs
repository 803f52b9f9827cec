//! How transactions begin: SeaORM's `TransactionTrait`, and the closures that it has beside it.

use std::borrow::Cow;

use async_trait::async_trait;
use routing_core::adapter::{AsyncStatement, Attempt, OpenTransaction, run_to_end};
use routing_core::{Access, StatementKind};
use sea_orm::{
    AccessMode, ConnAcquireErr, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, TransactionError, TransactionOptions, TransactionTrait,
};

use crate::commit::finish;
use crate::connections::{BoxFuture, Inside, Pools, Target, Via};
use crate::handle::RoutedConnection;
use crate::pool::NodePool;
use crate::statement::kind_of_begin;
use crate::transaction::RoutedTransaction;

/// Begins a transaction with these options.
pub(crate) struct Begin(pub(crate) TransactionOptions);

impl AsyncStatement<Via<Pools>> for Begin {
    type Output = DatabaseTransaction;

    async fn send(
        &mut self,
        via: &mut Via<Pools>,
        attempt: Attempt<'_, NodePool>,
    ) -> Result<DatabaseTransaction, DbErr> {
        let mut options = self.0;
        if attempt.access == Access::Read {
            options.access_mode = Some(AccessMode::ReadOnly);
        }
        begin(via.0.connection(attempt.permit), options).await
    }

    fn sql(&self) -> Cow<'_, str> {
        "BEGIN".into()
    }
}

/// The same inside a transaction sets a savepoint.
impl AsyncStatement<Via<Inside<'_>>> for Begin {
    type Output = DatabaseTransaction;

    async fn send(
        &mut self,
        via: &mut Via<Inside<'_>>,
        _: Attempt<'_, NodePool>,
    ) -> Result<DatabaseTransaction, DbErr> {
        via.0.0.begin_with_options(self.0).await
    }

    fn sql(&self) -> Cow<'_, str> {
        "SAVEPOINT".into()
    }
}

/// Begins a transaction.
///
/// MySQL's driver counts it only after the server has answered: were it dropped in between, its
/// connection would go back to the pool in a transaction. So it is begun to the end even if the caller
/// is dropped, and then dropped as a transaction.
fn begin(
    connection: &DatabaseConnection,
    options: TransactionOptions,
) -> BoxFuture<'_, Result<DatabaseTransaction, DbErr>> {
    if connection.get_database_backend() != DbBackend::MySql {
        return connection.begin_with_options(options);
    }
    let connection = connection.clone();
    let begun = run_to_end(async move { connection.begin_with_options(options).await });
    // The runtime shuts down, and with it the pool.
    let shut_down = Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
    Box::pin(async move { begun.await.unwrap_or(shut_down) })
}

impl RoutedConnection {
    async fn begin_routed(&self, options: TransactionOptions) -> Result<RoutedTransaction, DbErr> {
        let handle = &self.handle;
        let kind = kind_of_begin(&options, handle.set.primary().pool().backend());
        let done = self.run(&handle.set, kind, Begin(options)).await?;
        let open = OpenTransaction::new(handle, &done);
        Ok(RoutedTransaction::new(handle, open, done.value))
    }
}

impl RoutedTransaction {
    /// Sets a savepoint. Inside a read-only transaction it is read-only too.
    async fn begin_savepoint(&self, mut options: TransactionOptions) -> Result<Self, DbErr> {
        let kind = match (self.access(), options.access_mode) {
            (Access::Read, None) => StatementKind::BeginReadOnly,
            _ => kind_of_begin(&options, self.get_database_backend()),
        };
        if self.access() == Access::Read {
            // MySQL refuses to declare again what the transaction is.
            options.access_mode = None;
        }
        let begin = Begin(options);
        let transaction = self.run(kind, begin).await?;
        Ok(Self {
            open: self.open.savepoint(kind.access()),
            transaction,
            level: self.level.savepoint(),
            context: self.context.clone(),
        })
    }
}

/// `TransactionTrait`, and two methods that SeaORM's connections have beside it.
macro_rules! transaction_trait {
    ($connection:ty, $begin:ident) => {
        #[async_trait]
        impl TransactionTrait for $connection {
            type Transaction = RoutedTransaction;

            async fn begin(&self) -> Result<RoutedTransaction, DbErr> {
                self.begin_with_options(TransactionOptions::default()).await
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<RoutedTransaction, DbErr> {
                let options = TransactionOptions {
                    isolation_level,
                    access_mode,
                    sqlite_transaction_mode: None,
                };
                self.begin_with_options(options).await
            }

            async fn begin_with_options(
                &self,
                options: TransactionOptions,
            ) -> Result<RoutedTransaction, DbErr> {
                self.$begin(options).await
            }

            async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c RoutedTransaction) -> BoxFuture<'c, Result<T, E>> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                self.transaction_with_config(callback, None, None).await
            }

            async fn transaction_with_config<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c RoutedTransaction) -> BoxFuture<'c, Result<T, E>> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                let transaction = self.begin_with_config(isolation_level, access_mode).await?;
                let outcome = callback(&transaction).await;
                finish(transaction, outcome).await
            }
        }

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

transaction_trait!(RoutedConnection, begin_routed);
transaction_trait!(RoutedTransaction, begin_savepoint);
