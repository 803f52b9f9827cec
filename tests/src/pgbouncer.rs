//! A PgBouncer in front of servers, in transaction mode for the most part: each transaction may run
//! on another server process.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::process::{Account, Ports, command, home, keep, send, until_over};
use crate::servers::Installed;
use crate::wait::until_blocking;

/// A pooler in front of some databases.
#[derive(Debug)]
pub struct PgBouncer {
    program: PathBuf,
    port: u16,
    home: PathBuf,
    account: Option<Account>,
    _ports: Ports<1>,
    /// Its end of the pipe is what keeps the pooler alive.
    _keeper: Child,
}

const STOP: &str = r#"
    cat > /dev/null
    kill -9 "$(cat "$1"/pgbouncer.pid)" 2> /dev/null
    rm -rf "$1"
"#;

impl PgBouncer {
    /// Starts one with one server process for each database. A database has the name by which clients
    /// know it, the URL that it stands for, and what each new connection to there is told.
    ///
    /// # Panics
    ///
    /// If there is no PgBouncer, or if it does not come up.
    #[must_use]
    pub fn start(databases: &[(&str, &str, &str)]) -> Self {
        Self::start_with(databases, "transaction", 1)
    }

    /// Starts one that keeps what its clients say for this long, in PgBouncer's word, with so many
    /// server processes for each database.
    ///
    /// # Panics
    ///
    /// If there is no PgBouncer, or if it does not come up.
    #[must_use]
    pub fn start_with(databases: &[(&str, &str, &str)], pool_mode: &str, pool_size: usize) -> Self {
        let settings = format!("pool_mode = {pool_mode}\ndefault_pool_size = {pool_size}\n");
        Self::launch(databases, &settings, program())
    }

    /// Starts the newest one in transaction mode, which keeps the statements that its clients prepare.
    ///
    /// # Panics
    ///
    /// If there is no PgBouncer, or if it does not come up.
    #[must_use]
    pub fn with_prepared_statements(databases: &[(&str, &str, &str)], pool_size: usize) -> Self {
        let settings = format!(
            "pool_mode = transaction\ndefault_pool_size = {pool_size}\nmax_prepared_statements = 200\n"
        );
        let newest = Installed::newest("pgbouncer").expect("./tests/servers.sh lists them");
        Self::launch(databases, &settings, newest.path("usr/sbin/pgbouncer"))
    }

    fn launch(databases: &[(&str, &str, &str)], own: &str, program: PathBuf) -> Self {
        let account = Account::of("postgres");
        let home = home("routing-pgbouncer-", account);
        let ports = Ports::reserve();
        let [port] = ports.numbers;
        let mut settings = String::from("[databases]\n");
        for (name, url, connect_query) in databases {
            let (authority, database) = url
                .trim_start_matches("postgres://postgres@")
                .split_once('/')
                .expect("a database");
            let (host, port) = authority.split_once(':').expect("a port");
            settings +=
                &format!("{name} = host={host} port={port} dbname={database} user=postgres");
            // It does not take an empty one.
            if !connect_query.is_empty() {
                settings += &format!(" connect_query='{connect_query}'");
            }
            settings.push('\n');
        }
        settings += &format!(
            "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\n{own}server_login_retry = 1\nlogfile = {0}/log\npidfile = {0}/pgbouncer.pid\n",
            home.display()
        );
        fs::write(home.join("pgbouncer.ini"), settings).expect("the settings");
        let pooler = Self {
            program,
            port,
            _ports: ports,
            account,
            _keeper: keep(&home, account, STOP),
            home,
        };
        pooler.restart();
        pooler
    }

    /// Kills it.
    pub fn kill(&self) {
        let file = fs::read_to_string(self.home.join("pgbouncer.pid"));
        let process = file.expect("a running PgBouncer").trim().parse();
        let process = process.expect("a process id");
        send(self.account, "-KILL", &[process]);
        until_over(&[process]);
        fs::remove_file(self.home.join("pgbouncer.pid")).expect("its process id");
    }

    /// Starts it after it was killed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn restart(&self) {
        let started = command(self.account, &self.program)
            .arg("-d")
            .arg(self.home.join("pgbouncer.ini"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("PgBouncer; ./tests/run.sh installs it");
        assert!(started.success(), "PgBouncer does not start");
        self.until_up();
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// It offers no event to wait for.
    fn until_up(&self) {
        until_blocking("PgBouncer comes up", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }
}

/// The system's own. Debian has it where only root looks.
fn program() -> PathBuf {
    let installed = Path::new("/usr/sbin/pgbouncer");
    if installed.exists() {
        installed.to_owned()
    } else {
        PathBuf::from("pgbouncer")
    }
}
