//! A PostgreSQL primary with two streaming hot standbys, in a directory of its own.
//!
//! The servers are stopped and the directory removed when the value is dropped, and also when the
//! process ends in any other way: a keeper waits for the end of a pipe that only this process
//! holds.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, Connection, Executor, PgConnection, PgPool, Row};
use sea_orm_migration::MigratorTrait;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::migration::Migrator;
use crate::process::{self, Account, children, command, home, keep, send, until_over};
use crate::wait::{self, LIMIT};

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
    _ports: process::Ports<3>,
    /// Databases with the shop's schema that no test uses now.
    idle: Mutex<Vec<String>>,
    /// Its end of the pipe is what keeps the cluster alive.
    keeper: Child,
}

const NAMES: [&str; 3] = ["primary", "replica-1", "replica-2"];

impl Cluster {
    /// Starts one.
    pub async fn start() -> Self {
        Self::of(|_| process::template("postgres", account(), make)).await
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
            start_server(&data, name, port);
            let admin = PgPoolOptions::new()
                .max_connections(4)
                .acquire_timeout(LIMIT)
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
            _ports: ports,
            idle: Mutex::default(),
            keeper,
        }
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
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC; {schema}"
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
        send(account(), "-STOP", &[postmaster]);
        let mut processes = children(postmaster);
        processes.push(postmaster);
        send(account(), "-KILL", &processes);
        until_over(&processes);
        // Its remains may still have the number, which would keep the next one from starting.
        fs::remove_file(server.data.join("postmaster.pid")).expect("the server's process id");
    }

    /// Ends a server in an orderly way, which tells everybody who is connected.
    pub fn shut_down(&self, server: &Server) {
        run(
            "pg_ctl",
            &["stop", "-D", path(&server.data), "-m", "fast", "-s"],
        );
    }

    /// Has a server take no more connections, and end when those that there are have ended.
    pub fn begin_to_shut_down(&self, server: &Server) {
        send(account(), "-TERM", &[server.postmaster()]);
    }

    /// Stops all processes of a server where they are, without ending any.
    pub fn freeze(&self, server: &Server) {
        signal(server, "-STOP");
    }

    /// Lets them go on.
    pub fn thaw(&self, server: &Server) {
        signal(server, "-CONT");
    }

    /// Makes a standby the primary, and has the other one follow it.
    pub async fn promote(&self, server: &Server) {
        run("pg_ctl", &["promote", "-D", path(&server.data), "-w", "-s"]);
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

    /// Prints what the servers have logged last, for a test that has failed.
    pub fn report(&self) {
        for server in &self.servers {
            println!("{}", process::tail(&log_of(&server.data)));
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
        start_server(&server.data, server.name, server.port);
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
        wait::until(format_args!("{}: {sql}", self.name), async || {
            let sql = sqlx::AssertSqlSafe(sql);
            let answer = sqlx::query_scalar::<_, bool>(sql).fetch_one(&self.admin);
            matches!(answer.await, Ok(true))
        })
        .await;
    }
}

fn signal(server: &Server, signal: &str) {
    let postmaster = server.postmaster();
    send(account(), signal, &[postmaster]);
    send(account(), signal, &children(postmaster));
}

fn end_of_connections(of_which: &str) -> String {
    format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE backend_type = 'client backend' AND {of_which}"
    )
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

const CONFIGURATION: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 200
max_wal_senders = 10
wal_keep_size = 128MB
wal_init_zero = off
checkpoint_timeout = 1h
fsync = off
full_page_writes = off
autovacuum = off
bgwriter_delay = 10s
bgwriter_lru_maxpages = 0
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

fn account() -> Option<Account> {
    Account::of("postgres")
}

fn run(name: &str, arguments: &[&str]) {
    let output = command(account(), program(name))
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{name} cannot be run ({error}); ./tests/run.sh installs PostgreSQL")
        });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {errors}");
}

/// Makes the data of a primary, which is shut down.
fn make(data: &Path) {
    let initdb = [
        "-D",
        path(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C",
    ];
    run("initdb", &initdb);
    let configuration = data.join("postgresql.auto.conf");
    fs::write(configuration, CONFIGURATION).expect("a configuration");
    let ports = process::Ports::<1>::reserve();
    let [port] = ports.numbers;
    start_server(data, "template", port);
    Handle::current().block_on(fill(port));
    let dump = command(account(), program("pg_dump"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"])
        .args(["--inserts", "--no-owner", SHOP])
        .output()
        .expect("pg_dump");
    assert!(dump.status.success(), "{dump:?}");
    // pg_dump writes lines for psql, which begin with a backslash.
    let dump = String::from_utf8(dump.stdout).expect("text");
    let lines = dump.lines().filter(|line| !line.starts_with('\\'));
    let sql: Vec<_> = lines.collect();
    fs::write(dump_of(data), sql.join("\n")).expect("the shop's schema");
    run("pg_ctl", &["stop", "-D", path(data), "-m", "fast", "-s"]);
}

/// Makes what all tests need.
async fn fill(port: u16) {
    let url = |database: &str| format!("postgres://postgres@127.0.0.1:{port}/{database}");
    wait::until("a server starts", async || {
        PgConnection::connect(&url("postgres")).await.is_ok()
    })
    .await;
    let execute = async |database: &str, statements: &[&'static str]| {
        let connection = PgConnection::connect(&url(database)).await;
        let mut connection = connection.expect("a connection");
        for statement in statements {
            let done = connection.execute(*statement).await;
            done.expect(statement);
        }
        connection.close().await.expect("the connection closes");
    };
    execute("postgres", &MARK).await;
    execute("postgres", &["CREATE DATABASE empty"]).await;
    execute("empty", &[VIEW]).await;
    execute("postgres", &["CREATE DATABASE shop TEMPLATE empty"]).await;
    let shop = sea_orm::Database::connect(url(SHOP)).await;
    let shop = shop.expect("a connection");
    Migrator::up(&shop, None).await.expect("a schema");
    shop.close().await.expect("the connection closes");
}

/// A standby that shows the latest mark has replayed everything.
const MARK: [&str; 2] = [
    "CREATE TABLE mark (n bigint NOT NULL)",
    "INSERT INTO mark VALUES (0)",
];

/// Databases that others are copies of.
const EMPTY: &str = "empty";
const SHOP: &str = "shop";

/// Deparsed from the server's own setting, so that it is asked of the one that answers.
const VIEW: &str = "CREATE VIEW server AS SELECT 1 AS id, current_setting('cluster_name') AS name";

/// Makes a primary's data those of its standby: a copy of what was shut down is a base backup.
fn follow(data: &Path, primary: u16) {
    let file = data.join("postgresql.auto.conf");
    let source = format!("primary_conninfo = 'host=127.0.0.1 port={primary} user=postgres'\n");
    fs::write(file, format!("{CONFIGURATION}{source}")).expect("a configuration");
    fs::write(data.join("standby.signal"), "").expect("a standby's sign");
}

/// Starts a server, and does not wait for it.
fn start_server(data: &Path, name: &str, port: u16) {
    let options = format!("-p {port} -c cluster_name={name}");
    let log = log_of(data);
    let start = ["start", "-D", path(data), "-l", path(&log), "-o", &options];
    run("pg_ctl", &[&start[..], &["-W", "-s"]].concat());
}

/// The SQL that makes the shop's schema in an empty database.
fn dump_of(data: &Path) -> PathBuf {
    data.join("shop.sql")
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
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

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
