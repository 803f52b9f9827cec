//! The first of two futures, of which only one has an outcome that counts.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// What `main` comes to; `None` if `other` is over first.
pub(crate) async fn race<M: Future, O: Future>(
    mut main: Pin<&mut M>,
    other: O,
) -> Option<M::Output> {
    let mut other = pin!(other);
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = main.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        other.as_mut().poll(cx).map(|_| None)
    })
    .await
}
