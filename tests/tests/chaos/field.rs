//! The servers of one database, each behind a proxy, and one of them behind a pooler too.

use std::time::Duration;

use routing_core::{
    LagLimits, NodeBuilder, PinRelease, PoolMode, RetryRules, RoutingConfig, RoutingConfigBuilder,
};
use routing_tests::pgbouncer::PgBouncer;
use routing_tests::proxy::Proxy;
use routing_tests::{mysql, postgres};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

use super::ledger::{INDEX, TABLE};

/// The most that a pool has.
pub(crate) const CONNECTIONS: usize = 8;

/// What the nodes are called.
pub(crate) const NAMES: [&str; 3] = ["primary", "replica-1", "replica-2"];

/// The servers; those of PostgreSQL perhaps with a pooler in front of the last.
pub(crate) enum Servers {
    Postgres(postgres::Cluster, Option<PgBouncer>),
    MySql(mysql::Cluster),
}

pub(crate) struct Field {
    pub(crate) servers: Servers,
    pub(crate) proxies: Vec<Proxy>,
    mode: PoolMode,
}

/// One statement for either kind of server.
macro_rules! either {
    ($field:expr, $node:expr, |$cluster:ident, $server:ident| $do:expr) => {
        match &$field.servers {
            Servers::Postgres($cluster, _) => {
                let $server = match $node {
                    0 => $cluster.primary(),
                    replica => &$cluster.replicas()[replica - 1],
                };
                $do
            }
            Servers::MySql($cluster) => {
                let $server = match $node {
                    0 => $cluster.primary(),
                    replica => &$cluster.replicas()[replica - 1],
                };
                $do
            }
        }
    };
}

impl Field {
    /// A PostgreSQL primary and two standbys, the second of them behind a PgBouncer if there is a mode
    /// for it.
    pub(crate) async fn postgres(mode: Option<PoolMode>) -> Self {
        let cluster = postgres::Cluster::start().await;
        cluster.create_database("chaos").await;
        let [one, two] = cluster.replicas() else {
            panic!("there are two standbys");
        };
        let word = match mode {
            Some(PoolMode::Transaction) => "transaction",
            _ => "session",
        };
        // And one for who asks where it is.
        let size = CONNECTIONS + 1;
        let start = |_| PgBouncer::start_with(&[("chaos", &two.url("chaos"), "")], word, size);
        let pooler = mode.map(start);
        let last = pooler.as_ref().map_or(two.port(), PgBouncer::port);
        let ports = [cluster.primary().port(), one.port(), last];
        let mode = mode.unwrap_or_default();
        Self::with_table(Servers::Postgres(cluster, pooler), ports, mode).await
    }

    /// A primary of MariaDB or MySQL, and two replicas.
    pub(crate) async fn mysql() -> Self {
        Self::over(mysql::Cluster::start().await).await
    }

    /// Three members of a group of MySQL's.
    pub(crate) async fn group() -> Self {
        Self::over(mysql::Cluster::start_group().await).await
    }

    async fn over(cluster: mysql::Cluster) -> Self {
        cluster.create_database("chaos").await;
        let [one, two] = cluster.replicas() else {
            panic!("there are two replicas");
        };
        let ports = [cluster.primary().port(), one.port(), two.port()];
        Self::with_table(Servers::MySql(cluster), ports, PoolMode::Session).await
    }

    async fn with_table(servers: Servers, ports: [u16; 3], mode: PoolMode) -> Self {
        let mut proxies = Vec::new();
        for port in ports {
            proxies.push(Proxy::start(port).await);
        }
        let field = Self {
            servers,
            proxies,
            mode,
        };
        let primary = field.beside(0).await;
        for sql in [TABLE, INDEX] {
            primary.execute_unprepared(sql).await.expect("a table");
        }
        primary.close().await.expect("the connection closes");
        match &field.servers {
            Servers::Postgres(cluster, _) => cluster.catch_up().await,
            Servers::MySql(cluster) => cluster.catch_up().await,
        }
        field
    }

    /// Whether a transaction can have settings of its own, which its statements read.
    pub(crate) const fn has_settings(&self) -> bool {
        matches!(self.servers, Servers::Postgres(..))
    }

    /// A way to a node beside its proxy.
    pub(crate) async fn beside(&self, node: usize) -> DatabaseConnection {
        let url = either!(self, node, |_cluster, server| server.url("chaos"));
        Database::connect(url).await.expect("a connection")
    }

    /// A node behind its proxy.
    pub(crate) fn node(&self, node: usize) -> NodeBuilder {
        let port = self.proxies[node].port();
        let url = match self.servers {
            Servers::Postgres(..) => format!("postgres://postgres@127.0.0.1:{port}/chaos"),
            // mysql_async would find the server's socket, and go round the proxy.
            Servers::MySql(_) => {
                format!("mysql://app@127.0.0.1:{port}/chaos?prefer_socket=false")
            }
        };
        let connections = u32::try_from(CONNECTIONS).expect("a few");
        NodeBuilder::url(url).max_connections(connections)
    }

    pub(crate) fn config(&self) -> RoutingConfigBuilder {
        let node = |node| self.node(node);
        // Longer than a busy machine takes to connect.
        let wait = Duration::from_secs(5);
        let mut retry = RetryRules::DEFAULT;
        retry.deadline = 6 * wait;
        RoutingConfig::builder()
            .pin_release(PinRelease::CaughtUp)
            .lag(LagLimits::NONE)
            .retry(retry)
            .primary(node(0))
            .replica(node(1).acquire_timeout(wait))
            .replica(node(2).acquire_timeout(wait).pool_mode(self.mode))
    }

    /// How many connections the application has to its servers, as these say; what is behind a
    /// pooler is known by the proxy in front of it alone.
    pub(crate) async fn connections(&self) -> [i64; 3] {
        let open = |node: usize| i64::try_from(self.proxies[node].open()).expect("a few");
        match &self.servers {
            Servers::Postgres(cluster, _) => [
                cluster.primary().connections("chaos").await,
                cluster.replicas()[0].connections("chaos").await,
                open(2),
            ],
            Servers::MySql(cluster) => [
                cluster.primary().connections().await,
                cluster.replicas()[0].connections().await,
                cluster.replicas()[1].connections().await,
            ],
        }
    }

    pub(crate) fn freeze(&self, node: usize) {
        either!(self, node, |cluster, server| cluster.freeze(server));
    }

    pub(crate) fn thaw(&self, node: usize) {
        either!(self, node, |cluster, server| cluster.thaw(server));
    }

    pub(crate) fn kill(&self, node: usize) {
        either!(self, node, |cluster, server| cluster.kill(server));
    }

    pub(crate) fn shut_down(&self, node: usize) {
        either!(self, node, |cluster, server| cluster.shut_down(server));
    }

    pub(crate) async fn restart(&self, node: usize) {
        either!(self, node, |cluster, server| cluster.restart(server).await);
    }

    pub(crate) async fn terminate(&self, node: usize) {
        either!(self, node, |_cluster, server| server.cut().await);
    }

    pub(crate) async fn fill(&self, node: usize, lasts: Duration) {
        either!(self, node, |_cluster, server| server.fill(lasts).await);
    }

    pub(crate) async fn pause(&self, node: usize) {
        either!(self, node, |_cluster, server| server.pause().await);
    }

    pub(crate) async fn resume(&self, node: usize) {
        either!(self, node, |_cluster, server| server.resume().await);
    }
}
