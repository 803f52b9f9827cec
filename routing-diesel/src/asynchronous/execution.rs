//! A statement being run: in the open transaction, or on the node that the engine finds.

use std::sync::Arc;

use diesel::result::{Error, QueryResult};
use futures_util::future::BoxFuture;
use routing_core::adapter::{AsyncStatement, TokioTimer, run, run_in};
use routing_core::{Node, StatementKind};

use super::checkouts::Checkouts;
use super::connection::AsyncRoutedConnection;
use super::driver::AsyncRoutable;
use super::node_pool::NodePool;
use super::statements::Statement;
use crate::failure::may_leave_open;

impl<C: AsyncRoutable> AsyncRoutedConnection<C> {
    /// Runs a statement, more than once only while the engine says so.
    pub(super) async fn run(
        &mut self,
        kind: StatementKind,
        sql: &str,
        send: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        self.settle();
        let taints = may_leave_open(kind) && self.transaction.is_none();
        let statement = Statement::new(sql, send).tainting(taints);
        self.run_statement(kind, statement).await
    }

    /// Runs a statement in the open transaction, or on the node that the engine finds.
    pub(super) async fn run_statement<S: AsyncStatement<Checkouts<C>>>(
        &mut self,
        kind: StatementKind,
        mut statement: S,
    ) -> QueryResult<S::Output> {
        if self.is_lost {
            return Err(Error::BrokenTransactionManager);
        }
        let Self {
            handle,
            checkouts,
            transaction,
            ..
        } = self;
        let Some(transaction) = transaction else {
            let running = run::<TokioTimer, _, _>(handle.call(), kind, checkouts, &mut statement);
            let done = running.await;
            checkouts.landed();
            return Ok(done?.value);
        };
        let (open, context) = (&**transaction, &handle.context);
        let running = run_in::<TokioTimer, _, _>(open, kind, context, checkouts, &mut statement);
        let outcome = running.await;
        checkouts.landed();
        if outcome.is_err() {
            transaction.innermost().fail();
            self.lose_if_ended();
        }
        outcome
    }

    /// Gives the open transaction up if the server has ended it, or does not answer any more.
    pub(super) fn lose_if_ended(&mut self) {
        if let Some(transaction) = &self.transaction
            && transaction.is_lost()
        {
            let node = Arc::clone(transaction.node());
            self.checkouts.discard(&node);
            self.lose_unexpectedly();
        }
    }

    /// The node of the open transaction.
    pub(super) fn transaction_node_arc(&self) -> QueryResult<Arc<Node<NodePool<C>>>> {
        let open = self.transaction.as_ref();
        open.map(|open| Arc::clone(open.node()))
            .ok_or(Error::NotInTransaction)
    }
}
