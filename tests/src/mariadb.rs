//! A MariaDB primary with two replicas that follow it by GTID, in a directory of its own.
//!
//! As for [PostgreSQL](crate::postgres), a keeper stops the servers when this process is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sea_orm::sqlx::mysql::MySqlPoolOptions;
use sea_orm::sqlx::{self, Connection, Executor, MySqlPool};
use sea_orm_migration::MigratorTrait;
use tokio::sync::OnceCell;

use crate::lease::Servers;
use crate::migration::Migrator;
use crate::process::{self, Account, command, home, keep, send, until_over};
use crate::wait::{self, LIMIT};

/// One server of a cluster.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    home: PathBuf,
    port: u16,
    admin: MySqlPool,
    /// Whether a test has stopped it from applying.
    is_paused: AtomicBool,
}

/// A primary and two replicas.
#[derive(Debug)]
pub struct Cluster {
    servers: [Server; 3],
    _ports: process::Ports<3>,
    /// Its end of the pipe is what keeps the cluster alive.
    keeper: Child,
}

const NAMES: [&str; 3] = ["primary", "replica-1", "replica-2"];

/// The application's user is not allowed to write to a server that is read-only, as `root` is.
const USERS: &str = "\
SET sql_log_bin = 0;
CREATE USER IF NOT EXISTS admin@'%';
GRANT ALL PRIVILEGES ON *.* TO admin@'%';
CREATE USER IF NOT EXISTS app@'%';
GRANT ALL PRIVILEGES ON `%`.* TO app@'%';
";

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
        let cluster = tokio::task::spawn_blocking(Self::start_blocking)
            .await
            .expect("the cluster starts");
        for server in &cluster.servers {
            server.until_up().await;
        }
        for replica in cluster.replicas() {
            replica.follow(cluster.primary(), "slave_pos").await;
        }
        cluster
    }

    fn start_blocking() -> Self {
        let template = process::template("mariadb", account(), make);
        let home = home("routing-mariadb-", account());
        let keeper = keep(&home, account(), STOP);
        let users = home.join("users.sql");
        fs::write(&users, USERS).expect("the users");
        let ports = process::Ports::reserve();
        let mut place = 0;
        let servers = NAMES.map(|name| {
            let port = ports.numbers[place];
            place += 1;
            process::copy(&template, &home.join(name));
            start_server(&home, name, port);
            let admin = MySqlPoolOptions::new()
                .max_connections(4)
                .acquire_timeout(LIMIT)
                .connect_lazy(&format!("mysql://admin@127.0.0.1:{port}/mysql"));
            Server {
                name,
                home: home.clone(),
                port,
                admin: admin.expect("a URL"),
                is_paused: AtomicBool::new(false),
            }
        });
        Self {
            servers,
            _ports: ports,
            keeper,
        }
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
        let position: String = sqlx::query_scalar("SELECT @@GLOBAL.gtid_binlog_pos")
            .fetch_one(&self.primary().admin)
            .await
            .expect("a position");
        for replica in self.replicas() {
            if !replica.is_paused.load(Ordering::Acquire) {
                let waited: i64 = sqlx::query_scalar("SELECT MASTER_GTID_WAIT(?, 60)")
                    .bind(&position)
                    .fetch_one(&replica.admin)
                    .await
                    .expect("an answer");
                assert_eq!(waited, 0, "{} does not catch up", replica.name);
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

    /// Makes a replica the primary, once it has everything, and has the others follow it. Nobody
    /// takes writes in between.
    pub async fn switch_over(&self, to: &Server) {
        let from = self.primary();
        from.execute("SET GLOBAL read_only = ON").await;
        self.catch_up().await;
        to.execute("STOP SLAVE").await;
        to.execute("RESET SLAVE ALL").await;
        to.execute("SET GLOBAL read_only = OFF").await;
        for other in self.servers.iter().filter(|other| other.name != to.name) {
            other.execute("STOP SLAVE").await;
            other.follow(to, "current_pos").await;
        }
    }

    /// Prints what the servers have logged last, for a test that has failed.
    pub fn report(&self) {
        for server in &self.servers {
            let log = server.home.join(server.name).with_extension("log");
            println!("{}", process::tail(&log));
        }
    }

    /// Starts a server that was killed or shut down.
    pub async fn restart(&self, server: &Server) {
        start_server(&server.home, server.name, server.port);
        server.until_up().await;
        // It replicates from its start on.
        server.is_paused.store(false, Ordering::Release);
    }
}

impl Server {
    /// Its name, which is its `report_host` too.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    fn process(&self) -> u32 {
        let file = fs::read_to_string(self.home.join(self.name).with_extension("pid"));
        let id = file.expect("a running server");
        id.trim().parse().expect("a process id")
    }

    async fn follow(&self, source: &Self, from: &str) {
        let port = source.port;
        self.execute(&format!(
            "CHANGE MASTER TO master_host = '127.0.0.1', master_port = {port}, \
             master_user = 'admin', master_use_gtid = {from}, master_connect_retry = 1"
        ))
        .await;
        self.execute("START SLAVE").await;
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
        self.execute("STOP SLAVE SQL_THREAD").await;
        self.is_paused.store(true, Ordering::Release);
    }

    /// Applies again.
    pub async fn resume(&self) {
        self.execute("START SLAVE SQL_THREAD").await;
        self.is_paused.store(false, Ordering::Release);
    }

    /// Ends all of the application's connections.
    pub async fn cut(&self) {
        let ids = "SELECT id FROM information_schema.processlist WHERE user = 'app'";
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
    async fn until_up(&self) {
        wait::until(format_args!("{} answers", self.name), async || {
            sqlx::query("SELECT 1").execute(&self.admin).await.is_ok()
        })
        .await;
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

fn account() -> Option<Account> {
    Account::of("mysql")
}

fn make(data: &Path) {
    let installed = command(account(), "mariadb-install-db")
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(LOG_SIZE)
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .output()
        .unwrap_or_else(|error| {
            panic!("MariaDB cannot be run ({error}); ./tests/run.sh installs it")
        });
    assert!(installed.status.success(), "{installed:?}");
}

/// Each server has its own copy.
const LOG_SIZE: &str = "--innodb-log-file-size=8M";

fn start_server(home: &Path, name: &str, port: u16) {
    let at = |extension: &str| {
        home.join(name)
            .with_extension(extension)
            .display()
            .to_string()
    };
    // Nobody waits for it: the keeper ends it, and who adopts it takes its remains.
    let mut server = command(account(), "sh");
    server
        // Debian has the server where only root looks.
        .args(["-c", r#"PATH="$PATH:/usr/sbin"; "$@" &"#, "sh", "mariadbd"])
        .arg("--no-defaults")
        .arg(format!("--datadir={}", home.join(name).display()))
        .arg(format!("--port={port}"))
        .arg(format!("--socket={}", at("sock")))
        .arg(format!("--pid-file={}", at("pid")))
        .arg(format!("--log-error={}", at("log")))
        .arg(format!("--init-file={}", home.join("users.sql").display()))
        .arg(format!("--server-id={port}"))
        .arg(format!("--report-host={name}"))
        .args([
            LOG_SIZE,
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--log-bin=binlog",
            "--log-slave-updates",
            "--binlog-format=ROW",
            "--log-bin-trust-function-creators=1",
            "--sync-binlog=0",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=32M",
            "--performance-schema=OFF",
            "--max-connections=200",
        ]);
    if name != NAMES[0] {
        server.arg("--read-only");
    }
    let started = server.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(started.expect("a shell").success());
}
