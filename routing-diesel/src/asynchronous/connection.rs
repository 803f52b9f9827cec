//! The connection that diesel-async's users hold.

use std::fmt;
use std::sync::Arc;

use diesel::connection::TransactionManagerStatus;
use diesel::result::{Error, QueryResult};
use routing_core::adapter::{Handle, Home, TokioTimer, connect};
use routing_core::{
    Committed, ConnectionState, Node, NodeName, Role, Session, SetName, StatementKind,
};

use super::checkouts::{Checkouts, InFlight, Purpose, depth};
use super::driver::AsyncRoutable;
use super::nesting::{Left, Nesting};
use super::node_pool::NodePool;
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
    pub(super) home: Home,
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
    pub(super) fn new(mut handle: Handle<NodePool<C>>) -> Self {
        let state = ConnectionState::default();
        handle.context = handle.context.with_state(&state);
        Self {
            checkouts: Checkouts::new(&handle.set, state),
            handle,
            home: Home::here(),
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
    /// `PrimaryUnavailable` or `NodeUnavailable` if there is none to be had.
    pub async fn primary(&mut self) -> QueryResult<&mut C> {
        self.settle();
        if self.is_lost {
            return Err(Error::BrokenTransactionManager);
        }
        if let Some(open) = &self.transaction {
            // What those statements come to is not known here.
            open.innermost().fail();
            if open.role() == Role::Primary || Arc::ptr_eq(open.node(), self.handle.set.primary()) {
                // Another connection would be outside of the transaction.
                open.check_commit().map_err(into_diesel)?;
                let node = Arc::clone(open.node());
                let primary = self.checkouts.connected(&node);
                return primary.ok_or(Error::BrokenTransactionManager);
            }
        }
        let direct = self.handle.on_primary();
        let (call, kind) = (direct.call(), StatementKind::Select);
        let home = self.home;
        let connecting = connect::<TokioTimer, _>(call, kind, &mut self.checkouts);
        let route = home.run(connecting).await?;
        let node = Arc::clone(route.node());
        // The caller's to use, who reports nothing.
        let (_permit, running) = route.start();
        running.succeeded(&direct.context);
        let primary = self.checkouts.connected(&node);
        primary.ok_or(Error::BrokenTransactionManager)
    }

    /// Cleans up after a future that was dropped, and after a server that has ended a transaction by
    /// itself.
    pub(super) fn settle(&mut self) {
        // A pool may start a task when a connection is given back.
        let _entered = self.home.enter();
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
        if let Some(open) = self.transaction.as_ref().filter(|open| open.is_unclear()) {
            // What has ended it may go on, and commit it.
            open.record_hand_out(&self.handle.context);
        }
        self.lose(Transaction::rolled_back);
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
            self.is_text_lost = transaction.is_text;
            end(transaction);
            self.is_lost = self.is_text_lost || !self.nesting.is_outside();
        }
    }

    /// The program has left a transaction, or a savepoint.
    pub(super) fn shallower(&mut self) {
        self.nesting.shallower();
        self.is_lost &= self.is_text_lost || !self.nesting.is_outside();
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
        let _entered = self.home.enter();
        self.settle();
        if let Some(transaction) = self.transaction.take() {
            let node = Arc::clone(transaction.node());
            let depth = self.checkouts.connected(&node).and_then(depth);
            if transaction.goes_back_open(depth, node.pool().is_in_memory()) {
                self.checkouts.release(&node);
            } else {
                self.checkouts.discard(&node);
            }
            transaction.rolled_back();
        }
        self.checkouts.release_all();
    }
}

connection_methods!(AsyncRoutedConnection, AsyncRoutable);
