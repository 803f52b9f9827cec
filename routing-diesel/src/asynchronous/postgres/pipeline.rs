//! Statements that are sent before the answers to those before them are there.
//!
//! diesel-async pipelines what is run through `&mut &connection`. A routed connection does the same
//! for the statements that go to one node: its connection is checked out once, by the first.

use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::sql::Dialect;
use routing_core::{Failure, Node, Permit, Role, StatementKind};
use tracing::Instrument;

use super::{PgRow, first_row};
use crate::asynchronous::connection::AsyncRoutedConnection;
use crate::asynchronous::driver::Rows;
use crate::asynchronous::execution::answers;
use crate::asynchronous::node_pool::NodePool;
use crate::asynchronous::owned_query::{Dynamic, MaybeId, OwnedQuery, Static};
use crate::asynchronous::probing::TokioTimer;
use crate::asynchronous::traits::Prepared;
use crate::asynchronous::watched::Watched;
use crate::error::into_diesel;
use crate::failure::{Verdict, question, verdict};
use crate::kinds::Examine;

type Routed = AsyncRoutedConnection<AsyncPgConnection>;

impl Routed {
    /// Runs a statement beside others; more than once only while the core says so.
    async fn run_beside<'a, T: Send>(
        &'a self,
        kind: StatementKind,
        sql: &str,
        attempt: impl Fn(&'a AsyncPgConnection) -> BoxFuture<'a, QueryResult<T>> + Send + Sync,
    ) -> QueryResult<T> {
        if self.controlling.is_some() || self.is_lost {
            // Something was dropped half-way, and can only be put in order by who has it alone.
            return Err(Error::BrokenTransactionManager);
        }
        if let Some(transaction) = &self.transaction {
            self.check(kind)?;
            let footing = self.pool.set.footing(&transaction.node);
            let shared = self.slots.share(&transaction.node, footing).await;
            let connection = shared.map_err(|_| Error::BrokenTransactionManager)?;
            // Dropped half-way, nobody has seen how it went.
            let mut watched = Watched::new(transaction.failure_flag());
            let outcome = attempt(connection).await;
            watched.over();
            let error = match outcome {
                Ok(value) => {
                    self.saw(&transaction.node);
                    return Ok(value);
                }
                Err(error) => error,
            };
            transaction.statement_failed();
            let role = transaction.side;
            let failure = self.failure_beside(&error, connection, role).await;
            if let Some(failure) = failure {
                let (router, set) = (&self.pool.router, &self.pool.set);
                router.report_failure(set, &transaction.node, failure);
            }
            let open = self.transaction.as_ref();
            return Err(self.pool.in_place_of(error, failure, open, sql));
        }
        let mut route = self.pool.route(kind).await?;
        loop {
            let node: &Node<NodePool<_>> = route.node();
            let shared = self.slots.share(route.node(), route.footing());
            let connection = match shared.await {
                Ok(connection) => connection,
                Err((failure, error)) => {
                    route = self.pool.pass_over(route, failure, error).await?;
                    continue;
                }
            };
            if !route.holds_patiently::<TokioTimer>().await {
                // It was waited for, and the node is not what it was.
                self.slots.mark_broken(route.node());
                let anew = route.decide_anew(&self.pool.context);
                route = anew.map_err(into_diesel)?;
                continue;
            }
            tracing::trace!(target: "routing", node = node.name().as_str(), "pipelined");
            let span = route.span();
            let (permit, running) = route.start();
            let sending = attempt(used(permit, connection)).instrument(span);
            match running.attend::<TokioTimer, _>(sending).await {
                Some(Ok(value)) => {
                    running.succeeded(&self.pool.context);
                    return Ok(value);
                }
                Some(Err(error)) => {
                    let role = running.role();
                    match self.failure_beside(&error, connection, role).await {
                        None => {
                            running.succeeded(&self.pool.context);
                            return Err(error);
                        }
                        Some(failure) => {
                            if failure.ends_connection() {
                                self.slots.mark_broken(running.node());
                            }
                            route = self.pool.move_on(running, failure, error, sql).await?;
                        }
                    }
                }
                None => {
                    self.slots.mark_broken(running.node());
                    route = running.silent(&self.pool.context).map_err(into_diesel)?;
                }
            }
        }
    }

    async fn failure_beside(
        &self,
        error: &Error,
        mut connection: &AsyncPgConnection,
        role: Role,
    ) -> Option<Failure> {
        match verdict(error, Dialect::Postgres, role) {
            Verdict::Users => None,
            Verdict::Failure(failure) => Some(failure),
            Verdict::Ask => {
                let question = question(Dialect::Postgres);
                answers(connection.batch_execute(question), Dialect::Postgres).await
            }
        }
    }

    fn load_beside<'a, M: MaybeId>(
        &'a self,
        prepared: Prepared<AsyncPgConnection>,
    ) -> BoxFuture<'a, QueryResult<Rows<AsyncPgConnection>>> {
        async move {
            let (parts, kind) = prepared?;
            not_control(kind)?;
            let query = OwnedQuery::<AsyncPgConnection, M>::new(parts);
            let rows = self
                .run_beside(kind, query.sql(), |mut connection| {
                    first_row(connection.load(query.clone())).boxed()
                })
                .await?;
            Ok(self.watch(rows, kind))
        }
        .boxed()
    }

    fn execute_beside<'a, M: MaybeId>(
        &'a self,
        prepared: Prepared<AsyncPgConnection>,
    ) -> BoxFuture<'a, QueryResult<usize>> {
        async move {
            let (parts, kind) = prepared?;
            not_control(kind)?;
            let query = OwnedQuery::<AsyncPgConnection, M>::new(parts);
            self.run_beside(kind, query.sql(), |mut connection| {
                connection.execute_returning_count(query.clone())
            })
            .await
        }
        .boxed()
    }
}

impl SimpleAsyncConnection for &Routed {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let this: &Routed = self;
        let kind = this.pool.examine(query)?;
        not_control(kind)?;
        let query = query.to_owned();
        this.run_beside(kind, &query, |mut connection| {
            let query = query.clone();
            async move { connection.batch_execute(&query).await }.boxed()
        })
        .await
    }
}

impl<'a> AsyncConnectionCore for &'a Routed {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'a, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'a, QueryResult<Rows<AsyncPgConnection>>>;
    type Stream<'conn, 'query> = Rows<AsyncPgConnection>;
    type Row<'conn, 'query> = PgRow;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let prepared = self.prepare(&source.as_query());
        if T::Query::HAS_STATIC_QUERY_ID {
            self.load_beside::<Static<<T::Query as QueryId>::QueryId>>(prepared)
        } else {
            self.load_beside::<Dynamic>(prepared)
        }
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let prepared = self.prepare(&source);
        if T::HAS_STATIC_QUERY_ID {
            self.execute_beside::<Static<T::QueryId>>(prepared)
        } else {
            self.execute_beside::<Dynamic>(prepared)
        }
    }
}

/// The connection for a statement that may be sent.
fn used<'a>(
    _: Permit<'_, NodePool<AsyncPgConnection>>,
    connection: &'a AsyncPgConnection,
) -> &'a AsyncPgConnection {
    connection
}

/// A transaction cannot begin or end while other statements are on their way.
fn not_control(kind: StatementKind) -> QueryResult<()> {
    match kind {
        StatementKind::Transaction | StatementKind::Multiple => {
            let message = "a transaction cannot be begun or ended among pipelined statements";
            Err(Error::QueryBuilderError(message.into()))
        }
        _ => Ok(()),
    }
}
