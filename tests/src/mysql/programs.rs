//! The servers' programs: how data are made, and how a server starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::NAMES;
use super::flavor::Flavor;
use crate::process::{Account, command};
use crate::servers::Installed;

/// The application's user is not allowed to write to a server that is read-only, as `root` is.
const USERS: &str = "\
SET sql_log_bin = 0;
CREATE USER IF NOT EXISTS admin@'%';
GRANT ALL PRIVILEGES ON *.* TO admin@'%';
CREATE USER IF NOT EXISTS app@'%';
GRANT ALL PRIVILEGES ON `%`.* TO app@'%';
";

pub(super) fn account() -> Option<Account> {
    Account::of("mysql")
}

/// Makes the data of a server that has not run yet.
pub(super) fn make(flavor: Flavor, data: &Path) {
    let users = data.with_file_name("users.sql");
    fs::write(&users, USERS).expect("the users");
    let mut install = match flavor {
        Flavor::MariaDb => {
            let mut install = command(account(), program(flavor, "bin", "mariadb-install-db"));
            install
                .args(own_files(flavor))
                .args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            install
        }
        Flavor::MySql => {
            let mut install = command(account(), program(flavor, "sbin", "mysqld"));
            install
                .args(own_files(flavor))
                .arg("--initialize-insecure")
                .arg(format!("--init-file={}", users.display()));
            install
        }
    };
    let kind = flavor.kind();
    let installed = install
        .arg(format!("--datadir={}", data.display()))
        .output()
        .unwrap_or_else(|error| {
            panic!("{kind} cannot be run ({error}); ./tests/run.sh installs it")
        });
    assert!(installed.status.success(), "{installed:?}");
    // Each copy makes an identity of its own.
    let _none = fs::remove_file(data.join("auto.cnf"));
}

/// Where a program is: with the server that the tests run on, else in the path.
fn program(flavor: Flavor, directory: &str, name: &str) -> PathBuf {
    let server = Installed::of(flavor.kind());
    server.map_or_else(
        || name.into(),
        |server| server.path("usr").join(directory).join(name),
    )
}

/// The first options of a server: the place of its own files, and a small log, as each server has a copy.
fn own_files(flavor: Flavor) -> Vec<String> {
    let mut arguments = vec!["--no-defaults".to_owned()];
    if let Some(server) = Installed::of(flavor.kind()) {
        arguments.push(format!("--basedir={}", server.path("usr").display()));
    }
    arguments.extend(match flavor {
        Flavor::MariaDb => vec!["--innodb-log-file-size=8M".to_owned()],
        Flavor::MySql => vec![
            "--innodb-redo-log-capacity=8M".to_owned(),
            "--secure-file-priv=NULL".to_owned(),
        ],
    });
    arguments
}

/// Starts a server on the data in a directory, and does not wait for it.
pub(super) fn start_server(flavor: Flavor, home: &Path, name: &str, port: u16, options: &[String]) {
    let at = |extension: &str| {
        home.join(name)
            .with_extension(extension)
            .display()
            .to_string()
    };
    let (server, of_flavor): (_, &[&str]) = match flavor {
        Flavor::MariaDb => ("mariadbd", &["--log-slave-updates"]),
        Flavor::MySql => (
            "mysqld",
            &[
                "--log-replica-updates",
                "--gtid-mode=ON",
                "--enforce-gtid-consistency=ON",
                "--mysqlx=OFF",
            ],
        ),
    };
    // MySQL takes a process that was killed for a running one until its parent has asked for its remains.
    let _none = fs::remove_file(at("sock.lock"));
    // The test does not wait for the process: the keeper ends it, and init reaps it.
    let mut start = command(account(), "sh");
    start
        // Debian has the server where only root looks.
        .args(["-c", r#"PATH="$PATH:/usr/sbin"; "$@" &"#, "sh"])
        .arg(program(flavor, "sbin", server))
        .args(own_files(flavor))
        .arg(format!("--datadir={}", home.join(name).display()))
        .arg(format!("--port={port}"))
        .arg(format!("--socket={}", at("sock")))
        .arg(format!("--pid-file={}", at("pid")))
        .arg(format!("--log-error={}", at("log")))
        .arg(format!("--server-id={port}"))
        .arg(format!("--report-host={name}"))
        .args(of_flavor)
        .args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--log-bin=binlog",
            "--binlog-format=ROW",
            "--log-bin-trust-function-creators=1",
            "--sync-binlog=0",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=32M",
            // The machine's supply of these is soon used up, and a server without them does not start.
            "--innodb-use-native-aio=OFF",
            "--performance-schema=OFF",
            "--max-connections=200",
        ]);
    if flavor == Flavor::MariaDb {
        // MySQL has them from the beginning.
        let users = home.join("users.sql");
        fs::write(&users, USERS).expect("the users");
        start.arg(format!("--init-file={}", users.display()));
    }
    if name != NAMES[0] {
        start.arg(format!("--{}", flavor.read_only().replace('_', "-")));
    }
    start.args(options);
    let started = start.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(started.expect("a shell").success());
}
