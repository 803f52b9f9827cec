//! Statements that are given as text: those that begin, end and divide transactions above all.
//!
//! Diesel's transactions are texts that its `AnsiTransactionManager` sends and counts. The obvious
//! answer is a manager of our own, but Diesel's transaction builder takes no other. So the manager
//! stays, its count stays with the connection that the transaction is open on, and the texts are
//! read as they pass: a `BEGIN` that is written by hand is understood as well.

use diesel::result::{Error, QueryResult};
use routing_core::adapter::{ABORTED_QUESTION, BlockingConnections, OpenTransaction, run_blocking};
use routing_core::sql::{Dialect, TransactionControl};
use routing_core::{Access, StatementKind};

use super::checkouts::depth;
use super::connection::{RoutedConnection, Settling};
use super::node_pool::NodePool;
use crate::database::{Database, Routable, begin_read_only};
use crate::error::into_diesel;
use crate::failure::{is_deadlock, may_leave_open};
use crate::transaction::{FailedCommit, Transaction, savepoint};

impl<C: Routable> RoutedConnection<C> {
    /// Runs a text of this kind through `execute`, and keeps track of transactions.
    pub(super) fn run_text(
        &mut self,
        kind: StatementKind,
        sql: &str,
        mut execute: impl FnMut(&mut C, &str) -> QueryResult<usize>,
    ) -> QueryResult<usize> {
        self.settle();
        let control = match kind {
            kind if kind.controls_transaction() => TransactionControl::of(sql, C::Backend::DIALECT),
            _ => None,
        };
        let text = || sql.to_owned();
        let Some(transaction) = &mut self.transaction else {
            return match control {
                Some(TransactionControl::Begin(kind)) => self.begin(sql, kind, execute),
                _ => self.run(kind, text, |connection| execute(connection, sql)),
            };
        };
        if let Some(sql) = control.and_then(|control| transaction.inner_end(control)) {
            return self.run_text(kind, &sql, send_text);
        }
        match control.map(|control| transaction.resolve(control)) {
            Some(TransactionControl::Commit) => self.commit(sql, execute),
            Some(TransactionControl::Rollback) => self.rollback(sql, execute),
            Some(division @ TransactionControl::Savepoint(_)) => {
                let kind = transaction.kind_of_savepoint();
                let done = self.run_inside(kind, text, |connection| execute(connection, sql))?;
                self.divided(division);
                Ok(done)
            }
            Some(
                division @ (TransactionControl::Release(_) | TransactionControl::RollbackTo(_)),
            ) => {
                let connection = self.checkouts.permitted(transaction.permit())?;
                match execute(connection, sql) {
                    Ok(done) => {
                        self.divided(division);
                        Ok(done)
                    }
                    Err(error) => Err(self.failed_inside(error, sql)),
                }
            }
            Some(TransactionControl::Begin(_)) | None => {
                if may_leave_open(kind) {
                    transaction.lose_track();
                }
                self.run_inside(kind, text, |connection| execute(connection, sql))
            }
        }
    }

    fn begin(
        &mut self,
        sql: &str,
        text_kind: StatementKind,
        mut execute: impl FnMut(&mut C, &str) -> QueryResult<usize>,
    ) -> QueryResult<usize> {
        let is_declared = text_kind != StatementKind::Transaction;
        let kind = match std::mem::take(&mut self.begins_read_only) {
            true if !is_declared => StatementKind::BeginReadOnly,
            _ => text_kind,
        };
        let Self {
            handle, checkouts, ..
        } = self;
        let text = || sql.to_owned();
        let begun = run_blocking(
            handle.call(),
            kind,
            checkouts,
            text,
            |checkouts, attempt| {
                let connection = checkouts.permitted(attempt.permit)?;
                // A pool for tests may keep a transaction open on each of its connections.
                let around = depth(connection).map(savepoint);
                let done = match &around {
                    Some(name) => connection
                        .batch_execute(&format!("SAVEPOINT {name}"))
                        .map(|()| 0),
                    None if attempt.access == Access::Read && !is_declared => {
                        let sql = begin_read_only(sql, C::Backend::DIALECT);
                        connection.batch_execute(&sql).map(|()| 0)
                    }
                    None => execute(connection, sql),
                };
                // A transaction that is no savepoint has no name.
                done.map(|done| (done, around.unwrap_or_default()))
            },
        )?;
        let open = OpenTransaction::new(handle, &begun);
        let (done, around) = begun.value;
        self.transaction = Some(Transaction::new(open, around));
        Ok(done)
    }

    fn commit(
        &mut self,
        sql: &str,
        mut execute: impl FnMut(&mut C, &str) -> QueryResult<usize>,
    ) -> QueryResult<usize> {
        let is_aborted = self.is_aborted();
        let Some(mut transaction) = self.transaction.take() else {
            return Err(Error::NotInTransaction);
        };
        let checked = match transaction.check_commit() {
            Err(_) if transaction.is_lost() => Err(Error::BrokenTransactionManager),
            checked => checked.map_err(into_diesel),
        };
        let Ok(connection) = self.checkouts.permitted(transaction.permit()) else {
            self.transaction = Some(transaction);
            return Err(Error::BrokenTransactionManager);
        };
        if let Err(refusal) = checked {
            let rolled_back = connection.batch_execute(&transaction.rollback_sql());
            self.not_to_be_committed(transaction, rolled_back.is_ok());
            return Err(refusal);
        }
        // It may be executed by a server whose answer does not come.
        let unanswered = transaction.committing(&self.handle.context);
        let committed = execute(connection, sql);
        unanswered.answered();
        let (node, role) = (transaction.node(), transaction.role());
        let mut settling = Settling {
            side: role,
            discard: false,
            around: transaction.around(),
        };
        match &committed {
            Ok(_) => {
                transaction.record_end(true, &self.handle.context);
                if is_aborted {
                    transaction.rolled_back();
                } else {
                    transaction.committed();
                }
            }
            Err(error) => {
                let failure = self.checkouts.classify(error, node, role);
                transaction.record_failed_commit(failure, &self.handle.context);
                let counted = self.checkouts.connected(role).and_then(depth);
                match transaction.failed_commit(failure, C::Backend::DIALECT, counted) {
                    FailedCommit::Unknown if transaction.is_counted() => {
                        // Diesel must not roll back on another connection.
                        self.checkouts.mark_broken(settling.side);
                        settling.discard = true;
                        transaction.ended_unknown();
                    }
                    FailedCommit::Unknown => {
                        transaction.lose_track();
                        transaction.lose();
                        self.transaction = Some(transaction);
                        return committed;
                    }
                    FailedCommit::RolledBack => transaction.rolled_back(),
                    FailedCommit::Open => {
                        self.transaction = Some(transaction);
                        return committed;
                    }
                }
            }
        }
        self.settling = Some(settling);
        committed
    }

    /// The router has refused a commit, and rolled back instead if that was possible.
    fn not_to_be_committed(&mut self, transaction: Transaction<NodePool<C>>, is_rolled_back: bool) {
        let side = transaction.role();
        // Of PostgreSQL, Diesel learns that its transaction is over.
        let is_seen = C::Backend::DIALECT == Dialect::Postgres && transaction.is_counted();
        let is_over = transaction.is_counted() && !is_rolled_back;
        if is_over || (is_seen && transaction.around().is_none()) {
            if is_over {
                self.checkouts.mark_broken(side);
            }
            self.settling = Some(Settling {
                side,
                discard: !is_rolled_back,
                around: transaction.around(),
            });
            transaction.rolled_back();
        } else {
            // The program, or Diesel's manager, rolls back next. A commit would be acknowledged.
            transaction.lose();
            self.transaction = Some(transaction);
        }
    }

    fn rollback(
        &mut self,
        sql: &str,
        mut execute: impl FnMut(&mut C, &str) -> QueryResult<usize>,
    ) -> QueryResult<usize> {
        let Some(transaction) = self.transaction.take() else {
            return Err(Error::NotInTransaction);
        };
        let Ok(connection) = self.checkouts.permitted(transaction.permit()) else {
            self.transaction = Some(transaction);
            return Err(Error::BrokenTransactionManager);
        };
        let rolled_back = execute(connection, sql);
        let (node, role) = (transaction.node(), transaction.role());
        if let Err(error) = &rolled_back
            && let Some(failure) = self.checkouts.classify(error, node, role)
        {
            transaction.report_failure(failure);
        }
        // Without its connection it cannot be committed either.
        self.settling = Some(Settling {
            side: role,
            discard: rolled_back.is_err(),
            around: transaction.around(),
        });
        let is_lost = transaction.is_lost() && !transaction.is_counted();
        transaction.rolled_back();
        if is_lost {
            return Ok(0);
        }
        rolled_back
    }

    /// Notes that a statement about a savepoint has failed; the error to return.
    fn failed_inside(&mut self, error: Error, sql: &str) -> Error {
        let Some(transaction) = &self.transaction else {
            return error;
        };
        transaction.innermost().fail();
        let (node, role) = (transaction.node(), transaction.role());
        let failure = self.checkouts.classify(&error, node, role);
        let is_deadlock = is_deadlock(&error);
        let refusal = transaction.failed(failure, is_deadlock, || sql.to_owned());
        refusal.map_or(error, into_diesel)
    }

    fn divided(&mut self, control: TransactionControl<'_>) {
        if let Some(transaction) = &mut self.transaction {
            transaction.divided(control);
        }
    }

    /// Whether PostgreSQL would roll back instead of committing; asked only when it might.
    fn is_aborted(&mut self) -> bool {
        let Some(transaction) = &self.transaction else {
            return false;
        };
        C::Backend::DIALECT == Dialect::Postgres
            && transaction.is_in_doubt()
            && self
                .checkouts
                .permitted(transaction.permit())
                .is_ok_and(|connection| connection.batch_execute(ABORTED_QUESTION).is_err())
    }
}

fn send_text<C: Routable>(connection: &mut C, sql: &str) -> QueryResult<usize> {
    connection.batch_execute(sql).map(|()| 0)
}
