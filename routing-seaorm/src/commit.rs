//! How a transaction ends.

use async_trait::async_trait;
use routing_core::adapter::{ABORTED_QUESTION, TokioTimer};
use routing_core::{RoutingError, StatementKind};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, TransactionError, TransactionSession};

use crate::connections::failure_of;
use crate::error::into_db_err;
use crate::transaction::RoutedTransaction;

impl RoutedTransaction {
    /// Commits, or releases the savepoint.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::OpenSavepoint`] while a savepoint inside is open; all is rolled back.
    /// - [`RoutingError::TransactionLost`] if the server has rolled it back.
    /// - [`RoutingError::PrimaryUnavailable`] if it has written and another node is the primary by now.
    /// - [`RoutingError::OutcomeUnknown`] if its node does not answer any more.
    /// - The driver's. If the connection was lost, nobody knows whether the commit happened.
    pub async fn commit(self) -> Result<(), DbErr> {
        let set = self.open.set().name().clone();
        if self.level.callbacks().has_open_savepoint() {
            // The driver would release the savepoint, call that a commit, and roll back later.
            return Err(into_db_err(RoutingError::OpenSavepoint { set }));
        }
        let Some(is_aborted) = self.is_aborted().await else {
            // It is not committed without an answer.
            return Err(into_db_err(self.open.give_up()));
        };
        let Self {
            open,
            transaction,
            mut level,
            context,
        } = self;
        if let Err(refusal) = open.check_commit() {
            // Its connection is rolled back when it is dropped.
            drop(transaction);
            level.rolled_back();
            return Err(into_db_err(refusal));
        }
        level.committing();
        // This future may be dropped before the answer comes.
        let unanswered = open.committing(&context);
        let committed = open.watch::<TokioTimer, _>(transaction.commit()).await;
        match committed {
            None => {
                unanswered.answered();
                open.record_unknown_end(&context);
                let error = open.timed_out(StatementKind::Transaction);
                Err(into_db_err(error))
            }
            Some(Ok(())) => {
                unanswered.answered();
                open.record_end(true, &context);
                if is_aborted {
                    level.rolled_back();
                } else {
                    level.committed(&set);
                }
                Ok(())
            }
            Some(Err(error)) => {
                let failure = failure_of(&error, open.node(), open.role()).await;
                unanswered.answered();
                open.record_failed_commit(failure, &context);
                if failure.is_none() {
                    level.rolled_back();
                }
                Err(error)
            }
        }
    }

    /// Rolls back.
    ///
    /// # Errors
    ///
    /// The driver's; the transaction is rolled back nevertheless, as its connection is gone.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self {
            open,
            transaction,
            level,
            ..
        } = self;
        let rolled_back = open.watch::<TokioTimer, _>(transaction.rollback()).await;
        // If there is no answer, its connection is gone, and with it the transaction.
        let outcome = rolled_back.unwrap_or(Ok(()));
        if let Err(error) = &outcome
            && let Some(failure) = failure_of(error, open.node(), open.role()).await
        {
            open.report_failure(failure);
        }
        level.rolled_back();
        outcome
    }

    /// Whether PostgreSQL would roll back instead of committing; asked only when it might. `None` if the
    /// node does not answer any more.
    async fn is_aborted(&self) -> Option<bool> {
        if self.get_database_backend() != DbBackend::Postgres || !self.level.has_failed() {
            return Some(false);
        }
        let asking = self.transaction.execute_unprepared(ABORTED_QUESTION);
        let answer = self.open.watch::<TokioTimer, _>(asking).await;
        answer.map(|answer| answer.is_err())
    }
}

#[async_trait]
impl TransactionSession for RoutedTransaction {
    async fn commit(self) -> Result<(), DbErr> {
        self.commit().await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        self.rollback().await
    }
}

/// Commits if the callback succeeded, else rolls back.
pub(crate) async fn finish<T, E>(
    transaction: RoutedTransaction,
    outcome: Result<T, E>,
) -> Result<T, TransactionError<E>>
where
    E: std::fmt::Display + std::fmt::Debug,
{
    match outcome {
        Ok(value) => {
            transaction.commit().await?;
            Ok(value)
        }
        Err(error) => {
            transaction.rollback().await?;
            Err(TransactionError::Transaction(error))
        }
    }
}
