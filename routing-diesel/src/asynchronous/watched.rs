//! Rows whose end is of interest when the caller may not look any more.
//!
//! PostgreSQL answers a commit with a rollback if a statement has failed. One that was dropped, or
//! whose rows were not read to their end, may have: then it is asked before a commit is believed.
//! And a statement that writes and returns rows is committed after the last of them.
//!
//! The other drivers have all rows before they return the first.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use diesel::result::QueryResult;
use futures_util::{Stream, StreamExt};
use routing_core::adapter::{Home, NextRow, Pending, TokioTimer, WatchedRows};
use routing_core::{Context as RoutingContext, Failure, Role, StatementKind};

use super::driver::{AsyncRoutable, DatabaseOf, Rows};
use super::node_pool::NodePool;
use crate::database::Database;
use crate::error::into_diesel;
use crate::failure::{Verdict, verdict};

/// Rows that arrive one by one, and the use of them.
pub(super) struct Arriving<C: AsyncRoutable> {
    pub(super) rows: WatchedRows<NodePool<C>, Rows<C>, TokioTimer>,
    pub(super) kind: StatementKind,
    pub(super) role: Role,
    pub(super) home: Home,
    pub(super) belongs_to: BelongsTo,
    pub(super) has_broken_off: bool,
}

/// What the rows are part of.
pub(super) enum BelongsTo {
    /// A read outside of a transaction.
    Read,
    /// A write outside of a transaction; nothing when it was recorded.
    Write(Option<RoutingContext>),
    /// A transaction, which may have failed until the rows have ended well; nothing when they have.
    Transaction(Pending),
}

impl<C: AsyncRoutable> Arriving<C> {
    fn failed(&mut self, error: &diesel::result::Error) {
        let dialect = DatabaseOf::<C>::DIALECT;
        match verdict(error, dialect, self.role) {
            Verdict::Failure(failure) if failure != Failure::ReadOnly => {
                self.rows.set().report_failure(self.rows.node(), failure);
            }
            _ => {}
        }
        self.break_off();
    }

    /// No row follows that says how the statement has ended.
    fn break_off(&mut self) {
        self.has_broken_off = true;
        if let BelongsTo::Write(writer) = &mut self.belongs_to
            && let Some(writer) = writer.take()
        {
            self.rows.set().record_untracked_write(&writer);
        }
    }

    fn over(&mut self) {
        if self.has_broken_off {
            return;
        }
        match &mut self.belongs_to {
            BelongsTo::Read => {}
            BelongsTo::Write(writer) => {
                if let Some(writer) = writer.take() {
                    self.rows.set().record_write(&writer);
                }
            }
            BelongsTo::Transaction(pending) => pending.succeeded(),
        }
    }
}

impl<C: AsyncRoutable> Stream for Arriving<C> {
    type Item = QueryResult<C::OwnedRow>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let _entered = this.home.enter();
        let Poll::Ready(next) = this.rows.poll_next_unpin(cx) else {
            return Poll::Pending;
        };
        Poll::Ready(match next {
            Some(NextRow::Row(row)) => Some(row.inspect_err(|error| this.failed(error))),
            Some(NextRow::TimedOut) => {
                this.break_off();
                let is_read = matches!(this.belongs_to, BelongsTo::Read);
                Some(Err(into_diesel(this.rows.timed_out(this.kind, is_read))))
            }
            None => {
                this.over();
                None
            }
        })
    }
}

/// Rows that the caller has not read, and that have arrived, are looked at for the end.
const MOST_UNREAD: usize = 16;

impl<C: AsyncRoutable> Arriving<C> {
    /// Looks whether the rows have ended, without waiting: a caller who wants one row does not ask for more.
    fn look_for_end(&mut self) {
        let _entered = self.home.enter();
        let mut nobody = Context::from_waker(Waker::noop());
        for _ in 0..MOST_UNREAD {
            match self.rows.poll_next_unpin(&mut nobody) {
                Poll::Ready(Some(NextRow::Row(Ok(_)))) => {}
                Poll::Ready(Some(NextRow::Row(Err(error)))) => return self.failed(&error),
                Poll::Ready(None) => return self.over(),
                Poll::Ready(Some(NextRow::TimedOut)) | Poll::Pending => return,
            }
        }
    }
}

/// When the server is done with a write whose rows did not arrive to their end, the router does not see.
impl<C: AsyncRoutable> Drop for Arriving<C> {
    fn drop(&mut self) {
        let wants_end = match &self.belongs_to {
            BelongsTo::Read => false,
            BelongsTo::Write(writer) => writer.is_some(),
            BelongsTo::Transaction(pending) => pending.is_pending(),
        };
        if wants_end && !self.has_broken_off {
            self.look_for_end();
        }
        self.break_off();
    }
}
