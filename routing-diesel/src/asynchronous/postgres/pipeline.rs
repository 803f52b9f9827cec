//! Statements that are sent before the answers to those before them are there.
//!
//! diesel-async pipelines what is run through `&mut &connection`. A routed connection does the same
//! for the statements that go to one node: its connection is checked out once, by the first.

use std::borrow::Cow;
use std::sync::Arc;

use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::adapter::{
    AsyncConnections, AsyncStatement, Attempt, BoxError, Connections, TokioTimer, run, run_in,
};
use routing_core::sql::Dialect;
use routing_core::{Failure, Node, PoolKey, Role, Route, StatementKind};

use super::{PgRow, first_row};
use crate::asynchronous::checkouts::{Checkouts, answers};
use crate::asynchronous::connection::AsyncRoutedConnection;
use crate::asynchronous::driver::Rows;
use crate::asynchronous::driver::{Dynamic, MaybeId, OwnedQuery, Static};
use crate::asynchronous::node_pool::NodePool;
use crate::asynchronous::traits::Prepared;
use crate::error::Orm;
use crate::failure::{Verdict, may_leave_open, question, verdict};
use crate::kinds::Examine;

type Routed = AsyncRoutedConnection<AsyncPgConnection>;
type Pool = NodePool<AsyncPgConnection>;

/// The connections through a shared reference, and the one that the next statement uses.
struct Shared<'a> {
    checkouts: &'a Checkouts<AsyncPgConnection>,
    used: Option<&'a AsyncPgConnection>,
}

impl Shared<'_> {
    async fn share(
        &mut self,
        node: &Arc<Node<Pool>>,
        key: PoolKey<'_, Pool>,
    ) -> Result<(), (Failure, BoxError)> {
        self.used = Some(self.checkouts.share(node, key).await?);
        Ok(())
    }
}

impl Connections for Shared<'_> {
    type Pool = Pool;
    type Orm = Orm;

    fn give_back(&mut self, node: &Arc<Node<Pool>>, _: Role) {
        self.checkouts.mark_broken(node);
    }

    fn close(&mut self, node: &Arc<Node<Pool>>, _: Role) {
        self.checkouts.mark_broken(node);
    }
}

impl AsyncConnections for Shared<'_> {
    const CHECKS_OUT: bool = true;

    async fn check_out(&mut self, route: &Route<'_, Pool>) -> Result<(), (Failure, BoxError)> {
        self.share(route.node(), route.pool_key()).await
    }

    async fn classify(
        &mut self,
        error: &Error,
        _: &Arc<Node<Pool>>,
        role: Role,
    ) -> Option<Failure> {
        match verdict(error, Dialect::Postgres, role) {
            Verdict::Users => None,
            Verdict::Failure(failure) => Some(failure),
            Verdict::Ask => {
                let mut connection = self.used?;
                let question = question(Dialect::Postgres);
                answers(connection.batch_execute(question), Dialect::Postgres).await
            }
        }
    }
}

/// A statement beside others, by what sends it.
struct Beside<'s, S> {
    sql: &'s str,
    sends: S,
}

/// What sends a statement over a connection that others use too.
trait Sends: Send + Sync {
    type Output: Send;

    fn send<'c>(
        &self,
        connection: &'c AsyncPgConnection,
    ) -> BoxFuture<'c, QueryResult<Self::Output>>;
}

/// A query that returns rows.
struct Load<M>(OwnedQuery<AsyncPgConnection, M>);

impl<M: MaybeId> Sends for Load<M> {
    type Output = Rows<AsyncPgConnection>;

    fn send<'c>(
        &self,
        mut connection: &'c AsyncPgConnection,
    ) -> BoxFuture<'c, QueryResult<Rows<AsyncPgConnection>>> {
        first_row(connection.load(self.0.clone())).boxed()
    }
}

/// A query that returns a count.
struct Count<M>(OwnedQuery<AsyncPgConnection, M>);

impl<M: MaybeId> Sends for Count<M> {
    type Output = usize;

    fn send<'c>(&self, mut connection: &'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<usize>> {
        connection.execute_returning_count(self.0.clone())
    }
}

/// A text of several statements.
struct Batch(Arc<str>);

impl Sends for Batch {
    type Output = ();

    fn send<'c>(&self, mut connection: &'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<()>> {
        let sql = Arc::clone(&self.0);
        async move { connection.batch_execute(&sql).await }.boxed()
    }
}

impl<S: Sends> AsyncStatement<Shared<'_>> for Beside<'_, S> {
    type Output = S::Output;

    async fn send(
        &mut self,
        shared: &mut Shared<'_>,
        attempt: Attempt<'_, Pool>,
    ) -> QueryResult<S::Output> {
        let node = attempt.permit.node().name().as_str();
        tracing::trace!(target: "routing", node, "pipelined");
        let connection = shared.used.ok_or(Error::BrokenTransactionManager)?;
        self.sends.send(connection).await
    }

    fn sql(&self) -> Cow<'_, str> {
        self.sql.into()
    }
}

impl Routed {
    /// Runs a statement beside others; more than once only while the engine says so.
    async fn run_beside<S: Sends>(
        &self,
        kind: StatementKind,
        sql: &str,
        sends: S,
    ) -> QueryResult<(S::Output, Arc<Node<Pool>>)> {
        self.home.run(self.send_beside(kind, sql, sends)).await
    }

    async fn send_beside<S: Sends>(
        &self,
        kind: StatementKind,
        sql: &str,
        sends: S,
    ) -> QueryResult<(S::Output, Arc<Node<Pool>>)> {
        not_control(kind)?;
        if self.checkouts.is_controlling() || self.nesting.has_dropped() || self.is_lost {
            // Something was dropped half-way, and can only be put in order with exclusive access.
            return Err(Error::BrokenTransactionManager);
        }
        let mut shared = Shared {
            checkouts: &self.checkouts,
            used: None,
        };
        let mut statement = Beside { sql, sends };
        let Some(transaction) = &self.transaction else {
            let call = self.handle.call();
            let done = run::<TokioTimer, _, _>(call, kind, &mut shared, &mut statement).await?;
            return Ok((done.value, Arc::clone(done.node)));
        };
        if transaction.is_lost() {
            return Err(Error::BrokenTransactionManager);
        }
        let key = self.handle.set.pool_key(transaction.node());
        let connected = shared.share(transaction.node(), key).await;
        connected.map_err(|_| Error::BrokenTransactionManager)?;
        // Dropped half-way, it may have failed.
        let mut pending = transaction.innermost().pending();
        let (open, context) = (&**transaction, &self.handle.context);
        let running =
            run_in::<TokioTimer, _, _>(open, kind, context, &mut shared, &mut statement).await;
        match running {
            Ok(value) => {
                pending.succeeded();
                Ok((value, Arc::clone(transaction.node())))
            }
            Err(error) => Err(error),
        }
    }

    fn load_beside<'a, M: MaybeId>(
        &'a self,
        prepared: Prepared<AsyncPgConnection>,
    ) -> BoxFuture<'a, QueryResult<Rows<AsyncPgConnection>>> {
        async move {
            let (parts, kind) = prepared?;
            let query = OwnedQuery::<AsyncPgConnection, M>::new(parts);
            let load = Load(query.clone());
            let loaded = self.run_beside(kind, query.sql(), load).await?;
            Ok(self.watch(loaded, kind))
        }
        .boxed()
    }

    fn execute_beside<'a, M: MaybeId>(
        &'a self,
        prepared: Prepared<AsyncPgConnection>,
    ) -> BoxFuture<'a, QueryResult<usize>> {
        async move {
            let (parts, kind) = prepared?;
            let query = OwnedQuery::<AsyncPgConnection, M>::new(parts);
            let count = Count(query.clone());
            let (count, _) = self.run_beside(kind, query.sql(), count).await?;
            Ok(count)
        }
        .boxed()
    }
}

impl SimpleAsyncConnection for &Routed {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let this: &Routed = self;
        let kind = this.handle.examine(query)?;
        this.run_beside(kind, query, Batch(query.into())).await?;
        Ok(())
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

/// A transaction cannot begin or end while other statements are on their way.
fn not_control(kind: StatementKind) -> QueryResult<()> {
    match kind {
        kind if may_leave_open(kind) => {
            let message = "a transaction cannot be begun or ended among pipelined statements";
            Err(Error::QueryBuilderError(message.into()))
        }
        _ => Ok(()),
    }
}
