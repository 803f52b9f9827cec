//! A statement being run: on the node that was decided, and on the next if that one is down.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use routing_core::{Access, Failure, Next, Node, ReplicaSet, Role, RoutingError, StatementKind};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, Statement};
use tracing::Instrument;

use crate::catalog::load_if_wanted;
use crate::error::into_db_err;
use crate::failure::{Verdict, verdict};
use crate::handle::RoutedConnection;
use crate::pool::NodePool;
use crate::probing::{TokioTimer, monitor_if_wanted};

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A method of SeaORM's connections, `C`, that runs a built statement.
pub(crate) type Method<'c, C, T> = fn(&'c C, Statement) -> BoxFuture<'c, Result<T, DbErr>>;

/// One attempt: where, and how.
pub(crate) struct Attempt<'c> {
    pub(crate) connection: &'c DatabaseConnection,
    /// Whether the statement counts as a read here.
    pub(crate) access: Access,
    /// The statement; empty if it is not SeaORM's to build.
    pub(crate) statement: Statement,
}

/// The statement of all attempts.
pub(crate) enum Text<'s> {
    /// It is built; it is copied if there may be another attempt.
    Built(Statement),
    /// Another attempt builds it again.
    Typed {
        built: Option<Statement>,
        build: &'s (dyn Fn() -> Statement + Sync),
    },
    /// Who attempts has it.
    Plain(&'s str),
}

impl Text<'_> {
    fn supply(&mut self, keep: bool) -> Statement {
        match self {
            Self::Built(statement) if keep => statement.clone(),
            Self::Built(statement) => {
                let nothing = Statement::from_string(statement.db_backend, "");
                std::mem::replace(statement, nothing)
            }
            Self::Typed { built, build } => built.take().unwrap_or_else(build),
            Self::Plain(_) => Statement::from_string(DbBackend::Sqlite, ""),
        }
    }

    /// The text, after an attempt that kept the statement.
    fn sql(&self) -> Cow<'_, str> {
        match self {
            Self::Built(statement) => statement.sql.as_str().into(),
            Self::Typed { build, .. } => build().sql.into(),
            Self::Plain(sql) => (*sql).into(),
        }
    }
}

/// What came of it, and where.
pub(crate) struct Done<'c, T> {
    pub(crate) value: T,
    pub(crate) node: &'c Arc<Node<NodePool>>,
    /// The role for which the node was chosen.
    pub(crate) role: Role,
    pub(crate) access: Access,
}

impl RoutedConnection {
    /// Runs a statement of this kind on a node of `set`: once, and again only while the core says
    /// so.
    pub(crate) async fn run<'c, T: Send>(
        &'c self,
        set: &'c Arc<ReplicaSet<NodePool>>,
        kind: StatementKind,
        mut text: Text<'_>,
        mut attempt: impl FnMut(Attempt<'c>) -> BoxFuture<'c, Result<T, DbErr>> + Send,
    ) -> Result<Done<'c, T>, DbErr> {
        load_if_wanted(set);
        monitor_if_wanted(&self.router, set);
        let mut route = self
            .router
            .route_patiently::<TokioTimer>(set, kind, &self.context)
            .await
            .map_err(into_db_err)?;
        loop {
            let node = route.node();
            let access = route.access();
            let statement = text.supply(route.may_move());
            let (span, role) = (route.span(), route.role());
            let (permit, running) = route.start();
            let attempt = attempt(Attempt {
                connection: node.pool().permitted(permit, self.read_only),
                access,
                statement,
            });
            let attended = running.attend::<TokioTimer, _>(attempt.instrument(span));
            let Some(outcome) = attended.await else {
                route = running.silent(&self.context).map_err(into_db_err)?;
                continue;
            };
            let failure = match outcome.as_ref().err() {
                Some(error) => failure_of(error, node, role).await,
                None => None,
            };
            let (error, failure) = match (outcome, failure) {
                (Err(error), Some(failure)) => (error, failure),
                // Where it waited for a connection, that may be to a server that has begun anew; what
                // it does not have yet may be the user's error, too.
                _ if running.shows_less_patiently::<TokioTimer>().await => {
                    match running.failed(Failure::Ended, &self.context) {
                        Next::Route(next) => route = next,
                        Next::Refused(refusal) => return Err(into_db_err(refusal)),
                        Next::Unchanged => {
                            let error = RoutingError::NodeUnavailable {
                                set: set.name().clone(),
                                node: node.name().clone(),
                                retry_in: None,
                                cause: None,
                            };
                            return Err(into_db_err(error));
                        }
                    }
                    continue;
                }
                (outcome, _) => {
                    running.succeeded(&self.context);
                    let value = outcome?;
                    return Ok(Done {
                        value,
                        node,
                        role,
                        access,
                    });
                }
            };
            let next = if failure == Failure::ReadOnly {
                running
                    .refused_as_write_patiently::<TokioTimer>(&text.sql(), &self.context)
                    .await
            } else {
                set.log_failure(node, &error, failure);
                running
                    .failed_patiently::<TokioTimer>(failure, &self.context)
                    .await
            };
            route = match next {
                Next::Route(next) => next,
                Next::Refused(refusal) => return Err(into_db_err(refusal.because(&error))),
                Next::Unchanged => return Err(error),
            };
        }
    }
}

/// What the error says of the node; `None` is the user's error.
pub(crate) async fn failure_of(
    error: &DbErr,
    node: &Node<NodePool>,
    role: Role,
) -> Option<Failure> {
    match verdict(error, node.pool().backend(), role) {
        Verdict::Users => None,
        Verdict::Failure(failure) => Some(failure),
        Verdict::TimedOut if node.pool().is_reachable().await => Some(Failure::Busy),
        Verdict::TimedOut => Some(Failure::Unreachable),
    }
}
