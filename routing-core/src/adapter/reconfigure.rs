//! What an application changes while the router is in use.

use std::sync::Arc;

use crate::adapter::pool::Pool;
use crate::cluster::events::leave_out;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::{LagLimits, Rules};
use crate::config::{NodeConfig, RoutingConfig, SetConfig};
use crate::error::{ConfigProblem, RoutingError};
use crate::execute::router::Router;
use crate::names::NodeName;
use crate::observe::decision::Role;
use crate::observe::exclusion::Exclusion;

/// What is to be done to one set.
struct Plan<'r, 'c, P> {
    set: &'r ReplicaSet<P>,
    config: &'c SetConfig,
    added: Vec<(&'c NodeConfig, P)>,
    kept: Vec<(&'r Arc<Node<P>>, u16)>,
    gone: Vec<&'r Arc<Node<P>>>,
}

impl<P: Pool> Router<P> {
    /// Takes over another configuration of the same sets: replicas that are new are added, those that
    /// are missing are taken out, weights and [`LagLimits`](crate::LagLimits) are changed. All of it
    /// or, if something is wrong, nothing. Nodes are known by their names.
    ///
    /// The pools of the nodes that were taken out are closed; what runs on them goes on.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] with all mistakes: a set more or less, rules that cannot change while
    /// the set is in use, a primary that is taken out, a node whose URL or pool has changed, URLs that
    /// do not fit the driver.
    pub fn reconfigure(&self, config: &RoutingConfig) -> Result<(), RoutingError> {
        let mut problems = Vec::new();
        if config.sets().len() != self.sets().len() {
            let message = "sets cannot be added or taken out while they are in use";
            problems.push(ConfigProblem::new("sets", message));
        }
        if self
            .sets()
            .iter()
            .any(|set| set.enabled != config.is_enabled())
        {
            let message = "cannot change while the router is in use";
            problems.push(ConfigProblem::new("enabled", message));
        }
        let mut plans = Vec::new();
        for set in config.sets() {
            match self.set(set.name().clone()) {
                Ok(mine) => plans.push(plan(mine, set, &mut problems)),
                Err(_) => {
                    let path = format!("sets.{}", set.name());
                    problems.push(ConfigProblem::new(path, "is new, and cannot be added"));
                }
            }
        }
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        // In one order, however the configuration lists them: each holds its set.
        let place = |set: &ReplicaSet<P>| {
            self.sets()
                .iter()
                .position(|mine| mine.name() == set.name())
        };
        plans.sort_by_key(|plan| place(plan.set));
        let plans_added = plans.iter_mut().map(|plan| std::mem::take(&mut plan.added));
        let additions: Vec<_> = plans_added.collect();
        // No set changes before all of them can.
        let mut exchanges = Vec::new();
        for (plan, added) in plans.iter().zip(&additions) {
            let added: Vec<_> = added.iter().map(|(node, _)| node.name()).collect();
            match plan.set.begin_exchange(&added, &plan.gone) {
                Ok(exchange) => exchanges.push(exchange),
                Err(RoutingError::Config(more)) => problems.extend(more),
                Err(error) => return Err(error),
            }
        }
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        for (exchange, (plan, added)) in exchanges.into_iter().zip(plans.iter().zip(additions)) {
            let added = added.into_iter();
            let added = added.map(|(node, pool)| (node.name(), node.weight(), pool));
            exchange.carry_out(added.collect(), &plan.kept);
        }
        for plan in &plans {
            plan.set.set_lag_limits(plan.config.rules().lag);
            for node in &plan.gone {
                node.pool().retire();
            }
        }
        Ok(())
    }
}

impl<P> ReplicaSet<P> {
    /// Has a replica take nothing new, or again; what runs on it goes on, and its monitor too. In
    /// [`Scope::node`](crate::Scope::node) it still serves.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::UnknownNode`] if there is none of that name.
    /// - [`RoutingError::Config`] if it is to be drained and is the primary.
    pub fn drain(&self, name: &NodeName, is_drained: bool) -> Result<(), RoutingError> {
        let members = self.members();
        let index = self
            .named(members, name)
            .ok_or_else(|| self.unknown(name))?;
        if is_drained && index == members.primary() {
            let path = format!("sets.{}.{name}", self.name());
            let problem = ConfigProblem::new(path, "the primary cannot be drained");
            return Err(RoutingError::Config(vec![problem]));
        }
        let node = self.node(members, index);
        leave_out(self, node, Exclusion::Draining, is_drained);
        self.samples().tell();
        Ok(())
    }

    /// How far behind the replicas may be, from now on; the [rules](crate::Rules) keep what it was.
    pub fn set_lag_limits(&self, limits: LagLimits) {
        self.limit_all(limits);
    }
}

fn plan<'r, 'c, P: Pool>(
    set: &'r ReplicaSet<P>,
    config: &'c SetConfig,
    problems: &mut Vec<ConfigProblem>,
) -> Plan<'r, 'c, P> {
    let mut problem = |path: &str, message: String| {
        let path = format!("sets.{}{path}", config.name());
        problems.push(ConfigProblem::new(path, message));
    };
    let lag = set.rules().lag;
    let others = Rules {
        lag,
        ..config.rules().clone()
    };
    if others != *set.rules() {
        let message = "only nodes, weights and `lag` can change while the set is in use";
        problem("", message.into());
    }
    if config.is_managed() != set.managed {
        problem("", "`managed` cannot change while the set is in use".into());
    }
    let mut plan = Plan {
        set,
        config,
        added: Vec::new(),
        kept: Vec::new(),
        gone: Vec::new(),
    };
    let wanted = std::iter::once(config.primary()).chain(config.replicas());
    for node in wanted.clone() {
        let mut mine = set.nodes().into_iter();
        match mine.find(|mine| mine.name() == node.name()) {
            Some(mine) if !mine.pool().is_of(node) => {
                let message = "a node that changes needs another name";
                problem(&format!(".{}", node.name()), message.into());
            }
            Some(mine) => plan.kept.push((mine, node.weight())),
            None => match P::configured(node, Role::Replica) {
                Ok(pool) => plan.added.push((node, pool)),
                Err(message) => problem(&format!(".{}.url", node.name()), message),
            },
        }
    }
    for mine in set.nodes() {
        if !wanted.clone().any(|node| node.name() == mine.name()) {
            if set.role_of(mine) == Role::Primary {
                let message = "is the primary, and cannot be taken out";
                problem(&format!(".{}", mine.name()), message.into());
            }
            plan.gone.push(mine);
        }
    }
    plan
}
