//! PostgreSQL's programs, and whom they run as.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{Account, command};
use crate::servers::Installed;

/// Where a program is: in `PG_BIN`, else with the server that the tests run on, else in the path.
pub(super) fn program(name: &str) -> PathBuf {
    if let Some(bin) = std::env::var_os("PG_BIN") {
        return Path::new(&bin).join(name);
    }
    let Some(server) = Installed::of("postgresql") else {
        return PathBuf::from(name);
    };
    let programs = format!("usr/lib/postgresql/{}/bin", server.series());
    server.path(programs).join(name)
}

pub(super) fn account() -> Option<Account> {
    Account::of("postgres")
}

pub(super) fn run(name: &str, arguments: &[&str]) {
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

pub(super) fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
