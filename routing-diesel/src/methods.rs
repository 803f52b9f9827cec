//! What a routed connection offers beside the ORM's traits, of either kind.

/// The methods that both kinds of connection have.
macro_rules! connection_methods {
    ($name:ident, $bound:ident) => {
        impl<C: $bound> $name<C> {
            /// Calls back after the outermost commit is acknowledged, in the order of the calls; at once
            /// if no transaction is open, as each statement is committed by itself then.
            ///
            /// The commit stands, whatever the callback does. It is called inside the commit, so it must
            /// not block in asynchronous code. A transaction that is ended by a text that the router does
            /// not understand (`COMMIT AND CHAIN`), or that MySQL or MariaDB may have committed because of
            /// DDL or a procedure in it, calls nothing. [`Committed::position`] is `None`.
            pub fn on_commit(&mut self, callback: impl FnOnce(&Committed) + Send + 'static) {
                self.settle();
                match &self.transaction {
                    Some(transaction) => transaction.callbacks().on_commit(callback),
                    None => callback(&Committed::new(self.set_name().clone())),
                }
            }

            /// Calls back after the transaction or savepoint that is open now, or one around it, is
            /// rolled back. When the outcome of a commit is unknown, neither callback is called.
            pub fn on_rollback(&mut self, callback: impl FnOnce() + Send + 'static) {
                self.settle();
                if let Some(transaction) = &self.transaction {
                    transaction.callbacks().on_rollback(callback);
                }
            }

            /// The node that a transaction is open on, if one is.
            #[must_use]
            pub fn transaction_node(&self) -> Option<&NodeName> {
                self.transaction.as_ref().map(|open| open.node().name())
            }

            /// Pins the session of this connection, or the one that its caller runs in.
            ///
            /// # Errors
            ///
            /// `NoSession` if there is none, `Frozen` and `LatePin` as for [`Session::pin`].
            pub fn pin(&self) -> QueryResult<()> {
                let pinned = self.handle.set.pin(&self.handle.context);
                pinned.map_err(into_diesel)
            }

            /// The session that this connection belongs to.
            #[must_use]
            pub const fn session(&self) -> Option<&Session> {
                self.handle.context.session()
            }

            /// The name of the replica set that this connection looks at.
            #[must_use]
            pub fn set_name(&self) -> &SetName {
                self.handle.set.name()
            }
        }

        impl<C: $bound> fmt::Debug for $name<C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("set", self.set_name())
                    .field("transaction", &self.transaction_node())
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use connection_methods;
