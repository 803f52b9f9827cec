//! PostgreSQL's programs, and whom they run as.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{Account, command};

/// Where the programs are: `PG_BIN`, else the newest that Debian has, else the path.
pub(super) fn program(name: &str) -> PathBuf {
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
