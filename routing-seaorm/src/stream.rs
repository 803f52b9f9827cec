//! Rows one by one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt;
use sea_orm::{
    DbBackend, DbErr, QueryResult, QueryStream, Statement, StatementBuilder, StreamTrait,
    TransactionStream,
};

use crate::execution::{BoxFuture, Text};
use crate::failure::{Verdict, verdict};
use crate::handle::RoutedConnection;
use crate::pool::NodePool;
use crate::statement::kind_of;
use crate::transaction::RoutedTransaction;
use routing_core::{
    Access, Classifier, Context as RoutingContext, Failure, Node, ReplicaSet, Role, Router,
    StatementKind,
};

/// The rows of a statement.
///
/// A stream from a connection has asked for its first row before it is handed out, as that is the
/// last moment at which the statement can go to another node.
#[must_use = "streams do nothing unless polled"]
pub struct RoutedStream<'a>(Source<'a>);

type Row = Result<QueryResult, DbErr>;

enum Source<'a> {
    Connection {
        first: Option<Row>,
        rest: Box<QueryStream>,
        watch: Box<Watch>,
    },
    Transaction {
        rows: Box<TransactionStream<'a>>,
        transaction: &'a RoutedTransaction,
        sql: String,
    },
    /// A stream that had no first row.
    Empty,
}

/// Who is told if the rows break off.
struct Watch {
    router: Arc<Router<NodePool>>,
    set: Arc<ReplicaSet<NodePool>>,
    node: Arc<Node<NodePool>>,
    role: Role,
    sql: String,
    /// Whether it writes; then it has done so when the rows are over.
    writes: Option<RoutingContext>,
}

impl Watch {
    fn over(&mut self) {
        if let Some(context) = self.writes.take() {
            self.router.wrote(&self.set, &context);
        }
    }

    fn failed(&self, error: &DbErr) {
        match verdict(error, self.node.pool().backend(), self.role) {
            Verdict::Failure(Failure::ReadOnly) => {
                self.router
                    .report_disguised_write(&self.set, &self.node, &self.sql);
            }
            Verdict::Failure(failure) => {
                self.router.report_failure(&self.set, &self.node, failure);
            }
            Verdict::Users | Verdict::TimedOut => {}
        }
    }
}

/// Nobody wants more of the rows: when the server is done with the statement, nobody will see.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(context) = self.writes.take() {
            self.router.wrote_out_of_sight(&self.set, &context);
        }
    }
}

impl Stream for RoutedStream<'_> {
    type Item = Row;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Row>> {
        match &mut self.get_mut().0 {
            Source::Connection { first, rest, watch } => match first.take() {
                Some(row) => Poll::Ready(Some(row)),
                None => {
                    let polled = rest.poll_next_unpin(cx);
                    match &polled {
                        Poll::Ready(Some(Err(error))) => watch.failed(error),
                        Poll::Ready(None) => watch.over(),
                        Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                    }
                    polled
                }
            },
            Source::Transaction {
                rows,
                transaction,
                sql,
            } => {
                let polled = rows.poll_next_unpin(cx);
                // The statement is sent when the first row is asked for.
                transaction.saw();
                polled.map_err(|error| transaction.failed_midway(error, sql))
            }
            Source::Empty => Poll::Ready(None),
        }
    }
}

impl RoutedConnection {
    async fn open(
        &self,
        statement: Statement,
        kind_of: fn(&str, &Classifier) -> StatementKind,
    ) -> Result<RoutedStream<'_>, DbErr> {
        let set = self.set_of(&statement.sql)?;
        let kind = kind_of(&statement.sql, set.classifier());
        let sql = statement.sql.clone();
        let done = self
            .run(set, kind, Text::Built(statement), |attempt| {
                Box::pin(async move {
                    let rows = attempt.connection.stream_raw(attempt.statement).await?;
                    let mut rest = Box::new(rows);
                    let first = rest.next().await.transpose()?;
                    Ok(first.map(|row| (Ok(row), rest)))
                })
            })
            .await?;
        Ok(RoutedStream(match done.value {
            None => Source::Empty,
            Some((first, rest)) => Source::Connection {
                first: Some(first),
                rest,
                watch: Box::new(Watch {
                    router: Arc::clone(&self.router),
                    set: Arc::clone(set),
                    node: Arc::clone(done.node),
                    role: done.role,
                    sql,
                    writes: (done.access == Access::Write)
                        .then(|| self.context.clone().with_current_session()),
                }),
            },
        }))
    }
}

impl StreamTrait for RoutedConnection {
    type Stream<'a> = RoutedStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        self.get_database_backend()
    }

    fn stream_raw<'a>(&'a self, stmt: Statement) -> BoxFuture<'a, Result<RoutedStream<'a>, DbErr>> {
        Box::pin(self.open(stmt, |sql, classifier| classifier.kind_of(sql)))
    }

    fn stream<'a, S: StatementBuilder + Sync>(
        &'a self,
        stmt: &S,
    ) -> BoxFuture<'a, Result<RoutedStream<'a>, DbErr>> {
        let built = self.get_database_backend().build(stmt);
        Box::pin(self.open(built, kind_of::<S>))
    }
}

impl RoutedTransaction {
    async fn open(
        &self,
        kind: StatementKind,
        statement: Statement,
    ) -> Result<RoutedStream<'_>, DbErr> {
        self.check(kind, &statement.sql)?;
        let sql = statement.sql.clone();
        let rows = self
            .run(self.transaction.stream_raw(statement), || sql.clone())
            .await?;
        Ok(RoutedStream(Source::Transaction {
            rows: Box::new(rows),
            transaction: self,
            sql,
        }))
    }
}

impl StreamTrait for RoutedTransaction {
    type Stream<'a> = RoutedStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        self.get_database_backend()
    }

    fn stream_raw<'a>(&'a self, stmt: Statement) -> BoxFuture<'a, Result<RoutedStream<'a>, DbErr>> {
        let kind = self.kind_of_text(&stmt.sql);
        Box::pin(self.open(kind, stmt))
    }

    fn stream<'a, S: StatementBuilder + Sync>(
        &'a self,
        stmt: &S,
    ) -> BoxFuture<'a, Result<RoutedStream<'a>, DbErr>> {
        let built = self.get_database_backend().build(stmt);
        let kind = kind_of::<S>(&built.sql, self.set.classifier());
        Box::pin(self.open(kind, built))
    }
}

impl std::fmt::Debug for RoutedStream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedStream").finish_non_exhaustive()
    }
}
