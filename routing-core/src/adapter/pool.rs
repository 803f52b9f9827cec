//! An adapter's pool of connections to one node, and what runs beside the statements.

use std::sync::Arc;

use serde::Serialize;

use crate::cluster::replica_set::ReplicaSet;
use crate::config::NodeConfig;
use crate::execute::router::Router;
use crate::observe::decision::Role;
use crate::sql::Dialect;

/// The background tasks of an adapter, for a set of its pools.
pub trait BackgroundTasks: Sized {
    /// Runs the set's [monitors](Router::monitors) in the background.
    fn start_monitors(router: &Router<Self>, set: &Arc<ReplicaSet<Self>>);

    /// Loads the functions of the set's database in the background.
    fn start_catalog(set: &Arc<ReplicaSet<Self>>);
}

/// How many connections a pool has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an adapter makes one")]
pub struct PoolState {
    /// All of them.
    pub connections: u32,
    /// Those that no statement has.
    pub idle: u32,
}

/// An adapter's pool of connections to one node.
pub trait Pool: BackgroundTasks {
    /// A pool that the application opened itself, with its ORM's own means.
    type Given;

    /// A pool for a configured node. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// The mistake in the node's URL, in words that follow its path.
    fn configured(node: &NodeConfig, role: Role) -> Result<Self, String>;

    /// A pool over one that is open.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in words that follow its path.
    fn given(given: Self::Given) -> Result<Self, String>;

    /// Whether it is the pool of this node, with the same options.
    fn is_of(&self, node: &NodeConfig) -> bool;

    /// The dialect that the node's database speaks; `None` if it is none that is known.
    fn dialect(&self) -> Option<Dialect>;

    /// Whether the adapter can [probe](crate::Probe) the node.
    fn can_be_probed(&self) -> bool;

    /// How many connections it has open now: **`None`**, if its driver does not tell.
    fn state(&self) -> Option<PoolState> {
        None
    }

    /// Gives the pool of a removed node up, which ends with the last statement on it.
    fn retire(&self);
}

impl<P: Pool> Router<P> {
    /// Starts what a set needs in the background, unless it runs already: the monitors, and the loading
    /// of its database's functions.
    #[inline]
    pub fn start_background(&self, set: &Arc<ReplicaSet<P>>) {
        if set.classifier().take_catalog_request() {
            P::start_catalog(set);
        }
        if set.take_monitor_request() {
            P::start_monitors(self, set);
        }
    }

    /// Starts the monitors of all sets, unless they run already.
    pub fn start_background_of_all(&self) {
        for set in self.sets() {
            if set.take_monitor_request() {
                P::start_monitors(self, set);
            }
        }
    }
}
