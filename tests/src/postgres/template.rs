//! The data that servers start with: databases that others are copies of.

use std::fs;
use std::path::{Path, PathBuf};

use sea_orm::sqlx::{Connection, Executor, PgConnection};
use sea_orm_migration::MigratorTrait;
use tokio::runtime::Handle;

use super::programs::{account, path, program, run};
use super::server::start_server;
use crate::migration::Migrator;
use crate::process::{self, command};
use crate::wait;

const CONFIGURATION: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
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

/// Makes the data of a primary, which is shut down.
pub(super) fn make(data: &Path) {
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
pub(super) const EMPTY: &str = "empty";
pub(super) const SHOP: &str = "shop";

/// Deparsed from the server's own setting, so that it is asked of the one that answers.
const VIEW: &str = "CREATE VIEW server AS SELECT 1 AS id, current_setting('cluster_name') AS name";

/// The SQL that makes the shop's schema in an empty database.
pub(super) fn dump_of(data: &Path) -> PathBuf {
    data.join("shop.sql")
}

/// Makes a primary's data those of its standby: a copy of what was shut down is a base backup.
pub(super) fn follow(data: &Path, primary: u16) {
    let file = data.join("postgresql.auto.conf");
    let source = format!("primary_conninfo = 'host=127.0.0.1 port={primary} user=postgres'\n");
    fs::write(file, format!("{CONFIGURATION}{source}")).expect("a configuration");
    process::write(&data.join("standby.signal"), "", account());
}
