//! Statements that begin, end and divide transactions: from the transaction manager, or as text.

use std::sync::Arc;

use diesel::result::{Error, QueryResult};
use diesel_async::TransactionManager;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::adapter::{OpenTransaction, TokioTimer, run};
use routing_core::sql::TransactionControl;
use routing_core::{Access, Node, StatementKind};

use super::checkouts::{Purpose, depth};
use super::connection::AsyncRoutedConnection;
use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::NodePool;
use super::statements::{Begin, Statement, manage};
use crate::database::Database;
use crate::failure::may_leave_open;
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
                Some(TransactionControl::Begin(kind)) => {
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
            None | Some(TransactionControl::Begin(_)) => {
                if may_leave_open(kind) {
                    transaction.lose_track();
                }
                self.run_statement(kind, Statement::new(sql, send)).await
            }
            // As a text it would end the transaction around this one, too.
            Some(TransactionControl::Commit) if transaction.around().is_some() => {
                self.commit().await?;
                Ok(0)
            }
            Some(TransactionControl::Rollback) if transaction.around().is_some() => {
                self.roll_back().await?;
                Ok(0)
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

    pub(super) fn divided(&mut self, control: TransactionControl<'_>) {
        if let Some(transaction) = &mut self.transaction {
            transaction.divided(control);
        }
    }

    pub(super) fn depth(&mut self, node: &Arc<Node<NodePool<C>>>) -> Option<u32> {
        self.checkouts.connected(node).and_then(depth)
    }
}
