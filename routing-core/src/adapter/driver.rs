//! The engine's port: an ORM's connections, statements and errors.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::cluster::node::Node;
use crate::error::RoutingError;
use crate::execute::attempt::Permit;
use crate::execute::route::Route;
use crate::names::{NodeName, SetName};
use crate::observe::decision::Role;
use crate::observe::failure::Failure;
use crate::sql::kind::Access;

/// A question that fails in an aborted transaction of PostgreSQL's, which a commit would roll back.
pub const ABORTED_QUESTION: &str = "/* routing: transaction */ SELECT 1";

/// Any error of a pool.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An ORM's errors.
pub trait OrmErrors {
    /// The ORM's error.
    type Error: fmt::Display + Send;

    /// The ORM's error for a refusal of the router.
    fn refused(error: RoutingError) -> Self::Error;

    /// The ORM's error when a pool has no connection and no other node is left:
    /// **[`NodeUnavailable`](RoutingError::NodeUnavailable)**.
    #[must_use]
    fn no_connection(set: &SetName, node: &NodeName, error: BoxError) -> Self::Error {
        Self::refused(RoutingError::NodeUnavailable {
            set: set.clone(),
            node: node.clone(),
            retry_in: None,
            cause: Some(error.to_string()),
        })
    }

    /// Whether MySQL or MariaDB has not understood the statement, and so has done nothing: **no**.
    #[must_use]
    fn is_syntax_error(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// Whether the server has chosen the transaction as a deadlock's victim: **no**.
    #[must_use]
    fn is_deadlock(error: &Self::Error) -> bool {
        let _ = error;
        false
    }
}

/// The error of the ORM that connections are of.
pub type ErrorOf<C> = <<C as Connections>::Orm as OrmErrors>::Error;

/// The connections of one caller, as far as one statement needs them.
pub trait Connections {
    /// The adapter's pool of connections to one node.
    type Pool;

    /// The ORM's errors.
    type Orm: OrmErrors;

    /// Gives a connection back that was checked out for nothing: the node is no longer the right one.
    fn give_back(&mut self, node: &Arc<Node<Self::Pool>>, role: Role);

    /// Closes a connection that is of no use any more.
    fn close(&mut self, node: &Arc<Node<Self::Pool>>, role: Role);
}

/// The connections of a caller that awaits.
pub trait AsyncConnections: Connections + Send + Sized {
    /// Whether a connection is checked out before the statement is sent. Otherwise the pool checks one
    /// out while it sends, and the router finds out afterwards whether the node has restarted since.
    const CHECKS_OUT: bool;

    /// Checks out a connection to the route's node, unless there is one.
    ///
    /// # Errors
    ///
    /// The pool's, and what it says of the node.
    fn check_out(
        &mut self,
        route: &Route<'_, Self::Pool>,
    ) -> impl Future<Output = Result<(), (Failure, BoxError)>> + Send;

    /// Classifies an error; `None` if it is the user's and the node is well. The adapter may ask the node.
    fn classify(
        &mut self,
        error: &ErrorOf<Self>,
        node: &Arc<Node<Self::Pool>>,
        role: Role,
    ) -> impl Future<Output = Option<Failure>> + Send;
}

/// The connections of a caller that blocks.
pub trait BlockingConnections: Connections + Sized {
    /// As [`AsyncConnections::check_out`].
    ///
    /// # Errors
    ///
    /// The pool's, and what it says of the node.
    fn check_out(&mut self, route: &Route<'_, Self::Pool>) -> Result<(), (Failure, BoxError)>;

    /// As [`AsyncConnections::classify`].
    fn classify(
        &mut self,
        error: &ErrorOf<Self>,
        node: &Arc<Node<Self::Pool>>,
        role: Role,
    ) -> Option<Failure>;
}

/// One attempt at a statement.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt<'r, P> {
    /// Gives the connection to send the statement on, once.
    pub permit: Permit<'r, P>,
    /// Whether the statement counts as a read here: a transaction is then begun as read-only.
    pub access: Access,
    /// Whether the statement may be needed again: for another attempt, or for its text.
    pub keep: bool,
}

impl<'r, P> Attempt<'r, P> {
    pub(super) const fn new(permit: Permit<'r, P>, access: Access, keep: bool) -> Self {
        Self {
            permit,
            access,
            keep,
        }
    }
}

/// A statement that the engine sends, over connections `C`.
pub trait AsyncStatement<C: AsyncConnections>: Send {
    /// The ORM's result.
    type Output: Send;

    /// Sends it, and awaits the answer.
    ///
    /// # Errors
    ///
    /// The ORM's.
    fn send(
        &mut self,
        connections: &mut C,
        attempt: Attempt<'_, C::Pool>,
    ) -> impl Future<Output = Result<Self::Output, ErrorOf<C>>> + Send;

    /// Its text, for a node that refuses it as a write.
    fn sql(&self) -> Cow<'_, str>;
}

/// A statement's result, and where it ran.
#[derive(Debug)]
#[non_exhaustive]
pub struct Done<'r, P, T> {
    /// The ORM's result.
    pub value: T,
    /// The node that it ran on.
    pub node: &'r Arc<Node<P>>,
    /// The role for which the node was chosen.
    pub role: Role,
    /// Whether it counted as a read.
    pub access: Access,
}
