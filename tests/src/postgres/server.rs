//! One server, and what it is asked and told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, Connection, PgConnection, PgPool};

use super::programs::{account, path, run};
use crate::process::{self, children, send};
use crate::wait::{self, LIMIT};

/// One server of a cluster.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    pub(super) data: PathBuf,
    port: u16,
    admin: PgPool,
}

impl Server {
    /// Starts one on the data in a directory, and does not wait for it.
    pub(super) fn start(name: &'static str, data: PathBuf, port: u16) -> Self {
        let admin = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(LIMIT)
            .connect_lazy(&format!("postgres://postgres@127.0.0.1:{port}/postgres"));
        let server = Self {
            name,
            data,
            port,
            admin: admin.expect("a URL"),
        };
        server.start_again();
        server
    }

    /// Starts it on what there is, and does not wait for it.
    pub(super) fn start_again(&self) {
        start_server(&self.data, self.name, self.port);
    }
    /// Its name, which is its `cluster_name` too.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn postmaster(&self) -> u32 {
        let file = fs::read_to_string(self.data.join("postmaster.pid"));
        let file = file.expect("a running server");
        let pid = file.lines().next().expect("its process id");
        pid.trim().parse().expect("a process id")
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A pool beside the routed ones, to ask or tell the server something.
    #[must_use]
    pub const fn admin(&self) -> &PgPool {
        &self.admin
    }

    /// Stops replaying: whatever is committed from now on is not visible here.
    pub async fn pause(&self) {
        self.execute("SELECT pg_wal_replay_pause()").await;
        self.until("SELECT pg_get_wal_replay_pause_state() = 'paused'")
            .await;
    }

    /// Replays again.
    pub async fn resume(&self) {
        self.execute("SELECT pg_wal_replay_resume()").await;
    }

    /// Ends all connections but those of [`admin`](Self::admin).
    pub async fn cut(&self) {
        self.execute(&end_of_connections("datname <> 'postgres'"))
            .await;
    }

    /// How many connections to a database there are.
    pub async fn connections(&self, database: &str) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND datname = $1";
        sqlx::query_scalar(sql)
            .bind(database)
            .fetch_one(&self.admin)
            .await
            .expect("a number")
    }

    /// Takes all the connections that the server has left, and for so long each that becomes free.
    pub async fn fill(&self, lasts: Duration) {
        let url = self.url("postgres");
        process::take_all(lasts, async || PgConnection::connect(&url).await).await;
    }

    /// Changes a setting that needs no restart.
    pub async fn set(&self, name: &str, value: &str) {
        self.execute(&format!("ALTER SYSTEM SET {name} = '{value}'"))
            .await;
        self.execute("SELECT pg_reload_conf()").await;
        self.until(&format!("SELECT current_setting('{name}') = '{value}'"))
            .await;
    }

    /// Gives it a certificate and its key, both as PEM.
    ///
    /// # Panics
    ///
    /// If they cannot be written.
    pub async fn speak_tls(&self, certificate: &str, key: &str) {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

        let owner = fs::metadata(&self.data).expect("its directory");
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            let file = self.data.join(name);
            fs::write(&file, content).expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its own");
            chown(&file, Some(owner.uid()), Some(owner.gid())).expect("its own");
        }
        self.set("ssl", "on").await;
    }

    /// Everything that the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(log_of(&self.data)).expect("the server's log")
    }

    pub(super) fn end_of_log(&self) -> String {
        process::tail(&log_of(&self.data))
    }

    pub(super) async fn execute(&self, sql: &str) {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&self.admin)
            .await
            .unwrap_or_else(|error| panic!("{}: {sql}: {error}", self.name));
    }

    /// Sends a signal to all of its processes.
    pub(super) fn signal(&self, signal: &str) {
        let postmaster = self.postmaster();
        send(account(), signal, &[postmaster]);
        send(account(), signal, &children(postmaster));
    }

    /// Asks until the answer is true. The server offers no event to wait for.
    pub(super) async fn until(&self, sql: &str) {
        wait::until(format_args!("{}: {sql}", self.name), async || {
            let sql = sqlx::AssertSqlSafe(sql);
            let answer = sqlx::query_scalar::<_, bool>(sql).fetch_one(&self.admin);
            matches!(answer.await, Ok(true))
        })
        .await;
    }
}

pub(super) fn end_of_connections(of_which: &str) -> String {
    format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE backend_type = 'client backend' AND {of_which}"
    )
}

/// Starts a server, and does not wait for it.
pub(super) fn start_server(data: &Path, name: &str, port: u16) {
    let options = format!("-p {port} -c cluster_name={name}");
    let log = log_of(data);
    let start = ["start", "-D", path(data), "-l", path(&log), "-o", &options];
    run("pg_ctl", &[&start[..], &["-W", "-s"]].concat());
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}
