//! One server, and what it is asked and told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sqlx::mysql::MySqlPoolOptions;
use sea_orm::sqlx::{self, Connection, Executor, MySqlPool};

use super::flavor::Flavor;
use crate::process;
use crate::wait::{self, LIMIT};

/// One server of a cluster.
#[derive(Debug)]
pub struct Server {
    flavor: Flavor,
    name: &'static str,
    pub(super) home: PathBuf,
    port: u16,
    admin: MySqlPool,
    /// Whether a test has stopped it from applying.
    pub(super) is_paused: AtomicBool,
}

impl Server {
    /// One that was started on the data in a directory.
    pub(super) fn new(flavor: Flavor, name: &'static str, home: &Path, port: u16) -> Self {
        let admin = MySqlPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(LIMIT)
            .connect_lazy(&format!("mysql://admin@127.0.0.1:{port}/mysql"));
        Self {
            flavor,
            name,
            home: home.to_owned(),
            port,
            admin: admin.expect("a URL"),
            is_paused: AtomicBool::new(false),
        }
    }

    /// Its name, which is its `report_host` too.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// One of its files, which lie beside its data.
    pub(super) fn path(&self, extension: &str) -> PathBuf {
        self.home.join(self.name).with_extension(extension)
    }

    pub(super) fn process(&self) -> u32 {
        let file = fs::read_to_string(self.path("pid"));
        let id = file.expect("a running server");
        id.trim().parse().expect("a process id")
    }

    /// Becomes a replica of another.
    pub(super) async fn follow(&self, source: &Self, has_written: bool) {
        let follow = self.flavor.follow(source.port, has_written);
        self.execute(&follow).await;
        self.execute(&self.flavor.replica("START", "")).await;
    }

    /// Replicates nothing any more, until it follows another.
    pub async fn stop_replication(&self) {
        self.execute(&self.flavor.replica("STOP", "")).await;
    }

    /// Refuses the application's writes from now on.
    pub async fn refuse_writes(&self) {
        let read_only = self.flavor.read_only();
        self.execute(&format!("SET GLOBAL {read_only} = ON")).await;
    }

    /// Takes writes from now on.
    pub async fn accept_writes(&self) {
        self.execute("SET GLOBAL read_only = OFF").await;
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mysql://app@127.0.0.1:{}/{database}", self.port)
    }

    /// A pool beside the routed ones, to ask or tell the server something.
    #[must_use]
    pub const fn admin(&self) -> &MySqlPool {
        &self.admin
    }

    /// Stops applying: whatever is committed from now on is not visible here.
    pub async fn pause(&self) {
        self.execute(&self.flavor.replica("STOP", "SQL_THREAD"))
            .await;
        self.is_paused.store(true, Ordering::Release);
    }

    /// Applies again.
    pub async fn resume(&self) {
        self.execute(&self.flavor.replica("START", "SQL_THREAD"))
            .await;
        self.is_paused.store(false, Ordering::Release);
    }

    /// Writes what no other server has, and none can take for its own.
    pub async fn write_apart(&self, insert: &str) {
        self.execute(&self.flavor.apart(insert)).await;
    }

    /// Writes under a tag (MySQL 8.3 and later), or in another domain (MariaDB); the replicas apply it.
    pub async fn write_labelled(&self, insert: &str) {
        let (text, label) = self.flavor.labelled(insert);
        self.execute(&text).await;
        let position = sqlx::query_scalar(self.flavor.position());
        let position: String = position.fetch_one(&self.admin).await.expect("a position");
        assert!(position.contains(label), "{position}");
    }

    /// Ends all of the application's connections.
    pub async fn cut(&self) {
        let ids =
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = 'app'";
        let ids = sqlx::query_scalar::<_, i64>(ids)
            .fetch_all(&self.admin)
            .await;
        for id in ids.expect("the connections") {
            // It may be gone by now.
            let kill = sqlx::AssertSqlSafe(format!("KILL {id}"));
            let _killed = sqlx::query(kill).execute(&self.admin).await;
        }
    }

    /// How many connections of the application's there are.
    pub async fn connections(&self) -> i64 {
        self.number("SELECT count(*) FROM information_schema.processlist WHERE user = 'app'")
            .await
    }

    /// Asks for a number as the administrator.
    pub async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&self.admin)
            .await
            .expect("a number")
    }

    /// Takes all the connections that the server has left, and for so long each that becomes free; it
    /// has as few as it can have meanwhile.
    pub async fn fill(&self, lasts: Duration) {
        // There is none for who comes later.
        let mut admin = self.admin.acquire().await.expect("a connection");
        let few = "SET GLOBAL max_connections = 10";
        admin.execute(few).await.expect(few);
        let url = self.url("mysql");
        let taken = process::take_all(lasts, async || sqlx::MySqlConnection::connect(&url).await);
        let taken = taken.await;
        let many = "SET GLOBAL max_connections = 200";
        admin.execute(many).await.expect(many);
        drop(taken);
    }

    /// Runs a text as the administrator.
    pub async fn execute(&self, sql: &str) {
        // As text: not all of these can be prepared.
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&self.admin)
            .await
            .unwrap_or_else(|error| panic!("{}: {sql}: {error}", self.name));
    }

    /// Asks until there is an answer. A server that starts offers no event to wait for.
    pub(super) async fn until_up(&self) {
        wait::until(format_args!("{} answers", self.name), async || {
            sqlx::query("SELECT 1").execute(&self.admin).await.is_ok()
        })
        .await;
    }
}
