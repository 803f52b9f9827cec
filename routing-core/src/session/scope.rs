//! Stretches of code with an override.
//!
//! The obvious design is a field of the session that a scope sets and puts back. Two futures of
//! one session that run side by side would then see each other's scopes, and a panic or a dropped
//! future would leave one behind. So scopes are an immutable list: entering one makes a longer
//! list, which belongs to a handle or to the running future, and leaving it needs no action.

use std::sync::Arc;

use crate::names::{NodeName, SetName};

/// An override of the routing rule for a stretch of code: a handle, a future or a closure.
///
/// Scopes nest; of `primary`, `migration`, `prefer_primary`, `replica` and `node`, the innermost that applies
/// wins. Each covers all replica sets unless [`on`](Self::on) narrows it.
///
/// ```
/// use routing_core::Scope;
///
/// let report = Scope::replica().call(|| {
///     // Reads in here go to replicas even if the session is pinned: they may be stale.
///     21 * 2
/// });
/// assert_eq!(report, 42);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a scope does nothing until something runs in it"]
pub struct Scope {
    kind: ScopeKind,
    /// `None`: all sets.
    sets: Option<Arc<[SetName]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ScopeKind {
    Primary,
    Migration,
    PreferPrimary,
    Replica,
    Node(NodeName),
    Frozen,
    AmbiguousToReplica,
    ReadOnly,
}

impl Scope {
    /// Everything inside goes to the primary; writes inside neither pin the session nor move its
    /// later reads. The way to write a log line without leaving the replicas.
    pub const fn primary() -> Self {
        Self::new(ScopeKind::Primary)
    }

    /// Everything inside goes to the primary, in either mode, and what a statement writes is its session's own:
    /// the first write pins the session. For migrations; Diesel's are in such a scope by themselves.
    pub const fn migration() -> Self {
        Self::new(ScopeKind::Migration)
    }

    /// Reads inside go to the primary; if it does not answer, or is known to be down, to a replica that has what
    /// the session requires, and if there is none, they are refused. Without a session any replica will do, so
    /// that such a read may be stale. Writes inside follow the set's mode.
    pub const fn prefer_primary() -> Self {
        Self::new(ScopeKind::PreferPrimary)
    }

    /// Reads inside go to replicas, whatever the session has written: they may be stale. Writes
    /// inside follow the set's mode.
    pub const fn replica() -> Self {
        Self::new(ScopeKind::Replica)
    }

    /// Everything inside goes to the node of that name. A write is refused unless it is the
    /// primary, where it pins nobody, as in [`primary`](Self::primary). A node that is down is an
    /// error: a named node has no substitute.
    pub fn node(name: impl Into<NodeName>) -> Self {
        Self::new(ScopeKind::Node(name.into()))
    }

    /// No session can be pinned inside: what would pin one is the error
    /// [`Frozen`](crate::RoutingError::Frozen).
    pub const fn frozen() -> Self {
        Self::new(ScopeKind::Frozen)
    }

    /// Statements that are writes only because nobody knows what they do, and transactions that
    /// are not declared read-only, count as reads inside. Weak: it has no effect once the session
    /// is pinned, nor inside a `primary`, `migration` or `prefer_primary` scope.
    ///
    /// A transaction that is begun inside is read-only, wherever it goes: a write in it is the error
    /// [`WriteInReadOnlyTransaction`](crate::RoutingError::WriteInReadOnlyTransaction).
    pub const fn ambiguous_to_replica() -> Self {
        Self::new(ScopeKind::AmbiguousToReplica)
    }

    /// Writes inside are refused with
    /// [`WriteInReadOnlyScope`](crate::RoutingError::WriteInReadOnlyScope), before a server sees
    /// them, and so is what is not known to be a read. No scope inside lifts that, and it holds with
    /// routing switched off.
    pub const fn read_only() -> Self {
        Self::new(ScopeKind::ReadOnly)
    }

    /// The same override for these replica sets only.
    pub fn on<S: Into<SetName>>(mut self, sets: impl IntoIterator<Item = S>) -> Self {
        self.sets = Some(sets.into_iter().map(Into::into).collect());
        self
    }

    const fn new(kind: ScopeKind) -> Self {
        Self { kind, sets: None }
    }

    fn covers(&self, set: &SetName) -> bool {
        self.sets
            .as_ref()
            .is_none_or(|sets| sets.iter().any(|covered| covered.same(set)))
    }
}

/// The scopes that are open, innermost first.
#[derive(Debug, Clone, Default)]
pub struct Scopes(Option<Arc<Frame>>);

#[derive(Debug)]
struct Frame {
    scope: Scope,
    outer: Scopes,
}

/// One after the other: a list that grew in a loop is too long to be dropped by recursion.
impl Drop for Frame {
    fn drop(&mut self) {
        let mut outer = self.outer.0.take();
        while let Some(frame) = outer {
            outer = Arc::into_inner(frame).and_then(|mut frame| frame.outer.0.take());
        }
    }
}

impl Scopes {
    /// No scope at all.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// These scopes and `scope` inside them.
    #[must_use]
    pub fn with(&self, scope: Scope) -> Self {
        // Opening the innermost scope once more changes nothing, and lists stay short.
        match &self.0 {
            Some(innermost) if innermost.scope == scope => self.clone(),
            _ => Self(Some(Arc::new(Frame {
                scope,
                outer: self.clone(),
            }))),
        }
    }

    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Whether both are the very same list.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Scope> {
        std::iter::successors(self.0.as_deref(), |frame| frame.outer.0.as_deref())
            .map(|frame| &frame.scope)
    }
}

/// Where the innermost scope that applies sends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Override<'a> {
    Primary,
    Migration,
    PreferPrimary,
    Replica,
    Node(&'a NodeName),
}

/// What the open scopes say about one set.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ScopeView<'a> {
    /// For a read: the innermost that sends it somewhere.
    pub(crate) read: Option<Override<'a>>,
    /// For a write: the innermost of `primary`, `migration` and `node`, as the others do not apply to it.
    pub(crate) write: Option<Override<'a>>,
    pub(crate) frozen: bool,
    pub(crate) ambiguous_to_replica: bool,
    pub(crate) read_only: bool,
}

impl<'a> ScopeView<'a> {
    /// `inner` are a handle's own scopes, which are inside whatever its caller runs in.
    #[inline]
    pub(crate) fn new(inner: &'a Scopes, outer: &'a Scopes, set: &SetName) -> Self {
        let mut view = Self::default();
        if inner.is_none() && outer.is_none() {
            return view;
        }
        let mut primary = false;
        let scopes = inner.iter().chain(outer.iter());
        for scope in scopes.filter(|scope| scope.covers(set)) {
            let target = match &scope.kind {
                ScopeKind::Primary => Override::Primary,
                ScopeKind::Migration => Override::Migration,
                ScopeKind::PreferPrimary => Override::PreferPrimary,
                ScopeKind::Replica => Override::Replica,
                ScopeKind::Node(name) => Override::Node(name),
                ScopeKind::Frozen => {
                    view.frozen = true;
                    continue;
                }
                ScopeKind::AmbiguousToReplica => {
                    view.ambiguous_to_replica = true;
                    continue;
                }
                ScopeKind::ReadOnly => {
                    view.read_only = true;
                    continue;
                }
            };
            primary |= !matches!(target, Override::Replica | Override::Node(_));
            view.read.get_or_insert(target);
            if !matches!(target, Override::Replica | Override::PreferPrimary) {
                view.write.get_or_insert(target);
            }
        }
        view.ambiguous_to_replica &= !primary;
        view
    }
}
