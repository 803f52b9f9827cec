//! A room uses only rooms on lower floors, and no files use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The core's rooms from the ground up. Rooms on one floor do not use each other.
const FLOORS: &[&[&str]] = &[
    &["random", "time"],
    &["names"],
    &["position", "sql"],
    &["error"],
    &["config", "observe"],
    &["cluster", "session"],
    &["decide", "monitor"],
    &["execute"],
    &["adapter", "web"],
];

/// A module's path inside its crate.
type Module = Vec<String>;

/// The modules of a crate that each module uses.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

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

/// The source of each module of a crate, without comments and unit tests.
fn sources(name: &str) -> BTreeMap<Module, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{name}/src"));
    let mut sources = BTreeMap::new();
    for file in files(&root) {
        let relative = file.strip_prefix(&root).expect("inside");
        let parts = relative.with_extension("");
        let mut module: Module = parts
            .iter()
            .map(|part| part.to_str().expect("UTF-8").to_owned())
            .collect();
        if module.iter().any(|part| part == "tests") {
            continue;
        }
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        let text = fs::read_to_string(&file).expect("the source");
        let code = text.split("#[cfg(test)]\nmod tests").next();
        let code = code.expect("a beginning").lines();
        let code = code.map(|line| line.split("//").next().expect("a beginning"));
        sources.insert(module, code.collect::<Vec<_>>().join("\n"));
    }
    sources
}

/// The paths that begin with `crate` or `super` in a source, from the crate's root.
fn paths(module: &[String], code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if code[..at]
                .bytes()
                .last()
                .is_some_and(|byte| is_word(byte) || byte == b':')
            {
                continue;
            }
            let end = code[at..].find(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
            let end = end.map_or(code.len(), |length| at + length);
            let mut path = match start {
                "crate::" => Module::new(),
                _ => module.to_vec(),
            };
            for part in code[at..end].split("::").filter(|part| !part.is_empty()) {
                match part {
                    "crate" => {}
                    "super" => drop(path.pop()),
                    part => path.push(part.to_owned()),
                }
            }
            let group = code[end..].strip_prefix('{');
            let group = group.and_then(|rest| rest.split('}').next());
            for item in group.into_iter().flat_map(|group| group.split(',')) {
                let first = item.trim().split("::").next().expect("a beginning");
                found.push(path.iter().cloned().chain([first.to_owned()]).collect());
            }
            found.push(path);
        }
    }
    found
}

fn uses(sources: &BTreeMap<Module, String>) -> Uses {
    let is_module = |path: &mut Module| {
        while !path.is_empty() && !sources.contains_key(path) {
            path.pop();
        }
        !path.is_empty()
    };
    let mut uses = Uses::new();
    for (module, code) in sources {
        let mut used: BTreeSet<_> = paths(module, code).into_iter().collect();
        // A parent that keeps what it takes from a child uses it; one that hands it on does not.
        for line in code.lines().filter_map(|line| line.strip_prefix("use ")) {
            let child = line.split("::").next().expect("a beginning").to_owned();
            used.insert(module.iter().cloned().chain([child]).collect());
        }
        let used = used
            .into_iter()
            .filter_map(|mut path| is_module(&mut path).then_some(path))
            .filter(|path| path != module);
        uses.insert(module.clone(), used.collect());
    }
    uses
}

/// A circle of modules, if there is one.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    fn visit(
        module: &Module,
        uses: &Uses,
        done: &mut BTreeSet<Module>,
        trail: &mut Vec<Module>,
    ) -> Option<Vec<String>> {
        if let Some(begun) = trail.iter().position(|visited| visited == module) {
            let circle = trail[begun..].iter().chain([module]);
            return Some(circle.map(|module| module.join("::")).collect());
        }
        if done.contains(module) {
            return None;
        }
        trail.push(module.clone());
        let mut used = uses[module].iter();
        let found = used.find_map(|used| visit(used, uses, done, trail));
        trail.pop();
        done.insert(module.clone());
        found
    }
    let mut done = BTreeSet::new();
    uses.keys()
        .find_map(|module| visit(module, uses, &mut done, &mut Vec::new()))
}

/// How many modules use modules of other rooms; `may_use` says which rooms may.
fn crossings(uses: &Uses, may_use: impl Fn(&str, &str) -> bool) -> usize {
    let mut crossings = 0;
    for (module, used) in uses {
        let Some(room) = module.first().filter(|&room| room != "lib") else {
            continue;
        };
        for used in used.iter().filter(|used| used[0] != *room) {
            crossings += 1;
            let (module, used) = (module.join("::"), used.join("::"));
            let other = used.split("::").next().expect("a beginning");
            assert!(may_use(room, other), "`{module}` uses `{used}`");
        }
    }
    crossings
}

#[test]
fn rooms_look_down() {
    let core = uses(&sources("routing-core"));
    let count = crossings(&core, |room, other| floor_of(other) < floor_of(room));
    assert!(count > 300, "the sources were read: {count}");

    let diesel = uses(&sources("routing-diesel"));
    let apart = ["sync", "asynchronous"];
    let count = crossings(&diesel, |room, other| {
        !(apart.contains(&room) && apart.contains(&other))
    });
    assert!(count > 50, "the sources were read: {count}");
}

#[test]
fn no_files_use_each_other() {
    for name in ["routing-core", "routing-seaorm", "routing-diesel"] {
        assert_eq!(circle(&uses(&sources(name))), None, "{name}");
    }
}

#[test]
fn a_circle_is_found() {
    let sources = |sources: &[(&str, &str)]| {
        let module = |path: &str| path.split("::").map(ToOwned::to_owned).collect();
        let each = sources.iter();
        each.map(|(path, code)| (module(path), (*code).to_owned()))
            .collect()
    };
    let house = |last: &str| {
        uses(&sources(&[
            ("a", "use b::B;\npub use c::C;"),
            ("a::b", "use super::c::{C, D};"),
            ("a::c", last),
        ]))
    };
    assert_eq!(circle(&house("use crate::other::A;")), None);
    let names = |names: [&str; 3]| Some(names.map(ToOwned::to_owned).to_vec());
    let found = circle(&house("fn f() -> super::b::B {}"));
    assert_eq!(found, names(["a::b", "a::c", "a::b"]));
    let found = circle(&house("use crate::a::A;"));
    assert_eq!(circle(&house("use crate::{a, d};")), found);
    assert!(found.is_some());
}
