//! A connection to a node beside its pool, for the monitor and for the functions' catalog.

use std::sync::Arc;

use diesel::result::Error;
use diesel_async::pooled_connection::PoolError;
use routing_core::adapter::{Dedicated, spawn_catalog, spawn_monitors};
use routing_core::sql::CatalogFunction;
use routing_core::{Answer, BackgroundTasks, Failure, ReplicaSet, Role, Router};

use super::driver::{AsyncRoutable, DatabaseOf};
use super::node_pool::{NodePool, refused};
use crate::database::Database;
use crate::failure::answer;

pub(super) struct DedicatedConnection<C>(C);

impl<C: AsyncRoutable> BackgroundTasks for NodePool<C> {
    fn start_monitors(router: &Router<Self>, set: &Arc<ReplicaSet<Self>>) {
        spawn_monitors::<Self, DedicatedConnection<C>>(router, set);
    }

    fn start_catalog(set: &Arc<ReplicaSet<Self>>) {
        spawn_catalog::<Self, DedicatedConnection<C>>(set);
    }
}

impl<C: AsyncRoutable> Dedicated<NodePool<C>> for DedicatedConnection<C> {
    type Error = PoolError;

    async fn connect(pool: &NodePool<C>) -> Result<Self, PoolError> {
        pool.dedicated().await.map(Self)
    }

    async fn text(&mut self, query: &str) -> Result<String, PoolError> {
        self.0.text(query).await.map_err(PoolError::QueryError)
    }

    async fn functions(mut self) -> Result<Vec<CatalogFunction>, PoolError> {
        self.0.catalog().await.map_err(PoolError::QueryError)
    }

    fn refusal(error: &PoolError, _: &NodePool<C>, _: Role) -> Failure {
        refused(error)
    }

    fn answer(error: &PoolError, _: &NodePool<C>, role: Role) -> Answer {
        let PoolError::QueryError(error) = error else {
            return Answer::Failed(refused(error));
        };
        answer(error, DatabaseOf::<C>::DIALECT, role)
    }

    fn timed_out() -> PoolError {
        let error = "the primary did not answer in time";
        PoolError::QueryError(Error::QueryBuilderError(error.into()))
    }
}
