//! Connections that are lent to a cursor, which borrows one of them.

use std::sync::Arc;

use diesel::connection::LoadConnection;
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use polonius_the_crab::{ForLt, PoloniusResult, polonius};
use routing_core::adapter::{BlockingConnections, BoxError, Connections};
use routing_core::{Failure, Node, Permit, Role, Route};

use super::checkouts::Checkouts;
use super::node_pool::NodePool;
use crate::database::Routable;
use crate::error::Orm;
use crate::known::KnownQuery;

/// The connections, until a cursor has borrowed one.
pub(super) struct Lent<'conn, C: Routable>(Option<&'conn mut Checkouts<C>>);

impl<'conn, C: Routable> Lent<'conn, C> {
    pub(super) const fn new(checkouts: &'conn mut Checkouts<C>) -> Self {
        Self(Some(checkouts))
    }

    pub(super) fn taint(&mut self, role: Role) {
        if let Some(checkouts) = &mut self.0 {
            checkouts.taint(role);
        }
    }

    /// Loads on the connection that is permitted.
    ///
    /// The result borrows from the connection only if there is one: a truth that the borrow checker does
    /// not see yet, and `polonius` lends it.
    pub(super) fn load<'query, B, T>(
        &mut self,
        permit: Permit<'_, NodePool<C>>,
        query: KnownQuery<T>,
    ) -> QueryResult<C::Cursor<'conn, 'query>>
    where
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        let checkouts = self.0.take().ok_or(Error::BrokenTransactionManager)?;
        let outcome = polonius::<
            _,
            _,
            ForLt!(<'any> = <C as LoadConnection<B>>::Cursor<'any, 'query>),
        >(checkouts, |checkouts| {
            let connection = checkouts.permitted(permit);
            match connection.and_then(|connection| connection.load(query)) {
                Ok(cursor) => PoloniusResult::Borrowing(cursor),
                Err(error) => PoloniusResult::Owned {
                    value: error,
                    input_borrow: polonius_the_crab::Placeholder,
                },
            }
        });
        match outcome {
            PoloniusResult::Borrowing(cursor) => Ok(cursor),
            PoloniusResult::Owned {
                value,
                input_borrow,
            } => {
                self.0 = Some(input_borrow);
                Err(value)
            }
        }
    }
}

impl<C: Routable> Connections for Lent<'_, C> {
    type Pool = NodePool<C>;
    type Orm = Orm;

    fn give_back(&mut self, node: &Arc<Node<NodePool<C>>>, role: Role) {
        if let Some(checkouts) = &mut self.0 {
            checkouts.give_back(node, role);
        }
    }

    fn close(&mut self, node: &Arc<Node<NodePool<C>>>, role: Role) {
        if let Some(checkouts) = &mut self.0 {
            checkouts.close(node, role);
        }
    }
}

impl<C: Routable> BlockingConnections for Lent<'_, C> {
    fn check_out(&mut self, route: &Route<'_, NodePool<C>>) -> Result<(), (Failure, BoxError)> {
        match &mut self.0 {
            Some(checkouts) => checkouts.check_out(route),
            None => Ok(()),
        }
    }

    fn classify(
        &mut self,
        error: &Error,
        node: &Arc<Node<NodePool<C>>>,
        role: Role,
    ) -> Option<Failure> {
        self.0.as_mut()?.classify(error, node, role)
    }
}
