//! An open transaction.

use routing_core::adapter::{AsyncStatement, Handle, Level, OpenTransaction, TokioTimer, run_in};
use routing_core::{Access, Committed, Context, NodeName, StatementKind};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, Statement, StatementBuilder,
};

use crate::connections::{Inside, Method, Query, Text, Unprepared, Via};
use crate::error::into_db_err;
use crate::pool::NodePool;
use crate::statement::kind_of;

/// A transaction on one node, in place of a [`DatabaseTransaction`].
///
/// Everything in it runs on its node, whatever scope is open. Dropped without a commit, it is
/// rolled back.
pub struct RoutedTransaction {
    pub(crate) open: OpenTransaction<NodePool>,
    // Dropped before the level, so that the rollback is on its way when callbacks run.
    pub(crate) transaction: DatabaseTransaction,
    pub(crate) level: Level,
    /// The session and scopes of the handle that began it.
    pub(crate) context: Context,
}

impl RoutedTransaction {
    pub(crate) fn new(
        handle: &Handle<NodePool>,
        open: OpenTransaction<NodePool>,
        transaction: DatabaseTransaction,
    ) -> Self {
        Self {
            level: open.level(),
            open,
            transaction,
            context: handle.context.clone(),
        }
    }

    /// Calls back after the outermost commit is acknowledged, in the order of the calls. Whatever
    /// the callback does, the commit stands. It is called inside `commit().await`, so it must not
    /// block; to await something, spawn it. [`Committed::position`] is `None`: a
    /// commit asks for nothing.
    ///
    /// A transaction calls nothing if its outcome is not known: its end was written as SQL (`COMMIT`,
    /// `ROLLBACK`, `SAVEPOINT`), MySQL or MariaDB may have committed it because of DDL or a procedure in
    /// it, or it was given to an executor by value.
    pub fn on_commit(&self, callback: impl FnOnce(&Committed) + Send + 'static) {
        self.level.callbacks().on_commit(callback);
    }

    /// Calls back after this transaction, or one around it, is rolled back or dropped. When nobody
    /// knows how a commit ended, neither callback is called.
    pub fn on_rollback(&self, callback: impl FnOnce() + Send + 'static) {
        self.level.callbacks().on_rollback(callback);
    }

    /// The node that the transaction is open on.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        self.open.node().name()
    }

    /// `Read` if writes in it are refused.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.open.access()
    }

    /// The database that the node runs.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.open.node().pool().backend()
    }

    fn kind_of_text(&self, sql: &str) -> StatementKind {
        self.note(self.open.kind_of(sql))
    }

    /// Notes a text that may end the transaction.
    pub(crate) fn note(&self, kind: StatementKind) -> StatementKind {
        if kind.controls_transaction() || kind == StatementKind::Multiple {
            self.open.lose_track();
        }
        kind
    }

    /// The driver's transaction, for code that does not report its statements.
    pub(crate) fn hand_out(&self) -> &DatabaseTransaction {
        self.level.fail();
        &self.transaction
    }

    /// The driver's transaction, whose outcome the router will not know.
    pub(crate) fn into_transaction(self) -> DatabaseTransaction {
        let Self {
            open,
            transaction,
            mut level,
            context,
        } = self;
        open.record_hand_out(&context);
        level.committing();
        transaction
    }

    pub(crate) fn check_tables(&self, sql: &str) -> Result<(), DbErr> {
        self.open.check_tables(sql).map_err(into_db_err)
    }

    /// Runs a statement of this kind.
    pub(crate) async fn run<'c, S: AsyncStatement<Via<Inside<'c>>>>(
        &'c self,
        kind: StatementKind,
        mut statement: S,
    ) -> Result<S::Output, DbErr> {
        let mut inside = Via(Inside(&self.transaction));
        let (open, context) = (&self.open, &self.context);
        let running = run_in::<TokioTimer, _, _>(open, kind, context, &mut inside, &mut statement);
        running.await.inspect_err(|_| self.level.fail())
    }

    pub(crate) async fn run_typed<S: StatementBuilder, M: Method>(
        &self,
        statement: &S,
    ) -> Result<M::Output, DbErr> {
        let backend = self.get_database_backend();
        let built = backend.build(statement);
        let kind = kind_of::<S>(&built.sql, self.open.set().classifier());
        self.check_tables(&built.sql)?;
        let query = Query::<M>::new(Text::Typed(Some(built), backend, statement));
        self.run(kind, query).await
    }

    pub(crate) async fn run_raw<M: Method>(
        &self,
        statement: Statement,
    ) -> Result<M::Output, DbErr> {
        self.check_tables(&statement.sql)?;
        let kind = self.kind_of_text(&statement.sql);
        let query = Query::<M>::new(Text::Built(statement));
        self.run(kind, query).await
    }

    pub(crate) async fn run_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.check_tables(sql)?;
        self.run(self.kind_of_text(sql), Unprepared(sql)).await
    }

    pub(crate) fn is_mock(&self) -> bool {
        self.transaction.is_mock_connection()
    }
}

impl std::fmt::Debug for RoutedTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedTransaction")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
