//! Asking PostgreSQL for its functions, beside the statements.

use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel::result::{Error, QueryResult};
use routing_core::ReplicaSet;

use super::driver::AsyncRoutable;
use super::node_pool::NodePool;
use super::pool::AsyncRoutedPool;
use crate::error::{CheckoutError, into_diesel};

/// How long the database has to answer, and how long it is left alone if it does not.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const BACK_OFF: Duration = Duration::from_secs(60);

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
        load(&self.set).await
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
            let Err(error) = load(&set).await else {
                return;
            };
            tracing::warn!(
                target: "routing",
                set = set.name().as_str(),
                %error,
                "the functions of the database could not be loaded; unknown ones are writes"
            );
            drop(set);
            tokio::time::sleep(BACK_OFF).await;
        }
    });
}

async fn load<C: AsyncRoutable>(set: &Set<C>) -> QueryResult<()> {
    let node = set.primary();
    let asking = async {
        let beside = node.pool().dedicated().await;
        let mut connection = beside
            .map_err(|error| into_diesel(CheckoutError::new(set.name(), node.name(), error)))?;
        connection.catalog().await
    };
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, asking).await;
    let late = "the primary did not answer in time";
    let functions = answer.unwrap_or_else(|_| Err(Error::QueryBuilderError(late.into())))?;
    set.classifier().set_catalog(functions);
    Ok(())
}
