//! Rows one by one.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt;
use routing_core::adapter::{AsyncStatement, Attempt, NextRow, TokioTimer, WatchedRows};
use routing_core::{Access, Classifier, Context as RoutingContext, Failure, Role, StatementKind};
use sea_orm::{
    DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement, StatementBuilder, StreamTrait,
};

use crate::connections::{BoxFuture, Inside, Pools, Target, Via};
use crate::error::into_db_err;
use crate::failure::{Verdict, verdict};
use crate::handle::RoutedConnection;
use crate::pool::NodePool;
use crate::read_only::ReadOnly;
use crate::statement::kind_of;
use crate::transaction::RoutedTransaction;

/// The rows of a statement.
///
/// A stream has asked for its first row before it is handed out, as that is the last moment at which the
/// statement can go to another node. If its node does not answer any more, it ends with an error.
#[must_use = "streams do nothing unless polled"]
pub struct RoutedStream<'a> {
    first: Option<Row>,
    rest: Option<Rest<'a>>,
}

type Row = Result<QueryResult, DbErr>;
type Rows<'a> = Pin<Box<dyn Stream<Item = Row> + Send + 'a>>;

struct Rest<'a> {
    rows: WatchedRows<NodePool, Rows<'a>, TokioTimer>,
    reports: Reports<'a>,
    sql: String,
    kind: StatementKind,
}

/// Where the rows come from, and what is to be recorded of them.
enum Reports<'a> {
    Statement {
        role: Role,
        /// The session of a write, which is done when the rows are over.
        writer: Option<RoutingContext>,
    },
    Transaction(&'a RoutedTransaction),
}

impl Rest<'_> {
    fn over(&mut self) {
        if let Reports::Statement { writer, .. } = &mut self.reports
            && let Some(writer) = writer.take()
        {
            self.rows.set().record_write(&writer);
        }
    }

    /// The rows are not read to their end: when the server is done with a write, the router does not see it.
    fn break_off(&mut self) {
        if let Reports::Statement { writer, .. } = &mut self.reports
            && let Some(writer) = writer.take()
        {
            self.rows.set().record_untracked_write(&writer);
        }
    }

    fn shown(&self) {
        if let Reports::Transaction(transaction) = &self.reports {
            transaction.open.record(&transaction.context);
        }
    }

    /// The error to return for rows that break off.
    fn failed(&mut self, error: DbErr) -> DbErr {
        self.break_off();
        let (set, node) = (self.rows.set(), self.rows.node());
        let role = match &self.reports {
            Reports::Statement { role, .. } => *role,
            Reports::Transaction(transaction) => transaction.open.role(),
        };
        let failure = match verdict(&error, node.pool().backend(), role) {
            Verdict::Failure(failure) => Some(failure),
            Verdict::Users | Verdict::TimedOut => None,
        };
        match (&self.reports, failure) {
            (Reports::Transaction(transaction), failure) => {
                transaction.level.fail();
                let may_go_on = failure.is_some_and(Failure::may_go_on);
                transaction
                    .open
                    .record_failure(may_go_on, &transaction.context);
                let is_deadlock = crate::failure::is_deadlock(&error);
                let refusal = transaction
                    .open
                    .failed(failure, is_deadlock, || self.sql.clone());
                return refusal.map_or(error, into_db_err);
            }
            (Reports::Statement { .. }, Some(Failure::ReadOnly)) => {
                set.report_disguised_write(node, &self.sql);
            }
            (Reports::Statement { .. }, Some(Failure::NotOnStandby)) => {
                set.report_primary_read(node, &self.sql);
            }
            (Reports::Statement { .. }, Some(failure)) => {
                set.report_failure(node, failure);
            }
            (Reports::Statement { .. }, None) => {}
        }
        error
    }

    /// The error to return when the node does not answer any more.
    fn timed_out(&self) -> DbErr {
        into_db_err(match &self.reports {
            Reports::Transaction(transaction) => {
                transaction.level.fail();
                transaction.open.record_failure(true, &transaction.context);
                transaction.open.timed_out(self.kind)
            }
            Reports::Statement { writer, .. } => self.rows.timed_out(self.kind, writer.is_none()),
        })
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.break_off();
    }
}

impl Stream for RoutedStream<'_> {
    type Item = Row;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Row>> {
        let this = self.get_mut();
        if let Some(row) = this.first.take() {
            return Poll::Ready(Some(row));
        }
        let Some(rest) = &mut this.rest else {
            return Poll::Ready(None);
        };
        let Poll::Ready(next) = rest.rows.poll_next_unpin(cx) else {
            return Poll::Pending;
        };
        Poll::Ready(match next {
            Some(NextRow::Row(Ok(row))) => {
                rest.shown();
                Some(Ok(row))
            }
            Some(NextRow::Row(Err(error))) => Some(Err(rest.failed(error))),
            Some(NextRow::TimedOut) => {
                let error = rest.timed_out();
                // What a write has done is not known.
                this.rest = None;
                Some(Err(error))
            }
            None => {
                rest.over();
                None
            }
        })
    }
}

/// Opens a stream, and has its first row.
struct Open {
    statement: Statement,
}

type Opened<'c> = (Option<Row>, Rows<'c>);

impl AsyncStatement<Via<Pools>> for Open {
    type Output = Opened<'static>;

    async fn send(
        &mut self,
        via: &mut Via<Pools>,
        attempt: Attempt<'_, NodePool>,
    ) -> Result<Opened<'static>, DbErr> {
        let connection = via.0.connection(attempt.permit);
        let mut rows = Box::pin(connection.stream_raw(self.statement.clone()).await?);
        let first = rows.next().await.transpose()?;
        Ok((first.map(Ok), rows))
    }

    fn sql(&self) -> Cow<'_, str> {
        self.statement.sql.as_str().into()
    }
}

impl<'t> AsyncStatement<Via<Inside<'t>>> for Open {
    type Output = Opened<'t>;

    async fn send(
        &mut self,
        via: &mut Via<Inside<'t>>,
        _: Attempt<'_, NodePool>,
    ) -> Result<Opened<'t>, DbErr> {
        let transaction: &'t DatabaseTransaction = via.0.0;
        let mut rows = Box::pin(transaction.stream_raw(self.statement.clone()).await?);
        let first = rows.next().await.transpose()?;
        Ok((first.map(Ok), rows))
    }

    fn sql(&self) -> Cow<'_, str> {
        self.statement.sql.as_str().into()
    }
}

impl RoutedConnection {
    async fn open_stream(
        &self,
        statement: Statement,
        kind_of: fn(&str, &Classifier) -> StatementKind,
    ) -> Result<RoutedStream<'_>, DbErr> {
        let set = self.set_of(&statement.sql)?;
        let kind = kind_of(&statement.sql, set.classifier());
        let sql = statement.sql.clone();
        let open = Open { statement };
        let done = self.run(set, kind, open).await?;
        let (first, rows) = done.value;
        let writer = || self.handle.context.clone().with_current_session();
        let rest = first.is_some().then(|| Rest {
            rows: WatchedRows::new(rows, set, done.node),
            reports: Reports::Statement {
                role: done.role,
                writer: (done.access == Access::Write).then(writer),
            },
            sql,
            kind,
        });
        Ok(RoutedStream { first, rest })
    }
}

impl RoutedTransaction {
    async fn open_stream(
        &self,
        statement: Statement,
        kind_of: fn(&str, &Classifier) -> StatementKind,
    ) -> Result<RoutedStream<'_>, DbErr> {
        self.check_tables(&statement.sql)?;
        let kind = self.note(kind_of(&statement.sql, self.open.set().classifier()));
        let sql = statement.sql.clone();
        let open = Open { statement };
        let (first, rows) = self.run(kind, open).await?;
        let rest = first.is_some().then(|| Rest {
            rows: WatchedRows::new(rows, self.open.set(), self.open.node()),
            reports: Reports::Transaction(self),
            sql,
            kind,
        });
        Ok(RoutedStream { first, rest })
    }
}

macro_rules! stream_trait {
    ($connection:ty, |$this:ident| $inner:expr) => {
        impl StreamTrait for $connection {
            type Stream<'a> = RoutedStream<'a>;

            fn get_database_backend(&self) -> DbBackend {
                self.get_database_backend()
            }

            fn stream_raw<'a>(
                &'a self,
                stmt: Statement,
            ) -> BoxFuture<'a, Result<RoutedStream<'a>, DbErr>> {
                let $this = self;
                Box::pin($inner.open_stream(stmt, |sql, classifier| classifier.kind_of(sql)))
            }

            fn stream<'a, S: StatementBuilder + Sync>(
                &'a self,
                stmt: &S,
            ) -> BoxFuture<'a, Result<RoutedStream<'a>, DbErr>> {
                let $this = self;
                let built = self.get_database_backend().build(stmt);
                Box::pin($inner.open_stream(built, kind_of::<S>))
            }
        }
    };
}

stream_trait!(RoutedConnection, |this| this);
stream_trait!(RoutedTransaction, |this| this);
stream_trait!(ReadOnly, |this| this.0);

impl std::fmt::Debug for RoutedStream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedStream").finish_non_exhaustive()
    }
}
