//! Rows that arrive one by one from a node that may fall silent.

use std::fmt;
use std::future::{Future, pending};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::decide::admission::node_unavailable;
use crate::error::RoutingError;
use crate::sql::kind::StatementKind;
use crate::time::timer::Timer;

type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A stream of rows that ends when its node does not answer any more.
///
/// It costs nothing while the next row is there when it is asked for.
pub struct WatchedRows<P, S, T> {
    rows: S,
    set: Arc<ReplicaSet<P>>,
    node: Arc<Node<P>>,
    /// While a row is awaited.
    watch: Option<Watch>,
    has_timed_out: bool,
    timer: PhantomData<fn() -> T>,
}

/// An item of a watched stream.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an adapter has to handle each")]
pub enum NextRow<R> {
    /// The driver's row, or its error.
    Row(R),
    /// The node does not answer any more; no row follows.
    TimedOut,
}

impl<P, S, T> WatchedRows<P, S, T> {
    /// Watches rows of this node.
    pub fn new(rows: S, set: &Arc<ReplicaSet<P>>, node: &Arc<Node<P>>) -> Self {
        Self {
            rows,
            set: Arc::clone(set),
            node: Arc::clone(node),
            watch: None,
            has_timed_out: false,
            timer: PhantomData,
        }
    }

    /// The node that the rows come from.
    #[must_use]
    pub const fn node(&self) -> &Arc<Node<P>> {
        &self.node
    }

    /// The set of the node.
    #[must_use]
    pub const fn set(&self) -> &Arc<ReplicaSet<P>> {
        &self.set
    }

    /// The error for rows that timed out. A read outside of a transaction may be repeated; the outcome of
    /// any other statement is unknown.
    #[must_use]
    pub fn timed_out(&self, kind: StatementKind, is_read_outside: bool) -> RoutingError {
        if is_read_outside {
            return node_unavailable(&self.set, &self.node, None);
        }
        let (set, node) = (self.set.name().clone(), self.node.name().clone());
        RoutingError::OutcomeUnknown { set, node, kind }
    }
}

impl<P, S, T> Stream for WatchedRows<P, S, T>
where
    P: Send + Sync + 'static,
    S: Stream + Unpin,
    T: Timer,
{
    type Item = NextRow<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.has_timed_out {
            return Poll::Ready(None);
        }
        if let Poll::Ready(row) = Pin::new(&mut this.rows).poll_next(cx) {
            this.watch = None;
            return Poll::Ready(row.map(NextRow::Row));
        }
        let (set, node) = (&this.set, &this.node);
        let watch = this.watch.get_or_insert_with(|| {
            let (set, node) = (Arc::clone(set), Arc::clone(node));
            Box::pin(async move {
                let _left = set.watch_for_silence::<T, _>(&node, pending::<()>()).await;
            })
        });
        if watch.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.watch = None;
        this.has_timed_out = true;
        Poll::Ready(Some(NextRow::TimedOut))
    }
}

impl<P, S, T> fmt::Debug for WatchedRows<P, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedRows")
            .field("node", self.node.name())
            .finish_non_exhaustive()
    }
}
