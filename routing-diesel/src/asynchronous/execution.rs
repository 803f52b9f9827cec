//! A statement being run: on the node that was decided, and on the next if that one is down.

use std::sync::Arc;
use std::time::Duration;

use diesel::result::{Error, QueryResult};
use futures_util::future::BoxFuture;
use routing_core::{
    Access, Failure, Next, Node, Role, Route, RoutingError, Running, StatementKind,
};
use tracing::Instrument;

use super::connection::AsyncRoutedConnection;
use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::NodePool;
use super::pool::AsyncRoutedPool;
use super::probing::TokioTimer;
use super::slots::Slots;
use crate::database::Database;
use crate::error::{CheckoutError, into_diesel};
use crate::failure::{
    Verdict, commits_implicitly, ends_transaction, is_alive, may_leave_open, question, verdict,
};
use crate::transaction::OpenTransaction;

/// How long a connection has to answer when it is asked whether it works.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) type PoolRoute<'r, C> = Route<'r, NodePool<C>>;
pub(super) type PoolRunning<'r, C> = Running<'r, NodePool<C>>;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl<C: AsyncRoutable> AsyncRoutedPool<C> {
    /// Decides where a statement of this kind runs.
    pub(super) async fn route(&self, kind: StatementKind) -> QueryResult<PoolRoute<'_, C>> {
        self.load_if_wanted();
        self.monitor_if_wanted();
        self.router
            .route_patiently::<TokioTimer>(&self.set, kind, &self.context)
            .await
            .map_err(into_diesel)
    }

    /// Decides where a statement of this kind runs, and has a connection to there.
    pub(super) async fn connect<'r>(
        &'r self,
        slots: &mut Slots<C>,
        kind: StatementKind,
    ) -> QueryResult<PoolRoute<'r, C>> {
        let route = self.route(kind).await?;
        self.reach(slots, route).await
    }

    /// Follows a route to the first node that has a connection.
    async fn reach<'r>(
        &'r self,
        slots: &mut Slots<C>,
        mut route: PoolRoute<'r, C>,
    ) -> QueryResult<PoolRoute<'r, C>> {
        loop {
            match slots.connect(&route).await {
                Ok(()) if route.holds_patiently::<TokioTimer>().await => return Ok(route),
                Ok(()) => {
                    // It was waited for, and the node is not what it was.
                    slots.release(route.node());
                    route = route.decide_anew(&self.context).map_err(into_diesel)?;
                }
                Err((failure, error)) => route = self.pass_over(route, failure, error).await?,
            }
        }
    }

    /// The next candidate after one that has no connection.
    pub(super) async fn pass_over<'r>(
        &'r self,
        route: PoolRoute<'r, C>,
        failure: Failure,
        error: AnyError,
    ) -> QueryResult<PoolRoute<'r, C>> {
        let node = route.node();
        self.set.log_failure(node, &error, failure);
        let failed = route.not_sent();
        let next = failed.failed_patiently::<TokioTimer>(failure, &self.context);
        match next.await {
            Next::Route(next) => Ok(next),
            Next::Refused(refusal) => Err(into_diesel(refusal.because(&error))),
            Next::Unchanged => {
                let error = CheckoutError::new(self.set.name(), node.name(), error);
                Err(into_diesel(error))
            }
        }
    }

    /// The next candidate after one that a statement has failed on.
    pub(super) async fn move_on<'r>(
        &'r self,
        running: PoolRunning<'r, C>,
        failure: Failure,
        error: Error,
        sql: &str,
    ) -> QueryResult<PoolRoute<'r, C>> {
        let next = if failure == Failure::ReadOnly {
            running
                .refused_as_write_patiently::<TokioTimer>(sql, &self.context)
                .await
        } else {
            self.set.log_failure(running.node(), &error, failure);
            running
                .failed_patiently::<TokioTimer>(failure, &self.context)
                .await
        };
        match next {
            Next::Route(next) => Ok(next),
            Next::Refused(refusal) => Err(into_diesel(refusal.because(&error))),
            Next::Unchanged => Err(error),
        }
    }

    /// Where the statement goes after it has failed, if it may go anywhere.
    pub(super) async fn go_on<'r>(
        &'r self,
        slots: &mut Slots<C>,
        running: PoolRunning<'r, C>,
        error: Error,
        sql: &str,
    ) -> QueryResult<PoolRoute<'r, C>> {
        let node = running.node();
        let Some(failure) = failure_of(&error, slots, node, running.role()).await else {
            running.succeeded(&self.context);
            return Err(error);
        };
        if failure.ends_connection() {
            slots.discard(node);
        }
        let next = self.move_on(running, failure, error, sql).await?;
        self.reach(slots, next).await
    }

    /// Where a statement goes whose node does not answer at all.
    pub(super) async fn leave<'r>(
        &'r self,
        slots: &mut Slots<C>,
        running: PoolRunning<'r, C>,
    ) -> QueryResult<PoolRoute<'r, C>> {
        slots.discard(running.node());
        let next = running.silent(&self.context).map_err(into_diesel)?;
        self.reach(slots, next).await
    }

    /// The error to give where a read-only transaction was refused a write.
    pub(super) fn in_place_of(
        &self,
        error: Error,
        failure: Option<Failure>,
        transaction: Option<&OpenTransaction<NodePool<C>>>,
        sql: &str,
    ) -> Error {
        let (Some(Failure::ReadOnly), Some(open)) = (failure, transaction) else {
            return error;
        };
        let router = &self.router;
        let refusal = router.refused_in_transaction(&self.set, &open.node, open.access, sql);
        refusal.map_or(error, into_diesel)
    }
}

impl<C: AsyncRoutable> AsyncRoutedConnection<C> {
    /// Runs a statement, more than once only while the core says so.
    pub(super) async fn run<T: Send>(
        &mut self,
        kind: StatementKind,
        sql: &str,
        attempt: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<T>> + Send + Sync,
    ) -> QueryResult<T> {
        self.settle();
        if self.is_lost {
            return Err(Error::BrokenTransactionManager);
        }
        if self.transaction.is_some() {
            return self.run_inside(kind, sql, attempt).await;
        }
        let Self {
            pool,
            slots,
            in_flight,
            ..
        } = self;
        let mut route = pool.connect(slots, kind).await?;
        loop {
            let (node, span) = (route.node(), route.span());
            let (permit, running) = route.start();
            let connection = slots
                .permitted(permit)
                .ok_or(Error::BrokenTransactionManager)?;
            *in_flight = Some(Arc::clone(node));
            let attended = running.attend::<TokioTimer, _>(attempt(connection).instrument(span));
            let outcome = attended.await;
            if may_leave_open(kind) {
                slots.taint(node);
            }
            let next = match outcome {
                Some(Ok(value)) => {
                    running.succeeded(&pool.context);
                    Ok(Err(value))
                }
                // The connection may be asked something more.
                Some(Err(error)) => pool.go_on(slots, running, error, sql).await.map(Ok),
                None => pool.leave(slots, running).await.map(Ok),
            };
            *in_flight = None;
            match next? {
                Ok(next) => route = next,
                Err(value) => return Ok(value),
            }
        }
    }

    /// Runs a statement of the open transaction.
    pub(super) async fn run_inside<T: Send>(
        &mut self,
        kind: StatementKind,
        sql: &str,
        attempt: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<T>> + Send + Sync,
    ) -> QueryResult<T> {
        self.check(kind)?;
        if let Some(transaction) = &mut self.transaction
            && commits_implicitly(kind, DatabaseOf::<C>::DIALECT)
        {
            transaction.lose_track();
        }
        let node = self.transaction_node_arc()?;
        let connection = self
            .slots
            .connected(&node)
            .ok_or(Error::BrokenTransactionManager)?;
        self.in_flight = Some(Arc::clone(&node));
        let (router, set) = (&self.pool.router, &self.pool.set);
        let attended = router.attend::<TokioTimer, _>(set, &node, attempt(connection));
        let outcome = attended.await;
        self.in_flight = None;
        match outcome {
            Some(Ok(value)) => {
                self.saw(&node);
                Ok(value)
            }
            Some(Err(error)) => Err(self.failed_inside(error, sql).await),
            None => Err(self.left_alone(&node, kind)),
        }
    }

    /// The node of the open transaction does not answer any more: it will not be committed.
    pub(super) fn left_alone(
        &mut self,
        node: &Arc<Node<NodePool<C>>>,
        kind: StatementKind,
    ) -> Error {
        self.slots.discard(node);
        self.lose(OpenTransaction::ended_unknown);
        into_diesel(RoutingError::OutcomeUnknown {
            set: self.pool.set.name().clone(),
            node: node.name().clone(),
            kind,
        })
    }

    /// The session has seen what the open transaction's node shows.
    pub(super) fn saw(&self, node: &Node<NodePool<C>>) {
        let AsyncRoutedPool {
            router,
            set,
            context,
            ..
        } = &self.pool;
        router.saw(set, node, context);
    }

    /// The open transaction may have been committed, or has ended otherwise.
    pub(super) fn mark_end(&self, may_be_committed: bool) {
        let AsyncRoutedPool {
            router,
            set,
            context,
            ..
        } = &self.pool;
        match &self.transaction {
            Some(open) if may_be_committed && open.access == Access::Write => {
                router.wrote(set, context);
            }
            Some(open) => router.saw(set, &open.node, context),
            None => {}
        }
    }

    /// Checks a statement of the open transaction.
    pub(super) fn check(&self, kind: StatementKind) -> QueryResult<()> {
        let Some(transaction) = &self.transaction else {
            return Ok(());
        };
        let AsyncRoutedPool {
            router,
            set,
            context,
            ..
        } = &self.pool;
        router
            .check_in_transaction(set, &transaction.node, transaction.access, kind, context)
            .map_err(into_diesel)
    }

    /// The node of the open transaction.
    pub(super) fn transaction_node_arc(&self) -> QueryResult<Arc<Node<NodePool<C>>>> {
        let open = self.transaction.as_ref();
        open.map(|open| Arc::clone(&open.node))
            .ok_or(Error::NotInTransaction)
    }

    /// Takes note that a statement of the open transaction has failed; the error to give for it.
    pub(super) async fn failed_inside(&mut self, error: Error, sql: &str) -> Error {
        let Some(transaction) = &mut self.transaction else {
            return error;
        };
        transaction.statement_failed();
        let node = Arc::clone(&transaction.node);
        let failure = self.report(&error, &node).await;
        if ends_transaction(&error, DatabaseOf::<C>::DIALECT) {
            self.slots.discard(&node);
            self.lose(OpenTransaction::rolled_back);
        }
        self.pool
            .in_place_of(error, failure, self.transaction.as_ref(), sql)
    }

    /// Tells the router what an error says of a node, and the caller too.
    pub(super) async fn report(
        &mut self,
        error: &Error,
        node: &Arc<Node<NodePool<C>>>,
    ) -> Option<Failure> {
        self.in_flight = Some(Arc::clone(node));
        let role = self.pool.set.role_of(node);
        let failure = failure_of(error, &mut self.slots, node, role).await;
        self.in_flight = None;
        let failure = failure?;
        let AsyncRoutedPool { router, set, .. } = &self.pool;
        router.report_failure(set, node, failure);
        Some(failure)
    }
}

/// What the error says of the node; `None` is the user's error.
async fn failure_of<C: AsyncRoutable>(
    error: &Error,
    slots: &mut Slots<C>,
    node: &Arc<Node<NodePool<C>>>,
    role: Role,
) -> Option<Failure> {
    let dialect = DatabaseOf::<C>::DIALECT;
    match verdict(error, dialect, role) {
        Verdict::Users => None,
        Verdict::Failure(failure) => Some(failure),
        Verdict::Ask => {
            let connection = slots.connected(node)?;
            answers(connection.batch_execute(question(dialect)), dialect).await
        }
    }
}

/// `Lost` if a connection does not answer a question.
pub(super) async fn answers(
    asking: impl Future<Output = QueryResult<()>>,
    dialect: routing_core::sql::Dialect,
) -> Option<Failure> {
    match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
        Ok(answer) if is_alive(&answer, dialect) => None,
        Ok(_) | Err(_) => Some(Failure::Lost),
    }
}
