//! Questions to a node over a connection beside its pool: the monitor's, and the functions' catalog.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::adapter::pool::Pool;
use crate::adapter::tokio::background::{TokioTimer, spawn};
use crate::cluster::node::Node;
use crate::cluster::probe::Probe;
use crate::cluster::replica_set::ReplicaSet;
use crate::execute::router::Router;
use crate::monitor::ticket::{Answer, Ask, ProbeTicket};
use crate::observe::decision::Role;
use crate::observe::failure::Failure;
use crate::sql::{CatalogFunction, Dialect};
use crate::time::timer::Timer;

/// How long the primary has to answer [`CATALOG_QUERY`](crate::sql::CATALOG_QUERY).
const CATALOG_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a node beside its pool, which may be exhausted.
pub trait Dedicated<P>: Sized + Send + 'static {
    /// The driver's error.
    type Error: fmt::Display + Send;

    /// Connects to the pool's node.
    fn connect(pool: &P) -> impl Future<Output = Result<Self, Self::Error>> + Send;

    /// The one text that a query returns.
    fn text(&mut self, query: &str) -> impl Future<Output = Result<String, Self::Error>> + Send;

    /// The rows of [`CATALOG_QUERY`](crate::sql::CATALOG_QUERY) or [`ROUTINES_QUERY`](crate::sql::ROUTINES_QUERY).
    fn functions(self) -> impl Future<Output = Result<Vec<CatalogFunction>, Self::Error>> + Send;

    /// The failure when [`connect`](Self::connect) fails.
    fn refusal(error: &Self::Error, pool: &P, role: Role) -> Failure;

    /// The answer when [`text`](Self::text) fails.
    fn answer(error: &Self::Error, pool: &P, role: Role) -> Answer;

    /// The error when the primary does not send its catalog in time.
    fn timed_out() -> Self::Error;
}

/// The monitor's connection to a node.
struct Line<D>(Option<(D, Probe)>);

impl<D> Default for Line<D> {
    fn default() -> Self {
        Self(None)
    }
}

impl<P: Pool + Send + Sync, D: Dedicated<P>> Ask<P> for Line<D> {
    async fn ask(&mut self, ticket: &ProbeTicket<P>) -> Answer {
        let (node, role) = (ticket.node(), ticket.role());
        let line = match self.0.take() {
            Some(line) => Ok(line),
            None => connect(ticket).await,
        };
        let (mut connection, probe): (D, Probe) = match line {
            Ok(line) => line,
            Err(answer) => return answer,
        };
        match connection.text(probe.question()).await {
            Ok(text) => {
                let answer = probe.read(role, &text).into();
                self.0 = Some((connection, probe));
                answer
            }
            Err(error) => failed::<P, D>(&error, node, role),
        }
    }
}

/// The probe has gone wrong over a connection.
fn failed<P: Pool, D: Dedicated<P>>(error: &D::Error, node: &Node<P>, role: Role) -> Answer {
    node.probe_failed(error);
    D::answer(error, node.pool(), role)
}

async fn connect<P, D>(ticket: &ProbeTicket<P>) -> Result<(D, Probe), Answer>
where
    P: Pool + Send + Sync,
    D: Dedicated<P>,
{
    let (node, role) = (ticket.node(), ticket.role());
    let pool = node.pool();
    let mut connection = D::connect(pool).await.map_err(|error| {
        node.probe_failed(&error);
        let node = node.name().as_str();
        tracing::debug!(target: "routing", node, %error, "a probe could not connect");
        Answer::Failed(D::refusal(&error, pool, role))
    })?;
    let dialect = pool.dialect().ok_or(Answer::Unintelligible)?;
    let version = match Probe::version_question(dialect) {
        Some(question) => {
            let text = connection.text(question).await;
            text.map_err(|error| failed::<P, D>(&error, node, role))?
        }
        None => String::new(),
    };
    let probe = Probe::new(dialect, &version).ok_or(Answer::Unintelligible)?;
    Ok((connection, probe.asked_by(ticket.query())))
}

/// Runs the monitors of a set in the background.
pub fn spawn_monitors<P, D>(router: &Router<P>, set: &Arc<ReplicaSet<P>>)
where
    P: Pool + Send + Sync + 'static,
    D: Dedicated<P>,
{
    for monitor in router.monitors(set) {
        let guard = MonitorGuard(Arc::downgrade(set));
        let _ = spawn(async move {
            let _guard = guard;
            monitor.run::<Line<D>, TokioTimer>().await;
        });
    }
}

/// Lets another task monitor the set when a monitor's task is gone, as with its runtime.
#[derive(Debug)]
pub(crate) struct MonitorGuard<P>(pub(crate) Weak<ReplicaSet<P>>);

impl<P> Drop for MonitorGuard<P> {
    fn drop(&mut self) {
        if let Some(set) = self.0.upgrade() {
            set.want_monitor();
        }
    }
}

/// Loads the functions of a set's database in the background, until the primary has sent them.
pub fn spawn_catalog<P, D>(set: &Arc<ReplicaSet<P>>)
where
    P: Pool + Send + Sync + 'static,
    D: Dedicated<P>,
{
    let weak = Arc::downgrade(set);
    let guard = CatalogGuard(Some(Arc::downgrade(set)));
    let _ = spawn(async move {
        let mut guard = guard;
        while let Some(set) = Weak::upgrade(&weak) {
            let answer = ask_catalog::<P, D>(&set).await;
            let Err(back_off) = set.classifier().take_catalog(answer) else {
                guard.0 = None;
                return;
            };
            drop(set);
            let _over = TokioTimer::within(back_off, std::future::pending::<()>()).await;
        }
    });
}

/// Lets another task load the functions when a task is gone before it has, as with its runtime.
struct CatalogGuard<P>(Option<Weak<ReplicaSet<P>>>);

impl<P> Drop for CatalogGuard<P> {
    fn drop(&mut self) {
        if let Some(set) = self.0.as_ref().and_then(Weak::upgrade) {
            set.classifier().want_catalog();
        }
    }
}

/// Loads the functions of a set's database now.
///
/// # Errors
///
/// The driver's, if the primary has no connection or does not answer within **10 s**.
pub async fn load_functions<P, D>(set: &ReplicaSet<P>) -> Result<(), D::Error>
where
    P: Pool + Send + Sync,
    D: Dedicated<P>,
{
    let functions = ask_catalog::<P, D>(set).await?;
    set.classifier().set_catalog(functions);
    Ok(())
}

async fn ask_catalog<P, D>(set: &ReplicaSet<P>) -> Result<Vec<CatalogFunction>, D::Error>
where
    P: Pool + Send + Sync,
    D: Dedicated<P>,
{
    if !set.classifier().dialect().is_some_and(Dialect::has_catalog) {
        return Ok(Vec::new());
    }
    let asking = async { D::connect(set.primary().pool()).await?.functions().await };
    let answer = TokioTimer::within(CATALOG_TIMEOUT, asking).await;
    answer.unwrap_or_else(|| Err(D::timed_out()))
}
