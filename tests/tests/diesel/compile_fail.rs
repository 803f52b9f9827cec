//! What a read-only connection does not take does not compile, and the compiler says what to do.

use std::path::Path;
use std::process::Command;

/// A query that is refused, for `reader.load::<(i32, String), _, _>(…)`.
const REFUSED: &[(&str, &str)] = &[
    (
        "insert",
        "diesel::insert_into(cake::table).values(cake::name.eq(\"x\"))",
    ),
    (
        "update",
        "diesel::update(cake::table).set(cake::name.eq(\"x\"))",
    ),
    ("delete", "diesel::delete(cake::table)"),
    ("for_update", "cake::table.for_update()"),
    ("skip_locked", "cake::table.for_update().skip_locked()"),
    (
        "for_share",
        "cake::table.filter(cake::id.eq(1)).for_share()",
    ),
    ("sql_query", "diesel::sql_query(\"SELECT 1\")"),
];

const SOURCE: &str = r#"
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel_async::AsyncPgConnection;
use routing_diesel::{AsyncRoutedConnection, ReadOnly, RoutedConnection};

diesel::table! { cake (id) { id -> Integer, name -> Text, } }

pub fn sync(reader: &mut ReadOnly<RoutedConnection<PgConnection>>) {
    let _ = reader.load::<(i32, String), _, _>(QUERY);
}

pub async fn asynchronous(reader: &mut ReadOnly<AsyncRoutedConnection<AsyncPgConnection>>) {
    let _ = reader.load::<(i32, String), _, _>(QUERY).await;
}

fn main() {}
"#;

#[test]
fn what_may_write_or_lock_is_refused_by_the_compiler() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().expect("the workspace");
    let package = tempfile::tempdir().expect("a directory");
    let sources = package.path().join("src/bin");
    std::fs::create_dir_all(&sources).expect("a directory");
    // One that compiles shows that it is the query that is refused.
    let accepted = ("accepted", "cake::table.order(cake::id)");
    for (name, query) in REFUSED.iter().chain([&accepted]) {
        let source = SOURCE.replace("QUERY", query);
        std::fs::write(sources.join(name).with_extension("rs"), source).expect("a file");
    }
    let manifest = format!(
        r#"
        [package]
        name = "compile-fail"
        edition = "2024"

        [workspace]

        [dependencies]
        diesel = {{ version = "2.3", features = ["postgres"] }}
        diesel-async = {{ version = "0.9", features = ["postgres"] }}
        routing-diesel = {{ path = {:?}, features = ["postgres", "async-postgres"] }}

        # As in the workspace, so that what is built for it need not be built anew.
        [profile.dev]
        debug = "line-tables-only"

        [profile.dev.package."*"]
        debug = false
        "#,
        root.join("routing-diesel")
    );
    std::fs::write(package.path().join("Cargo.toml"), manifest).expect("a manifest");
    // The same versions, so that nothing need be found anew.
    let lock = package.path().join("Cargo.lock");
    std::fs::copy(root.join("Cargo.lock"), lock).expect("a lock file");

    // The one that runs this test, or the one that finds the right compiler.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["check", "--bins", "--keep-going", "--color=never"])
        .current_dir(package.path())
        .env("CARGO_TARGET_DIR", root.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    // The compiler's messages, each with the lines that belong to it.
    let mut messages: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("error") || line.starts_with("warning") || messages.is_empty() {
            messages.push(String::new());
        }
        if let Some(message) = messages.last_mut() {
            message.push_str(line);
        }
    }
    for (name, _) in REFUSED {
        let file = format!("src/bin/{name}.rs");
        let told = messages.iter().filter(|message| {
            message.contains(&file) && message.contains("`SELECT`s that take no locks")
        });
        assert_eq!(
            told.count(),
            2,
            "both kinds of readers refuse `{name}`: {text}"
        );
    }
    assert!(text.contains("get one with `pool.get()`"), "{text}");
    assert!(!text.contains("src/bin/accepted.rs"), "{text}");
}
