//! Statements that begin, end and divide transactions: from the transaction manager, or as text.

use std::sync::Arc;

use diesel::connection::TransactionManagerStatus;
use diesel::result::{Error, QueryResult};
use diesel_async::TransactionManager;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::adapter::{ABORTED_QUESTION, AsyncConnections, OpenTransaction, TokioTimer, run};
use routing_core::sql::{Dialect, TransactionControl};
use routing_core::{Access, Failure, Node, RoutingError, StatementKind};

use super::checkouts::{Purpose, depth};
use super::connection::AsyncRoutedConnection;
use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::NodePool;
use super::statements::{Begin, Statement, manage};
use crate::database::Database;
use crate::error::into_diesel;
use crate::failure::{is_deadlock, may_leave_open};
use crate::transaction::{Transaction, savepoint};

impl<C: AsyncRoutable> AsyncRoutedConnection<C> {
    /// Begins a transaction where the rule says, by this text or as the driver's manager does.
    pub(super) async fn begin(
        &mut self,
        kind: StatementKind,
        sql: Option<&str>,
    ) -> QueryResult<()> {
        if self.is_lost {
            return Err(Error::BrokenTransactionManager);
        }
        let begin = sql.map(ToOwned::to_owned);
        self.begin_by(kind, sql.unwrap_or("BEGIN"), |connection| {
            let begin = begin.clone();
            async move {
                match begin {
                    Some(sql) => connection.begin_sql(&sql).await?,
                    None => C::TransactionManager::begin_transaction(connection).await?,
                }
                Ok(0)
            }
            .boxed()
        })
        .await?;
        self.nesting.deeper();
        Ok(())
    }

    /// Sets a savepoint in the open transaction.
    pub(super) async fn begin_savepoint(&mut self) -> QueryResult<()> {
        let node = self.transaction_node_arc()?;
        // One that was begun as text is not counted, and has no place for Diesel's savepoints.
        let depth = self.depth(&node).ok_or(Error::AlreadyInTransaction)?;
        let name = savepoint(depth);
        self.set_savepoint("SAVEPOINT", |connection| {
            manage(C::TransactionManager::begin_transaction(connection))
        })
        .await?;
        self.divided(TransactionControl::Savepoint(&name));
        self.nesting.deeper();
        Ok(())
    }

    /// Commits, or releases the innermost savepoint.
    pub(super) async fn commit(&mut self) -> QueryResult<()> {
        let node = self.transaction_node_arc()?;
        let depth = self.depth(&node).ok_or(Error::BrokenTransactionManager)?;
        let name = savepoint(depth - 1);
        let control = if depth == 1 {
            TransactionControl::Commit
        } else {
            TransactionControl::Release(&name)
        };
        self.end(control, |connection| {
            manage(C::TransactionManager::commit_transaction(connection))
        })
        .await?;
        Ok(())
    }

    /// Rolls back, or back to the innermost savepoint.
    pub(super) async fn roll_back(&mut self) -> QueryResult<()> {
        let node = self.transaction_node_arc()?;
        let depth = self.depth(&node).ok_or(Error::BrokenTransactionManager)?;
        let name = savepoint(depth - 1);
        let control = if depth == 1 {
            TransactionControl::Rollback
        } else {
            TransactionControl::RollbackTo(&name)
        };
        self.end(control, |connection| {
            manage(C::TransactionManager::rollback_transaction(connection))
        })
        .await?;
        Ok(())
    }

    /// Runs a text of this kind, and keeps track of transactions.
    pub(super) async fn run_text(
        &mut self,
        kind: StatementKind,
        sql: &str,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        self.settle();
        let control = match kind {
            kind if kind.controls_transaction() => {
                TransactionControl::of(sql, DatabaseOf::<C>::DIALECT)
            }
            _ => None,
        };
        if self.is_lost {
            return self.leave_lost_text(control);
        }
        let Some(transaction) = &self.transaction else {
            return match control {
                Some(TransactionControl::Begin { read_only }) => {
                    let kind = if read_only {
                        StatementKind::BeginReadOnly
                    } else {
                        kind
                    };
                    let done = self.begin_by(kind, sql, send).await?;
                    if let Some(transaction) = &mut self.transaction {
                        transaction.is_text = true;
                    }
                    Ok(done)
                }
                _ => self.run(kind, sql, send).await,
            };
        };
        match control {
            Some(division @ TransactionControl::Savepoint(_)) => {
                let done = self.set_savepoint(sql, send).await?;
                self.divided(division);
                Ok(done)
            }
            None | Some(TransactionControl::Begin { .. }) => {
                if may_leave_open(kind) {
                    transaction.lose_track();
                }
                self.run_statement(kind, Statement::new(sql, send)).await
            }
            Some(control) => self.end(control, send).await,
        }
    }

    /// A text in a transaction that is lost: one that was begun as text ends with a text, too.
    fn leave_lost_text(&mut self, control: Option<TransactionControl<'_>>) -> QueryResult<usize> {
        // A commit must not be repeated until it is acknowledged.
        if self.is_text_lost && control == Some(TransactionControl::Rollback) {
            self.is_text_lost = false;
            self.is_lost = false;
        }
        match control {
            Some(TransactionControl::Rollback) if !self.is_lost => Ok(0),
            _ => Err(Error::BrokenTransactionManager),
        }
    }

    async fn begin_by(
        &mut self,
        kind: StatementKind,
        sql: &str,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let Self {
            handle, checkouts, ..
        } = self;
        let mut begin = Begin {
            sql,
            send,
            is_declared: kind.access() == Access::Read,
        };
        let begun = run::<TokioTimer, _, _>(handle.call(), kind, checkouts, &mut begin).await;
        checkouts.landed();
        let begun = begun?;
        let open = OpenTransaction::new(handle, &begun);
        let (done, around) = begun.value;
        // A transaction that is no savepoint has no name.
        self.transaction = Some(Transaction::new(open, around.unwrap_or_default()));
        Ok(done)
    }

    async fn set_savepoint(
        &mut self,
        sql: &str,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let open = self.transaction.as_ref().ok_or(Error::NotInTransaction)?;
        let kind = open.kind_of_savepoint();
        let statement = Statement::new(sql, send).controlling(Purpose::Control);
        self.run_statement(kind, statement).await
    }

    /// Ends the open transaction, or a savepoint in it.
    async fn end(
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
        if failure.is_some() {
            self.checkouts.discard(&node);
            // A commit must not be repeated until it is acknowledged.
            self.lose(Transaction::ended_unknown);
        } else if self.is_over(&node)
            && let Some(transaction) = self.transaction.take()
        {
            transaction.rolled_back();
        }
    }

    /// Whether a transaction has ended although its commit failed.
    fn is_over(&mut self, node: &Arc<Node<NodePool<C>>>) -> bool {
        let around = self.transaction.as_ref().and_then(Transaction::around);
        // One that was begun as text is not counted, and is still open.
        let is_text = self.transaction.as_ref().is_some_and(|open| open.is_text);
        let counted = self.depth(node);
        match DatabaseOf::<C>::DIALECT {
            Dialect::Postgres => true,
            _ if is_text => false,
            _ => counted.is_none() || counted == around,
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

    fn divided(&mut self, control: TransactionControl<'_>) {
        if let Some(transaction) = &mut self.transaction {
            transaction.divided(control);
        }
    }

    fn depth(&mut self, node: &Arc<Node<NodePool<C>>>) -> Option<u32> {
        self.checkouts.connected(node).and_then(depth)
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
