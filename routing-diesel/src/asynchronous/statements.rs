//! The statements that the engine sends over diesel-async's connections.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use diesel::result::QueryResult;
use diesel_async::{TransactionManager, UpdateAndFetchResults};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::adapter::{AsyncStatement, Attempt};
use routing_core::{Access, Node};

use super::checkouts::{Checkouts, Purpose, depth};
use super::driver::{AsyncRoutable, DatabaseOf, Rows};
use super::driver::{MaybeId, OwnedQuery};
use super::node_pool::NodePool;
use crate::database::{Database, begin_read_only};
use crate::transaction::savepoint;

/// A statement that returns a count, by the function that sends it.
pub(super) struct Statement<'s, F> {
    sql: &'s str,
    send: F,
    purpose: Purpose,
    /// Whether its connection may be left in a transaction that Diesel does not count.
    taints: bool,
}

impl<'s, F> Statement<'s, F> {
    pub(super) const fn new(sql: &'s str, send: F) -> Self {
        Self {
            sql,
            send,
            purpose: Purpose::Statement,
            taints: false,
        }
    }

    /// One that may leave a transaction open.
    pub(super) const fn tainting(mut self, taints: bool) -> Self {
        self.taints = taints;
        self
    }

    /// One that begins or ends a transaction or a savepoint.
    pub(super) const fn controlling(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }
}

impl<C, F> AsyncStatement<Checkouts<C>> for Statement<'_, F>
where
    C: AsyncRoutable,
    F: for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
{
    type Output = usize;

    async fn send(
        &mut self,
        checkouts: &mut Checkouts<C>,
        attempt: Attempt<'_, NodePool<C>>,
    ) -> QueryResult<usize> {
        if self.taints {
            checkouts.taint(attempt.permit.node());
        }
        let connection = checkouts.permitted(attempt.permit, self.purpose)?;
        (self.send)(connection).await
    }

    fn sql(&self) -> Cow<'_, str> {
        self.sql.into()
    }
}

/// Rows, and the node that they come from.
pub(super) type Loaded<C> = (Rows<C>, Arc<Node<NodePool<C>>>);

/// A query that returns rows.
pub(super) struct Load<C: AsyncRoutable, M> {
    pub(super) query: OwnedQuery<C, M>,
    /// As for a [`Statement`].
    pub(super) taints: bool,
}

impl<C: AsyncRoutable, M: MaybeId> AsyncStatement<Checkouts<C>> for Load<C, M> {
    type Output = Loaded<C>;

    async fn send(
        &mut self,
        checkouts: &mut Checkouts<C>,
        attempt: Attempt<'_, NodePool<C>>,
    ) -> QueryResult<Loaded<C>> {
        let node = Arc::clone(attempt.permit.node());
        if self.taints {
            checkouts.taint(attempt.permit.node());
        }
        let connection = checkouts.permitted(attempt.permit, Purpose::Statement)?;
        let rows = connection.rows(self.query.clone()).await?;
        Ok((rows, node))
    }

    fn sql(&self) -> Cow<'_, str> {
        self.query.sql().into()
    }
}

/// Begins a transaction; the output is the name of the savepoint that it is, if it is one.
pub(super) struct Begin<'s, F> {
    pub(super) sql: &'s str,
    pub(super) send: F,
    /// Whether its text, or its caller, has declared it read-only.
    pub(super) is_declared: bool,
}

impl<C, F> AsyncStatement<Checkouts<C>> for Begin<'_, F>
where
    C: AsyncRoutable,
    F: for<'c> Fn(&'c mut C) -> BoxFuture<'c, QueryResult<usize>> + Send + Sync,
{
    type Output = (usize, Option<String>);

    async fn send(
        &mut self,
        checkouts: &mut Checkouts<C>,
        attempt: Attempt<'_, NodePool<C>>,
    ) -> QueryResult<Self::Output> {
        let is_undeclared = attempt.access == Access::Read && !self.is_declared;
        let connection = checkouts.permitted(attempt.permit, Purpose::Control)?;
        // A pool for tests may keep a transaction open on each of its connections.
        let around = depth(connection);
        let begin_read_only = begin_read_only(self.sql, DatabaseOf::<C>::DIALECT);
        let beginning = match around {
            Some(_) => manage(C::TransactionManager::begin_transaction(connection)),
            None if is_undeclared => manage(connection.begin_sql(&begin_read_only)),
            None => (self.send)(connection),
        };
        let done = beginning.await?;
        Ok((done, around.map(savepoint)))
    }

    fn sql(&self) -> Cow<'_, str> {
        self.sql.into()
    }
}

/// `save_changes`: an update, and a select of what it has changed.
pub(super) struct SaveChanges<Changes, Output> {
    changes: Changes,
    output: PhantomData<fn() -> Output>,
}

impl<Changes, Output> SaveChanges<Changes, Output> {
    pub(super) const fn new(changes: Changes) -> Self {
        Self {
            changes,
            output: PhantomData,
        }
    }
}

impl<C, Changes, Output> AsyncStatement<Checkouts<C>> for SaveChanges<Changes, Output>
where
    C: AsyncRoutable + UpdateAndFetchResults<Changes, Output>,
    Changes:
        Copy + Send + Sync + diesel::associations::Identifiable + diesel::associations::HasTable,
    Output: Send,
{
    type Output = Output;

    async fn send(
        &mut self,
        checkouts: &mut Checkouts<C>,
        attempt: Attempt<'_, NodePool<C>>,
    ) -> QueryResult<Output> {
        let connection = checkouts.permitted(attempt.permit, Purpose::Statement)?;
        connection.update_and_fetch(self.changes).await
    }

    fn sql(&self) -> Cow<'_, str> {
        "".into()
    }
}

/// The outcome of a transaction manager, as that of a statement.
pub(super) fn manage<'c>(
    control: impl Future<Output = QueryResult<()>> + Send + 'c,
) -> BoxFuture<'c, QueryResult<usize>> {
    control.map(|done| done.map(|()| 0)).boxed()
}
