//! Asking PostgreSQL for its functions, beside the statements.

use std::sync::{Arc, Weak};
use std::thread;

use diesel::result::QueryResult;
use routing_core::ReplicaSet;
use routing_core::adapter::OrmErrors;
use routing_core::sql::CatalogFunction;

use super::node_pool::NodePool;
use crate::database::{Database, Routable};
use crate::error::Orm;

type Set<C> = ReplicaSet<NodePool<C>>;

/// Loads the functions of a set's database on a thread.
#[cold]
pub(super) fn load_in_background<C: Routable>(set: &Arc<Set<C>>) {
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

/// The functions of a set's database.
pub(super) fn ask<C: Routable>(set: &Set<C>) -> QueryResult<Vec<CatalogFunction>> {
    let node = set.primary();
    let mut connection = node
        .pool()
        .checkout(set.pool_key(node), || false)
        .map_err(|(_, error)| Orm::no_connection(set.name(), node.name(), error.into()))?;
    C::Backend::catalog::<C>(&mut connection)
}
