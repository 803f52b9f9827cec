//! The connection that diesel-async's users hold.

use std::fmt;
use std::sync::Arc;

use diesel::connection::TransactionManagerStatus;
use diesel::result::{Error, QueryResult};
use diesel_async::TransactionManager;
use routing_core::adapter::{Handle, TokioTimer, connect};
use routing_core::{Committed, Node, NodeName, Session, SetName, StatementKind};

use super::checkouts::{Checkouts, InFlight, Purpose, depth};
use super::driver::{AsyncRoutable, DatabaseOf};
use super::nesting::{Left, Nesting};
use super::node_pool::NodePool;
use super::transaction_manager::RoutedTransactionManager;
use crate::database::{Database, begin_read_only};
use crate::error::into_diesel;
use crate::methods::connection_methods;
use crate::transaction::Transaction;

/// A connection to a replica set, in place of a pooled connection of diesel-async's.
///
/// It has at most one connection to the primary and one to a replica, each checked out of its
/// node's pool when a statement first needs it, and kept until this one is dropped.
///
/// A statement's future may be dropped at any await: what it was about is undone or left to the
/// server, and no connection goes back to its pool half-way through something.
///
/// There is deliberately no `Deref` to an inner connection: it would bypass the routing without a
/// word. The way around it is [`primary`](Self::primary).
pub struct AsyncRoutedConnection<C: AsyncRoutable> {
    pub(super) handle: Handle<NodePool<C>>,
    pub(super) checkouts: Checkouts<C>,
    pub(super) transaction: Option<Transaction<NodePool<C>>>,
    /// How deep the program is in transactions.
    pub(super) nesting: Nesting,
    /// Whether the transaction that the program is in is lost: until its end every statement is
    /// refused, as it would be committed at once.
    pub(super) is_lost: bool,
    /// Whether that transaction was begun as text, so that only a text ends it.
    pub(super) is_text_lost: bool,
    /// Diesel's count while no transaction is open.
    pub(super) idle: TransactionManagerStatus,
}

impl<C: AsyncRoutable> AsyncRoutedConnection<C> {
    pub(super) fn new(handle: Handle<NodePool<C>>) -> Self {
        Self {
            checkouts: Checkouts::new(&handle.set),
            handle,
            transaction: None,
            nesting: Nesting::default(),
            is_lost: false,
            is_text_lost: false,
            idle: TransactionManagerStatus::default(),
        }
    }

    /// The connection to the primary itself: for what must not be routed.
    ///
    /// What is written through it pins no session: say [`pin`](Self::pin) where the session is to
    /// see it.
    ///
    /// # Errors
    ///
    /// `PrimaryUnavailable` or a [`CheckoutError`](crate::CheckoutError) if there is none to be had.
    pub async fn primary(&mut self) -> QueryResult<&mut C> {
        self.settle();
        let direct = self.handle.on_primary();
        let (call, kind) = (direct.call(), StatementKind::Select);
        let route = connect::<TokioTimer, _>(call, kind, &mut self.checkouts).await?;
        let node = Arc::clone(route.node());
        // The caller's to use, who reports nothing.
        let (_permit, running) = route.start();
        running.succeeded(&direct.context);
        if let Some(transaction) = &self.transaction {
            // What those statements come to is not known here.
            transaction.innermost().fail();
        }
        let primary = self.checkouts.connected(&node);
        primary.ok_or(Error::BrokenTransactionManager)
    }

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
        self.begin(kind, Some(sql)).await?;
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

    /// Cleans up after a future that was dropped, and after a server that has ended a transaction by
    /// itself.
    pub(super) fn settle(&mut self) {
        let left = self.nesting.catch_up();
        if let Some(InFlight { node, purpose }) = self.checkouts.landed() {
            self.put_in_order(&node, purpose);
        }
        if left != Left::All
            && let Some(transaction) = &self.transaction
        {
            let node = Arc::clone(transaction.node());
            self.checkouts.discard(&node);
            self.lose(Transaction::rolled_back);
        }
        if let Some(transaction) = &mut self.transaction {
            let node = Arc::clone(transaction.node());
            let counted = self.checkouts.connected(&node).and_then(depth);
            if transaction.is_over_at(counted) {
                self.lose(Transaction::rolled_back);
            }
        }
        self.lose_if_ended();
        self.is_lost &= self.is_text_lost || !self.nesting.is_outside();
    }

    /// Cleans up after a future that was dropped while it used a node's connection.
    fn put_in_order(&mut self, node: &Arc<Node<NodePool<C>>>, purpose: Purpose) {
        if purpose == Purpose::Statement && C::SURVIVES_CANCELLATION {
            if let Some(transaction) = &self.transaction {
                // How it went is not known.
                transaction.innermost().fail();
            }
            return;
        }
        self.checkouts.discard(node);
        let open = self.transaction.as_ref();
        if !open.is_some_and(|open| Arc::ptr_eq(open.node(), node)) {
            return;
        }
        if purpose == Purpose::Commit {
            self.lose(Transaction::ended_unknown);
        } else {
            self.lose_unexpectedly();
        }
    }

    /// The open transaction has ended, and the program does not know it.
    pub(super) fn lose_unexpectedly(&mut self) {
        self.is_text_lost = self.transaction.as_ref().is_some_and(|open| open.is_text);
        self.lose(Transaction::rolled_back);
        self.is_lost |= self.is_text_lost;
    }

    /// The open transaction may have been committed.
    pub(super) fn record_end(&self) {
        if let Some(transaction) = &self.transaction {
            transaction.record_end(true, &self.handle.context);
        }
    }

    /// The open transaction has ended, and the program may be in it yet.
    pub(super) fn lose(&mut self, end: impl FnOnce(Transaction<NodePool<C>>)) {
        if let Some(transaction) = self.transaction.take() {
            end(transaction);
            self.is_lost = !self.nesting.is_outside();
        }
    }

    /// The program's way out of a transaction that is lost.
    pub(super) fn leave_lost(&mut self) -> QueryResult<()> {
        if !self.is_lost {
            return Ok(());
        }
        self.nesting.shallower();
        self.is_lost = !self.nesting.is_outside();
        Err(Error::BrokenTransactionManager)
    }
}

/// An open transaction is rolled back, as its connection is closed.
impl<C: AsyncRoutable> Drop for AsyncRoutedConnection<C> {
    fn drop(&mut self) {
        self.settle();
        if let Some(transaction) = self.transaction.take() {
            let node = Arc::clone(transaction.node());
            // What Diesel has not counted, the pool would not notice.
            if self
                .checkouts
                .connected(&node)
                .is_some_and(|connection| depth(connection).is_none())
            {
                self.checkouts.discard(&node);
            } else {
                self.checkouts.release(&node);
            }
            transaction.rolled_back();
        }
    }
}

connection_methods!(AsyncRoutedConnection, AsyncRoutable);
