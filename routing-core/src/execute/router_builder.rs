//! How a router is put together.

use std::sync::Arc;

use crate::cluster::replica_set::ReplicaSet;
use crate::error::{ConfigProblem, RoutingError};
use crate::execute::router::Router;
use crate::observe::observer::Observer;
use crate::observe::ports::Ports;
use crate::sql::set_lookup::Delegate;
use crate::time::clock::Clock;

/// Collects what a [`Router`] is made of.
#[derive(Debug)]
#[must_use = "nothing is built until `build` is called"]
pub struct RouterBuilder<P> {
    sets: Vec<ReplicaSet<P>>,
    delegate: Option<Arc<dyn Delegate>>,
    ports: Ports,
}

impl<P> Router<P> {
    /// As [`new`](Self::new), with a clock, an observer or a delegate.
    pub fn builder(sets: impl IntoIterator<Item = ReplicaSet<P>>) -> RouterBuilder<P> {
        RouterBuilder::new(sets)
    }
}

impl<P> RouterBuilder<P> {
    pub(super) fn new(sets: impl IntoIterator<Item = ReplicaSet<P>>) -> Self {
        Self {
            sets: sets.into_iter().collect(),
            delegate: None,
            ports: Ports::default(),
        }
    }

    /// Replaces the clock; **[`SystemClock`](crate::SystemClock)**.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ports.clock = clock;
        self
    }

    /// Has every decision told to an observer.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.ports.observer = Some(observer);
        self
    }

    /// Asks a delegate for the set of a table before the sets' own lists.
    pub fn delegate(mut self, delegate: Arc<dyn Delegate>) -> Self {
        self.delegate = Some(delegate);
        self
    }

    /// The router.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if there is no set, or if two have one name or one table.
    pub fn build(self) -> Result<Router<P>, RoutingError> {
        let Self {
            sets,
            delegate,
            ports,
        } = self;
        let problems = problems(&sets);
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        let with_ports = |mut set: ReplicaSet<P>| {
            set.ports = ports.clone();
            Arc::new(set)
        };
        let sets: Box<[_]> = sets.into_iter().map(with_ports).collect();
        Ok(Router {
            divided: sets.iter().any(|set| !set.tables().is_empty()),
            delegate,
            sets,
            ports,
        })
    }
}

fn problems<P>(sets: &[ReplicaSet<P>]) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    if sets.is_empty() {
        problems.push(ConfigProblem::new("sets", "there is none"));
    }
    for (i, set) in sets.iter().enumerate() {
        if sets[..i].iter().any(|earlier| earlier.name() == set.name()) {
            let path = format!("sets.{}", set.name());
            problems.push(ConfigProblem::new(path, "two sets have this name"));
        }
    }
    for (i, set) in sets.iter().enumerate() {
        for table in set.tables() {
            let has = |other: &&ReplicaSet<P>| other.tables().contains(table);
            if let Some(other) = sets[..i].iter().find(has) {
                let path = format!("sets.{}.tables", set.name());
                let message = format!("`{table}` is a table of set `{}` too", other.name());
                problems.push(ConfigProblem::new(path, message));
            }
        }
    }
    problems
}
