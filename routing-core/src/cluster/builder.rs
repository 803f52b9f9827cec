//! How a replica set is put together.

use crate::cluster::balancer::Balancer;
use crate::cluster::node::Node;
use crate::cluster::replica_set::{Parts, ReplicaSet};
use crate::config::rules::Rules;
use crate::error::{ConfigProblem, RoutingError};
use crate::names::{MAX_NODES, PRIMARY_NAME, replica_name, taken_names};
use crate::names::{NodeName, SetName};
use crate::position::log::{Positions, Samples};
use crate::random::SplitMix64;
use crate::sql::Dialect;
use crate::sql::classifier::Classifier;

/// Collects the nodes and rules of a [`ReplicaSet`].
#[derive(Debug)]
#[must_use = "nothing is built until `build` is called"]
pub struct ReplicaSetBuilder<P> {
    name: SetName,
    enabled: bool,
    managed: bool,
    rules: Rules,
    dialect: Option<Dialect>,
    tables: Vec<String>,
    primary: (NodeName, P),
    replicas: Vec<Replica<P>>,
    balancer: Option<Box<dyn Balancer>>,
    positions: Positions,
    seed: Option<u64>,
}

#[derive(Debug)]
struct Replica<P> {
    name: NodeName,
    weight: u16,
    pool: P,
}

impl<P> ReplicaSet<P> {
    /// A set of this name with only a primary, for a start.
    pub fn builder(name: impl Into<SetName>, primary: P) -> ReplicaSetBuilder<P> {
        ReplicaSetBuilder {
            name: name.into(),
            enabled: true,
            managed: true,
            rules: Rules::default(),
            dialect: None,
            tables: Vec::new(),
            primary: (NodeName::from(PRIMARY_NAME), primary),
            replicas: Vec::new(),
            balancer: None,
            positions: Positions::None,
            seed: None,
        }
    }
}

impl<P> ReplicaSetBuilder<P> {
    /// Renames the primary.
    pub fn primary_name(mut self, name: impl Into<NodeName>) -> Self {
        self.primary.0 = name.into();
        self
    }

    /// Adds a replica, named `replica-1`, `replica-2`, … by its place, with weight **1**.
    pub fn replica(self, pool: P) -> Self {
        let name = replica_name(self.replicas.len());
        self.named_replica(name, 1, pool)
    }

    /// Adds a replica with a name and a weight: its share of reads, relative to the others'.
    pub fn named_replica(mut self, name: impl Into<NodeName>, weight: u16, pool: P) -> Self {
        self.replicas.push(Replica {
            name: name.into(),
            weight,
            pool,
        });
        self
    }

    /// Replaces the rules.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Whose SQL its database speaks; without it, no statement's text is understood.
    pub fn dialect(mut self, dialect: impl Into<Option<Dialect>>) -> Self {
        self.dialect = dialect.into();
        self
    }

    /// Tables that live in it and not in the default set, by name or `schema.name`; **none**.
    pub fn tables<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.tables.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether statements are routed at all; **`true`**. If not, all run on the primary.
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Whether the set has rules; **`true`**. An unmanaged set has one node, and takes any
    /// statement at any time.
    pub const fn managed(mut self, managed: bool) -> Self {
        self.managed = managed;
        self
    }

    /// Replaces the balancer that the rules name.
    pub fn balancer(mut self, balancer: Box<dyn Balancer>) -> Self {
        self.balancer = Some(balancer);
        self
    }

    /// Whether somebody will ask the nodes for their positions; **`false`**. Until there is an
    /// answer, whoever has written reads from the primary.
    pub const fn positions(mut self, positions: bool) -> Self {
        self.positions = if positions {
            Positions::Asked
        } else {
            Positions::None
        };
        self
    }

    /// Where its randomness starts: who begins a round, how waiting times are spread; **the process's
    /// own**. With a seed, a test is the same each time.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The set.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] with all mistakes: two nodes of one name, a weight of 0, more than
    /// 64 nodes, replicas in an unmanaged set.
    pub fn build(self) -> Result<ReplicaSet<P>, RoutingError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        if self.replicas.is_empty() && self.enabled && self.managed {
            tracing::info!(
                target: "routing",
                set = self.name.as_str(),
                "no replica: everything runs on the primary"
            );
        }
        let random = match self.seed {
            Some(seed) => SplitMix64::from_seed(seed),
            None => SplitMix64::from_process(),
        };
        let balancer = self
            .balancer
            .unwrap_or_else(|| self.rules.balance.balancer(random.next()));
        let (name, pool) = self.primary;
        // As a replica, which it may become, it is one among the others.
        let mut nodes = vec![(Node::new(name, pool), 1)];
        for Replica { name, weight, pool } in self.replicas {
            nodes.push((Node::new(name, pool), weight));
        }
        let classifier = Classifier::new(self.dialect, self.rules.functions.clone());
        // Where there is nothing to choose from, nothing is to be known.
        let chooses = self.enabled && self.managed && nodes.len() > 1;
        if chooses && self.rules.load_functions {
            classifier.want_catalog();
        }
        let positions = if chooses && self.rules.positions {
            self.positions
        } else {
            Positions::None
        };
        if chooses && positions == Positions::None {
            tracing::info!(
                target: "routing",
                set = self.name.as_str(),
                "no positions: what is written is kept on the primary by time"
            );
        }
        let samples = Samples::new(positions);
        Ok(ReplicaSet::new(Parts {
            name: self.name,
            enabled: self.enabled,
            managed: self.managed,
            rules: self.rules,
            classifier,
            tables: self.tables,
            nodes,
            balancer,
            samples,
            random,
        }))
    }

    fn problems(&self) -> Vec<ConfigProblem> {
        let set = &self.name;
        let mut problems = Vec::new();
        let mut problem = |path: String, message: String| {
            problems.push(ConfigProblem::new(format!("sets.{set}{path}"), message));
        };
        let mut names = vec![self.primary.0.clone()];
        names.extend(self.replicas.iter().map(|replica| replica.name.clone()));
        for index in taken_names(&names) {
            // Index 0 is the primary, and nobody is before it.
            let path = format!(".replicas[{}].name", index - 1);
            problem(path, format!("another node is called `{}`", names[index]));
        }
        for (i, replica) in self.replicas.iter().enumerate() {
            if replica.weight == 0 {
                let path = format!(".replicas[{i}].weight");
                problem(
                    path,
                    "must be at least 1; leave the replica out instead".into(),
                );
            }
        }
        if names.len() > MAX_NODES {
            let most = MAX_NODES - 1;
            let message = format!("{} are too many; {most} at most", self.replicas.len());
            problem(".replicas".into(), message);
        }
        if !self.managed && !self.replicas.is_empty() {
            let message = "an unmanaged set has one node, and no replicas";
            problem(".replicas".into(), message.into());
        }
        problems
    }
}
