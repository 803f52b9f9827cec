//! A room of the core uses only rooms on lower floors.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. Rooms on one floor do not use each other.
const FLOORS: &[&[&str]] = &[
    &["random", "time"],
    &["names"],
    &["position", "sql"],
    &["error"],
    &["config", "observe"],
    &["session"],
    &["cluster"],
    &["decide", "monitor"],
    &["execute"],
    &["adapter", "web"],
];

fn floor_of(room: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&room))
        .unwrap_or_else(|| panic!("`{room}` has no floor: give it one"))
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
fn rooms_look_down() {
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
        let room = first.trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        let floor = floor_of(room);
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
                if used.is_empty() || used == room {
                    continue;
                }
                uses += 1;
                assert!(
                    floor_of(&used) < floor,
                    "{}: `{room}` (floor {floor}) uses `{used}` (floor {})",
                    file.display(),
                    floor_of(&used)
                );
            }
        }
    }
    assert!(uses > 50, "the sources were read: {uses}");
}
