//! SeaORM's connections, as the engine uses them, and the statements that it sends.

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use routing_core::adapter::{
    AsyncConnections, AsyncStatement, Attempt, BoxError, Connections, OrmErrors,
};
use routing_core::{Failure, Node, OpenPool, Permit, Role, Route, RoutingError};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, StatementBuilder,
};

use crate::error::into_db_err;
use crate::failure::{Verdict, is_deadlock, is_mysql_syntax_error, verdict};
use crate::opened::Opened;
use crate::pool::NodePool;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where statements are sent.
pub(crate) trait Target: Send {
    type Connection: ConnectionTrait + Sync;

    /// The connection stays open for as long as the target lives or until the next call.
    fn connection<'a>(&'a mut self, permit: Permit<'a, NodePool>) -> &'a Self::Connection;
}

/// The nodes' pools, which check a connection out while they send.
pub(crate) struct Pools {
    /// Whether the connections can only read.
    read_only: bool,
    in_use: Option<OpenPool<Opened>>,
}

impl Pools {
    pub(crate) const fn new(read_only: bool) -> Self {
        Self {
            read_only,
            in_use: None,
        }
    }
}

impl Target for Pools {
    type Connection = DatabaseConnection;

    fn connection<'a>(&'a mut self, permit: Permit<'a, NodePool>) -> &'a DatabaseConnection {
        let pool = permit.node().pool().permitted(permit, self.read_only);
        self.in_use.insert(pool)
    }
}

/// The connection of an open transaction.
pub(crate) struct Inside<'t>(pub(crate) &'t DatabaseTransaction);

impl Target for Inside<'_> {
    type Connection = DatabaseTransaction;

    fn connection<'a>(&'a mut self, _: Permit<'a, NodePool>) -> &'a DatabaseTransaction {
        self.0
    }
}

/// A target, for the engine.
pub(crate) struct Via<T>(pub(crate) T);

/// SeaORM's errors.
pub(crate) enum Orm {}

impl OrmErrors for Orm {
    type Error = DbErr;

    fn refused(error: RoutingError) -> DbErr {
        into_db_err(error)
    }

    fn is_syntax_error(error: &DbErr) -> bool {
        is_mysql_syntax_error(error)
    }

    fn is_deadlock(error: &DbErr) -> bool {
        is_deadlock(error)
    }
}

impl<T> Connections for Via<T> {
    type Pool = NodePool;
    type Orm = Orm;

    fn give_back(&mut self, _: &Arc<Node<NodePool>>, _: Role) {}

    fn close(&mut self, _: &Arc<Node<NodePool>>, _: Role) {}
}

impl<T: Send> AsyncConnections for Via<T> {
    const CHECKS_OUT: bool = false;

    async fn check_out(&mut self, _: &Route<'_, NodePool>) -> Result<(), (Failure, BoxError)> {
        Ok(())
    }

    async fn classify(
        &mut self,
        error: &DbErr,
        node: &Arc<Node<NodePool>>,
        role: Role,
    ) -> Option<Failure> {
        failure_of(error, node, role).await
    }
}

/// What the error says of the node; `None` if it is the user's.
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

/// The statement of all attempts.
pub(crate) enum Text<'s> {
    /// A statement that is built; it is copied if there may be another attempt.
    Built(Statement),
    /// A statement that another attempt builds again.
    Typed(Option<Statement>, DbBackend, &'s dyn StatementBuilder),
}

impl Text<'_> {
    fn supply(&mut self, keep: bool) -> Statement {
        match self {
            Self::Built(statement) if keep => statement.clone(),
            Self::Built(statement) => {
                let kept = Statement::from_string(statement.db_backend, "");
                std::mem::replace(statement, kept)
            }
            Self::Typed(built, backend, statement) => {
                built.take().unwrap_or_else(|| statement.build(backend))
            }
        }
    }

    /// The text, after an attempt that kept the statement.
    fn sql(&self) -> Cow<'_, str> {
        match self {
            Self::Built(statement) => statement.sql.as_str().into(),
            Self::Typed(_, backend, statement) => statement.build(backend).sql.into(),
        }
    }
}

/// A method of SeaORM's connections that runs a built statement.
pub(crate) trait Method: Send {
    type Output: Send;

    fn call<C: ConnectionTrait>(
        connection: &C,
        statement: Statement,
    ) -> BoxFuture<'_, Result<Self::Output, DbErr>>;
}

macro_rules! methods {
    ($($method:ident: $call:ident -> $output:ty;)*) => {$(
        pub(crate) enum $method {}

        impl Method for $method {
            type Output = $output;

            fn call<C: ConnectionTrait>(
                connection: &C,
                statement: Statement,
            ) -> BoxFuture<'_, Result<$output, DbErr>> {
                connection.$call(statement)
            }
        }
    )*};
}

methods! {
    Execute: execute_raw -> ExecResult;
    QueryOne: query_one_raw -> Option<QueryResult>;
    QueryAll: query_all_raw -> Vec<QueryResult>;
}

/// A statement that is run by a method.
pub(crate) struct Query<'s, M> {
    text: Text<'s>,
    method: PhantomData<fn() -> M>,
}

impl<'s, M> Query<'s, M> {
    pub(crate) const fn new(text: Text<'s>) -> Self {
        Self {
            text,
            method: PhantomData,
        }
    }
}

impl<T: Target, M: Method> AsyncStatement<Via<T>> for Query<'_, M> {
    type Output = M::Output;

    async fn send(
        &mut self,
        via: &mut Via<T>,
        attempt: Attempt<'_, NodePool>,
    ) -> Result<M::Output, DbErr> {
        let connection = via.0.connection(attempt.permit);
        M::call(connection, self.text.supply(attempt.keep)).await
    }

    fn sql(&self) -> Cow<'_, str> {
        self.text.sql()
    }
}

/// A text that is run without being prepared.
pub(crate) struct Unprepared<'s>(pub(crate) &'s str);

impl<T: Target> AsyncStatement<Via<T>> for Unprepared<'_> {
    type Output = ExecResult;

    async fn send(
        &mut self,
        via: &mut Via<T>,
        attempt: Attempt<'_, NodePool>,
    ) -> Result<ExecResult, DbErr> {
        let connection = via.0.connection(attempt.permit);
        connection.execute_unprepared(self.0).await
    }

    fn sql(&self) -> Cow<'_, str> {
        self.0.into()
    }
}
