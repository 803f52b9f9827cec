//! How a routed connection is put together.

use std::sync::Arc;

use routing_core::{
    Balancer, Clock, ConfigProblem, Context, Mode, NodeName, Observer, ReplicaSet,
    ReplicaSetBuilder, Role, Router, RoutingConfig, RoutingError, Rules, SetConfig, SetName,
};
use sea_orm::DatabaseConnection;

use crate::handle::RoutedConnection;
use crate::pool::NodePool;

impl RoutedConnection {
    /// A connection to the nodes of a configuration. No server need be up: each node is connected
    /// to when it is first used.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] if a URL does not fit its driver, or if the driver's feature is
    /// not enabled.
    pub fn new(config: &RoutingConfig) -> Result<Self, RoutingError> {
        Self::builder(config).build()
    }

    /// The same, to be given a clock, an observer or a balancer first.
    pub fn builder(config: &RoutingConfig) -> RoutedConnectionBuilder {
        RoutedConnectionBuilder::from_config(config)
    }

    /// A connection over pools that the application opened itself, with SeaORM's own options.
    ///
    /// Give the replicas' pools a short `acquire_timeout`: it is how long a read waits for a
    /// replica that is down, before it goes to the next.
    ///
    /// ```no_run
    /// # use routing_seaorm::{Mode, RoutedConnection};
    /// # use sea_orm::Database;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let primary = Database::connect("postgres://db-1/shop").await?;
    /// let replica = Database::connect("postgres://db-2/shop").await?;
    /// let db = RoutedConnection::from_connections(primary, [replica])
    ///     .mode(Mode::Strict)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn from_connections(
        primary: DatabaseConnection,
        replicas: impl IntoIterator<Item = DatabaseConnection>,
    ) -> RoutedConnectionBuilder {
        RoutedConnectionBuilder::from_connections(primary, replicas)
    }
}

/// Collects what a [`RoutedConnection`] is made of.
#[derive(Default)]
#[must_use = "nothing is built until `build` is called"]
pub struct RoutedConnectionBuilder {
    sets: Vec<SetDraft>,
    clock: Option<Arc<dyn Clock>>,
    observer: Option<Arc<dyn Observer>>,
    problems: Vec<ConfigProblem>,
}

struct SetDraft {
    name: SetName,
    enabled: bool,
    managed: bool,
    rules: Rules,
    balancer: Option<Box<dyn Balancer>>,
    primary: (NodeName, Option<NodePool>),
    replicas: Vec<(NodeName, u16, Option<NodePool>)>,
}

impl RoutedConnectionBuilder {
    fn from_config(config: &RoutingConfig) -> Self {
        let mut builder = Self::default();
        for set in config.sets() {
            let draft = SetDraft::configured(config, set, &mut builder.problems);
            builder.sets.push(draft);
        }
        builder
    }

    fn from_connections(
        primary: DatabaseConnection,
        replicas: impl IntoIterator<Item = DatabaseConnection>,
    ) -> Self {
        Self::default().set(SetName::default(), primary, replicas)
    }

    /// Adds another replica set, which [`RoutedConnection::on_set`] leads to.
    pub fn set(
        mut self,
        name: impl Into<SetName>,
        primary: DatabaseConnection,
        replicas: impl IntoIterator<Item = DatabaseConnection>,
    ) -> Self {
        let name = name.into();
        let primary = given(primary, &format!("sets.{name}.primary"), &mut self.problems);
        self.sets.push(SetDraft {
            name,
            enabled: true,
            managed: true,
            rules: Rules::default(),
            balancer: None,
            primary: (NodeName::from("primary"), primary),
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
        replica: DatabaseConnection,
    ) -> Self {
        if let Some(set) = self.sets.last_mut() {
            let path = format!("sets.{}.replicas[{}]", set.name, set.replicas.len());
            let pool = given(replica, &path, &mut self.problems);
            set.replicas.push((name.into(), weight, pool));
        }
        self
    }

    /// Replaces the rules of a set.
    pub fn rules(self, set: impl Into<SetName>, rules: Rules) -> Self {
        self.change(&set.into(), |draft| draft.rules = rules)
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

    fn change(mut self, name: &SetName, change: impl FnOnce(&mut SetDraft)) -> Self {
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

    /// The connection, which looks at the first set.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] with all mistakes: URLs that do not fit their driver, disconnected
    /// connections, nodes of different databases in a set, two nodes or sets of one name, weights
    /// of 0, replicas in an unmanaged set.
    pub fn build(self) -> Result<RoutedConnection, RoutingError> {
        let Self {
            sets,
            clock,
            observer,
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
        if !problems.is_empty() {
            return Err(RoutingError::Config(problems));
        }
        let mut router = Router::new(built)?;
        if let Some(clock) = clock {
            router = router.with_clock(clock);
        }
        if let Some(observer) = observer {
            router = router.with_observer(observer);
        }
        Ok(RoutedConnection {
            set: Arc::clone(router.default_set()),
            router: Arc::new(router),
            context: Context::default(),
        })
    }
}

impl SetDraft {
    fn configured(
        config: &RoutingConfig,
        set: &SetConfig,
        problems: &mut Vec<ConfigProblem>,
    ) -> Self {
        let mut configured = |node, role, path: &str| {
            let path = format!("sets.{}.{path}", set.name());
            NodePool::configured(node, role, &path)
                .map_err(|problem| problems.push(problem))
                .ok()
        };
        let primary = set.primary();
        Self {
            name: set.name().clone(),
            enabled: config.is_enabled(),
            managed: set.is_managed(),
            rules: set.rules().clone(),
            balancer: None,
            primary: (
                primary.name().clone(),
                configured(primary, Role::Primary, "primary"),
            ),
            replicas: set
                .replicas()
                .iter()
                .enumerate()
                .map(|(i, node)| {
                    let pool = configured(node, Role::Replica, &format!("replicas[{i}]"));
                    (node.name().clone(), node.weight(), pool)
                })
                .collect(),
        }
    }

    /// `None` if a pool is missing, which has been reported.
    fn build(
        self,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<Result<ReplicaSet<NodePool>, RoutingError>> {
        let (name, primary) = self.primary;
        let primary = primary?;
        let backend = primary.backend();
        let mut builder: ReplicaSetBuilder<_> = ReplicaSet::builder(self.name.clone(), primary)
            .primary_name(name)
            .rules(self.rules)
            .enabled(self.enabled)
            .managed(self.managed);
        if let Some(balancer) = self.balancer {
            builder = builder.balancer(balancer);
        }
        for (i, (name, weight, pool)) in self.replicas.into_iter().enumerate() {
            let pool = pool?;
            if pool.backend() != backend {
                let path = format!("sets.{}.replicas[{i}]", self.name);
                let message = "is another kind of database than the primary";
                problems.push(ConfigProblem::new(path, message));
            }
            builder = builder.named_replica(name, weight, pool);
        }
        Some(builder.build())
    }
}

fn given(
    connection: DatabaseConnection,
    path: &str,
    problems: &mut Vec<ConfigProblem>,
) -> Option<NodePool> {
    NodePool::given(connection, path)
        .map_err(|problem| problems.push(problem))
        .ok()
}

impl std::fmt::Debug for RoutedConnectionBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedConnectionBuilder")
            .field(
                "sets",
                &self.sets.iter().map(|set| &set.name).collect::<Vec<_>>(),
            )
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}
