//! The session and the scopes that code runs in without naming them.
//!
//! The obvious place is a thread-local that a middleware fills and clears. Tasks change threads,
//! and many share one, so it would leak. A task-local of one runtime would tie the core to that
//! runtime. The rule here is that of `tracing`'s spans: a wrapper around a future sets a
//! thread-local for the length of each poll and puts the old value back, also when the poll
//! panics; a future that is dropped leaves nothing behind.
//!
//! What is polled elsewhere is outside: a task given to `spawn`, a stream that is handed out. Wrap
//! them in [`in_current_session`] or [`Session::run`].

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::config::rules::LatePin;
use crate::error::RoutingError;
use crate::names::SetName;
use crate::session::Session;
use crate::session::connection_state::{ConnectionState, Kept};
use crate::session::scope::{Scope, ScopeView, Scopes};

/// A session and the scopes that are open: what a handle holds, or what code runs in.
#[derive(Debug, Clone, Default)]
pub struct Context {
    session: Option<Session>,
    scopes: Scopes,
    /// Of a handle that keeps its connections.
    state: Option<ConnectionState>,
}

thread_local! {
    static CURRENT: RefCell<Context> = const {
        RefCell::new(Context { session: None, scopes: Scopes::none(), state: None })
    };
}

impl Context {
    /// What the code that calls this runs in.
    #[must_use]
    pub fn current() -> Self {
        Self::with_current(Self::clone)
    }

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

    /// The same with this session.
    #[must_use]
    pub fn with_session(mut self, session: &Session) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// The same with this scope inside those that are open.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes = self.scopes.with(scope);
        self
    }

    /// Its session, if it has one.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The same in the session that the caller runs in, unless it has one of its own: for what goes
    /// on where that is left.
    #[must_use]
    pub fn with_current_session(mut self) -> Self {
        if self.session.is_none() {
            self.session = Session::current();
        }
        self
    }

    /// The same for a handle that keeps its connections: what state they have is noted there.
    #[must_use]
    pub fn with_state(mut self, state: &ConnectionState) -> Self {
        self.state = Some(state.clone());
        self
    }

    /// The same without its session and scopes, in the scope of the primary.
    #[must_use]
    pub fn on_primary(&self) -> Self {
        Self {
            session: None,
            scopes: Scopes::none().with(Scope::primary()),
            state: self.state.clone(),
        }
    }

    /// The state of the connections that it keeps; `None` if it keeps none.
    #[inline]
    pub(crate) const fn state(&self) -> Option<&ConnectionState> {
        self.state.as_ref()
    }

    /// Whether the state that it has put into a connection is gone.
    pub(crate) fn has_lost_state(&self) -> bool {
        let state = self.state.as_ref();
        state.is_some_and(|state| state.kept() == Kept::Lost)
    }

    pub(crate) const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// While `look` runs, nothing can be entered on this thread: `look` is for reading.
    #[inline]
    pub(crate) fn with_current<T>(mut look: impl FnMut(&Self) -> T) -> T {
        let looked = CURRENT.try_with(|current| current.try_borrow().ok().map(|it| look(&it)));
        match looked {
            Ok(Some(answer)) => answer,
            // While a thread ends there is no thread-local any more, and no session either.
            Ok(None) | Err(_) => look(&Self::default()),
        }
    }

    /// Replaces the current context and returns the one before; `None` if nothing was replaced.
    fn swap(next: Self) -> Option<Self> {
        CURRENT
            .try_with(|current| {
                let mut current = current.try_borrow_mut().ok()?;
                Some(std::mem::replace(&mut *current, next))
            })
            .ok()
            .flatten()
    }
}

/// What is entered, over whatever is current then.
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

impl Session {
    /// The session that the caller runs in.
    #[must_use]
    pub fn current() -> Option<Self> {
        Context::with_current(|context| context.session.clone())
    }

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

    /// Pins a set: from now on its reads go to the primary, and a strict set takes writes.
    ///
    /// A session knows no router, so it takes any name, and no [`Observer`](crate::Observer) is
    /// told of a late pin. An adapter's handle can pin its own set, and has both.
    ///
    /// Best called before anything is read. A set that the session has read from a replica before
    /// is pinned late; what its [`LatePin`] says applies.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::Frozen`] inside a [`Scope::frozen`] that covers the set, unless it is
    ///   pinned already.
    /// - [`RoutingError::LatePin`] if it is late and the set's rules are `LatePin::Deny`.
    pub fn pin(&self, set: impl Into<SetName>) -> Result<(), RoutingError> {
        let set = set.into();
        let frozen = Context::with_current(|context| {
            ScopeView::new(&Scopes::none(), &context.scopes, &set).frozen
        });
        if self.slot(&set).declare(frozen)? == Some(LatePin::Warn) {
            warn_late_pin(&set, "pin");
        }
        Ok(())
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

pub(crate) fn warn_late_pin(set: &SetName, cause: &str) {
    tracing::warn!(
        target: "routing",
        set = set.as_str(),
        cause,
        "pinned after the session has read from a replica: it may rest on stale rows"
    );
}
