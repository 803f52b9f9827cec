//! Asking nodes where they are, beside the statements.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use routing_core::{Ask, Monitor, Node, Observation, Pool as _, Probe, ReplicaSet, Router, Timer};
#[cfg(any(feature = "sqlx-mysql", feature = "sqlx-postgres"))]
use sea_orm::{
    DatabaseConnectionType, sqlx,
    sqlx::{ConnectOptions as _, Row as _},
};

use crate::pool::NodePool;

type Set = Arc<ReplicaSet<NodePool>>;

/// Tokio's time; without a runtime there is none, and nothing is waited for.
pub(crate) struct TokioTimer;

impl Timer for TokioTimer {
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

#[cold]
fn monitor_in_background(router: &Router<NodePool>, set: &Set) {
    let monitors = Monitor::of_set(router, set);
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
struct Line(Option<(Connection, Probe)>);

enum Connection {
    #[cfg(feature = "sqlx-postgres")]
    Postgres(Box<sqlx::PgConnection>),
    #[cfg(feature = "sqlx-mysql")]
    MySql(Box<sqlx::MySqlConnection>),
}

impl Ask<NodePool> for Line {
    async fn ask(&mut self, node: &Node<NodePool>) -> Option<Observation> {
        if self.0.is_none() {
            let mut connection = Connection::open(node.pool()).await?;
            let dialect = node.pool().dialect()?;
            let version = match Probe::version_question(dialect) {
                Some(question) => connection.ask(question).await?,
                None => String::new(),
            };
            self.0 = Some((connection, Probe::new(dialect, &version)?));
        }
        let (connection, probe) = self.0.as_mut()?;
        probe.read(node.role(), &connection.ask(probe.question()).await?)
    }
}

impl Connection {
    #[cfg(not(any(feature = "sqlx-mysql", feature = "sqlx-postgres")))]
    #[expect(clippy::unused_async, reason = "there is nobody to connect to")]
    async fn open(_: &NodePool) -> Option<Self> {
        None
    }

    #[cfg(any(feature = "sqlx-mysql", feature = "sqlx-postgres"))]
    async fn open(pool: &NodePool) -> Option<Self> {
        match &pool.connection().inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                let pool = pool.connection().get_postgres_connection_pool();
                let connection = pool.connect_options().connect().await.ok()?;
                Some(Self::Postgres(Box::new(connection)))
            }
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                let pool = pool.connection().get_mysql_connection_pool();
                let connection = pool.connect_options().connect().await.ok()?;
                Some(Self::MySql(Box::new(connection)))
            }
            _ => None,
        }
    }

    /// As text, which a pooler hands on too.
    #[cfg_attr(
        not(any(feature = "sqlx-mysql", feature = "sqlx-postgres")),
        expect(
            clippy::unused_async,
            unused_variables,
            reason = "there is nobody to ask"
        )
    )]
    async fn ask(&mut self, question: &'static str) -> Option<String> {
        match *self {
            #[cfg(feature = "sqlx-postgres")]
            Self::Postgres(ref mut connection) => {
                let row = sqlx::raw_sql(question).fetch_one(&mut **connection).await;
                row.ok()?.try_get(0).ok()
            }
            #[cfg(feature = "sqlx-mysql")]
            Self::MySql(ref mut connection) => {
                let row = sqlx::raw_sql(question).fetch_one(&mut **connection).await;
                row.ok()?.try_get(0).ok()
            }
        }
    }
}
