//! How an adapter's routed connection is put together.
//!
//! The obvious place is each adapter, as the pools are its own. Then the words of the set-up, its
//! defaults and its complaints are written three times, and drift apart. Here an adapter says how
//! it opens a pool ([`Pool`]) and what it hands out ([`Routed`]); the rest is the same for all.

use std::fmt;
use std::sync::Arc;

use crate::adapter::pool::Pool;
use crate::cluster::balancer::Balancer;
use crate::cluster::probe::Probe;
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::{Mode, Rules};
use crate::config::{NodeConfig, RoutingConfig, SetConfig};
use crate::error::{ConfigProblem, RoutingError};
use crate::execute::router::Router;
use crate::names::{NodeName, SetName};
use crate::observe::decision::Role;
use crate::observe::observer::Observer;
use crate::sql::set_lookup::Delegate;
use crate::time::clock::Clock;

/// What an adapter hands out: a routed connection, or a pool of them.
pub trait Routed: Sized {
    /// The adapter's pool of connections to one node.
    type Pool: Pool;

    /// A handle over this router, which looks at its default set.
    fn over(router: Arc<Router<Self::Pool>>) -> Self;
}

/// Collects what a routed connection is made of.
#[must_use = "nothing is built until `build` is called"]
pub struct RoutedBuilder<H: Routed> {
    sets: Vec<SetDraft<H::Pool>>,
    clock: Option<Arc<dyn Clock>>,
    observer: Option<Arc<dyn Observer>>,
    delegate: Option<Arc<dyn Delegate>>,
    problems: Vec<ConfigProblem>,
}

struct SetDraft<P> {
    name: SetName,
    enabled: bool,
    managed: bool,
    rules: Rules,
    tables: Vec<String>,
    balancer: Option<Box<dyn Balancer>>,
    primary: NodeDraft<P>,
    replicas: Vec<NodeDraft<P>>,
}

struct NodeDraft<P> {
    name: NodeName,
    weight: u16,
    /// `None` if there is none, which has been reported.
    pool: Option<P>,
}

impl<H: Routed> RoutedBuilder<H> {
    /// The nodes and rules of a configuration.
    pub fn from_config(config: &RoutingConfig) -> Self {
        let mut problems = Vec::new();
        let sets = config.sets().iter();
        let sets = sets
            .map(|set| SetDraft::configured(config, set, &mut problems))
            .collect();
        Self {
            sets,
            clock: None,
            observer: None,
            delegate: None,
            problems,
        }
    }

    /// A default set of pools that the application opened itself.
    pub fn from_pools(
        primary: <H::Pool as Pool>::Given,
        replicas: impl IntoIterator<Item = <H::Pool as Pool>::Given>,
    ) -> Self {
        let empty = Self {
            sets: Vec::new(),
            clock: None,
            observer: None,
            delegate: None,
            problems: Vec::new(),
        };
        empty.set(SetName::default(), primary, replicas)
    }

    /// Adds another replica set, of pools that the application opened itself.
    pub fn set(
        mut self,
        name: impl Into<SetName>,
        primary: <H::Pool as Pool>::Given,
        replicas: impl IntoIterator<Item = <H::Pool as Pool>::Given>,
    ) -> Self {
        let name = name.into();
        let path = format!("sets.{name}.primary");
        let pool = or_report(H::Pool::given(primary), path, &mut self.problems);
        self.sets.push(SetDraft {
            name,
            enabled: true,
            managed: true,
            rules: Rules::default(),
            tables: Vec::new(),
            balancer: None,
            primary: NodeDraft {
                name: NodeName::from("primary"),
                weight: 1,
                pool,
            },
            replicas: Vec::new(),
        });
        for (i, replica) in replicas.into_iter().enumerate() {
            self = self.named_replica(format!("replica-{}", i + 1), 1, replica);
        }
        self
    }

    /// Adds a replica to the set that was added last, with a name and a weight: its share of reads,
    /// relative to the others' **1**.
    pub fn named_replica(
        mut self,
        name: impl Into<NodeName>,
        weight: u16,
        replica: <H::Pool as Pool>::Given,
    ) -> Self {
        if let Some(set) = self.sets.last_mut() {
            let path = format!("sets.{}.replicas[{}]", set.name, set.replicas.len());
            let pool = or_report(H::Pool::given(replica), path, &mut self.problems);
            let name = name.into();
            set.replicas.push(NodeDraft { name, weight, pool });
        }
        self
    }

    /// Replaces the rules of a set.
    pub fn rules(self, set: impl Into<SetName>, rules: Rules) -> Self {
        self.change(&set.into(), |draft| draft.rules = rules)
    }

    /// Names the tables that live in a set and not in the default one, by name or `schema.name`.
    pub fn tables<S: Into<String>>(
        self,
        set: impl Into<SetName>,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        self.change(&set.into(), |draft| {
            draft.tables.extend(names.into_iter().map(Into::into));
        })
    }

    /// Replaces the balancer of a set.
    pub fn balancer(self, set: impl Into<SetName>, balancer: Box<dyn Balancer>) -> Self {
        self.change(&set.into(), |draft| draft.balancer = Some(balancer))
    }

    /// What an unpinned write does, on all sets so far; **`Greedy`**.
    pub fn mode(mut self, mode: Mode) -> Self {
        for set in &mut self.sets {
            set.rules.mode = mode;
        }
        self
    }

    /// Whether statements are routed, on all sets so far; **`true`**. If not, all run on the
    /// primary of their set.
    pub fn enabled(mut self, enabled: bool) -> Self {
        for set in &mut self.sets {
            set.enabled = enabled;
        }
        self
    }

    fn change(mut self, name: &SetName, change: impl FnOnce(&mut SetDraft<H::Pool>)) -> Self {
        match self.sets.iter_mut().find(|set| set.name == *name) {
            Some(set) => change(set),
            None => self.problems.push(ConfigProblem::new(
                format!("sets.{name}"),
                "there is no such set to change",
            )),
        }
        self
    }

    /// Replaces the clock, by which nodes are left alone.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Has every decision told to an observer.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Has somebody asked which set a statement's tables, or a caller's value, belong to.
    pub fn delegate(mut self, delegate: Arc<dyn Delegate>) -> Self {
        self.delegate = Some(delegate);
        self
    }

    /// The connection, or the pool of them, which looks at the first set.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] with all mistakes: URLs that do not fit their driver, pools that
    /// cannot be used, nodes of different databases in a set, two nodes or sets of one name,
    /// weights of 0, replicas in an unmanaged set.
    pub fn build(self) -> Result<H, RoutingError> {
        let Self {
            sets,
            clock,
            observer,
            delegate,
            mut problems,
        } = self;
        let mut built = Vec::new();
        for set in sets {
            match set.build(&mut problems) {
                Some(Ok(set)) => built.push(set),
                Some(Err(RoutingError::Config(more))) => problems.extend(more),
                Some(Err(other)) => return Err(other),
                None => {}
            }
        }
        // A statement is built before it is known which set it goes to.
        let dialect = |set: &ReplicaSet<H::Pool>| set.classifier().dialect();
        for set in built.iter().skip(1) {
            if !set.tables().is_empty() && dialect(set) != dialect(&built[0]) {
                let path = format!("sets.{}.tables", set.name());
                let message = "need the same kind of database as the default set's";
                problems.push(ConfigProblem::new(path, message));
            }
        }
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        let mut router = Router::builder(built);
        if let Some(delegate) = delegate {
            router = router.delegate(delegate);
        }
        if let Some(clock) = clock {
            router = router.clock(clock);
        }
        if let Some(observer) = observer {
            router = router.observer(observer);
        }
        Ok(H::over(Arc::new(router.build()?)))
    }
}

impl<P: Pool> SetDraft<P> {
    fn configured(
        config: &RoutingConfig,
        set: &SetConfig,
        problems: &mut Vec<ConfigProblem>,
    ) -> Self {
        let mut configured = |node: &NodeConfig, role, path: &str| {
            let path = format!("sets.{}.{path}.url", set.name());
            NodeDraft {
                name: node.name().clone(),
                weight: node.weight(),
                pool: or_report(P::configured(node, role), path, problems),
            }
        };
        Self {
            name: set.name().clone(),
            enabled: config.is_enabled(),
            managed: set.is_managed(),
            rules: set.rules().clone(),
            tables: set.tables().to_vec(),
            balancer: None,
            primary: configured(set.primary(), Role::Primary, "primary"),
            replicas: set
                .replicas()
                .iter()
                .enumerate()
                .map(|(i, node)| configured(node, Role::Replica, &format!("replicas[{i}]")))
                .collect(),
        }
    }

    /// `None` if a pool is missing, which has been reported.
    fn build(
        self,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<Result<ReplicaSet<P>, RoutingError>> {
        let primary = self.primary.pool?;
        let dialect = primary.dialect();
        let positions = dialect.is_some_and(|dialect| Probe::new(dialect, "").is_some())
            && primary.can_be_probed();
        let mut builder = ReplicaSet::builder(self.name.clone(), primary)
            .primary_name(self.primary.name)
            .rules(self.rules)
            .dialect(dialect)
            .positions(positions)
            .tables(self.tables)
            .enabled(self.enabled)
            .managed(self.managed);
        if let Some(balancer) = self.balancer {
            builder = builder.balancer(balancer);
        }
        for (i, replica) in self.replicas.into_iter().enumerate() {
            let pool = replica.pool?;
            if pool.dialect() != dialect {
                let path = format!("sets.{}.replicas[{i}]", self.name);
                let message = "is another kind of database than the primary";
                problems.push(ConfigProblem::new(path, message));
            }
            builder = builder.named_replica(replica.name, replica.weight, pool);
        }
        Some(builder.build())
    }
}

fn or_report<P>(
    pool: Result<P, String>,
    path: String,
    problems: &mut Vec<ConfigProblem>,
) -> Option<P> {
    pool.map_err(|message| problems.push(ConfigProblem::new(path, message)))
        .ok()
}

impl<H: Routed> fmt::Debug for RoutedBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets: Vec<_> = self.sets.iter().map(|set| &set.name).collect();
        f.debug_struct("RoutedBuilder")
            .field("sets", &sets)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}
