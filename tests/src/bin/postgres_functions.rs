//! Makes the tables of functions that PostgreSQL calls immutable or stable, and of its types, which are called to
//! convert to them.
//!
//! `list` prints the functions of one server, once for each release; `table` prints a table from all lists. A name is
//! in it if every release that has the name calls it so:
//!
//! ```text
//! for server in postgresql-15 postgresql-17 postgresql-18; do
//!     SERVERS=$server cargo run -p routing-tests --bin postgres_functions -- list > /tmp/$server
//! done
//! cargo run -p routing-tests --bin postgres_functions -- table /tmp/postgresql-* \
//!     > routing-core/src/sql/functions/postgres_catalog.rs
//! ```
//!
//! With names of extensions, which the server must be able to create, it lists what they add:
//!
//! ```text
//! SERVERS=postgresql-15 cargo run -p routing-tests --bin postgres_functions -- list citext cube earthdistance \
//!     fuzzystrmatch hstore intarray isn ltree pg_trgm pgcrypto postgis seg tablefunc unaccent uuid-ossp xml2 \
//!     > /tmp/extensions
//! cargo run -p routing-tests --bin postgres_functions -- table /tmp/extensions \
//!     > routing-core/src/sql/functions/postgres_extensions.rs
//! ```

use std::collections::BTreeSet;
use std::fs;

use routing_tests::postgres::Cluster;
use routing_tests::runtime::run;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

/// A word of the grammar, what an application may well call a function of its own that writes, and what the
/// catalog misjudges.
const NOT_TAKEN: &[&str] = &[
    "cube",
    "defined",
    "delete",
    "each",
    "equals",
    "exist",
    "idx",
    "index",
    "is_valid",
    "isn_weak",
    "make_valid",
    "populate_record",
    "slice",
    "sort",
    "st_fromflatgeobuftotable",
];

/// A name is harmless if none of its overloads, nor what an aggregate is made of, is volatile; it counts if a
/// statement can call one of them.
fn names(of_function: &str, of_type: &str) -> String {
    format!(
        "SELECT verdict || ' ' || name FROM (\
         SELECT p.proname::text AS name, CASE WHEN bool_and(p.provolatile <> 'v' AND NOT EXISTS (\
           SELECT 1 FROM pg_proc part WHERE part.provolatile = 'v' AND part.oid IN (\
           a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn))) \
           THEN 'harmless' ELSE 'volatile' END AS verdict \
         FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid \
         WHERE {of_function} GROUP BY p.proname \
         HAVING bool_or(p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, \
             'internal'::regtype, 'language_handler'::regtype, 'fdw_handler'::regtype, \
             'index_am_handler'::regtype, 'table_am_handler'::regtype, 'tsm_handler'::regtype) \
           AND NOT 'internal'::regtype = ANY (p.proargtypes) AND NOT 'cstring'::regtype = ANY (p.proargtypes)) \
         UNION SELECT typname::text, 'harmless' FROM pg_type t \
         WHERE {of_type} AND typtype IN ('b', 'r', 'm') AND typname NOT LIKE E'\\\\_%' \
         AND typname NOT IN (SELECT proname FROM pg_proc)) AS all_names ORDER BY name COLLATE \"C\""
    )
}

/// What an extension has made that is called as nothing of PostgreSQL's own.
fn of_extensions(alias: &str, catalog: &str, name: &str) -> String {
    let of_server = "(SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace)";
    format!(
        "EXISTS (SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid \
         WHERE d.classid = '{catalog}'::regclass AND d.objid = {alias}.oid AND d.deptype = 'e' \
         AND e.extname <> 'plpgsql') AND {name} NOT IN {of_server}"
    )
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql));
    let rows = rows.await.expect("an answer").into_iter();
    rows.map(|row| row.try_get_by_index(0).expect("a text"))
        .collect()
}

/// The first words of a list's lines about the server and about its extensions.
const HEADS: [&str; 2] = ["server ", "extension "];

/// Prints what the server says of its functions, or of those of extensions.
async fn list(extensions: &[String]) {
    let cluster = Cluster::start().await;
    let db = Database::connect(cluster.primary().url("postgres"))
        .await
        .expect("the server");
    for extension in extensions {
        let create = format!("CREATE EXTENSION IF NOT EXISTS \"{extension}\" CASCADE");
        db.execute_unprepared(&create).await.expect("an extension");
    }
    let names = if extensions.is_empty() {
        names(
            "p.pronamespace = 'pg_catalog'::regnamespace",
            "typnamespace = 'pg_catalog'::regnamespace",
        )
    } else {
        names(
            &of_extensions("p", "pg_proc", "p.proname"),
            &of_extensions("t", "pg_type", "t.typname"),
        )
    };
    let version = "SELECT split_part(current_setting('server_version'), ' ', 1)";
    let [server, extension] = HEADS;
    println!("{server}{}", texts(&db, version).await.remove(0));
    let extensions = "SELECT extname || ' ' || extversion FROM pg_extension \
                      WHERE extname <> 'plpgsql' ORDER BY extname COLLATE \"C\"";
    for name in texts(&db, extensions).await {
        println!("{extension}{name}");
    }
    for name in texts(&db, &names).await {
        println!("{name}");
    }
}

/// Prints the table of what is harmless in all lists that have it.
fn table(lists: &[String]) {
    let lists: Vec<_> = lists
        .iter()
        .map(|list| fs::read_to_string(list).expect("a list"))
        .collect();
    let behind = |head: &'static str| {
        let lines = lists.iter().flat_map(|list| list.lines());
        lines.filter_map(move |line| line.strip_prefix(head))
    };
    let volatile: BTreeSet<_> = behind("volatile ")
        .chain(NOT_TAKEN.iter().copied())
        .collect();
    let harmless: BTreeSet<_> = behind("harmless ").collect();
    let [server, extension] = HEADS;
    let versions: Vec<_> = behind(server).collect();
    let extensions: Vec<_> = behind(extension).collect();
    let (end, of_extensions) = if extensions.is_empty() {
        (".", "")
    } else {
        (":", " in these extensions")
    };
    println!(
        "//! Functions that PostgreSQL calls immutable or stable{of_extensions}, and types{end}"
    );
    if !extensions.is_empty() {
        println!("//!");
    }
    for extension in extensions {
        println!("//! - {extension}");
    }
    println!("//!");
    println!(
        "//! Generated by `cargo run -p routing-tests --bin postgres_functions` from the catalogs of {}.",
        versions.join(", ")
    );
    println!();
    println!("pub(in crate::sql) const READ: &[&str] = &[");
    for name in harmless.difference(&volatile) {
        println!("    {name:?},");
    }
    println!("];");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == "list" => run(list(rest)),
        Some((command, rest)) if command == "table" => table(rest),
        _ => panic!("`list [EXTENSION…]` or `table LIST…`"),
    }
}
