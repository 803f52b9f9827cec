//! The parts and the public methods of every routed handle.

use std::fmt;
use std::sync::Arc;

use crate::adapter::engine::Call;
use crate::cluster::replica_set::ReplicaSet;
use crate::error::RoutingError;
use crate::execute::router::Router;
use crate::names::SetName;
use crate::session::Session;
use crate::session::context::Context;
use crate::session::scope::Scope;

/// A router, the set that a handle looks at, and the session and scopes of its own.
#[expect(
    clippy::exhaustive_structs,
    reason = "it is the parts of an adapter's handle"
)]
pub struct Handle<P> {
    /// The router.
    pub router: Arc<Router<P>>,
    /// The set that the handle looks at.
    pub set: Arc<ReplicaSet<P>>,
    /// The session and the scopes that the handle has of its own.
    pub context: Context,
}

impl<P> Handle<P> {
    /// A handle to the router's default set.
    #[must_use]
    pub fn new(router: Arc<Router<P>>) -> Self {
        Self {
            set: Arc::clone(router.default_set()),
            router,
            context: Context::default(),
        }
    }

    /// The same in this session.
    #[must_use]
    pub fn with_session(&self, session: &Session) -> Self {
        Self {
            context: self.context.clone().with_session(session),
            ..self.clone()
        }
    }

    /// The same in the session that its caller runs in, unless it has one of its own.
    #[must_use]
    pub fn with_current_session(&self) -> Self {
        Self {
            context: self.context.clone().with_current_session(),
            ..self.clone()
        }
    }

    /// The same in this scope.
    #[must_use]
    pub fn scoped(&self, scope: Scope) -> Self {
        Self {
            context: self.context.clone().with_scope(scope),
            ..self.clone()
        }
    }

    /// The same without its session and scopes, in the scope of the primary.
    #[must_use]
    pub fn on_primary(&self) -> Self {
        Self {
            context: self.context.on_primary(),
            ..self.clone()
        }
    }

    /// A handle to another set.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`] if there is none of that name.
    pub fn on_set(&self, set: impl Into<SetName>) -> Result<Self, RoutingError> {
        let set = Arc::clone(self.router.set(set)?);
        Ok(Self {
            set,
            ..self.clone()
        })
    }

    /// A handle to the set of a caller's value.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`] if the delegate names a set that does not exist.
    pub fn for_key(&self, key: &str) -> Result<Self, RoutingError> {
        let set = Arc::clone(self.router.set_of_key(key)?);
        Ok(Self {
            set,
            ..self.clone()
        })
    }

    /// For the engine: a statement on the handle's set.
    #[must_use]
    pub fn call(&self) -> Call<'_, '_, P> {
        self.call_on(&self.set)
    }

    /// For the engine: a statement on this set.
    #[must_use]
    pub fn call_on<'a>(&'a self, set: &'a Arc<ReplicaSet<P>>) -> Call<'a, 'a, P> {
        Call {
            router: &self.router,
            set,
            caller: &self.context,
        }
    }
}

impl<P> Clone for Handle<P> {
    fn clone(&self) -> Self {
        Self {
            router: Arc::clone(&self.router),
            set: Arc::clone(&self.set),
            context: self.context.clone(),
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for Handle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("set", self.set.name())
            .field("nodes", &self.set.nodes())
            .finish_non_exhaustive()
    }
}

/// Implements [`Routed`](crate::Routed), `Clone`, `Debug` and the public methods of a routed handle.
///
/// The handle's type has the field `handle`, and those in `fields` with what they are at first. `error` is
/// the error of its methods, and `into_error` makes it from a [`RoutingError`].
#[macro_export]
macro_rules! routed_handle {
    (
        impl[$($bounds:tt)*] $name:ident $(<$($parameter:ident),+>)?,
        pool: $pool:ty,
        error: $error:ty,
        into_error: $into_error:expr,
        $(fields: { $($field:ident: $first:expr),+ },)?
    ) => {
        impl<$($bounds)*> $crate::Routed for $name $(<$($parameter),+>)? {
            type Pool = $pool;

            fn over(router: ::std::sync::Arc<$crate::Router<$pool>>) -> Self {
                Self {
                    handle: $crate::adapter::Handle::new(router),
                    $($($field: $first,)+)?
                }
            }
        }

        impl<$($bounds)*> $name $(<$($parameter),+>)? {
            /// A handle over the nodes of a configuration. No server need be up: each node is connected
            /// to when it is first used.
            ///
            /// # Errors
            ///
            /// [`RoutingError::Config`](routing_core::RoutingError::Config) if a URL does not fit the
            /// driver, or if the driver's feature is not enabled.
            pub fn new(
                config: &$crate::RoutingConfig,
            ) -> ::std::result::Result<Self, $crate::RoutingError> {
                Self::builder(config).build()
            }

            /// As [`new`](Self::new), with a clock, an observer or a balancer.
            pub fn builder(config: &$crate::RoutingConfig) -> $crate::RoutedBuilder<Self> {
                $crate::RoutedBuilder::from_config(config)
            }

            /// A handle whose statements belong to `session`, whatever session its caller runs in.
            #[must_use]
            pub fn with_session(&self, session: &$crate::Session) -> Self {
                Self {
                    handle: self.handle.with_session(session),
                    $($($field: self.$field,)+)?
                }
            }

            /// A handle whose statements are in `scope`, inside the scopes that its caller runs in.
            #[must_use]
            pub fn scoped(&self, scope: $crate::Scope) -> Self {
                Self {
                    handle: self.handle.scoped(scope),
                    $($($field: self.$field,)+)?
                }
            }

            /// A handle to another replica set of the same configuration.
            ///
            /// # Errors
            ///
            /// [`RoutingError::UnknownSet`](routing_core::RoutingError::UnknownSet) if the configuration
            /// has none of that name.
            pub fn on_set(
                &self,
                set: impl ::std::convert::Into<$crate::SetName>,
            ) -> ::std::result::Result<Self, $error> {
                let handle = self.handle.on_set(set).map_err($into_error)?;
                Ok(Self {
                    handle,
                    $($($field: self.$field,)+)?
                })
            }

            /// A handle to the replica set of a caller's value, such as a tenant.
            ///
            /// The builder's [`Delegate`](routing_core::Delegate) maps values to sets. Without one, and
            /// for a value that it does not map, the handle looks at the default set.
            ///
            /// # Errors
            ///
            /// [`RoutingError::UnknownSet`](routing_core::RoutingError::UnknownSet) if the delegate names
            /// a set that does not exist.
            pub fn for_key(&self, key: &str) -> ::std::result::Result<Self, $error> {
                let handle = self.handle.for_key(key).map_err($into_error)?;
                Ok(Self {
                    handle,
                    $($($field: self.$field,)+)?
                })
            }

            /// Pins the session of this handle, or the one that its caller runs in, on this handle's set:
            /// as [`Session::pin`](routing_core::Session::pin), with no name to misspell.
            ///
            /// # Errors
            ///
            /// `NoSession` if there is none, `Frozen` and `LatePin` as for `Session::pin`.
            pub fn pin(&self) -> ::std::result::Result<(), $error> {
                let pinned = self.handle.set.pin(&self.handle.context);
                pinned.map_err($into_error)
            }

            /// The state of all nodes as the router knows it now, without asking a server.
            ///
            /// The first call starts the monitors, as the first statement does: replicas are `unseen`
            /// until they answer.
            #[must_use]
            pub fn status(&self) -> $crate::Status {
                self.handle.router.start_background_of_all();
                self.handle.router.status_with_pools()
            }

            /// Whether this handle's set takes no writes now: its primary is down or read-only, and no
            /// other node has taken its place.
            #[must_use]
            pub fn service_read_only(&self) -> bool {
                self.handle.router.start_background_of_all();
                self.handle.set.is_read_only()
            }

            /// Applies another configuration of the same sets while the handle is in use.
            ///
            /// Replicas are added and removed; weights and lag limits change. The router applies all of
            /// it or, if something is wrong, nothing. Statements on a removed node go on.
            ///
            /// # Errors
            ///
            /// [`RoutingError::Config`](routing_core::RoutingError::Config) with all mistakes: a set more
            /// or less, rules that cannot change in use, a primary that is removed, a node of the same
            /// name that has changed.
            pub fn reconfigure(
                &self,
                config: &$crate::RoutingConfig,
            ) -> ::std::result::Result<(), $crate::RoutingError> {
                self.handle.router.reconfigure(config)?;
                self.handle.router.start_background_of_all();
                Ok(())
            }

            /// Has a replica of this handle's set take no new statements, or again. Statements on it go
            /// on.
            ///
            /// # Errors
            ///
            /// [`RoutingError::UnknownNode`](routing_core::RoutingError::UnknownNode) if there is none of
            /// that name.
            pub fn drain(
                &self,
                node: impl ::std::convert::Into<$crate::NodeName>,
                is_drained: bool,
            ) -> ::std::result::Result<(), $crate::RoutingError> {
                self.handle.set.drain(&node.into(), is_drained)
            }

            /// Changes the lag limits of this handle's set; `LagLimits::NONE` sets none.
            pub fn set_lag_limits(&self, limits: $crate::LagLimits) {
                self.handle.set.set_lag_limits(limits);
            }

            /// The name of the replica set that this handle looks at.
            #[must_use]
            pub fn set_name(&self) -> &$crate::SetName {
                self.handle.set.name()
            }

            /// The session that this handle has of its own.
            #[must_use]
            pub const fn session(&self) -> ::std::option::Option<&$crate::Session> {
                self.handle.context.session()
            }
        }
    };
}

/// Implements the asynchronous `catch_up` of a routed handle.
#[macro_export]
macro_rules! catch_up {
    (impl[$($bounds:tt)*] $name:ident $(<$($parameter:ident),+>)?, timer: $timer:ty $(,)?) => {
        impl<$($bounds)*> $name $(<$($parameter),+>)? {
            /// Waits until a replica has what the session of this handle, or the one that its caller runs
            /// in, requires; returns whether the session's reads go to a replica now.
            ///
            /// It is for a job that can wait. After `false` nothing need be done: reads go to the
            /// primary. For a pinned session it returns at once.
            pub async fn catch_up(&self, within: ::std::time::Duration) -> bool {
                let handle = &self.handle;
                handle.router.start_background(&handle.set);
                handle.set.catch_up::<$timer>(&handle.context, within).await
            }
        }
    };
    (impl[$($bounds:tt)*] $name:ident $(<$($parameter:ident),+>)?, blocking $(,)?) => {
        impl<$($bounds)*> $name $(<$($parameter),+>)? {
            /// Blocks until a replica has what the session of this handle, or the one that its caller
            /// runs in, requires; returns whether the session's reads go to a replica now.
            ///
            /// It is for a job that can wait. After `false` nothing need be done: reads go to the
            /// primary. For a pinned session it returns at once.
            #[must_use]
            pub fn catch_up(&self, within: ::std::time::Duration) -> bool {
                let handle = &self.handle;
                handle.router.start_background(&handle.set);
                handle.set.catch_up_blocking(&handle.context, within)
            }
        }
    };
}
