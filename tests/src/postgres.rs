//! A PostgreSQL primary with two streaming hot standbys, in a directory of its own.
//!
//! The servers are stopped and the directory removed when the value is dropped, and also when the
//! process ends in any other way: a keeper waits for the end of a pipe that only this process
//! holds.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, Connection, PgPool, Row};
use tokio::sync::OnceCell;

use crate::process::{self, Account, children, command, free_ports, home, keep, send, until_over};

/// One server of a cluster.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    data: PathBuf,
    port: u16,
    admin: PgPool,
}

/// A primary and two hot standbys.
#[derive(Debug)]
pub struct Cluster {
    servers: [Server; 3],
    account: Option<Account>,
    /// Its end of the pipe is what keeps the cluster alive.
    keeper: Child,
}

const NAMES: [&str; 3] = ["primary", "replica-1", "replica-2"];

impl Cluster {
    /// Starts one; it takes about two seconds.
    pub async fn start() -> Self {
        tokio::task::spawn_blocking(Self::start_blocking)
            .await
            .expect("the cluster starts")
            .ready()
            .await
    }

    fn start_blocking() -> Self {
        let account = Account::of("postgres");
        let home = home("routing-postgres-", account);
        let keeper = keep(&home, account, STOP, &program("pg_ctl"));
        let ports = free_ports();
        let data = NAMES.map(|name| home.join(name));

        run(
            account,
            "initdb",
            &[
                "-D",
                path(&data[0]),
                "-U",
                "postgres",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
            ],
        );
        fs::write(data[0].join("postgresql.auto.conf"), CONFIGURATION).expect("a configuration");
        start_server(account, &data[0], NAMES[0], ports[0]);
        let copies: Vec<_> = data[1..]
            .iter()
            .map(|data| {
                let port = ports[0].to_string();
                let mut copy = command(account, program("pg_basebackup"));
                copy.args([
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    "postgres",
                    "-D",
                    path(data),
                ])
                .args(["-R", "-X", "stream", "--checkpoint=fast", "--no-sync"])
                .spawn()
                .expect("pg_basebackup")
            })
            .collect();
        for mut copy in copies {
            assert!(copy.wait().expect("pg_basebackup").success());
        }
        let mut place = 0;
        let servers = data.map(|data| {
            let (name, port) = (NAMES[place], ports[place]);
            place += 1;
            if place > 1 {
                start_server(account, &data, name, port);
            }
            let admin = PgPoolOptions::new()
                .max_connections(4)
                .connect_lazy(&format!("postgres://postgres@127.0.0.1:{port}/postgres"));
            Server {
                name,
                data,
                port,
                admin: admin.expect("a URL"),
            }
        });
        Self {
            servers,
            account,
            keeper,
        }
    }

    async fn ready(self) -> Self {
        let primary = &self.servers[0];
        primary
            .execute("CREATE TABLE mark (n bigint NOT NULL)")
            .await;
        primary.execute("INSERT INTO mark VALUES (0)").await;
        for replica in &self.servers[1..] {
            replica
                .until("SELECT to_regclass('mark') IS NOT NULL")
                .await;
        }
        self
    }

    /// The one that all tests of this process share.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
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

    /// Makes a database on all servers, and an entity that says which server answers.
    pub async fn create_database(&self, name: &str) {
        self.primary()
            .execute(&format!("CREATE DATABASE \"{name}\""))
            .await;
        let pool = PgPool::connect(&self.primary().url(name))
            .await
            .expect("the new database");
        // Deparsed from the server's own setting, so that it is asked of the one that answers.
        sqlx::query(
            "CREATE VIEW server AS SELECT 1 AS id, current_setting('cluster_name') AS name",
        )
        .execute(&pool)
        .await
        .expect("a view");
        pool.close().await;
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
            .fetch_one(&self.primary().admin)
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
            .fetch_one(&self.primary().admin)
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

    /// Kills all processes of a server at once, none of which can say anything any more.
    pub fn kill(&self, server: &Server) {
        let postmaster = server.postmaster();
        // Who stands still starts nobody else.
        send(self.account, "-STOP", &[postmaster]);
        let mut processes = children(postmaster);
        processes.push(postmaster);
        send(self.account, "-KILL", &processes);
        until_over(&processes);
        // Its remains may still have the number, which would keep the next one from starting.
        fs::remove_file(server.data.join("postmaster.pid")).expect("the server's process id");
    }

    /// Ends a server in an orderly way, which tells everybody who is connected.
    pub fn shut_down(&self, server: &Server) {
        run(
            self.account,
            "pg_ctl",
            &["stop", "-D", path(&server.data), "-m", "fast", "-s"],
        );
    }

    /// Has a server take no more connections, and end when those that there are have ended.
    pub fn begin_to_shut_down(&self, server: &Server) {
        send(self.account, "-TERM", &[server.postmaster()]);
    }

    /// Stops all processes of a server where they are, without ending any.
    pub fn freeze(&self, server: &Server) {
        self.signal(server, "-STOP");
    }

    /// Lets them go on.
    pub fn thaw(&self, server: &Server) {
        self.signal(server, "-CONT");
    }

    fn signal(&self, server: &Server, signal: &str) {
        let postmaster = server.postmaster();
        send(self.account, signal, &[postmaster]);
        send(self.account, signal, &children(postmaster));
    }

    /// Makes a standby the primary, and has the other one follow it.
    pub async fn promote(&self, server: &Server) {
        run(
            self.account,
            "pg_ctl",
            &["promote", "-D", path(&server.data), "-w", "-s"],
        );
        // Nobody waits for one that is gone.
        let is_there = |other: &&Server| TcpStream::connect(("127.0.0.1", other.port)).is_ok();
        for other in self.servers.iter().filter(is_there) {
            let is_standby = sqlx::query_scalar::<_, bool>("SELECT pg_is_in_recovery()")
                .fetch_one(&other.admin)
                .await;
            if let Ok(true) = is_standby {
                let source = format!("host=127.0.0.1 port={} user=postgres", server.port);
                other
                    .execute(&format!("ALTER SYSTEM SET primary_conninfo = '{source}'"))
                    .await;
                other.execute("SELECT pg_reload_conf()").await;
            }
        }
    }

    /// How much log a standby has received.
    pub async fn received(&self, server: &Server) -> i64 {
        let sql = "SELECT (pg_last_wal_receive_lsn() - '0/0')::bigint";
        sqlx::query_scalar(sql)
            .fetch_one(&server.admin)
            .await
            .expect("a position")
    }

    /// Starts a server that was killed or shut down.
    pub async fn restart(&self, server: &Server) {
        start_server(self.account, &server.data, server.name, server.port);
        server.until("SELECT true").await;
    }
}

impl Server {
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

    fn postmaster(&self) -> u32 {
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
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND datname <> 'postgres'",
        )
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
        process::take_all(lasts, async || sqlx::PgConnection::connect(&url).await).await;
    }

    /// Changes a setting that needs no restart.
    pub async fn set(&self, name: &str, value: &str) {
        self.execute(&format!("ALTER SYSTEM SET {name} = '{value}'"))
            .await;
        self.execute("SELECT pg_reload_conf()").await;
        self.until(&format!("SELECT current_setting('{name}') = '{value}'"))
            .await;
    }

    /// Everything that the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(log_of(&self.data)).expect("the server's log")
    }

    async fn execute(&self, sql: &str) {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&self.admin)
            .await
            .unwrap_or_else(|error| panic!("{}: {sql}: {error}", self.name));
    }

    /// Asks until the answer is true. The server offers no event to wait for.
    async fn until(&self, sql: &str) {
        for _ in 0..3_000 {
            let answer = sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(sql))
                .fetch_one(&self.admin)
                .await;
            if let Ok(true) = answer {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{}: never true: {sql}", self.name);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of the pipe tells the keeper; waiting for it leaves nothing behind.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

const CONFIGURATION: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 200
max_wal_senders = 10
wal_keep_size = 512MB
fsync = off
full_page_writes = off
autovacuum = off
hot_standby = on
hot_standby_feedback = on
wal_receiver_status_interval = 1
wal_retrieve_retry_interval = 100ms
";

/// Where the programs are: `PG_BIN`, else the newest that Debian has, else the path.
fn program(name: &str) -> PathBuf {
    if let Some(bin) = std::env::var_os("PG_BIN") {
        return Path::new(&bin).join(name);
    }
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|program| program.exists())
        .collect();
    versions.sort();
    versions.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn run(account: Option<Account>, name: &str, arguments: &[&str]) {
    let output = command(account, program(name))
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{name} cannot be run ({error}); ./tests/run.sh installs PostgreSQL")
        });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {errors}");
}

fn start_server(account: Option<Account>, data: &Path, name: &str, port: u16) {
    let options = format!("-p {port} -c cluster_name={name}");
    run(
        account,
        "pg_ctl",
        &[
            "start",
            "-D",
            path(data),
            "-l",
            path(&log_of(data)),
            "-o",
            &options,
            "-w",
            "-s",
        ],
    );
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

const STOP: &str = r#"
    cat > /dev/null
    for data in "$1"/*/; do "$2" stop -D "$data" -m immediate -s 2> /dev/null; done
    rm -rf "$1"
"#;

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
