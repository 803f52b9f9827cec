//! SeaORM's `ConnectionTrait` for connections, transactions and `ReadOnly`.

use std::sync::Arc;

use async_trait::async_trait;
use routing_core::adapter::{AsyncStatement, Done, TokioTimer, run};
use routing_core::{ReplicaSet, StatementKind};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, StatementBuilder,
};

use crate::connections::{
    Execute, Method, Pools, Query, QueryAll, QueryOne, Text, Unprepared, Via,
};
use crate::handle::RoutedConnection;
use crate::pool::NodePool;
use crate::read_back::Note;
use crate::read_only::ReadOnly;
use crate::statement::kind_of;
use crate::transaction::RoutedTransaction;

impl RoutedConnection {
    /// Runs a statement of this kind on a node of `set`.
    pub(crate) async fn run<'c, S: AsyncStatement<Via<Pools>>>(
        &'c self,
        set: &'c Arc<ReplicaSet<NodePool>>,
        kind: StatementKind,
        mut statement: S,
    ) -> Result<Done<'c, NodePool, S::Output>, DbErr> {
        let mut pools = Via(Pools::new(self.read_only));
        let call = self.handle.call_on(set);
        run::<TokioTimer, _, _>(call, kind, &mut pools, &mut statement).await
    }

    pub(crate) async fn run_typed<S: StatementBuilder, M: Method>(
        &self,
        statement: &S,
    ) -> Result<M::Output, DbErr> {
        let backend = self.get_database_backend();
        let built = backend.build(statement);
        let set = self.set_of(&built.sql)?;
        let kind = kind_of::<S>(&built.sql, set.classifier());
        let note = Note::of(&built.sql, kind, backend, set.name());
        let kind = Note::take(&built.sql, kind, backend, set.name());
        let query = Query::<M>::new(Text::Typed(Some(built), backend, statement));
        let done = self.run(set, kind, query).await?;
        Note::leave(note);
        Ok(done.value)
    }

    pub(crate) async fn run_raw<M: Method>(
        &self,
        statement: Statement,
    ) -> Result<M::Output, DbErr> {
        let set = self.set_of(&statement.sql)?;
        let kind = set.kind_of(&statement.sql);
        let query = Query::<M>::new(Text::Built(statement));
        Ok(self.run(set, kind, query).await?.value)
    }

    pub(crate) async fn run_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let set = self.set_of(sql)?;
        let done = self.run(set, set.kind_of(sql), Unprepared(sql)).await?;
        Ok(done.value)
    }

    pub(crate) fn is_mock(&self) -> bool {
        self.handle.set.primary().pool().is_mock()
    }
}

macro_rules! connection_trait {
    ($connection:ty, |$this:ident| $inner:expr) => {
        #[async_trait]
        impl ConnectionTrait for $connection {
            fn get_database_backend(&self) -> DbBackend {
                self.get_database_backend()
            }

            async fn execute<S: StatementBuilder>(&self, stmt: &S) -> Result<ExecResult, DbErr> {
                let $this = self;
                $inner.run_typed::<S, Execute>(stmt).await
            }

            async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
                let $this = self;
                $inner.run_raw::<Execute>(stmt).await
            }

            async fn query_one<S: StatementBuilder>(
                &self,
                stmt: &S,
            ) -> Result<Option<QueryResult>, DbErr> {
                let $this = self;
                $inner.run_typed::<S, QueryOne>(stmt).await
            }

            async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
                let $this = self;
                $inner.run_raw::<QueryOne>(stmt).await
            }

            async fn query_all<S: StatementBuilder>(
                &self,
                stmt: &S,
            ) -> Result<Vec<QueryResult>, DbErr> {
                let $this = self;
                $inner.run_typed::<S, QueryAll>(stmt).await
            }

            async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
                let $this = self;
                $inner.run_raw::<QueryAll>(stmt).await
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                let $this = self;
                $inner.run_unprepared(sql).await
            }

            fn is_mock_connection(&self) -> bool {
                let $this = self;
                $inner.is_mock()
            }
        }
    };
}

connection_trait!(RoutedConnection, |this| this);
connection_trait!(RoutedTransaction, |this| this);
connection_trait!(ReadOnly, |this| this.0);
