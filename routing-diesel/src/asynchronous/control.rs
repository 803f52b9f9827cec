//! Statements that begin, end and divide transactions: from the transaction manager, or as text.

use std::sync::Arc;

use diesel::connection::TransactionManagerStatus;
use diesel::result::{Error, QueryResult};
use diesel_async::TransactionManager;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::sql::{Dialect, TransactionControl};
use routing_core::{Access, Node, StatementKind};

use super::connection::{AsyncRoutedConnection, Controlling};
use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::NodePool;
use super::probing::TokioTimer;
use super::slots::depth;
use crate::database::{Database, begin_read_only};
use crate::error::into_diesel;
use crate::failure::may_leave_open;
use crate::transaction::OpenTransaction;

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
        self.check(self.kind_of_savepoint())?;
        self.divide(&node, |connection| {
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
        execute: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        self.settle();
        if self.is_lost {
            return Err(Error::BrokenTransactionManager);
        }
        let control = match kind {
            StatementKind::Transaction => TransactionControl::of(sql, DatabaseOf::<C>::DIALECT),
            _ => None,
        };
        if self.transaction.is_none() {
            return match control {
                Some(TransactionControl::Begin { read_only }) => {
                    let kind = if read_only {
                        StatementKind::BeginReadOnly
                    } else {
                        kind
                    };
                    self.begin_by(kind, sql, execute).await
                }
                _ => self.run(kind, sql, execute).await,
            };
        }
        match control {
            Some(division @ TransactionControl::Savepoint(_)) => {
                let done = self
                    .run_inside(self.kind_of_savepoint(), sql, execute)
                    .await?;
                self.divided(division);
                Ok(done)
            }
            None | Some(TransactionControl::Begin { .. }) => {
                if let (true, Some(transaction)) = (may_leave_open(kind), &mut self.transaction) {
                    transaction.lose_track();
                }
                self.run_inside(kind, sql, execute).await
            }
            Some(control) => self.end(control, execute).await,
        }
    }

    async fn begin_by(
        &mut self,
        kind: StatementKind,
        sql: &str,
        execute: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let Self {
            pool,
            slots,
            controlling,
            ..
        } = self;
        let mut route = pool.connect(slots, kind).await?;
        loop {
            let (node, access) = (route.node(), route.access());
            let (permit, running) = route.start();
            let connection = slots
                .permitted(permit)
                .ok_or(Error::BrokenTransactionManager)?;
            // A pool for tests may keep a transaction open on each of its connections.
            let around = depth(connection);
            let undeclared = access == Access::Read && kind == StatementKind::Transaction;
            *controlling = Some(Controlling {
                node: Arc::clone(node),
                commits: false,
            });
            let begin_read_only = begin_read_only(sql, DatabaseOf::<C>::DIALECT);
            let beginning = match around {
                Some(_) => manage(C::TransactionManager::begin_transaction(connection)),
                None if undeclared => manage(connection.begin_sql(&begin_read_only)),
                None => execute(connection),
            };
            let begun = running.attend::<TokioTimer, _>(beginning).await;
            *controlling = None;
            match begun {
                Some(Ok(done)) => {
                    let side = running.role();
                    running.succeeded(&pool.context);
                    let name = around.map(savepoint).unwrap_or_default();
                    let open = OpenTransaction::new(node, side, access, name);
                    self.transaction = Some(open);
                    return Ok(done);
                }
                Some(Err(error)) => route = pool.go_on(slots, running, error, sql).await?,
                None => route = pool.leave(slots, running).await?,
            }
        }
    }

    /// Ends the open transaction, or a savepoint in it.
    async fn end(
        &mut self,
        control: TransactionControl<'_>,
        execute: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let node = self.transaction_node_arc()?;
        let resolved = self.transaction.as_ref().map(|open| open.resolve(control));
        match resolved {
            Some(TransactionControl::Commit) => {
                if let Err(refusal) = self.check_commit(&node) {
                    // Without its connection it is rolled back.
                    self.slots.discard(&node);
                    self.mark_end(false);
                    self.lose(OpenTransaction::rolled_back);
                    return Err(refusal);
                }
                let aborted = self.is_aborted(&node).await;
                let committed = self.control(&node, true, execute).await;
                self.mark_end(true);
                let committed = committed
                    .unwrap_or_else(|| Err(self.left_alone(&node, StatementKind::Transaction)));
                match &committed {
                    Ok(_) => self.committed(aborted),
                    Err(error) => self.not_committed(error, &node).await,
                }
                committed
            }
            Some(TransactionControl::Rollback) => {
                let rolled_back = self.control(&node, false, execute).await;
                self.mark_end(false);
                if let Some(Err(error)) = &rolled_back {
                    self.report(error, &node).await;
                }
                if !matches!(rolled_back, Some(Ok(_))) {
                    // Without its connection it cannot be committed either.
                    self.slots.discard(&node);
                }
                if let Some(transaction) = self.transaction.take() {
                    transaction.rolled_back();
                }
                rolled_back.unwrap_or(Ok(0))
            }
            _ => match self.divide(&node, execute).await {
                Ok(done) => {
                    self.divided(control);
                    Ok(done)
                }
                Err(error) => {
                    let error = self.failed_inside(error, "").await;
                    self.catch_up_with(control, &node);
                    Err(error)
                }
            },
        }
    }

    /// Runs what concerns a savepoint.
    async fn divide(
        &mut self,
        node: &Arc<Node<NodePool<C>>>,
        execute: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> QueryResult<usize> {
        let outcome = self.control(node, false, execute).await;
        outcome.unwrap_or_else(|| {
            self.mark_end(false);
            Err(self.left_alone(node, StatementKind::Transaction))
        })
    }

    /// Runs what a dropped future would leave half-way; `None` if the node does not answer any more.
    async fn control(
        &mut self,
        node: &Arc<Node<NodePool<C>>>,
        commits: bool,
        execute: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
    ) -> Option<QueryResult<usize>> {
        let Some(connection) = self.slots.connected(node) else {
            return Some(Err(Error::BrokenTransactionManager));
        };
        self.controlling = Some(Controlling {
            node: Arc::clone(node),
            commits,
        });
        let (router, set) = (&self.pool.router, &self.pool.set);
        let attended = router.attend::<TokioTimer, _>(set, node, execute(connection));
        let outcome = attended.await;
        self.controlling = None;
        outcome
    }

    /// Whether the open transaction may be committed where it is.
    fn check_commit(&self, node: &Node<NodePool<C>>) -> QueryResult<()> {
        let Some(open) = &self.transaction else {
            return Ok(());
        };
        let (router, set) = (&self.pool.router, &self.pool.set);
        router
            .check_commit(set, node, open.access)
            .map_err(into_diesel)
    }

    fn committed(&mut self, aborted: bool) {
        match self.transaction.take() {
            Some(transaction) if aborted => transaction.rolled_back(),
            Some(transaction) => transaction.committed(self.pool.set.name()),
            None => {}
        }
    }

    async fn not_committed(&mut self, error: &Error, node: &Arc<Node<NodePool<C>>>) {
        let failure = self.report(error, node).await;
        if failure.is_some() {
            self.slots.discard(node);
            if let Some(transaction) = self.transaction.take() {
                transaction.ended_unknown();
            }
        } else if self.is_over(node)
            && let Some(transaction) = self.transaction.take()
        {
            transaction.rolled_back();
        }
    }

    /// Whether a transaction has ended although its commit failed.
    fn is_over(&mut self, node: &Arc<Node<NodePool<C>>>) -> bool {
        let around = self.transaction.as_ref().and_then(OpenTransaction::around);
        let counted = self.depth(node);
        match DatabaseOf::<C>::DIALECT {
            Dialect::Postgres => true,
            _ => counted.is_some_and(|depth| around == Some(depth)) || counted.is_none(),
        }
    }

    /// A savepoint could not be ended. Diesel has counted it down or given the connection up.
    fn catch_up_with(&mut self, control: TransactionControl<'_>, node: &Arc<Node<NodePool<C>>>) {
        if let Some(connection) = self.slots.connected(node)
            && let TransactionManagerStatus::InError =
                C::TransactionManager::transaction_manager_status_mut(connection)
        {
            self.slots.discard(node);
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

    fn kind_of_savepoint(&self) -> StatementKind {
        match self.transaction.as_ref().map(|open| open.access) {
            Some(Access::Read) => StatementKind::BeginReadOnly,
            Some(Access::Write) | None => StatementKind::Transaction,
        }
    }

    fn depth(&mut self, node: &Arc<Node<NodePool<C>>>) -> Option<u32> {
        self.slots.connected(node).and_then(depth)
    }

    /// Whether PostgreSQL would roll back instead of committing; asked only when it might.
    async fn is_aborted(&mut self, node: &Arc<Node<NodePool<C>>>) -> bool {
        let failed = self
            .transaction
            .as_ref()
            .is_some_and(OpenTransaction::is_in_doubt);
        let (router, set) = (&self.pool.router, &self.pool.set);
        match self.slots.connected(node) {
            Some(connection) if failed && DatabaseOf::<C>::DIALECT == Dialect::Postgres => {
                let asking = connection.batch_execute("SELECT 1");
                let answer = router.attend::<TokioTimer, _>(set, node, asking).await;
                answer.is_none_or(|answer| answer.is_err())
            }
            _ => false,
        }
    }
}

fn savepoint(depth: u32) -> String {
    format!("diesel_savepoint_{depth}")
}

fn manage<'c>(
    control: impl Future<Output = QueryResult<()>> + Send + 'c,
) -> BoxFuture<'c, QueryResult<usize>> {
    control.map(|done| done.map(|()| 0)).boxed()
}
