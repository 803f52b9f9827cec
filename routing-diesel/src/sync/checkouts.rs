//! The connections that a routed connection has checked out: at most one per side.

use std::sync::Arc;

use diesel::connection::{
    CacheSize, Connection, TransactionManager, TransactionManagerStatus,
    get_default_instrumentation,
};
use diesel::r2d2::{ConnectionManager, PoolError, PooledConnection};
use diesel::result::{Error, QueryResult};
use routing_core::adapter::{BlockingConnections, BoxError, Connections};
use routing_core::{ConnectionState, Failure, Node, Permit, Role, Route};

use super::node_pool::NodePool;
use crate::database::{Database, Routable};
use crate::error::Orm;
use crate::failure::{Verdict, is_alive, question, verdict};
use crate::instrumentation::Shared;

pub(crate) struct Checkouts<C: Routable> {
    primary: Option<Checkout<C>>,
    replica: Option<Checkout<C>>,
    pub(crate) instrumentation: Shared,
    pub(crate) cache_size: Option<CacheSize>,
    /// What the program has left in the connection to the primary.
    state: ConnectionState,
}

struct Checkout<C: Routable> {
    node: Arc<Node<NodePool<C>>>,
    /// Of the node when it was checked out.
    generation: u32,
    connection: PooledConnection<ConnectionManager<C>>,
    /// What has been changed on it, to be changed back.
    instrumented: bool,
    resized: bool,
    /// Whether it may be in a transaction that nobody counts.
    tainted: bool,
}

impl<C: Routable> Checkouts<C> {
    pub(crate) fn new(state: ConnectionState) -> Self {
        Self {
            primary: None,
            replica: None,
            instrumentation: Shared::new(),
            cache_size: None,
            state,
        }
    }

    fn connect(&mut self, route: &Route<'_, NodePool<C>>) -> Result<(), (Failure, PoolError)> {
        let (node, side, key) = (route.node(), route.role(), route.pool_key());
        let generation = key.epoch();
        let place = self.place(side);
        let usable = place.as_mut().is_some_and(|checkout| {
            Arc::ptr_eq(&checkout.node, node)
                && checkout.generation == generation
                && !is_broken(&mut *checkout.connection)
        });
        if !usable {
            // Returned first: the pool may have no other.
            self.take(side);
            let connection = node.pool().checkout(key, || route.is_forsaken())?;
            let mut checkout = Checkout {
                node: Arc::clone(node),
                generation,
                connection,
                instrumented: false,
                resized: false,
                tainted: false,
            };
            checkout.adopt(&self.instrumentation, self.cache_size);
            *self.place(side) = Some(checkout);
        }
        Ok(())
    }

    /// The connection for a statement that may be sent.
    ///
    /// # Errors
    ///
    /// `BrokenTransactionManager`, if it has been given up.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "it uses the permit up")]
    pub(crate) fn permitted(&mut self, permit: Permit<'_, NodePool<C>>) -> QueryResult<&mut C> {
        let place = self.place(permit.role()).as_mut();
        let place = place.filter(|checkout| Arc::ptr_eq(&checkout.node, permit.node()));
        let connection = place.map(|checkout| &mut *checkout.connection);
        connection.ok_or(Error::BrokenTransactionManager)
    }

    /// The connection of a side, if it is there.
    #[inline]
    pub(crate) fn connected(&mut self, side: Role) -> Option<&mut C> {
        self.place(side)
            .as_mut()
            .map(|checkout| &mut *checkout.connection)
    }

    /// Gives a side's connection back, and has it closed if it is not as it was.
    pub(crate) fn release(&mut self, side: Role) {
        self.take(side);
    }

    /// Takes a side's connection out, and with it what was left in it.
    fn take(&mut self, side: Role) -> Option<Checkout<C>> {
        let checkout = self.place(side).take()?;
        if side == Role::Primary {
            self.state.lose(&checkout.node);
        }
        Some(checkout)
    }

    /// Has a side's connection closed instead of giving it back.
    pub(crate) fn discard(&mut self, side: Role) {
        if let Some(mut checkout) = self.take(side) {
            C::TransactionManager::transaction_manager_status_mut(&mut *checkout.connection)
                .set_in_error();
        }
    }

    /// Has Diesel take a side's connection for broken.
    pub(super) fn mark_broken(&mut self, side: Role) {
        if let Some(connection) = self.connected(side) {
            C::TransactionManager::transaction_manager_status_mut(connection).set_in_error();
        }
    }

    /// Has a side's connection closed when it is given back.
    pub(crate) fn taint(&mut self, side: Role) {
        if let Some(checkout) = self.place(side) {
            checkout.tainted = true;
        }
    }

    /// Tells the connections that are checked out what has been set.
    pub(crate) fn settings_changed(&mut self) {
        for checkout in [&mut self.primary, &mut self.replica].into_iter().flatten() {
            checkout.adopt(&self.instrumentation, self.cache_size);
        }
    }

    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut C> {
        let checkouts = [&mut self.primary, &mut self.replica];
        checkouts
            .into_iter()
            .flatten()
            .map(|checkout| &mut *checkout.connection)
    }

    fn place(&mut self, side: Role) -> &mut Option<Checkout<C>> {
        match side {
            Role::Primary => &mut self.primary,
            Role::Replica => &mut self.replica,
        }
    }
}

impl<C: Routable> Connections for Checkouts<C> {
    type Pool = NodePool<C>;
    type Orm = Orm;

    fn give_back(&mut self, _: &Arc<Node<NodePool<C>>>, role: Role) {
        self.release(role);
    }

    fn close(&mut self, _: &Arc<Node<NodePool<C>>>, role: Role) {
        self.discard(role);
    }
}

impl<C: Routable> BlockingConnections for Checkouts<C> {
    /// Takes the connection that is there, or checks one out.
    fn check_out(&mut self, route: &Route<'_, NodePool<C>>) -> Result<(), (Failure, BoxError)> {
        let connected = self.connect(route);
        connected.map_err(|(failure, error)| (failure, error.into()))
    }

    fn classify(
        &mut self,
        error: &Error,
        _: &Arc<Node<NodePool<C>>>,
        role: Role,
    ) -> Option<Failure> {
        let dialect = C::Backend::DIALECT;
        match verdict(error, dialect, role) {
            Verdict::Users => None,
            Verdict::Failure(failure) => Some(failure),
            Verdict::Ask => {
                let answer = self.connected(role)?.batch_execute(question(dialect));
                (!is_alive(&answer, dialect)).then_some(Failure::Lost)
            }
        }
    }
}

impl<C: Routable> Checkout<C> {
    fn adopt(&mut self, instrumentation: &Shared, cache_size: Option<CacheSize>) {
        if let Some(shared) = instrumentation.for_connection() {
            self.connection.set_instrumentation(shared);
            self.instrumented = true;
        }
        // Where a prepared statement does not last, nobody can have it kept.
        if let Some(size) = cache_size
            && self.node.pool().keeps_statements()
        {
            self.connection.set_prepared_statement_cache_size(size);
            self.resized = true;
        }
    }
}

/// Who has the connection next must not be heard by who has set an instrumentation on it.
impl<C: Routable> Drop for Checkout<C> {
    fn drop(&mut self) {
        if self.tainted {
            C::TransactionManager::transaction_manager_status_mut(&mut *self.connection)
                .set_in_error();
        }
        if self.instrumented {
            self.connection
                .set_instrumentation(get_default_instrumentation());
        }
        if self.resized {
            self.connection
                .set_prepared_statement_cache_size(CacheSize::Unbounded);
        }
    }
}

/// Whether Diesel has given a connection up. An open transaction is no reason to: it may be ours.
pub(super) fn is_broken<C: Routable>(connection: &mut C) -> bool {
    matches!(
        C::TransactionManager::transaction_manager_status_mut(connection),
        TransactionManagerStatus::InError
    )
}

/// The depth of the transactions that are open on a connection.
pub(crate) fn depth<C: Connection>(connection: &mut C) -> Option<u32> {
    match C::TransactionManager::transaction_manager_status_mut(connection) {
        TransactionManagerStatus::Valid(status) => status.transaction_depth().map(u32::from),
        TransactionManagerStatus::InError => None,
    }
}
