//! The session and the scopes that code runs in without naming them.
//!
//! [`entry`](super::entry) makes one current.

use std::cell::RefCell;

use crate::config::rules::LatePin;
use crate::error::RoutingError;
use crate::names::SetName;
use crate::session::Session;
use crate::session::connection_state::{ConnectionState, Kept};
use crate::session::scope::{Scope, ScopeView, Scopes};

/// A session and the scopes that are open: what a handle holds, or what code runs in.
#[derive(Debug, Clone, Default)]
pub struct Context {
    pub(super) session: Option<Session>,
    pub(super) scopes: Scopes,
    /// Of a handle that keeps its connections.
    pub(super) state: Option<ConnectionState>,
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
    pub(super) fn swap(next: Self) -> Option<Self> {
        CURRENT
            .try_with(|current| {
                let mut current = current.try_borrow_mut().ok()?;
                Some(std::mem::replace(&mut *current, next))
            })
            .ok()
            .flatten()
    }
}

impl Session {
    /// The session that the caller runs in.
    #[must_use]
    pub fn current() -> Option<Self> {
        Context::with_current(|context| context.session.clone())
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

pub(crate) fn warn_late_pin(set: &SetName, cause: &str) {
    tracing::warn!(
        target: "routing",
        set = set.as_str(),
        cause,
        "pinned after the session has read from a replica: it may rest on stale rows"
    );
}
