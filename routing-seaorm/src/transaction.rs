//! An open transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use routing_core::{
    Access, Callbacks, Committed, Context, Failure, Node, NodeName, ReplicaSet, Role, Router,
    RoutingError, StatementKind,
};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, Statement, StatementBuilder, TransactionError, TransactionOptions,
    TransactionTrait,
};

use crate::commit::finish;
use crate::error::into_db_err;
use crate::execution::{BoxFuture, Method, failure_of};
#[cfg(feature = "stream")]
use crate::failure::{Verdict, verdict};
use crate::handle::RoutedConnection;
use crate::pool::NodePool;
use crate::probing::TokioTimer;
use crate::statement::{kind_of, kind_of_begin};

/// A transaction on one node, in place of a [`DatabaseTransaction`].
///
/// Everything in it runs on its node, whatever scope is open. Dropped without a commit, it is
/// rolled back.
pub struct RoutedTransaction {
    _end: End,
    // Dropped before the callbacks, so that the rollback is on its way when they run.
    pub(crate) transaction: DatabaseTransaction,
    pub(crate) callbacks: Callbacks,
    pub(crate) node: Arc<Node<NodePool>>,
    pub(crate) set: Arc<ReplicaSet<NodePool>>,
    pub(crate) router: Arc<Router<NodePool>>,
    pub(crate) context: Context,
    /// The session that began it, which may not be the one that it is ended in.
    pub(crate) began: Context,
    /// The role for which its node was chosen.
    pub(crate) role: Role,
    pub(crate) access: Access,
    /// Whether a statement has failed: PostgreSQL then answers a commit with a rollback, and calls
    /// that a success.
    pub(crate) statement_failed: AtomicBool,
    /// Whether raw SQL has, or may have, ended the transaction behind our back.
    pub(crate) ended_by_text: AtomicBool,
}

/// However a transaction ends, its session has seen what it has shown.
struct End {
    router: Arc<Router<NodePool>>,
    set: Arc<ReplicaSet<NodePool>>,
    node: Arc<Node<NodePool>>,
    context: Context,
}

impl Drop for End {
    fn drop(&mut self) {
        self.router.saw(&self.set, &self.node, &self.context);
    }
}

impl RoutedTransaction {
    fn end(
        router: &Arc<Router<NodePool>>,
        set: &Arc<ReplicaSet<NodePool>>,
        node: &Arc<Node<NodePool>>,
        context: &Context,
    ) -> End {
        End {
            router: Arc::clone(router),
            set: Arc::clone(set),
            node: Arc::clone(node),
            context: context.clone(),
        }
    }

    /// The session has seen what the transaction's node shows.
    #[cfg(feature = "stream")]
    pub(crate) fn saw(&self) {
        self.router.saw(&self.set, &self.node, &self.context);
    }

    pub(crate) fn new(
        connection: &RoutedConnection,
        node: &Arc<Node<NodePool>>,
        (role, access): (Role, Access),
        transaction: DatabaseTransaction,
    ) -> Self {
        let began = connection.context.clone().with_current_session();
        Self {
            _end: Self::end(&connection.router, &connection.set, node, &began),
            transaction,
            callbacks: Callbacks::new(),
            node: Arc::clone(node),
            set: Arc::clone(&connection.set),
            router: Arc::clone(&connection.router),
            context: connection.context.clone(),
            began,
            role,
            access,
            statement_failed: AtomicBool::new(false),
            ended_by_text: AtomicBool::new(false),
        }
    }

    /// Calls back after the outermost commit is acknowledged, in the order of the calls. Whatever
    /// the callback does, the commit stands. It is called inside `commit().await`, so it must not
    /// block; to await something, spawn it. [`Committed::position`] is `None`: a
    /// commit asks for nothing.
    ///
    /// A transaction whose end was written as SQL (`COMMIT`, `ROLLBACK`, `SAVEPOINT`), or that was
    /// given to an executor by value, calls nobody: what became of it is not known here.
    pub fn on_commit(&self, callback: impl FnOnce(&Committed) + Send + 'static) {
        self.callbacks.on_commit(callback);
    }

    /// Calls back after this transaction, or one around it, is rolled back or dropped. When nobody
    /// knows how a commit ended, neither callback is called.
    pub fn on_rollback(&self, callback: impl FnOnce() + Send + 'static) {
        self.callbacks.on_rollback(callback);
    }

    /// The node that the transaction is open on.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        self.node.name()
    }

    /// `Read` if writes in it are refused.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// The database that the node runs.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.node.pool().backend()
    }

    pub(crate) fn kind_of_text(&self, sql: &str) -> StatementKind {
        let kind = self.set.kind_of(sql);
        if matches!(kind, StatementKind::Transaction | StatementKind::Multiple) {
            self.ended_by_text.store(true, Ordering::Relaxed);
        }
        kind
    }

    /// The transaction itself, for somebody who does not report how his statements went.
    pub(crate) fn hand_out(&self) -> &DatabaseTransaction {
        self.statement_failed.store(true, Ordering::Relaxed);
        &self.transaction
    }

    pub(crate) fn check(&self, kind: StatementKind, sql: &str) -> Result<(), DbErr> {
        self.router
            .check_tables(&self.set, sql)
            .and_then(|()| {
                let (set, node) = (&self.set, &self.node);
                self.router
                    .check_in_transaction(set, node, self.access, kind, &self.context)
            })
            .map_err(into_db_err)
    }

    /// Awaits a statement that was checked; `sql` is called if the node refuses it as a write.
    pub(crate) async fn run<'c, T: Send>(
        &'c self,
        running: BoxFuture<'c, Result<T, DbErr>>,
        sql: impl FnOnce() -> String + Send,
    ) -> Result<T, DbErr> {
        let attended = self
            .router
            .attend::<TokioTimer, _>(&self.set, &self.node, running);
        let error = match attended.await.unwrap_or_else(|| Err(self.silent())) {
            Ok(value) => {
                let (set, context) = (&self.set, &self.context);
                if self.ended_by_text.load(Ordering::Relaxed) {
                    self.router.wrote(set, context);
                } else {
                    self.router.saw(set, &self.node, context);
                }
                return Ok(value);
            }
            Err(error) => error,
        };
        self.statement_failed.store(true, Ordering::Relaxed);
        match failure_of(&error, &self.node, self.role).await {
            Some(failure) => Err(self.failed(error, failure, sql)),
            None => Err(error),
        }
    }

    /// The node does not answer any more, and what becomes of the transaction nobody knows.
    fn silent(&self) -> DbErr {
        into_db_err(RoutingError::OutcomeUnknown {
            set: self.set.name().clone(),
            node: self.node.name().clone(),
            kind: StatementKind::Transaction,
        })
    }

    /// The error to give after a failure.
    fn failed(&self, error: DbErr, failure: Failure, sql: impl FnOnce() -> String) -> DbErr {
        let (set, node) = (&self.set, &self.node);
        if failure == Failure::ReadOnly && self.access == Access::Read {
            let refusal = self
                .router
                .refused_in_transaction(set, node, self.access, &sql());
            return refusal.map_or(error, into_db_err);
        }
        self.router.report_failure(set, node, failure);
        error
    }

    /// The error to give for rows that break off.
    #[cfg(feature = "stream")]
    pub(crate) fn failed_midway(&self, error: DbErr, sql: &str) -> DbErr {
        self.statement_failed.store(true, Ordering::Relaxed);
        match verdict(&error, self.get_database_backend(), self.role) {
            Verdict::Failure(failure) => self.failed(error, failure, || sql.to_owned()),
            Verdict::Users | Verdict::TimedOut => error,
        }
    }

    async fn run_typed<'c, S: StatementBuilder, T: Send>(
        &'c self,
        statement: &'c S,
        method: Method<'c, DatabaseTransaction, T>,
    ) -> Result<T, DbErr> {
        let backend = self.get_database_backend();
        let built = backend.build(statement);
        let kind = kind_of::<S>(&built.sql, self.set.classifier());
        self.check(kind, &built.sql)?;
        let running = method(&self.transaction, built);
        self.run(running, || backend.build(statement).sql).await
    }

    async fn run_raw<'c, T: Send>(
        &'c self,
        statement: Statement,
        method: Method<'c, DatabaseTransaction, T>,
    ) -> Result<T, DbErr> {
        let kind = self.kind_of_text(&statement.sql);
        self.check(kind, &statement.sql)?;
        // Where it may turn out to be a write.
        let sql = match self.access {
            Access::Read => statement.sql.clone(),
            Access::Write => String::new(),
        };
        self.run(method(&self.transaction, statement), || sql).await
    }

    /// Whether PostgreSQL would roll back instead of committing; asked only when it might.
    pub(crate) async fn is_aborted(&self) -> bool {
        self.get_database_backend() == DbBackend::Postgres
            && self.statement_failed.load(Ordering::Relaxed)
            && self
                .router
                .attend::<TokioTimer, _>(
                    &self.set,
                    &self.node,
                    self.transaction.execute_unprepared("SELECT 1"),
                )
                .await
                .is_none_or(|answer| answer.is_err())
    }

    /// The transaction itself, whose outcome its new owner will know and we shall not.
    pub(crate) fn into_transaction(self) -> DatabaseTransaction {
        let Self {
            transaction,
            mut callbacks,
            set,
            router,
            context,
            began,
            ..
        } = self;
        router.wrote_out_of_sight(&set, &context);
        router.wrote_out_of_sight(&set, &began);
        callbacks.committing();
        transaction
    }
}

#[async_trait]
impl ConnectionTrait for RoutedTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.get_database_backend()
    }

    async fn execute<S: StatementBuilder>(&self, stmt: &S) -> Result<ExecResult, DbErr> {
        self.run_typed(stmt, |c, stmt| c.execute_raw(stmt)).await
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        self.run_raw(stmt, |c, stmt| c.execute_raw(stmt)).await
    }

    async fn query_one<S: StatementBuilder>(&self, stmt: &S) -> Result<Option<QueryResult>, DbErr> {
        self.run_typed(stmt, |c, stmt| c.query_one_raw(stmt)).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run_raw(stmt, |c, stmt| c.query_one_raw(stmt)).await
    }

    async fn query_all<S: StatementBuilder>(&self, stmt: &S) -> Result<Vec<QueryResult>, DbErr> {
        self.run_typed(stmt, |c, stmt| c.query_all_raw(stmt)).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run_raw(stmt, |c, stmt| c.query_all_raw(stmt)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.check(self.kind_of_text(sql), sql)?;
        let running = self.transaction.execute_unprepared(sql);
        self.run(running, || sql.to_owned()).await
    }

    fn is_mock_connection(&self) -> bool {
        self.transaction.is_mock_connection()
    }
}

#[async_trait]
impl TransactionTrait for RoutedTransaction {
    type Transaction = Self;

    async fn begin(&self) -> Result<Self, DbErr> {
        self.begin_with_options(TransactionOptions::default()).await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<Self, DbErr> {
        let options = TransactionOptions {
            isolation_level,
            access_mode,
            sqlite_transaction_mode: None,
        };
        self.begin_with_options(options).await
    }

    /// A savepoint. Inside a read-only transaction it is read-only too, and must not declare
    /// itself anything else.
    async fn begin_with_options(&self, mut options: TransactionOptions) -> Result<Self, DbErr> {
        let kind = match (self.access, options.access_mode) {
            (Access::Read, None) => StatementKind::BeginReadOnly,
            _ => kind_of_begin(&options),
        };
        let access = match self.access {
            Access::Read => Access::Read,
            Access::Write => kind.access(),
        };
        if self.access == Access::Read {
            // It is read-only as the transaction is, and MySQL would not hear of it again.
            options.access_mode = None;
        }
        self.check(kind, "SAVEPOINT")?;
        let beginning = self.transaction.begin_with_options(options);
        let transaction = self.run(beginning, || "SAVEPOINT".to_owned()).await?;
        Ok(Self {
            _end: Self::end(&self.router, &self.set, &self.node, &self.began),
            transaction,
            callbacks: self.callbacks.savepoint(),
            node: Arc::clone(&self.node),
            set: Arc::clone(&self.set),
            router: Arc::clone(&self.router),
            context: self.context.clone(),
            began: self.began.clone(),
            role: self.role,
            access,
            statement_failed: AtomicBool::new(false),
            ended_by_text: AtomicBool::new(false),
        })
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> BoxFuture<'c, Result<T, E>> + Send,
        T: Send,
        E: std::fmt::Display + std::fmt::Debug + Send,
    {
        self.transaction_with_config(callback, None, None).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> BoxFuture<'c, Result<T, E>> + Send,
        T: Send,
        E: std::fmt::Display + std::fmt::Debug + Send,
    {
        let transaction = self.begin_with_config(isolation_level, access_mode).await?;
        let outcome = callback(&transaction).await;
        finish(transaction, outcome).await
    }
}

impl std::fmt::Debug for RoutedTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedTransaction")
            .field("set", self.set.name())
            .field("node", self.node.name())
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
