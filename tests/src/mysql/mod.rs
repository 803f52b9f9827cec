//! A primary of MariaDB or MySQL with two replicas that follow it by GTID, in a directory of its own.
//!
//! As for [PostgreSQL](crate::postgres), a keeper stops the servers when this process is gone.

mod flavor;
mod group;
mod programs;
mod server;

use std::process::Child;
use std::sync::atomic::Ordering;
use std::thread;

use sea_orm::sqlx;
use sea_orm_migration::MigratorTrait;
use tokio::sync::OnceCell;

pub use self::flavor::Flavor;
use self::programs::{account, make, start_server};
pub use self::server::Server;
use crate::lease::Servers;
use crate::migration::Migrator;
use crate::process::{self, home, keep, send, until_over};
use crate::servers::name_of;

/// A primary and two replicas.
#[derive(Debug)]
pub struct Cluster {
    flavor: Flavor,
    servers: [Server; 3],
    _ports: process::Ports<3>,
    /// On which the members of a group speak to each other.
    _of_group: Option<process::Ports<3>>,
    /// Its end of the pipe is what keeps the cluster alive.
    keeper: Child,
}

const NAMES: [&str; 3] = ["primary", "replica-1", "replica-2"];

const STOP: &str = r#"
    cat > /dev/null
    for file in "$1"/*.pid; do
        pid=$(cat "$file")
        kill -9 "$pid"
        while [ -e "/proc/$pid/exe" ]; do sleep 0.02; done
    done 2> /dev/null
    rm -rf "$1"
"#;

impl Cluster {
    /// Starts one; it takes some seconds.
    pub async fn start() -> Self {
        let start = || Self::start_blocking(Flavor::current(), &[const { Vec::new() }; 3], None);
        let cluster = tokio::task::spawn_blocking(start)
            .await
            .expect("the cluster starts");
        for server in &cluster.servers {
            server.until_up().await;
        }
        for replica in cluster.replicas() {
            replica.follow(cluster.primary(), false).await;
        }
        cluster
    }

    fn start_blocking(
        flavor: Flavor,
        options: &[Vec<String>; 3],
        of_group: Option<process::Ports<3>>,
    ) -> Self {
        let kind = flavor.kind();
        let template = process::template(&name_of(kind), account(), |data| make(flavor, data));
        let home = home(&format!("routing-{kind}-"), account());
        let keeper = keep(&home, account(), STOP);
        let ports = process::Ports::reserve();
        let mut place = 0;
        let servers = NAMES.map(|name| {
            let (port, options) = (ports.numbers[place], &options[place]);
            place += 1;
            process::copy(&template, &home.join(name));
            start_server(flavor, &home, name, port, options);
            Server::new(flavor, name, &home, port)
        });
        Self {
            flavor,
            servers,
            _ports: ports,
            _of_group: of_group,
            keeper,
        }
    }

    /// What runs.
    #[must_use]
    pub const fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The primary.
    #[must_use]
    pub const fn primary(&self) -> &Server {
        &self.servers[0]
    }

    /// The replicas.
    #[must_use]
    pub fn replicas(&self) -> &[Server] {
        &self.servers[1..]
    }

    /// Makes a database on all servers, and an entity that says which server answers.
    pub async fn create_database(&self, name: &str) {
        let primary = self.primary();
        primary.execute(&format!("CREATE DATABASE `{name}`")).await;
        // A view cannot refer to a variable, but to a function that does.
        primary
            .execute(&format!(
                "CREATE FUNCTION `{name}`.who() RETURNS varchar(64) READS SQL DATA \
                 RETURN @@report_host"
            ))
            .await;
        primary
            .execute(&format!(
                "CREATE VIEW `{name}`.server AS SELECT 1 AS id, `{name}`.who() AS name"
            ))
            .await;
        self.catch_up().await;
    }

    /// The same with the shop's schema.
    pub async fn create_shop(&self, name: &str) {
        self.create_database(name).await;
        let url = self.primary().url(name);
        let db = sea_orm::Database::connect(url).await.expect("the primary");
        Migrator::up(&db, None).await.expect("a schema");
        db.close().await.expect("the connection closes");
        self.catch_up().await;
    }

    /// Waits until all replicas that apply have applied everything.
    pub async fn catch_up(&self) {
        let position: String = sqlx::query_scalar(self.flavor.position())
            .fetch_one(self.primary().admin())
            .await
            .expect("a position");
        for replica in self.replicas() {
            if !replica.is_paused.load(Ordering::Acquire) {
                let waited: i64 = sqlx::query_scalar(self.flavor.wait())
                    .bind(&position)
                    .fetch_one(replica.admin())
                    .await
                    .expect("an answer");
                assert_eq!(waited, 0, "{} does not catch up", replica.name());
            }
        }
    }

    /// Kills a server, which can say nothing any more.
    pub fn kill(&self, server: &Server) {
        let process = server.process();
        send(account(), "-KILL", &[process]);
        until_over(&[process]);
    }

    /// Shuts a server down; it tells its clients.
    pub fn shut_down(&self, server: &Server) {
        let process = server.process();
        send(account(), "-TERM", &[process]);
        until_over(&[process]);
    }

    /// Stops a server where it is, without ending it.
    pub fn freeze(&self, server: &Server) {
        send(account(), "-STOP", &[server.process()]);
    }

    /// Lets it go on.
    pub fn thaw(&self, server: &Server) {
        send(account(), "-CONT", &[server.process()]);
    }

    /// Makes a replica the primary, once it has everything, and has the others follow it. No server
    /// takes writes in between.
    pub async fn switch_over(&self, to: &Server) {
        self.primary().refuse_writes().await;
        self.catch_up().await;
        to.stop_replication().await;
        to.execute(&self.flavor.replica("RESET", "ALL")).await;
        to.accept_writes().await;
        for other in self
            .servers
            .iter()
            .filter(|other| other.name() != to.name())
        {
            other.stop_replication().await;
            other.follow(to, true).await;
        }
    }

    /// Prints what the servers have logged last, for a test that has failed.
    pub fn report(&self) {
        for server in &self.servers {
            println!("{}", process::tail(&server.path("log")));
        }
    }

    /// Starts a server that was killed or shut down.
    pub async fn restart(&self, server: &Server) {
        start_server(self.flavor, &server.home, server.name(), server.port(), &[]);
        server.until_up().await;
        // It replicates from its start on.
        server.is_paused.store(false, Ordering::Release);
    }
}

impl Servers for Cluster {
    async fn start() -> Self {
        Self::start().await
    }

    async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn resume(&self) {
        for replica in self.replicas() {
            replica.resume().await;
        }
    }

    fn urls(&self, database: &str) -> [String; 3] {
        self.servers.each_ref().map(|server| server.url(database))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            self.report();
        }
        // The end of the pipe tells the keeper; waiting for it leaves nothing behind.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
