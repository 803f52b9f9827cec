//! One program, written once, that any of the adapters runs.
//!
//! The conformance suite must not say three times what it expects. So a test is a list of steps,
//! and each adapter runs the steps with its ORM's own models and transactions.

mod diesel;
mod diesel_async;
mod seaorm;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use routing_core::{
    Balancer, Delegate, Mode, NodeStatus, Routed, RoutedBuilder, RoutingConfig,
    RoutingConfigBuilder, RoutingError, Scope, Session, Status,
};

pub use diesel::Diesel;
pub use diesel_async::DieselAsync;
pub use seaorm::SeaOrm;

use crate::clock::MovedClock;
use crate::proxy::{Proxy, Way};
use crate::recorder::{Recorder, Witness};
use crate::wait::{self, LIMIT};
use crate::world::{Backend, World};

/// An adapter's handle.
pub trait Adapter: Clone + Send + Sync + 'static {
    /// Its name, for messages.
    const NAME: &'static str;

    /// A handle over the nodes of a configuration.
    ///
    /// # Errors
    ///
    /// What the adapter's builder says.
    fn open(config: &RoutingConfig, ports: Ports) -> Result<Self, RoutingError>;

    /// A handle in a session.
    #[must_use]
    fn with_session(&self, session: &Session) -> Self;

    /// A handle in a scope.
    #[must_use]
    fn scoped(&self, scope: Scope) -> Self;

    /// A handle to another set.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    fn on_set(&self, set: &str) -> Result<Self, Failed>;

    /// Pins the handle's session.
    ///
    /// # Errors
    ///
    /// What the rule refuses.
    fn pin(&self) -> Result<(), Failed>;

    /// A handle to the set of a caller's value.
    ///
    /// # Errors
    ///
    /// If there is no such set.
    fn for_key(&self, key: &str) -> Result<Self, Failed>;

    /// What is known of all nodes.
    fn status(&self) -> Status;

    /// Takes over another configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn reconfigure(&self, config: &RoutingConfig) -> Result<(), RoutingError>;

    /// Has a replica take nothing new, or again.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    fn drain(&self, node: &str, is_drained: bool) -> Result<(), RoutingError>;

    /// Waits until a replica has what the session has to read.
    fn catch_up(&self, within: Duration) -> impl Future<Output = bool> + Send;

    /// Asks the database for its functions.
    fn load_functions(&self) -> impl Future<Output = Result<(), Failed>> + Send;

    /// Runs steps one after the other, on one connection, and says what came of each.
    fn run(&self, steps: Vec<Step>) -> impl Future<Output = Vec<Outcome>> + Send;
}

/// What a test gives an adapter besides a configuration.
#[derive(Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a test makes one")]
pub struct Ports {
    /// Is told of every decision.
    pub recorder: Arc<Recorder>,
    /// The time.
    pub clock: Arc<MovedClock>,
    /// Who chooses among the replicas of the default set.
    pub balancer: Option<Box<dyn Balancer>>,
    /// Who knows which set has a table.
    pub delegate: Option<Arc<dyn Delegate>>,
}

impl Ports {
    /// Gives them to an adapter's builder.
    pub fn plug<H: Routed>(self, builder: RoutedBuilder<H>) -> RoutedBuilder<H> {
        let mut builder = builder.observer(self.recorder).clock(self.clock);
        if let Some(delegate) = self.delegate {
            builder = builder.delegate(delegate);
        }
        match self.balancer {
            Some(balancer) => builder.balancer("default", balancer),
            None => builder,
        }
    }
}

/// Something to do.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an adapter has to know all of them"
)]
pub enum Step {
    /// Asks the server that answers for its name.
    Server,
    /// Counts the cakes.
    Count,
    /// Inserts a cake of this name.
    Insert(String),
    /// Renames a cake.
    Rename(String, String),
    /// Deletes a cake.
    Delete(String),
    /// Reads the cakes and locks them; SQLite has no such thing.
    Lock,
    /// Runs a text.
    Execute(String),
    /// Loads the rows of a text, which have one whole number each, and counts them.
    Rows(String),
    /// Asks for one whole number.
    Number(String),
    /// Has the transaction's end written down, under this name.
    Log(Log, &'static str),
    /// Breaks the way to a server, or mends it.
    Way(Arc<Proxy>, Way),
    /// Runs steps in a scope.
    Scoped(Scope, Vec<Self>),
    /// Runs steps in a session.
    InSession(Session, Vec<Self>),
    /// Runs steps in a transaction or, inside one, a savepoint.
    Transaction(Begin, Vec<Self>, End),
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an adapter has to know all of them"
)]
pub enum Begin {
    /// As the ORM does by itself.
    Plain,
    /// Declared read-only.
    ReadOnly,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an adapter has to know all of them"
)]
pub enum End {
    /// It is committed.
    Commit,
    /// It is rolled back.
    Rollback,
    /// It is dropped, with its connection; only for the outermost one.
    Drop,
}

/// What came of a step.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "a test has to know all of them")]
pub enum Outcome {
    /// A server's name.
    Server(String),
    /// A number of rows.
    Count(i64),
    /// It is done.
    Done,
    /// It failed.
    Failed(Failed),
}

/// An error, in words that all adapters have.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failed {
    /// Its text.
    pub text: String,
    /// The routing error in it.
    pub routing: Option<RoutingError>,
}

impl Failed {
    /// An error, and the routing error in it.
    #[must_use]
    pub fn new(error: &dyn std::fmt::Display, routing: Option<&RoutingError>) -> Self {
        Self {
            text: error.to_string(),
            routing: routing.cloned(),
        }
    }
}

/// What transactions have called back, in order.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Writes something down.
    pub fn add(&self, entry: String) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
    }

    /// What has been called back since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The single steps, for tests that look at one after the other.
pub trait Shop: Adapter {
    /// The name of the server that answers a read.
    fn server(&self) -> impl Future<Output = String> + Send {
        async {
            match self.one(Step::Server).await {
                Outcome::Server(name) => name,
                other => panic!("{}: {other:?}", Self::NAME),
            }
        }
    }

    /// The number of cakes.
    fn count(&self) -> impl Future<Output = i64> + Send {
        async {
            match self.one(Step::Count).await {
                Outcome::Count(count) => count,
                other => panic!("{}: {other:?}", Self::NAME),
            }
        }
    }

    /// Inserts a cake.
    fn insert(&self, name: &str) -> impl Future<Output = Result<(), Failed>> + Send {
        self.attempt(Step::Insert(name.to_owned()))
    }

    /// Asks for one whole number.
    fn number(&self, sql: &str) -> impl Future<Output = Result<i64, Failed>> + Send {
        let step = Step::Number(sql.to_owned());
        async {
            match self.one(step).await {
                Outcome::Count(number) => Ok(number),
                Outcome::Failed(failed) => Err(failed),
                other => panic!("{}: {other:?}", Self::NAME),
            }
        }
    }

    /// Runs a text.
    fn execute(&self, sql: &str) -> impl Future<Output = Result<(), Failed>> + Send {
        self.attempt(Step::Execute(sql.to_owned()))
    }

    /// Loads the rows of a text.
    fn rows(&self, sql: &str) -> impl Future<Output = Result<i64, Failed>> + Send {
        let step = Step::Rows(sql.to_owned());
        async {
            match self.one(step).await {
                Outcome::Count(rows) => Ok(rows),
                Outcome::Failed(failed) => Err(failed),
                other => panic!("{}: {other:?}", Self::NAME),
            }
        }
    }

    /// Runs a step that may fail.
    fn attempt(&self, step: Step) -> impl Future<Output = Result<(), Failed>> + Send {
        async {
            match self.one(step).await {
                Outcome::Failed(failed) => Err(failed),
                _ => Ok(()),
            }
        }
    }

    /// Runs a step that has one outcome.
    fn one(&self, step: Step) -> impl Future<Output = Outcome> + Send {
        async {
            let mut outcomes = self.run(vec![step]).await;
            assert_eq!(outcomes.len(), 1, "{}: {outcomes:?}", Self::NAME);
            outcomes.remove(0)
        }
    }

    /// Runs a transaction: what came of its steps, and of its beginning or its end.
    fn transaction(
        &self,
        begin: Begin,
        steps: Vec<Step>,
        end: End,
    ) -> impl Future<Output = Vec<Outcome>> + Send {
        self.run(vec![Step::Transaction(begin, steps, end)])
    }
}

impl<A: Adapter> Shop for A {}

/// Uses a handle for the first time, and waits until its nodes are observed.
pub async fn until_seen<A: Adapter>(db: &A) {
    db.server().await;
    until_no_node(db, |node| node.left_out.contains(&"unseen")).await;
}

/// Waits until the lag of each replica is known. Of one that answers before the primary it is not, until the monitor
/// asks it again; until then reads go elsewhere.
async fn until_measured<A: Adapter>(db: &A) {
    until_no_node(db, |node| {
        node.left_out.contains(&"lagging")
            || node.left_out.is_empty() && node.says == Some("replica") && node.lag.is_none()
    })
    .await;
}

/// Waits until this is true of no node that is up. The handle offers no event to wait for.
async fn until_no_node<A: Adapter>(db: &A, is_to_come: impl Fn(&NodeStatus) -> bool) {
    wait::until("all nodes are observed", async || {
        let status = db.status();
        let mut nodes = status.sets[0].nodes.iter();
        !nodes.any(|node| node.up && is_to_come(node))
    })
    .await;
}

/// An adapter's handle over real servers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scene<A> {
    /// The handle; it has no session.
    pub db: A,
    /// What it decides.
    pub recorder: Arc<Recorder>,
    /// The time, if nodes are to be left alone for less than they would be.
    pub clock: Arc<MovedClock>,
    /// The servers.
    pub world: World,
    _witness: Witness,
}

impl<A: Adapter> Scene<A> {
    /// In this mode, on replicas that replay.
    pub async fn new(backend: Backend, mode: Mode) -> Self {
        Self::with(backend, |config| config.mode(mode)).await
    }

    /// With more settings.
    pub async fn with(
        backend: Backend,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        // Others use the servers too: what this test waits for comes, if not at once.
        let patient = |config: RoutingConfigBuilder| settings(config.catch_up_wait(LIMIT));
        Self::over(World::new(backend, false).await, patient).await
    }

    /// The same on replicas that can be paused.
    pub async fn lagging_with(
        backend: Backend,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        Self::over(World::new(backend, true).await, settings).await
    }

    /// On replicas that can be paused.
    pub async fn lagging(backend: Backend, mode: Mode) -> Self {
        Self::over(World::new(backend, true).await, |config| config.mode(mode)).await
    }

    async fn over(
        world: World,
        settings: impl FnOnce(RoutingConfigBuilder) -> RoutingConfigBuilder,
    ) -> Self {
        let ports = Ports::default();
        let (recorder, clock) = (Arc::clone(&ports.recorder), Arc::clone(&ports.clock));
        let db = A::open(&world.config(settings), ports).expect("a handle");
        until_seen(&db).await;
        until_measured(&db).await;
        recorder.take();
        Self {
            db,
            _witness: Witness::new(&recorder),
            recorder,
            clock,
            world,
        }
    }

    /// A handle with a session of its own.
    #[must_use]
    pub fn session(&self) -> (A, Session) {
        let session = Session::new();
        (self.db.with_session(&session), session)
    }
}
