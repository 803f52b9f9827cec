//! Asking nodes where they are, beside the statements.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use routing_core::{
    Answer, Ask, Failure, Monitor, Node, Pool as _, Probe, ReplicaSet, Role, Router, Timer,
};
use sea_orm::sqlx;
#[cfg(any(feature = "sqlx-mysql", feature = "sqlx-postgres"))]
use sea_orm::sqlx::Row as _;

use crate::failure::{of_refusal, of_sqlx};
use crate::pool::{Dedicated, NodePool};

type Set = Arc<ReplicaSet<NodePool>>;

/// Tokio's time; without a runtime there is none, and nothing is waited for.
pub(crate) struct TokioTimer;

impl Timer for TokioTimer {
    fn is_running() -> bool {
        tokio::runtime::Handle::try_current().is_ok()
    }

    async fn within<F>(limit: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        let _runtime = tokio::runtime::Handle::try_current().ok()?;
        tokio::time::timeout(limit, future).await.ok()
    }
}

/// Has the nodes of a set monitored in the background, if nobody does and there is a runtime for it.
#[inline]
pub(crate) fn monitor_if_wanted(router: &Router<NodePool>, set: &Set) {
    if set.take_monitor_request() {
        monitor_in_background(router, set);
    }
}

/// The same for all sets, for who looks at them before the first statement does.
pub(crate) fn monitor_all(router: &Router<NodePool>) {
    if TokioTimer::is_running() {
        for set in router.sets() {
            monitor_if_wanted(router, set);
        }
    }
}

#[cold]
fn monitor_in_background(router: &Router<NodePool>, set: &Set) {
    let monitors = router.monitors(set);
    if monitors.is_empty() {
        return;
    }
    let guard = Guard(Arc::downgrade(set));
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let monitoring = |monitor: Monitor<NodePool>| monitor.run::<Line, TokioTimer>();
        runtime.spawn(async move {
            let _guard = guard;
            join_all(monitors.into_iter().map(monitoring)).await;
        });
    }
}

/// When the runtime is gone, another may take over.
struct Guard(Weak<ReplicaSet<NodePool>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(set) = self.0.upgrade() {
            set.want_monitor();
        }
    }
}

/// A connection beside the pool, which may be exhausted.
#[derive(Default)]
struct Line(Option<(Dedicated, Probe)>);

impl Ask<NodePool> for Line {
    async fn ask(&mut self, node: &Node<NodePool>, role: Role) -> Answer {
        let line = match self.0.take() {
            Some(line) => Ok(line),
            None => connect(node, role).await,
        };
        let (mut connection, probe) = match line {
            Ok(line) => line,
            Err(answer) => return answer,
        };
        match connection.ask(probe.question()).await {
            Ok(said) => {
                self.0 = Some((connection, probe));
                probe.read(role, &said).into()
            }
            Err(error) => answer_of(&error, node, role),
        }
    }
}

async fn connect(node: &Node<NodePool>, role: Role) -> Result<(Dedicated, Probe), Answer> {
    let pool = node.pool();
    let mut connection = pool.dedicated().await.map_err(|error| {
        let node = node.name().as_str();
        tracing::debug!(target: "routing", node, %error, "a probe could not connect");
        Answer::Failed(of_refusal(&error, pool.backend(), role))
    })?;
    let dialect = pool.dialect().ok_or(Answer::Unintelligible)?;
    let version = match Probe::version_question(dialect) {
        Some(question) => {
            let said = connection.ask(question).await;
            said.map_err(|error| answer_of(&error, node, role))?
        }
        None => String::new(),
    };
    let probe = Probe::new(dialect, &version).ok_or(Answer::Unintelligible)?;
    Ok((connection, probe))
}

fn answer_of(error: &sqlx::Error, node: &Node<NodePool>, role: Role) -> Answer {
    match of_sqlx(error, node.pool().backend(), role) {
        Some(failure) => Answer::Failed(failure),
        // A server has said it: it is there.
        None if matches!(error, sqlx::Error::Database(_)) => Answer::Unintelligible,
        None => Answer::Failed(Failure::Unreachable),
    }
}

impl Dedicated {
    /// As text, which a pooler hands on too.
    #[cfg_attr(
        not(any(feature = "sqlx-mysql", feature = "sqlx-postgres")),
        expect(
            clippy::unused_async,
            unused_variables,
            reason = "there is nobody to ask"
        )
    )]
    async fn ask(&mut self, question: &'static str) -> Result<String, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(connection) => {
                let row = sqlx::raw_sql(question).fetch_one(&mut **connection).await;
                row?.try_get(0)
            }
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(connection) => {
                let row = sqlx::raw_sql(question).fetch_one(&mut **connection).await;
                row?.try_get(0)
            }
            _ => Err(sqlx::Error::RowNotFound),
        }
    }
}
