//! A statement being run: on the node that was decided, and on the next if that one is down.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use routing_core::{Access, Failure, Next, Node, StatementKind};
use sea_orm::{DatabaseConnection, DbErr, Statement};
use tracing::Instrument;

use crate::error::into_db_err;
use crate::failure::{Verdict, verdict};
use crate::handle::RoutedConnection;
use crate::pool::NodePool;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A method of SeaORM's connections, `C`, that runs a built statement.
pub(crate) type Method<'c, C, T> = fn(&'c C, Statement) -> BoxFuture<'c, Result<T, DbErr>>;

/// One attempt: where, and how.
pub(crate) struct Attempt<'c> {
    pub(crate) connection: &'c DatabaseConnection,
    /// Whether the statement counts as a read here.
    pub(crate) access: Access,
    /// Whether another attempt may follow, for which the statement has to be kept.
    pub(crate) keep: bool,
}

/// What came of it, and where.
pub(crate) struct Done<'c, T> {
    pub(crate) value: T,
    pub(crate) node: &'c Arc<Node<NodePool>>,
    pub(crate) access: Access,
}

impl RoutedConnection {
    /// Runs a statement of this kind: `attempt` once, and again only while the core says so.
    pub(crate) async fn run<'c, T>(
        &'c self,
        kind: StatementKind,
        mut attempt: impl FnMut(Attempt<'c>) -> BoxFuture<'c, Result<T, DbErr>> + Send,
    ) -> Result<Done<'c, T>, DbErr> {
        let mut route = self
            .router
            .route(&self.set, kind, &self.context)
            .map_err(into_db_err)?;
        loop {
            let node = route.node();
            let access = route.access();
            let running = attempt(Attempt {
                connection: if self.read_only {
                    node.pool().reader()
                } else {
                    node.pool().connection()
                },
                access,
                keep: route.may_move(),
            });
            let error = match running.instrument(route.span()).await {
                Ok(value) => {
                    route.succeeded();
                    return Ok(Done {
                        value,
                        node,
                        access,
                    });
                }
                Err(error) => error,
            };
            let Some(failure) = failure_of(&error, node).await else {
                route.succeeded();
                return Err(error);
            };
            tracing::warn!(
                target: "routing",
                set = self.set.name().as_str(),
                node = node.name().as_str(),
                %error,
                ?failure,
                "node failed"
            );
            route = match route.failed(failure, &self.context) {
                Next::Route(next) => next,
                Next::Refused(refusal) => return Err(into_db_err(refusal.because(&error))),
                Next::Unchanged => return Err(error),
            };
        }
    }
}

/// The statement for this attempt: a copy if it has to be kept, else itself.
pub(crate) fn supply(statement: &mut Statement, keep: bool) -> Statement {
    if keep {
        statement.clone()
    } else {
        let backend = statement.db_backend;
        std::mem::replace(statement, Statement::from_string(backend, ""))
    }
}

/// What the error says of the node; `None` is the user's error.
pub(crate) async fn failure_of(error: &DbErr, node: &Node<NodePool>) -> Option<Failure> {
    match verdict(error, node.pool().backend()) {
        Verdict::Users => None,
        Verdict::Failure(failure) => Some(failure),
        Verdict::TimedOut if node.pool().is_reachable().await => Some(Failure::Busy),
        Verdict::TimedOut => Some(Failure::Unreachable),
    }
}
