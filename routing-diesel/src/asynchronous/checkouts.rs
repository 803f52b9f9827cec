//! The connections that a routed connection has checked out: one per node, and in the end at most
//! one per side.
//!
//! A cell can be filled through a shared reference, which pipelined statements have of it, and
//! emptied through an exclusive one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::connection::{CacheSize, TransactionManagerStatus, get_default_instrumentation};
use diesel::result::{Error, QueryResult};
use diesel_async::{AsyncConnection, TransactionManager};
#[cfg(feature = "async-postgres")]
use routing_core::PoolKey;
use routing_core::adapter::{AsyncConnections, BoxError, Connections, TokioTimer};
use routing_core::sql::Dialect;
use routing_core::{ConnectionState, Failure, Node, Permit, ReplicaSet, Role, Route, Timer};
use tokio::sync::OnceCell;

use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::{Checkout, NodePool};
use crate::database::Database;
use crate::error::Orm;
use crate::failure::{Verdict, is_alive, question, verdict};
use crate::instrumentation::Shared;

pub(super) struct Checkouts<C: AsyncRoutable> {
    cells: Vec<Cell<C>>,
    pub(super) instrumentation: Shared,
    pub(super) cache_size: Option<CacheSize>,
    /// The use of a connection, which stays recorded when the caller drops its future.
    in_flight: Option<InFlight<C>>,
    /// What the program has left in the connection to the primary.
    state: ConnectionState,
}

/// The use of a node's connection.
pub(super) struct InFlight<C: AsyncRoutable> {
    pub(super) node: Arc<Node<NodePool<C>>>,
    pub(super) purpose: Purpose,
}

/// Why a connection is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Statement,
    /// A transaction or a savepoint is begun or ended, but not committed.
    Control,
    Commit,
}

struct Cell<C: AsyncRoutable> {
    node: Arc<Node<NodePool<C>>>,
    /// With the node's generation when it was checked out.
    connection: OnceCell<(u32, Checkout<C>)>,
    /// Whether the connection is of no use any more, but could not be taken out yet.
    broken: AtomicBool,
    /// Whether it may be in a transaction that nobody counts, and must not go back to its pool.
    tainted: bool,
    /// Whether it was last used as a replica.
    is_replicas: bool,
}

impl<C: AsyncRoutable> Cell<C> {
    fn new(node: &Arc<Node<NodePool<C>>>) -> Self {
        Self {
            node: Arc::clone(node),
            connection: OnceCell::new(),
            broken: AtomicBool::new(false),
            tainted: false,
            is_replicas: false,
        }
    }
}

impl<C: AsyncRoutable> Checkouts<C> {
    pub(super) fn new(set: &ReplicaSet<NodePool<C>>, state: ConnectionState) -> Self {
        let nodes = set.nodes().into_iter();
        Self {
            cells: nodes.map(Cell::new).collect(),
            instrumentation: Shared::new(),
            cache_size: None,
            in_flight: None,
            state,
        }
    }

    async fn connect(&mut self, route: &Route<'_, NodePool<C>>) -> Result<(), (Failure, BoxError)> {
        let (node, key) = (route.node(), route.pool_key());
        let index = self.index(node).unwrap_or_else(|| {
            // It has come since.
            self.cells.push(Cell::new(node));
            self.cells.len() - 1
        });
        if route.role() == Role::Replica {
            for other in 0..self.cells.len() {
                if other != index && self.cells[other].is_replicas {
                    self.empty(other, false);
                }
            }
        }
        let generation = key.epoch();
        let cell = &mut self.cells[index];
        cell.is_replicas = route.role() == Role::Replica;
        let usable = match cell.connection.get_mut() {
            Some((of, connection)) => {
                !cell.broken.load(Ordering::Relaxed)
                    && *of == generation
                    && !is_broken::<C>(connection)
            }
            None => true,
        };
        if !usable {
            self.empty(index, true);
        }
        if self.cells[index].connection.get_mut().is_none() {
            let mut connection = node.pool().checkout(key).await?;
            self.adopt(&mut connection);
            self.cells[index].connection = OnceCell::from((generation, connection));
        }
        Ok(())
    }

    /// The connection for what is about to be done, which is written down until it [is
    /// over](Self::landed).
    ///
    /// # Errors
    ///
    /// `BrokenTransactionManager`, if it has been given up.
    #[expect(clippy::needless_pass_by_value, reason = "it uses the permit up")]
    pub(super) fn permitted(
        &mut self,
        permit: Permit<'_, NodePool<C>>,
        purpose: Purpose,
    ) -> QueryResult<&mut C> {
        let node = permit.node();
        self.in_flight = Some(InFlight {
            node: Arc::clone(node),
            purpose,
        });
        self.connected(node).ok_or(Error::BrokenTransactionManager)
    }

    /// Ends the use of a connection, and returns it if the caller had not ended it.
    pub(super) const fn landed(&mut self) -> Option<InFlight<C>> {
        self.in_flight.take()
    }

    /// Whether something was dropped half-way, which can only be put in order with exclusive access.
    #[cfg(feature = "async-postgres")]
    pub(super) fn is_controlling(&self) -> bool {
        let in_flight = self.in_flight.as_ref();
        in_flight.is_some_and(|in_flight| in_flight.purpose != Purpose::Statement)
    }

    /// The connection to a node through a shared reference.
    #[cfg(feature = "async-postgres")]
    pub(super) async fn share(
        &self,
        node: &Arc<Node<NodePool<C>>>,
        key: PoolKey<'_, NodePool<C>>,
    ) -> Result<&C, (Failure, BoxError)>
    where
        C: Sync,
    {
        let Some(index) = self.index(node) else {
            return Err(stranger());
        };
        if self.cells[index].broken.load(Ordering::Relaxed) {
            let error = "it broke while statements are pipelined over it";
            return Err((Failure::Busy, error.into()));
        }
        let checkout = async || {
            let generation = key.epoch();
            let mut connection = node.pool().checkout(key).await?;
            self.adopt(&mut connection);
            Ok((generation, connection))
        };
        let (of, connection) = self.cells[index]
            .connection
            .get_or_try_init(checkout)
            .await?;
        if *of != key.epoch() {
            // Others may be using it, so that it cannot be replaced here.
            let error = "it was made before the node's role or server changed; \
                         statements that are not pipelined, or another connection, replace it";
            return Err((Failure::Busy, error.into()));
        }
        Ok(connection)
    }

    fn adopt(&self, connection: &mut C) {
        if let Some(shared) = self.instrumentation.for_connection() {
            connection.set_instrumentation(shared);
        }
        if let Some(size) = self.cache_size {
            connection.set_prepared_statement_cache_size(size);
        }
    }

    /// The connection to a node, if it is there.
    pub(super) fn connected(&mut self, node: &Arc<Node<NodePool<C>>>) -> Option<&mut C> {
        let index = self.index(node)?;
        let (_, connection) = self.cells[index].connection.get_mut()?;
        Some(connection)
    }

    /// Has a node's connection closed when it is given back.
    pub(super) fn taint(&mut self, node: &Arc<Node<NodePool<C>>>) {
        if let Some(index) = self.index(node) {
            self.cells[index].tainted = true;
        }
    }

    /// Has a node's connection closed as soon as nobody uses it.
    #[cfg(feature = "async-postgres")]
    pub(super) fn mark_broken(&self, node: &Arc<Node<NodePool<C>>>) {
        if let Some(index) = self.index(node) {
            self.cells[index].broken.store(true, Ordering::Relaxed);
        }
    }

    /// Has a node's connection closed instead of giving it back.
    pub(super) fn discard(&mut self, node: &Arc<Node<NodePool<C>>>) {
        if let Some(index) = self.index(node) {
            self.empty(index, true);
        }
    }

    /// Gives a node's connection back, and has it closed if it is not as it was.
    pub(super) fn release(&mut self, node: &Arc<Node<NodePool<C>>>) {
        if let Some(index) = self.index(node) {
            self.empty(index, false);
        }
    }

    /// Tells the connections that are checked out what has been set.
    pub(super) fn settings_changed(&mut self) {
        for cell in &mut self.cells {
            let Some((_, connection)) = cell.connection.get_mut() else {
                continue;
            };
            if let Some(shared) = self.instrumentation.for_connection() {
                connection.set_instrumentation(shared);
            }
            if let Some(size) = self.cache_size {
                connection.set_prepared_statement_cache_size(size);
            }
        }
    }

    /// Gives all connections back.
    pub(super) fn release_all(&mut self) {
        for index in 0..self.cells.len() {
            self.empty(index, false);
        }
    }

    fn index(&self, node: &Arc<Node<NodePool<C>>>) -> Option<usize> {
        self.cells
            .iter()
            .position(|cell| Arc::ptr_eq(&cell.node, node))
    }

    fn empty(&mut self, index: usize, discard: bool) {
        let cell = &mut self.cells[index];
        let discard = discard
            | cell.broken.swap(false, Ordering::Relaxed)
            | std::mem::take(&mut cell.tainted);
        let Some((_, mut connection)) = cell.connection.take() else {
            return;
        };
        self.state.lose(&cell.node);
        if discard {
            C::TransactionManager::transaction_manager_status_mut(&mut *connection).set_in_error();
            return;
        }
        // Who has the connection next must not be heard by who has set an instrumentation on it.
        if self.instrumentation.for_connection().is_some() {
            connection.set_instrumentation(get_default_instrumentation());
        }
        if self.cache_size.is_some() {
            connection.set_prepared_statement_cache_size(CacheSize::Unbounded);
        }
    }
}

impl<C: AsyncRoutable> Connections for Checkouts<C> {
    type Pool = NodePool<C>;
    type Orm = Orm;

    fn give_back(&mut self, node: &Arc<Node<NodePool<C>>>, _: Role) {
        self.release(node);
    }

    fn close(&mut self, node: &Arc<Node<NodePool<C>>>, _: Role) {
        self.discard(node);
    }
}

impl<C: AsyncRoutable> AsyncConnections for Checkouts<C> {
    const CHECKS_OUT: bool = true;

    /// Takes the connection that is there, or checks one out.
    async fn check_out(
        &mut self,
        route: &Route<'_, NodePool<C>>,
    ) -> Result<(), (Failure, BoxError)> {
        self.connect(route).await
    }

    async fn classify(
        &mut self,
        error: &Error,
        node: &Arc<Node<NodePool<C>>>,
        role: Role,
    ) -> Option<Failure> {
        let dialect = DatabaseOf::<C>::DIALECT;
        match verdict(error, dialect, role) {
            Verdict::Users => None,
            Verdict::Failure(failure) => Some(failure),
            Verdict::Ask => {
                let connection = self.connected(node)?;
                answers(connection.batch_execute(question(dialect)), dialect).await
            }
        }
    }
}

/// How long a connection has to answer when it is asked whether it works.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// `Lost` if a connection does not answer a question.
pub(super) async fn answers(
    asking: impl Future<Output = QueryResult<()>> + Send,
    dialect: Dialect,
) -> Option<Failure> {
    match TokioTimer::within(ANSWER_TIMEOUT, asking).await {
        Some(answer) if is_alive(&answer, dialect) => None,
        Some(_) | None => Some(Failure::Lost),
    }
}

/// The depth of the transactions that are open on a connection.
pub(super) fn depth<C: AsyncRoutable>(connection: &mut C) -> Option<u32> {
    match C::TransactionManager::transaction_manager_status_mut(connection) {
        TransactionManagerStatus::Valid(status) => status.transaction_depth().map(u32::from),
        TransactionManagerStatus::InError => None,
    }
}

/// Whether Diesel has given a connection up. An open transaction is no reason to: it may be ours.
fn is_broken<C: AsyncRoutable>(connection: &mut C) -> bool {
    matches!(
        C::TransactionManager::transaction_manager_status_mut(connection),
        TransactionManagerStatus::InError
    )
}

/// A node of another set, which no route leads to.
#[cfg(feature = "async-postgres")]
fn stranger() -> (Failure, BoxError) {
    (Failure::Busy, "it is not a node of this set".into())
}
