//! The end of a transaction, or of a savepoint in it.

use std::sync::Arc;

use diesel::connection::TransactionManagerStatus;
use diesel::result::{Error, QueryResult};
use diesel_async::TransactionManager;
use futures_util::future::BoxFuture;
use routing_core::adapter::{ABORTED_QUESTION, AsyncConnections, OpenTransaction, TokioTimer};
use routing_core::sql::{Dialect, TransactionControl};
use routing_core::{Failure, RoutingError, StatementKind};

use super::checkouts::Purpose;
use super::connection::AsyncRoutedConnection;
use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::NodePool;
use super::statements::manage;
use crate::database::Database;
use crate::error::into_diesel;
use crate::failure::is_deadlock;
use crate::transaction::{FailedCommit, Transaction};

impl<C: AsyncRoutable> AsyncRoutedConnection<C> {
    /// Ends the open transaction, or a savepoint in it.
    pub(super) async fn end(
        &mut self,
        control: TransactionControl<'_>,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let open = self.transaction.as_ref().ok_or(Error::NotInTransaction)?;
        match open.resolve(control) {
            TransactionControl::Commit => self.end_by_commit(send).await,
            TransactionControl::Rollback => self.end_by_rollback(send).await,
            _ => match self.control(Purpose::Control, send).await {
                Some(Ok(done)) => {
                    self.divided(control);
                    Ok(done)
                }
                Some(Err(error)) => {
                    let error = self.failed_inside(error).await;
                    self.catch_up_with(control);
                    Err(error)
                }
                None => Err(self.timed_out(Transaction::rolled_back)),
            },
        }
    }

    async fn end_by_commit(
        &mut self,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let open = self.transaction.as_ref().ok_or(Error::NotInTransaction)?;
        if let Err(refusal) = open.check_commit() {
            // Without its connection it is rolled back.
            let node = Arc::clone(open.node());
            self.checkouts.discard(&node);
            self.lose(Transaction::rolled_back);
            return Err(into_diesel(refusal));
        }
        let Some(is_aborted) = self.is_aborted().await else {
            // It is not committed without an answer.
            return Err(self.leave(OpenTransaction::give_up, Transaction::rolled_back));
        };
        let open = self.transaction.as_ref().ok_or(Error::NotInTransaction)?;
        let unanswered = open.committing(&self.handle.context);
        let answer = self.control(Purpose::Commit, send).await;
        match answer {
            Some(Ok(done)) => {
                unanswered.answered();
                self.record_end();
                if let Some(transaction) = self.transaction.take() {
                    if is_aborted {
                        transaction.rolled_back();
                    } else {
                        transaction.committed();
                    }
                }
                Ok(done)
            }
            Some(Err(error)) => {
                self.not_committed(&error).await;
                unanswered.answered();
                Err(error)
            }
            None => {
                unanswered.answered();
                if let Some(open) = &self.transaction {
                    open.record_unknown_end(&self.handle.context);
                }
                Err(self.timed_out(Transaction::ended_unknown))
            }
        }
    }

    async fn end_by_rollback(
        &mut self,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let node = self.transaction_node_arc()?;
        let rolled_back = self.control(Purpose::Control, send).await;
        if let Some(Err(error)) = &rolled_back {
            self.report(error, Purpose::Control).await;
        }
        if !matches!(rolled_back, Some(Ok(_))) {
            // Without its connection it cannot be committed either.
            self.checkouts.discard(&node);
        }
        if let Some(transaction) = self.transaction.take() {
            transaction.rolled_back();
        }
        rolled_back.unwrap_or(Ok(0))
    }

    /// Sends what a dropped future would leave half-way, over the transaction's connection; `None` if the
    /// node does not answer any more.
    async fn control(
        &mut self,
        purpose: Purpose,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> Option<QueryResult<usize>> {
        let Self {
            transaction: Some(open),
            checkouts,
            ..
        } = self
        else {
            return Some(Err(Error::NotInTransaction));
        };
        let connection = match checkouts.permitted(open.permit(), purpose) {
            Ok(connection) => connection,
            Err(error) => {
                checkouts.landed();
                return Some(Err(error));
            }
        };
        let outcome = open.watch::<TokioTimer, _>(send(connection)).await;
        checkouts.landed();
        outcome
    }

    /// The node of the open transaction does not answer any more: the error to return.
    fn timed_out(&mut self, end: impl FnOnce(Transaction<NodePool<C>>)) -> Error {
        self.leave(|open| open.timed_out(StatementKind::Transaction), end)
    }

    /// Leaves the node of the open transaction with this error.
    fn leave(
        &mut self,
        error: impl FnOnce(&OpenTransaction<NodePool<C>>) -> RoutingError,
        end: impl FnOnce(Transaction<NodePool<C>>),
    ) -> Error {
        let Some(open) = &self.transaction else {
            return Error::NotInTransaction;
        };
        let error = error(open);
        let node = Arc::clone(open.node());
        self.checkouts.discard(&node);
        self.lose(end);
        into_diesel(error)
    }

    async fn not_committed(&mut self, error: &Error) {
        let Ok(node) = self.transaction_node_arc() else {
            return;
        };
        let failure = self.classify(error, Purpose::Commit).await;
        if let Some(open) = &self.transaction {
            open.record_failed_commit(failure, &self.handle.context);
        }
        let counted = self.depth(&node);
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        match transaction.failed_commit(failure, DatabaseOf::<C>::DIALECT, counted) {
            FailedCommit::Unknown => {
                self.checkouts.discard(&node);
                self.lose(Transaction::ended_unknown);
            }
            FailedCommit::RolledBack => {
                if let Some(transaction) = self.transaction.take() {
                    transaction.rolled_back();
                }
            }
            FailedCommit::Open => {}
        }
    }

    /// A statement about a savepoint has failed; the error to return.
    async fn failed_inside(&mut self, error: Error) -> Error {
        let failure = self.classify(&error, Purpose::Control).await;
        let Some(open) = &self.transaction else {
            return error;
        };
        open.innermost().fail();
        let refusal = open.failed(failure, is_deadlock(&error), String::new);
        self.lose_if_ended();
        refusal.map_or(error, into_diesel)
    }

    /// Tells the router what an error says of the transaction's node, and the caller too.
    async fn report(&mut self, error: &Error, purpose: Purpose) -> Option<Failure> {
        let failure = self.classify(error, purpose).await?;
        if let Some(open) = &self.transaction {
            open.report_failure(failure);
        }
        Some(failure)
    }

    async fn classify(&mut self, error: &Error, purpose: Purpose) -> Option<Failure> {
        let Self {
            transaction: Some(open),
            checkouts,
            ..
        } = self
        else {
            return None;
        };
        // The connection is asked, and must not be left half-way.
        let _connection = checkouts.permitted(open.permit(), purpose);
        let failure = checkouts.classify(error, open.node(), open.role()).await;
        checkouts.landed();
        failure
    }

    /// A savepoint could not be ended. Diesel has counted it down or given the connection up.
    fn catch_up_with(&mut self, control: TransactionControl<'_>) {
        let Ok(node) = self.transaction_node_arc() else {
            return;
        };
        if let Some(connection) = self.checkouts.connected(&node)
            && let TransactionManagerStatus::InError =
                C::TransactionManager::transaction_manager_status_mut(connection)
        {
            self.checkouts.discard(&node);
            if let Some(transaction) = self.transaction.take() {
                transaction.rolled_back();
            }
        } else if let TransactionControl::Release(name) | TransactionControl::RollbackTo(name) =
            control
        {
            self.divided(TransactionControl::RollbackTo(name));
        }
    }

    /// Whether PostgreSQL would roll back instead of committing; asked only when it might. `None` if the
    /// node does not answer any more.
    async fn is_aborted(&mut self) -> Option<bool> {
        let is_in_doubt = self
            .transaction
            .as_ref()
            .is_some_and(Transaction::is_in_doubt);
        if DatabaseOf::<C>::DIALECT != Dialect::Postgres || !is_in_doubt {
            return Some(false);
        }
        let asking = self.control(Purpose::Statement, |connection| {
            manage(connection.batch_execute(ABORTED_QUESTION))
        });
        asking.await.map(|answer| answer.is_err())
    }
}
