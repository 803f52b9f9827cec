//! Asking PostgreSQL for its functions, beside the statements.

use std::sync::{Arc, Weak};
use std::time::Duration;

use routing_core::ReplicaSet;
use routing_core::sql::CatalogFunction;
use sea_orm::DbErr;

use crate::handle::RoutedConnection;
use crate::pool::NodePool;

/// How long the database has to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

type Set = Arc<ReplicaSet<NodePool>>;

impl RoutedConnection {
    /// Asks PostgreSQL which of its functions may write, now: after functions were created or
    /// changed. The first statement of a program does so in the background
    /// ([`Rules::load_functions`](routing_core::Rules)); a database of another kind is not asked.
    ///
    /// # Errors
    ///
    /// The driver's, if the primary does not answer.
    pub async fn load_functions(&self) -> Result<(), DbErr> {
        let functions = ask(&self.set).await?;
        self.set.classifier().set_catalog(functions);
        Ok(())
    }
}

/// Has the catalog asked for in the background, if it is wanted and there is a runtime for it.
#[inline]
pub(crate) fn load_if_wanted(set: &Set) {
    if set.classifier().take_catalog_request() {
        load_in_background(set);
    }
}

#[cold]
fn load_in_background(set: &Set) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        set.classifier().want_catalog();
        return;
    };
    let set = Arc::downgrade(set);
    runtime.spawn(async move {
        while let Some(strong) = Weak::upgrade(&set) {
            let answer = ask(&strong).await;
            let Err(back_off) = strong.classifier().take_catalog(answer) else {
                return;
            };
            drop(strong);
            tokio::time::sleep(back_off).await;
        }
    });
}

async fn ask(set: &Set) -> Result<Vec<CatalogFunction>, DbErr> {
    let asking = set.primary().pool().catalog();
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, asking).await;
    let late = DbErr::Custom("the primary did not answer in time".into());
    answer.unwrap_or(Err(late))
}
