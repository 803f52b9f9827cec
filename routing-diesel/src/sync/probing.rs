//! Asking nodes where they are, beside the statements.

use std::thread;

use diesel::r2d2::{ConnectionManager, PooledConnection};
use routing_core::{Monitor, Node, Observation, Probe};

use super::node_pool::NodePool;
use super::pool::RoutedPool;
use crate::database::{Database, Routable};

impl<C: Routable> RoutedPool<C> {
    /// Has the nodes of the set monitored on threads of their own, if nobody does.
    #[inline]
    pub(super) fn monitor_if_wanted(&self) {
        if self.set.take_monitor_request() {
            self.monitor_in_background();
        }
    }

    #[cold]
    fn monitor_in_background(&self) {
        let monitors = Monitor::of_set(&self.router, &self.set);
        for (monitor, node) in monitors.into_iter().zip(self.set.nodes()) {
            let thread = thread::Builder::new().name(format!("routing-{}-probe", node.name()));
            let started = thread.spawn(move || {
                let mut line = None;
                monitor.run_blocking(|node| ask(node, &mut line));
            });
            if let Err(error) = started {
                let (set, node) = (self.set.name().as_str(), node.name().as_str());
                tracing::warn!(target: "routing", set, node, %error, "no thread for probes");
            }
        }
    }
}

/// A connection that probes are sent over.
enum Line<C: Routable> {
    /// Beside the pool, which may be exhausted.
    Own(C, Probe),
    /// How to ask over a connection of a pool that the application made.
    Pooled(Probe),
}

/// A line that has failed is given up.
fn ask<C: Routable>(node: &Node<NodePool<C>>, line: &mut Option<Line<C>>) -> Option<Observation> {
    let mut current = match line.take() {
        Some(current) => current,
        None => open(node)?,
    };
    let (probe, answer) = match &mut current {
        Line::Own(connection, probe) => (*probe, C::Backend::text(connection, probe.question())),
        Line::Pooled(probe) => {
            let mut connection = pooled(node)?;
            (
                *probe,
                C::Backend::text::<C>(&mut connection, probe.question()),
            )
        }
    };
    let observation = probe.read(node.role(), &answer.ok()?)?;
    *line = Some(current);
    Some(observation)
}

fn open<C: Routable>(node: &Node<NodePool<C>>) -> Option<Line<C>> {
    let dialect = C::Backend::DIALECT;
    let version = |connection: &mut C| match Probe::version_question(dialect) {
        Some(question) => C::Backend::text(connection, question).ok(),
        None => Some(String::new()),
    };
    match node.pool().dedicated() {
        Some(connection) => {
            let mut connection = connection.ok()?;
            let version = version(&mut connection)?;
            Some(Line::Own(connection, Probe::new(dialect, &version)?))
        }
        None => {
            let version = version(&mut *pooled(node)?)?;
            Some(Line::Pooled(Probe::new(dialect, &version)?))
        }
    }
}

fn pooled<C: Routable>(node: &Node<NodePool<C>>) -> Option<PooledConnection<ConnectionManager<C>>> {
    node.pool().checkout().ok()
}
