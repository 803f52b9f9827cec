//! A statement being run: in the open transaction, or on the node that the engine finds.

use diesel::connection::{DefaultLoadingMode, LoadConnection};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
#[cfg(feature = "postgres")]
use routing_core::adapter::connect_blocking;
use routing_core::adapter::{run_blocking, run_in_blocking};
use routing_core::{Access, StatementKind};

use super::connection::RoutedConnection;
use super::lent::Lent;
use crate::database::Routable;
#[cfg(feature = "postgres")]
use crate::error::into_diesel;
use crate::failure::may_leave_open;
use crate::kinds::Examine;
use crate::known::KnownQuery;

impl<C: Routable> RoutedConnection<C> {
    /// Runs a statement, more than once only while the engine says so.
    pub(super) fn run<T>(
        &mut self,
        kind: StatementKind,
        text: impl Fn() -> String,
        mut statement: impl FnMut(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        self.settle();
        if self.transaction.is_some() {
            return self.run_inside(kind, text, statement);
        }
        let Self {
            handle, checkouts, ..
        } = self;
        let done = run_blocking(
            handle.call(),
            kind,
            checkouts,
            text,
            |checkouts, attempt| {
                if may_leave_open(kind) {
                    checkouts.taint(attempt.permit.role());
                }
                statement(checkouts.permitted(attempt.permit)?)
            },
        );
        Ok(done?.value)
    }

    #[cfg(feature = "postgres")]
    /// Runs something that can be run only once; it is not run again if it fails.
    pub(super) fn run_once<T, E: From<Error>>(
        &mut self,
        kind: StatementKind,
        statement: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        self.settle();
        if let Some(transaction) = &self.transaction {
            self.check_lost()?;
            let checked = transaction.check(kind, &self.handle.context);
            checked.map_err(into_diesel)?;
            let outcome = statement(self.checkouts.permitted(transaction.permit())?);
            if outcome.is_err() {
                transaction.innermost().fail();
            }
            return outcome;
        }
        let Self {
            handle, checkouts, ..
        } = self;
        let route = connect_blocking(handle.call(), kind, checkouts)?;
        let _span = route.span().entered();
        let (permit, running) = route.start();
        let outcome = statement(checkouts.permitted(permit)?);
        // An error of another type says nothing of the node that is known here.
        if outcome.is_ok() {
            running.succeeded(&handle.context);
        }
        outcome
    }

    /// Runs a statement of the open transaction.
    pub(super) fn run_inside<T>(
        &mut self,
        kind: StatementKind,
        text: impl Fn() -> String,
        statement: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        self.check_lost()?;
        let Self {
            transaction: Some(transaction),
            checkouts,
            handle,
            ..
        } = self
        else {
            return Err(Error::NotInTransaction);
        };
        let outcome = run_in_blocking(
            transaction,
            kind,
            &handle.context,
            checkouts,
            text,
            |checkouts, attempt| statement(checkouts.permitted(attempt.permit)?),
        );
        outcome.inspect_err(|_| transaction.innermost().fail())
    }

    /// Diesel's own error in a transaction that the server has ended.
    pub(super) fn check_lost(&self) -> QueryResult<()> {
        match &self.transaction {
            Some(transaction) if transaction.is_lost() => Err(Error::BrokenTransactionManager),
            _ => Ok(()),
        }
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
        self.check_lost()?;
        let known = self.handle.kinds().of(&source, &self.handle)?;
        let kind = known.kind;
        let query = KnownQuery::new(source, known.sql);
        let text = || query.text::<C::Backend>();
        let is_row_by_row = typeid::of::<B>() != typeid::of::<DefaultLoadingMode>();
        let Self {
            transaction,
            checkouts,
            handle,
            ..
        } = self;
        let mut lent = Lent::new(checkouts);
        let Some(transaction) = transaction else {
            let done = run_blocking(handle.call(), kind, &mut lent, text, |lent, attempt| {
                if may_leave_open(kind) {
                    lent.taint(attempt.permit.role());
                }
                lent.load(attempt.permit, query.clone())
            })?;
            if is_row_by_row && kind.access() == Access::Write {
                // It is committed after its last row, which the router does not see.
                handle.set.record_untracked_write(&handle.context);
            }
            return Ok(done.value);
        };
        if may_leave_open(kind) {
            transaction.lose_track();
        }
        if is_row_by_row {
            // An error may come when the router does not see it.
            transaction.innermost().fail();
        }
        let (context, open) = (&handle.context, &*transaction);
        let loaded = run_in_blocking(open, kind, context, &mut lent, text, |lent, attempt| {
            lent.load(attempt.permit, query.clone())
        });
        loaded.inspect_err(|_| open.innermost().fail())
    }
}
