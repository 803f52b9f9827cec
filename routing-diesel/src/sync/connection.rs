//! The connection that Diesel's users hold.

use std::fmt;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::result::{Error, QueryResult};
use routing_core::adapter::{Handle, connect_blocking};
use routing_core::sql::Dialect;
use routing_core::{Committed, ConnectionState, NodeName, Role, Session, SetName, StatementKind};

use super::checkouts::{Checkouts, depth, is_broken};
use super::node_pool::NodePool;
use crate::database::{Database, Routable, begin_read_only};
use crate::error::into_diesel;
use crate::methods::connection_methods;
use crate::transaction::Transaction;

/// A connection to a replica set, in place of a pooled connection of Diesel's.
///
/// It has at most one connection to the primary and one to a replica, each checked out of its
/// node's pool when a statement first needs it, and kept until this one is dropped.
///
/// There is deliberately no `Deref` to an inner connection: it would bypass the routing without a
/// word. The way around it is [`primary`](Self::primary).
pub struct RoutedConnection<C: Routable> {
    pub(super) handle: Handle<NodePool<C>>,
    pub(super) checkouts: Checkouts<C>,
    pub(super) transaction: Option<Transaction<NodePool<C>>>,
    /// A transaction that has ended on its connection, but not yet in Diesel's count.
    pub(super) settling: Option<Settling>,
    /// Whether the transaction that is about to begin is a read-only one, whatever its text says.
    pub(super) begins_read_only: bool,
    /// Diesel's count while no transaction is open.
    pub(super) idle: AnsiTransactionManager,
    #[cfg(feature = "postgres")]
    pub(super) types: diesel::pg::PgMetadataCache,
}

/// What is left to do when Diesel has counted down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settling {
    pub(super) side: Role,
    /// Whether the connection is of no use any more.
    pub(super) discard: bool,
    /// What Diesel has counted down to, when it has.
    pub(super) around: Option<u32>,
}

impl<C: Routable> RoutedConnection<C> {
    pub(super) fn new(mut handle: Handle<NodePool<C>>) -> Self {
        let state = ConnectionState::default();
        handle.context = handle.context.with_state(&state);
        Self {
            handle,
            checkouts: Checkouts::new(state),
            transaction: None,
            settling: None,
            begins_read_only: false,
            idle: AnsiTransactionManager::default(),
            #[cfg(feature = "postgres")]
            types: diesel::pg::PgMetadataCache::new(),
        }
    }

    /// The connection to the primary itself: for what must not be routed, and for what Diesel lets
    /// no other connection do, such as `COPY … TO`.
    ///
    /// What is written through it pins no session: say [`pin`](Self::pin) where the session is to
    /// see it.
    ///
    /// # Errors
    ///
    /// `PrimaryUnavailable` or `NodeUnavailable` if there is none to be had.
    pub fn primary(&mut self) -> QueryResult<&mut C> {
        self.settle();
        self.check_lost()?;
        if let Some(open) = &self.transaction {
            // What those statements come to is not known here.
            open.innermost().fail();
            if open.role() == Role::Primary {
                // Another connection would be outside of the transaction.
                open.check_commit().map_err(into_diesel)?;
                return self.checkouts.permitted(open.permit());
            }
        }
        let direct = self.handle.on_primary();
        let route = connect_blocking(direct.call(), StatementKind::Select, &mut self.checkouts)?;
        // The caller's to use, who reports nothing.
        let (_permit, running) = route.start();
        running.succeeded(&direct.context);
        let primary = self.checkouts.connected(Role::Primary);
        primary.ok_or(Error::BrokenTransactionManager)
    }

    /// Runs a closure in a transaction that is declared read-only, and may run on a replica.
    ///
    /// On PostgreSQL `build_transaction().read_only()` does the same.
    ///
    /// # Errors
    ///
    /// The closure's, or Diesel's if the transaction cannot be begun or ended.
    pub fn read_transaction<T, E>(
        &mut self,
        callback: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let begin = begin_read_only("BEGIN", C::Backend::DIALECT);
        let begin = |conn: &mut Self| {
            conn.begins_read_only = true;
            let begun = AnsiTransactionManager::begin_transaction_sql(conn, &begin);
            conn.begins_read_only = false;
            begun
        };
        self.run_transaction(begin, callback)
    }

    /// Begins a transaction, runs the callback, and commits if it succeeds.
    pub(super) fn run_transaction<T, E>(
        &mut self,
        begin: impl FnOnce(&mut Self) -> QueryResult<()>,
        callback: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        self.settle();
        let is_outermost = self.transaction.is_none();
        if is_outermost {
            self.idle = AnsiTransactionManager::default();
        }
        begin(self)?;
        let ended = match callback(self) {
            Ok(value) => match AnsiTransactionManager::commit_transaction(self) {
                Ok(()) => Ok(value),
                Err(error) => Err(error.into()),
            },
            Err(error) => match AnsiTransactionManager::rollback_transaction(self) {
                // The closure's error says more than that its transaction was lost by then.
                Ok(()) | Err(Error::BrokenTransactionManager) => Err(error),
                Err(rollback) => Err(rollback.into()),
            },
        };
        self.settle();
        if is_outermost && self.check_lost().is_err() {
            self.leave_lost();
        }
        ended
    }

    /// The program is out of the transaction that was lost.
    fn leave_lost(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            self.checkouts.discard(transaction.role());
            transaction.rolled_back();
        }
    }

    /// Does what was left to do when Diesel has counted down, and finds out whether the server has
    /// ended a transaction by itself.
    #[inline]
    pub(super) fn settle(&mut self) {
        if let Some(settling) = self.settling.take() {
            let Settling { side, discard, .. } = settling;
            // A text has ended what Diesel counts on: it would take the next transaction for a savepoint,
            // which MySQL ignores outside of one.
            let is_miscounted = C::Backend::DIALECT == Dialect::MySql
                && self.checkouts.connected(side).and_then(depth) != settling.around;
            if discard || is_miscounted {
                self.checkouts.discard(side);
            }
        }
        if let Some(transaction) = &mut self.transaction {
            let connection = self.checkouts.connected(transaction.role());
            if connection.is_none_or(is_broken) {
                // Diesel may be in the transaction yet, and counts no more.
                transaction.lose();
                return;
            }
            let counted = self.checkouts.connected(transaction.role()).and_then(depth);
            if transaction.is_over_at(counted)
                && let Some(transaction) = self.transaction.take()
            {
                transaction.rolled_back();
            }
        }
    }
}

/// An open transaction is rolled back, as its connection is closed.
impl<C: Routable> Drop for RoutedConnection<C> {
    fn drop(&mut self) {
        self.settle();
        if let Some(transaction) = self.transaction.take() {
            let side = transaction.role();
            let depth = self.checkouts.connected(side).and_then(depth);
            if transaction.goes_back_open(depth, transaction.node().pool().is_in_memory()) {
                self.checkouts.release(side);
            } else {
                self.checkouts.discard(side);
            }
            transaction.rolled_back();
        }
    }
}

connection_methods!(RoutedConnection, Routable);
