//! Statements that are given as text: those that begin, end and divide transactions above all.
//!
//! Diesel's transactions are texts that its `AnsiTransactionManager` sends and counts. The obvious
//! answer is a manager of our own, but Diesel's transaction builder takes no other. So the manager
//! stays, its count stays with the connection that the transaction is open on, and the texts are
//! read as they pass: whoever writes `BEGIN` by hand is understood as well.

use std::borrow::Cow;

use diesel::result::{Error, QueryResult};
use routing_core::sql::{Dialect, TransactionControl};
use routing_core::{Access, StatementKind};

use super::connection::{RoutedConnection, Settling};
use super::execution::failure_of;
use super::slots::depth;
use crate::database::{Database, Routable, begin_read_only};
use crate::error::into_diesel;
use crate::failure::may_leave_open;
use crate::transaction::OpenTransaction;

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
            StatementKind::Transaction => TransactionControl::of(sql, C::Backend::DIALECT),
            _ => None,
        };
        let Some(transaction) = &mut self.transaction else {
            return match control {
                Some(TransactionControl::Begin { read_only }) => {
                    self.begin(sql, read_only, execute)
                }
                _ => self.run(
                    kind,
                    || sql.to_owned(),
                    |connection| execute(connection, sql),
                ),
            };
        };
        match control.map(|control| transaction.resolve(control)) {
            Some(TransactionControl::Commit) => self.commit(sql, execute),
            Some(TransactionControl::Rollback) => self.rollback(sql, execute),
            Some(division @ TransactionControl::Savepoint(_)) => {
                let kind = match transaction.access {
                    Access::Read => StatementKind::BeginReadOnly,
                    Access::Write => kind,
                };
                let done = self.run_inside(
                    kind,
                    || sql.to_owned(),
                    |connection| execute(connection, sql),
                )?;
                self.divided(division);
                Ok(done)
            }
            Some(
                division @ (TransactionControl::Release(_) | TransactionControl::RollbackTo(_)),
            ) => {
                let connection = self.in_transaction()?;
                match execute(connection, sql) {
                    Ok(done) => {
                        self.divided(division);
                        Ok(done)
                    }
                    Err(error) => Err(self.failed_inside(error, || sql.to_owned())),
                }
            }
            Some(TransactionControl::Begin { .. }) | None => {
                if may_leave_open(kind) {
                    transaction.lose_track();
                }
                self.run_inside(
                    kind,
                    || sql.to_owned(),
                    |connection| execute(connection, sql),
                )
            }
        }
    }

    fn begin(
        &mut self,
        sql: &str,
        read_only: bool,
        mut execute: impl FnMut(&mut C, &str) -> QueryResult<usize>,
    ) -> QueryResult<usize> {
        let declared = std::mem::take(&mut self.begins_read_only);
        let kind = if read_only || declared {
            StatementKind::BeginReadOnly
        } else {
            StatementKind::Transaction
        };
        let Self { pool, slots, .. } = self;
        let mut route = pool.connect(slots, kind)?;
        loop {
            let (node, access) = (route.node(), route.access());
            let (permit, running) = route.start();
            let side = running.role();
            let connection = slots
                .permitted(permit)
                .ok_or(Error::BrokenTransactionManager)?;
            // A pool for tests may keep a transaction open on each of its connections.
            let around = depth(connection);
            let savepoint = around.map(|depth| format!("diesel_savepoint_{depth}"));
            let begun = match &savepoint {
                Some(name) => connection
                    .batch_execute(&format!("SAVEPOINT {name}"))
                    .map(|()| 0),
                None if access == Access::Read && !read_only => {
                    let sql: Cow<'_, str> = begin_read_only(sql, C::Backend::DIALECT);
                    connection.batch_execute(&sql).map(|()| 0)
                }
                None => execute(connection, sql),
            };
            match begun {
                Ok(done) => {
                    running.succeeded(&pool.context);
                    let name = savepoint.unwrap_or_default();
                    self.transaction = Some(OpenTransaction::new(node, side, access, name));
                    return Ok(done);
                }
                Err(error) => route = pool.go_on(slots, running, error, || sql.to_owned())?,
            }
        }
    }

    fn commit(
        &mut self,
        sql: &str,
        mut execute: impl FnMut(&mut C, &str) -> QueryResult<usize>,
    ) -> QueryResult<usize> {
        let aborted = self.is_aborted();
        let committed = if let Err(refusal) = self.check_commit() {
            let ended = self.in_transaction()?.batch_execute("ROLLBACK");
            ended.and(Err(refusal))
        } else if self.is_lost {
            // Its end is written down, and what called it is told.
            let ended = self.in_transaction()?.batch_execute("ROLLBACK");
            ended.and(Err(Error::BrokenTransactionManager))
        } else {
            execute(self.in_transaction()?, sql)
        };
        let Some(transaction) = self.transaction.take() else {
            return committed;
        };
        self.is_lost = false;
        let (router, set, context) = (&self.pool.router, &self.pool.set, &self.pool.context);
        // Also if it failed: nobody knows what has become of it.
        match transaction.access {
            Access::Write => router.wrote(set, context),
            Access::Read => router.saw(set, &transaction.node, context),
        }
        let side = transaction.side;
        let around = transaction.around();
        match &committed {
            Ok(_) => {
                self.settling = Some(Settling {
                    side,
                    discard: false,
                    around,
                });
                if aborted {
                    transaction.rolled_back();
                } else {
                    transaction.committed(self.pool.set.name());
                }
            }
            Err(error) => match failure_of(error, &mut self.slots, side) {
                Some(failure) => {
                    let (router, set) = (&self.pool.router, &self.pool.set);
                    router.report_failure(set, &transaction.node, failure);
                    self.settling = Some(Settling {
                        side,
                        discard: true,
                        around,
                    });
                    transaction.ended_unknown();
                }
                None if C::Backend::DIALECT == Dialect::Postgres => {
                    self.settling = Some(Settling {
                        side,
                        discard: false,
                        around,
                    });
                    transaction.rolled_back();
                }
                // It is still open, and rolled back next.
                None => self.transaction = Some(transaction),
            },
        }
        committed
    }

    /// Whether the open transaction may be committed where it is.
    fn check_commit(&self) -> QueryResult<()> {
        let Some(open) = &self.transaction else {
            return Ok(());
        };
        let (router, set) = (&self.pool.router, &self.pool.set);
        router
            .check_commit(set, &open.node, open.access)
            .map_err(into_diesel)
    }

    fn rollback(
        &mut self,
        sql: &str,
        mut execute: impl FnMut(&mut C, &str) -> QueryResult<usize>,
    ) -> QueryResult<usize> {
        let rolled_back = execute(self.in_transaction()?, sql);
        let Some(transaction) = self.transaction.take() else {
            return rolled_back;
        };
        self.is_lost = false;
        let (router, set, context) = (&self.pool.router, &self.pool.set, &self.pool.context);
        router.saw(set, &transaction.node, context);
        let side = transaction.side;
        let around = transaction.around();
        if let Err(error) = &rolled_back
            && let Some(failure) = failure_of(error, &mut self.slots, side)
        {
            let (router, set) = (&self.pool.router, &self.pool.set);
            router.report_failure(set, &transaction.node, failure);
        }
        // Without its connection it cannot be committed either.
        self.settling = Some(Settling {
            side,
            discard: rolled_back.is_err(),
            around,
        });
        transaction.rolled_back();
        rolled_back
    }

    fn divided(&mut self, control: TransactionControl<'_>) {
        if let Some(transaction) = &mut self.transaction {
            transaction.divided(control);
        }
    }

    /// Whether PostgreSQL would roll back instead of committing; asked only when it might.
    fn is_aborted(&mut self) -> bool {
        C::Backend::DIALECT == Dialect::Postgres
            && self
                .transaction
                .as_ref()
                .is_some_and(OpenTransaction::is_in_doubt)
            && self
                .in_transaction()
                .is_ok_and(|connection| connection.batch_execute("SELECT 1").is_err())
    }
}
