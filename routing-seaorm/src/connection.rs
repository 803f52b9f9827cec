//! SeaORM's connection traits for [`RoutedConnection`].

use async_trait::async_trait;
use routing_core::Access;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, IsolationLevel, QueryResult, Statement, StatementBuilder, TransactionError,
    TransactionOptions, TransactionTrait,
};

use crate::commit::finish;
use crate::execution::{BoxFuture, Method, Text};
use crate::handle::RoutedConnection;
use crate::statement::{kind_of, kind_of_begin};
use crate::transaction::RoutedTransaction;

impl RoutedConnection {
    /// Runs a statement that is still to be built.
    async fn run_typed<'c, S: StatementBuilder, T: Send>(
        &'c self,
        statement: &'c S,
        method: Method<'c, DatabaseConnection, T>,
    ) -> Result<T, DbErr> {
        let backend = self.get_database_backend();
        let built = backend.build(statement);
        let set = self.set_of(&built.sql)?;
        let kind = kind_of::<S>(&built.sql, set.classifier());
        let text = Text::Typed {
            built: Some(built),
            build: &|| backend.build(statement),
        };
        let done = self
            .run(set, kind, text, |attempt| {
                method(attempt.connection, attempt.statement)
            })
            .await?;
        Ok(done.value)
    }

    /// Runs a statement that is built.
    async fn run_raw<'c, T: Send>(
        &'c self,
        statement: Statement,
        method: Method<'c, DatabaseConnection, T>,
    ) -> Result<T, DbErr> {
        let set = self.set_of(&statement.sql)?;
        let kind = set.kind_of(&statement.sql);
        let done = self
            .run(set, kind, Text::Built(statement), |attempt| {
                method(attempt.connection, attempt.statement)
            })
            .await?;
        Ok(done.value)
    }
}

/// Begins a transaction. MySQL's driver counts it only after the server has answered: were it
/// dropped in between, its connection would go back to the pool in a transaction. So there it is
/// begun to the end even if nobody waits for it any more, and then dropped as a transaction.
fn begin(
    connection: &DatabaseConnection,
    options: TransactionOptions,
) -> BoxFuture<'_, Result<DatabaseTransaction, DbErr>> {
    if connection.get_database_backend() != DbBackend::MySql {
        return connection.begin_with_options(options);
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return connection.begin_with_options(options);
    };
    let connection = connection.clone();
    let begun = runtime.spawn(async move { connection.begin_with_options(options).await });
    Box::pin(async move {
        match begun.await {
            Ok(outcome) => outcome,
            // Nobody cancels it, so it is a panic of the driver's, which is passed on.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    })
}

#[async_trait]
impl ConnectionTrait for RoutedConnection {
    fn get_database_backend(&self) -> DbBackend {
        self.get_database_backend()
    }

    async fn execute<S: StatementBuilder>(&self, stmt: &S) -> Result<ExecResult, DbErr> {
        self.run_typed(stmt, |c, stmt| c.execute_raw(stmt)).await
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        self.run_raw(stmt, |c, stmt| c.execute_raw(stmt)).await
    }

    async fn query_one<S: StatementBuilder>(&self, stmt: &S) -> Result<Option<QueryResult>, DbErr> {
        self.run_typed(stmt, |c, stmt| c.query_one_raw(stmt)).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run_raw(stmt, |c, stmt| c.query_one_raw(stmt)).await
    }

    async fn query_all<S: StatementBuilder>(&self, stmt: &S) -> Result<Vec<QueryResult>, DbErr> {
        self.run_typed(stmt, |c, stmt| c.query_all_raw(stmt)).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run_raw(stmt, |c, stmt| c.query_all_raw(stmt)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let set = self.set_of(sql)?;
        let done = self
            .run(set, set.kind_of(sql), Text::Plain(sql), |attempt| {
                attempt.connection.execute_unprepared(sql)
            })
            .await?;
        Ok(done.value)
    }

    fn is_mock_connection(&self) -> bool {
        self.set.primary().pool().is_mock()
    }
}

#[async_trait]
impl TransactionTrait for RoutedConnection {
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
        let kind = kind_of_begin(&options);
        let done = self
            .run(&self.set, kind, Text::Plain("BEGIN"), |attempt| {
                let mut options = options;
                if attempt.access == Access::Read {
                    options.access_mode = Some(AccessMode::ReadOnly);
                }
                begin(attempt.connection, options)
            })
            .await?;
        Ok(RoutedTransaction::new(
            self,
            done.node,
            (done.role, done.access),
            done.value,
        ))
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
