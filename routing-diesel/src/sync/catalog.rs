//! Asking PostgreSQL for its functions, beside the statements.

use std::sync::{Arc, Weak};
use std::thread;

use diesel::result::QueryResult;
use routing_core::ReplicaSet;
use routing_core::sql::CatalogFunction;

use super::node_pool::NodePool;
use super::pool::RoutedPool;
use crate::database::{Database, Routable};
use crate::error::{CheckoutError, into_diesel};

type Set<C> = ReplicaSet<NodePool<C>>;

impl<C: Routable> RoutedPool<C> {
    /// Asks PostgreSQL which of its functions may write, now: after functions were created or
    /// changed. The first statement of a program does so in the background, on a thread of its own
    /// ([`Rules::load_functions`](routing_core::Rules)); a database of another kind is not asked.
    ///
    /// # Errors
    ///
    /// Diesel's, if the primary has no connection or does not answer.
    pub fn load_functions(&self) -> QueryResult<()> {
        let functions = ask(&self.set)?;
        self.set.classifier().set_catalog(functions);
        Ok(())
    }

    /// Has the catalog asked for in the background, if it is wanted.
    #[inline]
    pub(super) fn load_if_wanted(&self) {
        if self.set.classifier().take_catalog_request() {
            load_in_background(&self.set);
        }
    }
}

#[cold]
fn load_in_background<C: Routable>(set: &Arc<Set<C>>) {
    let weak = Arc::downgrade(set);
    let thread = thread::Builder::new().name("routing-functions".to_owned());
    let started = thread.spawn(move || {
        while let Some(set) = Weak::upgrade(&weak) {
            let Err(back_off) = set.classifier().take_catalog(ask(&set)) else {
                return;
            };
            drop(set);
            thread::sleep(back_off);
        }
    });
    if started.is_err() {
        set.classifier().want_catalog();
    }
}

fn ask<C: Routable>(set: &Set<C>) -> QueryResult<Vec<CatalogFunction>> {
    let node = set.primary();
    let mut connection = node
        .pool()
        .checkout(set.footing(node))
        .map_err(|(_, error)| into_diesel(CheckoutError::new(set.name(), node.name(), error)))?;
    C::Backend::catalog::<C>(&mut connection)
}
