//! Statements whose end is of interest when nobody here looks any more.
//!
//! PostgreSQL answers a commit with a rollback if a statement has failed. One that was dropped, or
//! whose rows were not read to their end, may have: then it is asked before a commit is believed.
//! And a statement that writes and returns rows is committed after the last of them.

use std::pin::Pin;
#[cfg(feature = "async-postgres")]
use std::sync::Arc;
#[cfg(feature = "async-postgres")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use diesel::result::QueryResult;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

/// Raises a flag unless it is told that all went well.
#[cfg(feature = "async-postgres")]
pub(super) struct Watched {
    flag: Option<Arc<AtomicBool>>,
}

#[cfg(feature = "async-postgres")]
impl Watched {
    pub(super) const fn new(flag: Option<Arc<AtomicBool>>) -> Self {
        Self { flag }
    }

    /// The end was seen.
    pub(super) fn over(&mut self) {
        self.flag = None;
    }
}

#[cfg(feature = "async-postgres")]
impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(flag) = &self.flag {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

/// Rows that call somebody when they are dropped before their end, or also at their end.
pub(super) fn rows<R: Send + 'static>(
    rows: BoxStream<'static, QueryResult<R>>,
    call: impl FnOnce() + Send + 'static,
    also_at_end: bool,
) -> BoxStream<'static, QueryResult<R>> {
    WatchedRows {
        rows,
        call: Some(Box::new(call)),
        also_at_end,
    }
    .boxed()
}

struct WatchedRows<R> {
    rows: BoxStream<'static, QueryResult<R>>,
    call: Option<Box<dyn FnOnce() + Send>>,
    also_at_end: bool,
}

impl<R> Stream for WatchedRows<R> {
    type Item = QueryResult<R>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<QueryResult<R>>> {
        let this = self.get_mut();
        let polled = this.rows.poll_next_unpin(cx);
        if let Poll::Ready(None) = polled {
            let call = this.call.take();
            if let Some(call) = call.filter(|_| this.also_at_end) {
                call();
            }
        }
        polled
    }
}

impl<R> Drop for WatchedRows<R> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            call();
        }
    }
}
