//! Prints the table of functions that a PostgreSQL server calls immutable or stable, and of its types,
//! which are called to convert to them:
//!
//! ```text
//! cargo run -p routing-tests --bin postgres_functions > routing-core/src/sql/functions/postgres_catalog.rs
//! ```
//!
//! With names of extensions, which the server must be able to create, it prints the table of what they add:
//!
//! ```text
//! cargo run -p routing-tests --bin postgres_functions -- citext cube earthdistance fuzzystrmatch hstore intarray \
//!     isn ltree pg_trgm pgcrypto postgis seg tablefunc unaccent uuid-ossp xml2 \
//!     > routing-core/src/sql/functions/postgres_extensions.rs
//! ```

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

/// A name counts if none of its overloads, nor what an aggregate is made of, is volatile, and if a statement
/// can call one of them.
fn names(of_function: &str, of_type: &str) -> String {
    format!(
        "SELECT name FROM (\
         SELECT p.proname::text AS name FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid \
         WHERE {of_function} GROUP BY p.proname \
         HAVING bool_and(p.provolatile <> 'v' AND NOT EXISTS (\
           SELECT 1 FROM pg_proc part WHERE part.provolatile = 'v' AND part.oid IN (\
           a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn))) \
         AND bool_or(p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, \
             'internal'::regtype, 'language_handler'::regtype, 'fdw_handler'::regtype, \
             'index_am_handler'::regtype, 'table_am_handler'::regtype, 'tsm_handler'::regtype) \
           AND NOT 'internal'::regtype = ANY (p.proargtypes) AND NOT 'cstring'::regtype = ANY (p.proargtypes)) \
         UNION SELECT typname::text FROM pg_type t \
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

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (version, extensions, names) = run(async {
        let cluster = Cluster::start().await;
        let db = Database::connect(cluster.primary().url("postgres"))
            .await
            .expect("the server");
        for extension in &wanted {
            let create = format!("CREATE EXTENSION IF NOT EXISTS \"{extension}\" CASCADE");
            db.execute_unprepared(&create).await.expect("an extension");
        }
        let names = if wanted.is_empty() {
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
        let extensions = "SELECT extname || ' ' || extversion FROM pg_extension \
                          WHERE extname <> 'plpgsql' ORDER BY extname COLLATE \"C\"";
        (
            texts(&db, "SHOW server_version").await.remove(0),
            texts(&db, extensions).await,
            texts(&db, &names).await,
        )
    });
    let version = version.split(' ').next().unwrap_or_default();
    if extensions.is_empty() {
        println!(
            "//! What the catalog of PostgreSQL {version} calls immutable or stable, and types."
        );
    } else {
        println!(
            "//! What the catalog of PostgreSQL {version} calls immutable or stable in these extensions, and types:"
        );
        println!("//!");
        for extension in extensions {
            println!("//! - {extension}");
        }
    }
    println!("//!");
    println!("//! Generated by `cargo run -p routing-tests --bin postgres_functions`.");
    println!();
    println!("pub(in crate::sql) const READ: &[&str] = &[");
    for name in names {
        if !NOT_TAKEN.contains(&name.as_str()) {
            println!("    {name:?},");
        }
    }
    println!("];");
}
