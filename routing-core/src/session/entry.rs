//! How a session, a scope or a whole context becomes the current one.
//!
//! The obvious place is a thread-local that a middleware fills and clears. Tasks change threads,
//! and many share one, so it would leak. A task-local of one runtime would tie the core to that
//! runtime. The rule here is that of `tracing`'s spans: a wrapper around a future sets a
//! thread-local for the length of each poll and puts the old value back, also when the poll
//! panics; a future that is dropped leaves nothing behind.
//!
//! A task given to `spawn`, or a stream that is handed out, is polled outside of the session. Wrap
//! them in [`in_current_session`] or [`Session::run`].

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::session::Session;
use crate::session::context::Context;
use crate::session::scope::{Scope, Scopes};

/// A session, a scope or a context to enter, over the context that is current then.
#[derive(Debug, Clone)]
enum Entry {
    Session(Session),
    Scope {
        scope: Scope,
        /// The list made last time, and what it was made over.
        made: Option<(Scopes, Scopes)>,
    },
    Context(Context),
}

impl Entry {
    fn over(&mut self, outer: &Context) -> Context {
        match self {
            Self::Session(session) => Context {
                session: Some(session.clone()),
                scopes: outer.scopes.clone(),
                state: None,
            },
            Self::Scope { scope, made } => {
                let scopes = match made {
                    Some((over, list)) if over.same(&outer.scopes) => list.clone(),
                    _ => {
                        let list = outer.scopes.with(scope.clone());
                        *made = Some((outer.scopes.clone(), list.clone()));
                        list
                    }
                };
                Context {
                    session: outer.session.clone(),
                    scopes,
                    state: None,
                }
            }
            Self::Context(context) => context.clone(),
        }
    }

    fn enter(&mut self) -> Entered {
        let inner = Context::with_current(|outer| self.over(outer));
        Entered {
            outer: Context::swap(inner),
            not_send: PhantomData,
        }
    }

    const fn wrap<T>(self, wrapped: T) -> InContext<T> {
        InContext {
            wrapped,
            entry: self,
        }
    }
}

/// Keeps a session or scope entered on this thread until it is dropped.
///
/// For synchronous code. It must not live across an `.await`, where the thread would go on to run
/// other tasks in this context; it is not `Send`, so that the compiler refuses most such uses.
#[derive(Debug)]
#[must_use = "the context is left when the guard is dropped"]
pub struct Entered {
    outer: Option<Context>,
    not_send: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(outer) = self.outer.take() {
            // The inner context is dropped here, when nothing is borrowed any more.
            drop(Context::swap(outer));
        }
    }
}

pin_project! {
    /// A future or a stream whose every poll runs in a session or a scope.
    #[derive(Debug)]
    #[must_use = "it does nothing unless polled"]
    pub struct InContext<T> {
        #[pin]
        wrapped: T,
        entry: Entry,
    }
}

#[cfg(feature = "tower")]
impl<T> InContext<T> {
    /// Does something with what is wrapped, inside.
    pub(crate) fn within<O>(self: Pin<&mut Self>, act: impl FnOnce(Pin<&mut T>) -> O) -> O {
        let this = self.project();
        let _entered = this.entry.enter();
        act(this.wrapped)
    }

    pub(crate) const fn get_ref(&self) -> &T {
        &self.wrapped
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.entry.enter();
        this.wrapped.poll(cx)
    }
}

impl<S: Stream> Stream for InContext<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let _entered = this.entry.enter();
        this.wrapped.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.wrapped.size_hint()
    }
}

/// Gives the session and the scopes of the caller to a task that is about to be spawned, or to a
/// stream that is about to be handed out.
///
/// ```
/// # fn spawn<F: Future<Output = ()>>(_: F) {}
/// use routing_core::in_current_session;
///
/// # async fn send_receipt() {}
/// spawn(in_current_session(async { send_receipt().await }));
/// ```
pub fn in_current_session<T>(wrapped: T) -> InContext<T> {
    Entry::Context(Context::current()).wrap(wrapped)
}

impl Context {
    /// Calls a function in this context: in a thread that may block, where the caller's session and
    /// scopes would be lost.
    ///
    /// ```
    /// use routing_core::{Context, Session};
    ///
    /// let session = Session::new();
    /// session.call(|| {
    ///     let context = Context::current();
    ///     // As `tokio::task::spawn_blocking` does.
    ///     let blocking = std::thread::spawn(move || context.call(Session::current));
    ///     assert!(blocking.join().is_ok_and(|current| current.is_some()));
    /// });
    /// ```
    pub fn call<T>(self, function: impl FnOnce() -> T) -> T {
        let _entered = Entry::Context(self).enter();
        function()
    }

    /// Runs a future, or a stream, in this context.
    pub fn run<T>(self, wrapped: T) -> InContext<T> {
        Entry::Context(self).wrap(wrapped)
    }
}

impl Session {
    /// Runs a future, or a stream, in this session: whatever it does through a routed connection
    /// that has no session of its own belongs to this one.
    ///
    /// ```
    /// # let runtime = |f: std::pin::Pin<Box<dyn Future<Output = ()>>>| {
    /// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     let mut f = f;
    /// #     assert!(f.as_mut().poll(&mut cx).is_ready());
    /// # };
    /// use routing_core::Session;
    ///
    /// # runtime(Box::pin(async {
    /// let pinned = Session::new()
    ///     .run(async {
    ///         let session = Session::current().expect("runs in a session");
    ///         session.pin("default").expect("nothing forbids it");
    ///         session.is_pinned("default")
    ///     })
    ///     .await;
    /// assert!(pinned);
    /// assert!(Session::current().is_none());
    /// # }));
    /// ```
    pub fn run<T>(&self, wrapped: T) -> InContext<T> {
        Entry::Session(self.clone()).wrap(wrapped)
    }

    /// Calls a function in this session.
    pub fn call<T>(&self, function: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        function()
    }

    /// Enters this session on this thread, until the guard is dropped.
    pub fn enter(&self) -> Entered {
        Entry::Session(self.clone()).enter()
    }
}

impl Scope {
    /// Runs a future, or a stream, in this scope.
    pub fn run<T>(self, wrapped: T) -> InContext<T> {
        self.into_entry().wrap(wrapped)
    }

    /// Calls a function in this scope.
    pub fn call<T>(self, function: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        function()
    }

    /// Enters this scope on this thread, until the guard is dropped.
    pub fn enter(self) -> Entered {
        self.into_entry().enter()
    }

    const fn into_entry(self) -> Entry {
        Entry::Scope {
            scope: self,
            made: None,
        }
    }
}
