//! A module of the core uses only lower floors.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. What stands on one floor are strangers.
const FLOORS: &[&[&str]] = &[
    &[
        "access", "clock", "name", "position", "race", "random", "tick", "timer",
    ],
    &["hand_over", "sql", "store"],
    &["classifier", "redis_store"],
    &["rules"],
    &[
        "breaker",
        "budget",
        "decision",
        "delegate",
        "error",
        "exclusion",
        "load",
        "patience",
        "pin",
        "samples",
        "scope",
    ],
    &["connected", "failure", "topology"],
    &["callbacks", "node", "observer", "policy", "probe"],
    &["marks", "members", "ports"],
    &["balance", "slot", "tried"],
    &["needs", "session"],
    &["ambient", "replica_set", "token"],
    &["ask", "changes", "choice", "generations"],
    &["job", "notice", "replica_set_builder", "resolution"],
    &["sight", "succession"],
    &["config", "in_transaction", "report", "route"],
    &["proof"],
    &["running"],
    &["aftermath", "router"],
    &["monitor", "routed_builder", "status", "waiting", "web"],
    &["reconfigure"],
];

fn floor_of(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .unwrap_or_else(|| panic!("`{module}` has no floor: give it one"))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("the sources") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn modules_look_down() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../routing-core/src");
    let mut uses = 0;
    for file in files(&sources) {
        let relative = file.strip_prefix(&sources).expect("inside");
        let first = relative
            .iter()
            .next()
            .expect("a name")
            .to_str()
            .expect("UTF-8");
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let floor = floor_of(module);
        let text = fs::read_to_string(&file).expect("the source");
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for (at, _) in line.match_indices("crate::") {
                let used: String = line[at + "crate::".len()..]
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                    .collect();
                if used.is_empty() || used == module {
                    continue;
                }
                uses += 1;
                assert!(
                    floor_of(&used) < floor,
                    "{}: `{module}` (floor {floor}) uses `{used}` (floor {})",
                    file.display(),
                    floor_of(&used)
                );
            }
        }
    }
    assert!(uses > 50, "the sources were read: {uses}");
}
