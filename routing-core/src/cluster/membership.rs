//! Members that come and go while the set is in use.
//!
//! What runs on a node ends in peace, whatever becomes of the node: a decision is made over the
//! members of its moment, and a node that leaves them is only not chosen again.

use std::sync::{Arc, MutexGuard, PoisonError};

use crate::cluster::election::History;
use crate::cluster::members::{Member, Members};
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::error::{ConfigProblem, RoutingError};
use crate::names::MAX_NODES;
use crate::names::NodeName;
use crate::observe::exclusion::Exclusion;

impl<P> ReplicaSet<P> {
    /// Adds a replica, which takes reads when it has been observed, and its whole share after
    /// [`Rules::slow_start`](crate::Rules).
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if its name is taken, its weight 0, the set full or without rules.
    pub fn add_replica(
        &self,
        name: impl Into<NodeName>,
        weight: u16,
        pool: P,
    ) -> Result<(), RoutingError> {
        let name = name.into();
        self.change(&name, |all, primary, found| {
            let problem = if !self.managed {
                Some("an unmanaged set has one node, and no replicas")
            } else if found.is_some() {
                Some("another node has this name")
            } else if weight == 0 {
                Some("its weight must be at least 1")
            } else if all.len() == MAX_NODES {
                Some("the set has as many nodes as it can")
            } else {
                None
            };
            if let Some(problem) = problem {
                return Err(problem);
            }
            all.push(self.recruit(name.clone(), weight, pool));
            Ok(primary)
        })?;
        self.want_monitor();
        Ok(())
    }

    /// Takes a replica out. What runs on it goes on; the adapter closes its pool.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::UnknownNode`] if there is none of that name.
    /// - [`RoutingError::Config`] if it is the primary.
    pub fn remove_replica(&self, name: &NodeName) -> Result<&Arc<Node<P>>, RoutingError> {
        let mut place = None;
        self.change(name, |all, primary, found| {
            let Some(index) = found else {
                return Ok(primary);
            };
            if index == primary {
                return Err("the primary cannot be taken out");
            }
            place = Some(all.remove(index).place);
            Ok(primary - usize::from(index < primary))
        })?;
        let node = self.node_at(place.ok_or_else(|| self.unknown(name))?);
        node.remove();
        Ok(node)
    }

    /// Changes a replica's share of reads.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::UnknownNode`] if there is none of that name.
    /// - [`RoutingError::Config`] if the weight is 0.
    pub fn reweigh(&self, name: &NodeName, weight: u16) -> Result<(), RoutingError> {
        let mut is_known = false;
        self.change(name, |all, primary, found| {
            if weight == 0 {
                return Err("its weight must be at least 1; drain it instead");
            }
            if let Some(index) = found {
                is_known = true;
                all[index].weight = weight;
            }
            Ok(primary)
        })?;
        if is_known {
            Ok(())
        } else {
            Err(self.unknown(name))
        }
    }

    /// Checks an exchange of members, and holds them as they are until it is carried out or dropped.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if a node that goes has become the primary, a new name is taken, or the
    /// set would be too large.
    pub(crate) fn begin_exchange<'a>(
        &'a self,
        added: &[&NodeName],
        gone: &'a [&'a Arc<Node<P>>],
    ) -> Result<Exchange<'a, P>, RoutingError> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let members = self.members();
        let problem = |name: &NodeName, message: &str| {
            let path = format!("sets.{}.{name}", self.name());
            RoutingError::Config(vec![ConfigProblem::new(path, message)])
        };
        let primary = members.all()[members.primary()];
        let is_gone = |member: &Member| gone.iter().any(|node| node.id() == member.id);
        if is_gone(&primary) {
            let name = self.node_at(primary.place).name();
            return Err(problem(
                name,
                "has become the primary, and cannot be taken out",
            ));
        }
        let mut stay = members.all().to_vec();
        stay.retain(|member| !is_gone(member));
        for name in added {
            let is_taken = |member: &Member| self.node_at(member.place).name().same(name);
            if stay.iter().any(is_taken) {
                return Err(problem(name, "another node has this name"));
            }
        }
        if stay.len() + added.len() > MAX_NODES {
            let message = "the set would have more nodes than it can";
            return Err(problem(self.node_at(primary.place).name(), message));
        }
        Ok(Exchange {
            set: self,
            stay,
            primary,
            gone,
            history,
        })
    }

    /// A node that is to be a member, and is to be observed first.
    fn recruit(&self, name: NodeName, weight: u16, pool: P) -> Member {
        let node = Node::new(name, pool);
        if self.samples().has_positions() {
            node.exclusions.set(Exclusion::Unseen, true);
        }
        let id = node.id();
        let place = self.enrol(node);
        Member { place, id, weight }
    }

    /// Swaps the members for changed ones; `change` gives the primary's index among them.
    fn change(
        &self,
        name: &NodeName,
        change: impl FnOnce(&mut Vec<Member>, usize, Option<usize>) -> Result<usize, &'static str>,
    ) -> Result<(), RoutingError> {
        // Whoever else changes them, or judges who is the primary, waits.
        let _history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let members = self.members();
        let found = self.named(members, name);
        let mut all = members.all().to_vec();
        let primary = change(&mut all, members.primary(), found).map_err(|message| {
            let path = format!("sets.{}.{name}", self.name());
            RoutingError::Config(vec![ConfigProblem::new(path, message)])
        })?;
        let weight = self.rules.primary_read_weight;
        self.set_members(Members::new(all, primary, weight));
        Ok(())
    }

    pub(crate) fn unknown(&self, name: &NodeName) -> RoutingError {
        RoutingError::UnknownNode {
            set: self.name().clone(),
            node: name.clone(),
            known: self.nodes().iter().map(|n| n.name().clone()).collect(),
        }
    }
}

/// An exchange of members that can no longer fail.
pub(crate) struct Exchange<'a, P> {
    set: &'a ReplicaSet<P>,
    stay: Vec<Member>,
    primary: Member,
    gone: &'a [&'a Arc<Node<P>>],
    /// Keeps others from changing the members, or the primary, meanwhile.
    history: MutexGuard<'a, History>,
}

impl<P> Exchange<'_, P> {
    /// Adds these replicas, gives those this weight, and removes the nodes that go.
    pub(crate) fn carry_out(self, added: Vec<(&NodeName, u16, P)>, kept: &[(&Arc<Node<P>>, u16)]) {
        let Self {
            set,
            stay: mut all,
            primary,
            gone,
            history,
        } = self;
        for member in &mut all {
            if let Some((_, weight)) = kept.iter().find(|(node, _)| node.id() == member.id) {
                member.weight = *weight;
            }
        }
        let is_added = !added.is_empty();
        for (name, weight, pool) in added {
            all.push(set.recruit(name.clone(), weight, pool));
        }
        // It is not among those that go, but a node before it may be.
        let before = |member: &&Member| member.id != primary.id;
        let primary = all.iter().take_while(before).count();
        let weight = set.rules.primary_read_weight;
        set.set_members(Members::new(all, primary, weight));
        drop(history);
        for node in gone {
            node.remove();
        }
        if is_added {
            set.want_monitor();
        }
    }
}
