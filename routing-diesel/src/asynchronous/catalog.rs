//! Asking PostgreSQL for its functions, beside the statements.

use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel::result::{Error, QueryResult};
use routing_core::ReplicaSet;
use routing_core::sql::CatalogFunction;

use super::driver::AsyncRoutable;
use super::node_pool::NodePool;
use super::pool::AsyncRoutedPool;
use crate::error::{CheckoutError, into_diesel};

/// How long the database has to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

type Set<C> = ReplicaSet<NodePool<C>>;

impl<C: AsyncRoutable> AsyncRoutedPool<C> {
    /// Asks PostgreSQL which of its functions may write, now: after functions were created or
    /// changed. The first statement of a program does so in the background
    /// ([`Rules::load_functions`](routing_core::Rules)); a database of another kind is not asked.
    ///
    /// # Errors
    ///
    /// Diesel's, if the primary has no connection or does not answer.
    pub async fn load_functions(&self) -> QueryResult<()> {
        let functions = ask(&self.set).await?;
        self.set.classifier().set_catalog(functions);
        Ok(())
    }

    /// Has the catalog asked for in the background, if it is wanted and there is a runtime for it.
    #[inline]
    pub(super) fn load_if_wanted(&self) {
        if self.set.classifier().take_catalog_request() {
            load_in_background(&self.set);
        }
    }
}

#[cold]
fn load_in_background<C: AsyncRoutable>(set: &Arc<Set<C>>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        set.classifier().want_catalog();
        return;
    };
    let weak = Arc::downgrade(set);
    runtime.spawn(async move {
        while let Some(set) = Weak::upgrade(&weak) {
            let answer = ask(&set).await;
            let Err(back_off) = set.classifier().take_catalog(answer) else {
                return;
            };
            drop(set);
            tokio::time::sleep(back_off).await;
        }
    });
}

async fn ask<C: AsyncRoutable>(set: &Set<C>) -> QueryResult<Vec<CatalogFunction>> {
    let node = set.primary();
    let asking = async {
        let beside = node.pool().dedicated().await;
        let mut connection = beside
            .map_err(|error| into_diesel(CheckoutError::new(set.name(), node.name(), error)))?;
        connection.catalog().await
    };
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, asking).await;
    let late = "the primary did not answer in time";
    answer.unwrap_or_else(|_| Err(Error::QueryBuilderError(late.into())))
}
