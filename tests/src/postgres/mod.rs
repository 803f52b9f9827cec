//! A PostgreSQL primary with two streaming hot standbys, in a directory of its own.
//!
//! The servers are stopped and the directory removed when the value is dropped, and also when the
//! process ends in any other way: a keeper waits for the end of a pipe that only this process
//! holds.

mod faults;
mod patroni;
mod programs;
mod server;
mod template;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use sea_orm::sqlx::{self, Connection, Executor, PgConnection, Row};
use tokio::sync::OnceCell;

use crate::lease::Servers;
use crate::process::{self, home, keep};
use crate::servers::name_of;
use programs::account;
use server::end_of_connections;
use template::{EMPTY, SHOP, dump_of, follow, make};

pub use patroni::Patroni;
pub use server::Server;

/// A primary and two hot standbys.
#[derive(Debug)]
pub struct Cluster {
    servers: [Server; 3],
    _ports: process::Ports<3>,
    /// Databases with the shop's schema that no test uses now.
    idle: Mutex<Vec<String>>,
    /// Its end of the pipe is what keeps the cluster alive.
    keeper: Child,
}

const NAMES: [&str; 3] = ["primary", "replica-1", "replica-2"];

/// Drops what tests have made in a database, in whatever schema.
const DROP_SCHEMAS: &str = "\
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT nspname FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP;
END $$";

impl Cluster {
    /// Starts one.
    pub async fn start() -> Self {
        Self::of(|_| process::template(&name_of("postgresql"), account(), make)).await
    }

    /// Starts one that is no other's copy: it has a system identifier of its own.
    pub async fn of_its_own() -> Self {
        Self::of(|home| {
            let template = home.join("template");
            make(&template);
            template
        })
        .await
    }

    async fn of(template: impl FnOnce(&Path) -> PathBuf + Send + 'static) -> Self {
        let cluster = tokio::task::spawn_blocking(|| Self::start_blocking(template));
        let cluster = cluster.await.expect("the cluster starts");
        for server in &cluster.servers {
            server.until("SELECT true").await;
        }
        cluster
    }

    fn start_blocking(template: impl FnOnce(&Path) -> PathBuf) -> Self {
        let home = home("routing-postgres-", account());
        let keeper = keep(&home, account(), STOP);
        let template = template(&home);
        let ports = process::Ports::reserve();
        let mut place = 0;
        let servers = NAMES.map(|name| {
            let (data, port) = (home.join(name), ports.numbers[place]);
            place += 1;
            process::copy(&template, &data);
            if place > 1 {
                follow(&data, ports.numbers[0]);
            }
            Server::start(name, data, port)
        });
        Self {
            servers,
            _ports: ports,
            idle: Mutex::default(),
            keeper,
        }
    }

    /// The primary.
    #[must_use]
    pub const fn primary(&self) -> &Server {
        &self.servers[0]
    }

    /// The standbys.
    #[must_use]
    pub fn replicas(&self) -> &[Server] {
        &self.servers[1..]
    }

    /// Makes a database on all servers, with an entity that says which server answers.
    pub async fn create_database(&self, name: &str) {
        self.copy_database(EMPTY, name).await;
    }

    /// The same with the shop's schema.
    pub async fn create_shop(&self, name: &str) {
        self.copy_database(SHOP, name).await;
    }

    /// A database with the shop's schema and nothing else, which no other test uses.
    pub(crate) async fn take_shop(&self) -> String {
        let idle = self.idle(Vec::pop);
        let name = if let Some(name) = idle {
            self.renew(&name).await;
            name
        } else {
            static LAST: AtomicU32 = AtomicU32::new(0);
            let name = format!("shop_{}", LAST.fetch_add(1, Ordering::Relaxed));
            self.copy_database(SHOP, &name).await;
            name
        };
        self.catch_up().await;
        name
    }

    /// Making a database anew takes a tenth of the time that it takes to make another.
    pub(crate) fn give_shop_back(&self, name: String) {
        self.idle(|idle| idle.push(name));
    }

    fn idle<T>(&self, act: impl FnOnce(&mut Vec<String>) -> T) -> T {
        act(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn renew(&self, name: &str) {
        for server in &self.servers {
            server
                .execute(&end_of_connections(&format!("datname = '{name}'")))
                .await;
        }
        let primary = self.primary();
        primary
            .execute(&format!("ALTER DATABASE {name} RESET ALL"))
            .await;
        let connection = PgConnection::connect(&primary.url(name)).await;
        let mut connection = connection.expect("a connection");
        let schema = fs::read_to_string(dump_of(&primary.data)).expect("the shop's schema");
        let renew = format!(
            "{DROP_SCHEMAS}; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC; {schema}"
        );
        let renewed = connection.execute(sqlx::AssertSqlSafe(renew)).await;
        renewed.expect("the shop's schema");
        connection.close().await.expect("the connection closes");
    }

    async fn copy_database(&self, from: &str, name: &str) {
        let create = format!("CREATE DATABASE \"{name}\" TEMPLATE {from}");
        self.primary().execute(&create).await;
        self.catch_up().await;
    }

    /// Has all servers log every statement that new connections to a database send.
    pub async fn log_statements(&self, database: &str) {
        self.primary()
            .execute(&format!(
                "ALTER DATABASE \"{database}\" SET log_statement = 'all'"
            ))
            .await;
        self.catch_up().await;
    }

    /// Waits until all standbys that replay have replayed everything.
    pub async fn catch_up(&self) {
        let row = sqlx::query("UPDATE mark SET n = n + 1 RETURNING n")
            .fetch_one(self.primary().admin())
            .await
            .expect("the primary takes a mark");
        let mark: i64 = row.get(0);
        for replica in self.replicas() {
            replica
                .until(&format!(
                    "SELECT pg_is_wal_replay_paused() OR (SELECT n >= {mark} FROM mark)"
                ))
                .await;
        }
    }

    /// Waits until one replica has everything.
    pub async fn catch_up_alone(&self, replica: &Server) {
        let row = sqlx::query("UPDATE mark SET n = n + 1 RETURNING n")
            .fetch_one(self.primary().admin())
            .await
            .expect("the primary takes a mark");
        let mark: i64 = row.get(0);
        let has_it = format!("SELECT n >= {mark} FROM mark");
        replica.until(&has_it).await;
    }

    /// Has the primary wait, for each commit, until both standbys have applied it.
    pub async fn apply_before_acknowledging(&self) {
        let primary = self.primary();
        primary
            .execute("ALTER SYSTEM SET synchronous_standby_names = '2 (*)'")
            .await;
        primary
            .execute("ALTER SYSTEM SET synchronous_commit = 'remote_apply'")
            .await;
        primary.execute("SELECT pg_reload_conf()").await;
        primary
            .until("SELECT count(*) = 2 FROM pg_stat_replication WHERE sync_state = 'sync'")
            .await;
    }

    /// Prints what the servers have logged last, for a test that has failed.
    pub fn report(&self) {
        for server in &self.servers {
            println!("{}", server.end_of_log());
        }
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

/// A server that stands still ends when it goes on.
const STOP: &str = r#"
    cat > /dev/null
    for file in "$1"/*/postmaster.pid; do
        [ -e "$file" ] || continue
        pid=$(head -1 "$file")
        kill -QUIT "$pid"; kill -CONT "$pid"
        while [ -e "/proc/$pid/exe" ]; do sleep 0.02; done
    done 2> /dev/null
    rm -rf "$1"
"#;
