//! A statement being run: on the node that was decided, and on the next if that one is down.

use diesel::connection::{DefaultLoadingMode, LoadConnection};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use polonius_the_crab::{ForLt, PoloniusResult, polonius};
use routing_core::{Access, Failure, Next, Permit, Role, Route, Running, StatementKind};

use super::connection::RoutedConnection;
use super::node_pool::NodePool;
use super::pool::RoutedPool;
use super::slots::Slots;
use crate::database::{Database, Routable};
use crate::error::{CheckoutError, into_diesel};
use crate::failure::{
    Verdict, commits_implicitly, ends_transaction, is_alive, may_leave_open, question, verdict,
};
use crate::known::KnownQuery;
use crate::transaction::OpenTransaction;

type PoolRoute<'r, C> = Route<'r, NodePool<C>>;
type PoolRunning<'r, C> = Running<'r, NodePool<C>>;

impl<C: Routable> RoutedPool<C> {
    /// Decides where a statement of this kind runs, and has a connection to there.
    #[inline]
    pub(super) fn connect<'r>(
        &'r self,
        slots: &mut Slots<C>,
        kind: StatementKind,
    ) -> QueryResult<PoolRoute<'r, C>> {
        self.load_if_wanted();
        self.monitor_if_wanted();
        let route = self
            .router
            .route_blocking(&self.set, kind, &self.context)
            .map_err(into_diesel)?;
        self.reach(slots, route)
    }

    /// Follows a route to the first node that has a connection.
    fn reach<'r>(
        &'r self,
        slots: &mut Slots<C>,
        mut route: PoolRoute<'r, C>,
    ) -> QueryResult<PoolRoute<'r, C>> {
        loop {
            let node = route.node();
            let Err((failure, error)) = slots.connect(&route) else {
                if route.holds_blocking() {
                    return Ok(route);
                }
                // It was waited for, and the node is not what it was.
                slots.release(route.role());
                route = route.decide_anew(&self.context).map_err(into_diesel)?;
                continue;
            };
            self.set.log_failure(node, &error, failure);
            let next = route.not_sent().failed_blocking(failure, &self.context);
            route = match next {
                Next::Route(next) => next,
                Next::Refused(refusal) => return Err(into_diesel(refusal.because(&error))),
                Next::Unchanged => {
                    let error = CheckoutError::new(self.set.name(), node.name(), error);
                    return Err(into_diesel(error));
                }
            };
        }
    }

    /// Where the statement goes after it has failed, if it may go anywhere; `text` is its text, for
    /// a node that refuses it as a write.
    #[cold]
    pub(super) fn go_on<'r>(
        &'r self,
        slots: &mut Slots<C>,
        running: PoolRunning<'r, C>,
        error: Error,
        text: impl FnOnce() -> String,
    ) -> QueryResult<PoolRoute<'r, C>> {
        let side = running.role();
        let Some(failure) = failure_of(&error, slots, side) else {
            running.succeeded(&self.context);
            return Err(error);
        };
        let next = if failure == Failure::ReadOnly {
            running.refused_as_write_blocking(&text(), &self.context)
        } else {
            if failure.ends_connection() {
                slots.discard(side);
            }
            self.set.log_failure(running.node(), &error, failure);
            running.failed_blocking(failure, &self.context)
        };
        match next {
            Next::Route(next) => self.reach(slots, next),
            Next::Refused(refusal) => Err(into_diesel(refusal.because(&error))),
            Next::Unchanged => Err(error),
        }
    }

    fn failed_inside(
        &self,
        transaction: &mut OpenTransaction<NodePool<C>>,
        slots: &mut Slots<C>,
        error: Error,
        text: impl FnOnce() -> String,
    ) -> Error {
        transaction.statement_failed();
        let (set, node) = (&self.set, &transaction.node);
        match failure_of(&error, slots, transaction.side) {
            Some(Failure::ReadOnly) if transaction.access == Access::Read => {
                let access = transaction.access;
                let refusal = self
                    .router
                    .refused_in_transaction(set, node, access, &text());
                refusal.map_or(error, into_diesel)
            }
            Some(failure) => {
                self.router.report_failure(set, node, failure);
                error
            }
            None => error,
        }
    }
}

impl<C: Routable> RoutedConnection<C> {
    /// Runs a statement, more than once only while the core says so.
    pub(super) fn run<T>(
        &mut self,
        kind: StatementKind,
        text: impl Fn() -> String,
        mut attempt: impl FnMut(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        self.settle();
        if self.transaction.is_some() {
            return self.run_inside(kind, text, attempt);
        }
        let Self { pool, slots, .. } = self;
        let mut route = pool.connect(slots, kind)?;
        loop {
            let _span = route.span().entered();
            let (permit, running) = route.start();
            let outcome = attempt(permitted(slots, permit)?);
            if may_leave_open(kind) {
                slots.taint(running.role());
            }
            match outcome {
                Ok(value) => {
                    running.succeeded(&pool.context);
                    return Ok(value);
                }
                Err(error) => route = pool.go_on(slots, running, error, &text)?,
            }
        }
    }

    #[cfg(feature = "postgres")]
    /// Runs something that can be run only once; it is not run again if it fails.
    pub(super) fn run_once<T, E: From<Error>>(
        &mut self,
        kind: StatementKind,
        statement: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        self.settle();
        if self.transaction.is_some() {
            self.check(kind)?;
            let connection = self.in_transaction()?;
            let outcome = statement(connection);
            if let (Err(_), Some(transaction)) = (&outcome, &mut self.transaction) {
                transaction.statement_failed();
            }
            return outcome;
        }
        let Self { pool, slots, .. } = self;
        let route = pool.connect(slots, kind)?;
        let _span = route.span().entered();
        let (permit, running) = route.start();
        let outcome = statement(permitted(slots, permit)?);
        // What an error of another type says of the node is not known here.
        if outcome.is_ok() {
            running.succeeded(&pool.context);
        }
        outcome
    }

    /// Runs a statement of the open transaction.
    pub(super) fn run_inside<T>(
        &mut self,
        kind: StatementKind,
        text: impl FnOnce() -> String,
        statement: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        self.check(kind)?;
        if let Some(transaction) = &mut self.transaction
            && commits_implicitly(kind, C::Backend::DIALECT)
        {
            transaction.lose_track();
        }
        match statement(self.in_transaction()?) {
            Ok(value) => {
                self.saw();
                Ok(value)
            }
            Err(error) => Err(self.failed_inside(error, text)),
        }
    }

    /// The session has seen what the open transaction's node shows.
    fn saw(&self) {
        if let Some(open) = &self.transaction {
            let (router, set) = (&self.pool.router, &self.pool.set);
            router.saw(set, &open.node, &self.pool.context);
        }
    }

    /// Checks a statement of the open transaction.
    pub(super) fn check(&self, kind: StatementKind) -> QueryResult<()> {
        if self.is_lost {
            return Err(Error::BrokenTransactionManager);
        }
        let Some(transaction) = &self.transaction else {
            return Ok(());
        };
        let RoutedPool {
            router,
            set,
            context,
            ..
        } = &self.pool;
        router
            .check_in_transaction(set, &transaction.node, transaction.access, kind, context)
            .map_err(into_diesel)
    }

    /// The connection of the open transaction.
    pub(super) fn in_transaction(&mut self) -> QueryResult<&mut C> {
        let side = self.transaction.as_ref().map(|open| open.side);
        connected(&mut self.slots, side.ok_or(Error::NotInTransaction)?)
    }

    /// Takes note that a statement of the open transaction has failed; the error to give for it.
    pub(super) fn failed_inside(&mut self, error: Error, text: impl FnOnce() -> String) -> Error {
        let Self {
            transaction: Some(transaction),
            slots,
            pool,
            is_lost,
            ..
        } = self
        else {
            return error;
        };
        *is_lost |= ends_transaction(&error, C::Backend::DIALECT);
        pool.failed_inside(transaction, slots, error, text)
    }

    /// Loads the rows of a query, from the next node if the first is down.
    #[inline]
    pub(super) fn load_routed<'conn, 'query, B, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<C::Cursor<'conn, 'query>>
    where
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        self.settle();
        let known = self.pool.kinds().of(&source, &self.pool)?;
        let kind = known.kind;
        let query = KnownQuery::new(source, known.sql);
        let is_row_by_row = typeid::of::<B>() != typeid::of::<DefaultLoadingMode>();
        if let Some(side) = self.transaction.as_ref().map(|open| open.side) {
            self.check(kind)?;
            if let Some(transaction) = &mut self.transaction {
                if may_leave_open(kind) || commits_implicitly(kind, C::Backend::DIALECT) {
                    transaction.lose_track();
                }
                // Row by row, an error may come when nobody here looks any more.
                if is_row_by_row {
                    transaction.statement_failed();
                }
            }
            // Before the rows are there, which borrow the connection: what was seen in a transaction
            // is marked once more when it ends.
            self.saw();
            let slots = &mut self.slots;
            return match load_on(slots, |slots| connected(slots, side), query.clone()) {
                Ok(cursor) => Ok(cursor),
                Err((error, slots)) => {
                    let Some(transaction) = &mut self.transaction else {
                        return Err(error);
                    };
                    self.is_lost |= ends_transaction(&error, C::Backend::DIALECT);
                    let text = || query.text::<C::Backend>();
                    Err(self.pool.failed_inside(transaction, slots, error, text))
                }
            };
        }
        let Self { pool, slots, .. } = self;
        let mut route = pool.connect(slots, kind)?;
        let mut slots = slots;
        loop {
            let _span = route.span().entered();
            let (permit, running) = route.start();
            if may_leave_open(kind) {
                slots.taint(running.role());
            }
            match load_on(slots, |slots| permitted(slots, permit), query.clone()) {
                Ok(cursor) => {
                    running.succeeded(&pool.context);
                    if is_row_by_row && kind.access() == Access::Write {
                        // It is committed after its last row, which nobody here sees.
                        pool.router.wrote_out_of_sight(&pool.set, &pool.context);
                    }
                    return Ok(cursor);
                }
                Err((error, back)) => {
                    slots = back;
                    let text = || query.text::<C::Backend>();
                    route = pool.go_on(slots, running, error, text)?;
                }
            }
        }
    }
}

/// Loads on a connection that is lent. What borrows from the connection is the result, and only if there
/// is one: a truth that the borrow checker does not see yet, and `polonius` lends it.
fn load_on<'conn, 'query, B, C, T>(
    slots: &'conn mut Slots<C>,
    lent: impl for<'any> FnOnce(&'any mut Slots<C>) -> QueryResult<&'any mut C>,
    query: KnownQuery<T>,
) -> Result<C::Cursor<'conn, 'query>, (Error, &'conn mut Slots<C>)>
where
    C: Routable + LoadConnection<B>,
    T: Query + QueryFragment<C::Backend> + QueryId + 'query,
    C::Backend: QueryMetadata<T::SqlType>,
{
    let outcome = polonius::<_, _, ForLt!(<'any> = <C as LoadConnection<B>>::Cursor<'any, 'query>)>(
        slots,
        |slots| match lent(slots).and_then(|connection| connection.load(query)) {
            Ok(cursor) => PoloniusResult::Borrowing(cursor),
            Err(error) => PoloniusResult::Owned {
                value: error,
                input_borrow: polonius_the_crab::Placeholder,
            },
        },
    );
    match outcome {
        PoloniusResult::Borrowing(cursor) => Ok(cursor),
        PoloniusResult::Owned {
            value,
            input_borrow,
        } => Err((value, input_borrow)),
    }
}

fn permitted<'s, C: Routable>(
    slots: &'s mut Slots<C>,
    permit: Permit<'_, NodePool<C>>,
) -> QueryResult<&'s mut C> {
    slots
        .permitted(permit)
        .ok_or(Error::BrokenTransactionManager)
}

fn connected<C: Routable>(slots: &mut Slots<C>, side: Role) -> QueryResult<&mut C> {
    slots.connected(side).ok_or(Error::BrokenTransactionManager)
}

/// What the error says of the node; `None` is the user's error.
pub(super) fn failure_of<C>(error: &Error, slots: &mut Slots<C>, side: Role) -> Option<Failure>
where
    C: Routable,
{
    let dialect = C::Backend::DIALECT;
    match verdict(error, dialect, side) {
        Verdict::Users => None,
        Verdict::Failure(failure) => Some(failure),
        Verdict::Ask => {
            let answer = slots.connected(side)?.batch_execute(question(dialect));
            (!is_alive(&answer, dialect)).then_some(Failure::Lost)
        }
    }
}
