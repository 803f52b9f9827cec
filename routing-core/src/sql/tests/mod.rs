mod mysql;
mod postgres;
mod sqlite;
mod tables;

use super::{CatalogFunction, Dialect, Functions, Statement, classify};
use crate::sql::kind::{Access, StatementKind as Kind};

const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

fn in_all(cases: &[(&str, Kind)]) {
    in_each(&ALL, cases);
}

fn in_one(dialect: Dialect, cases: &[(&str, Kind)]) {
    in_each(&[dialect], cases);
}

/// All that are wrong, in one message.
fn in_each(dialects: &[Dialect], cases: &[(&str, Kind)]) {
    let mut wrong = String::new();
    for (sql, kind) in cases {
        for dialect in dialects {
            let found = classify(*sql, *dialect);
            if found != *kind {
                wrong += &format!("{dialect:?}: {found:?} instead of {kind:?}: {sql}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn plain_reads() {
    in_all(&[
        ("SELECT 1", Kind::Select),
        ("  select * from cake;  -- done", Kind::Select),
        ("/* why */ (SELECT 1) UNION (SELECT 2)", Kind::Select),
        (
            "SELECT count(*), max(x) FROM t WHERE id IN (1, 2)",
            Kind::Select,
        ),
        ("SELECT 'FOR UPDATE; DELETE' FROM t", Kind::Select),
        ("SELECT 'it''s', t.delete, t.into FROM t", Kind::Select),
        ("SELECT replace(a, 'x', 'y') FROM t", Kind::Select),
        ("SELECT EXISTS (SELECT 1 FROM t WHERE a = ?)", Kind::Select),
        ("WITH a AS (SELECT 1) SELECT * FROM a", Kind::Select),
        (
            "WITH RECURSIVE a (x) AS (SELECT 1), b (y, z) AS (SELECT 2, 3) SELECT * FROM a, b",
            Kind::Select,
        ),
        ("VALUES (1), (2)", Kind::Values),
        ("EXPLAIN SELECT 1", Kind::Explain),
        ("SELECT 1.5e-3, 0x1F, .5, 7 FROM t", Kind::Select),
        (
            "SELECT sum(a) OVER (PARTITION BY (b) ORDER BY (c)) FROM t",
            Kind::Select,
        ),
        (
            "WITH a AS (SELECT 1), b AS (SELECT 2) (SELECT * FROM b)",
            Kind::Select,
        ),
    ]);
    in_one(
        Dialect::Postgres,
        &[
            ("SELECT \"update\" FROM \"for\" WHERE a = $1", Kind::Select),
            ("SELECT $$; DELETE FROM t$$, $x$ $$ $x$", Kind::Select),
            ("SELECT 1 /* a /* nested */ comment */", Kind::Select),
            (
                "WITH \"cte\" (\"id\") AS (SELECT 1) SELECT \"id\" FROM \"cte\"",
                Kind::Select,
            ),
            ("SELECT substring(a FROM 1 FOR 2) FROM t", Kind::Select),
            ("EXPLAIN (COSTS off) SELECT \"a\" FROM \"t\"", Kind::Explain),
            ("EXPLAIN DELETE FROM cake", Kind::Explain),
            ("SELECT 1 -- x\r, 2", Kind::Select),
            ("SELECT count(*) FILTER (WHERE a) FROM t", Kind::Select),
        ],
    );
    in_one(
        Dialect::MySql,
        &[
            (
                "SELECT `update`, \"; DELETE\" FROM `for` # comment",
                Kind::Select,
            ),
            ("SELECT 3--2", Kind::Select),
        ],
    );
    in_one(
        Dialect::Sqlite,
        &[("SELECT [update], 'a\\' FROM `for`", Kind::Select)],
    );
}

#[test]
fn writes_that_look_like_reads() {
    in_all(&[
        ("SELECT * FROM t FOR UPDATE", Kind::LockingSelect),
        (
            "select * from t for update of t skip locked",
            Kind::LockingSelect,
        ),
        (
            "SELECT * FROM (SELECT * FROM t FOR SHARE) x",
            Kind::LockingSelect,
        ),
        ("SELECT * FROM t FOR NO KEY UPDATE", Kind::LockingSelect),
        ("SELECT * FROM t FOR KEY SHARE NOWAIT", Kind::LockingSelect),
        ("SELECT * FROM t LOCK IN SHARE MODE", Kind::LockingSelect),
        ("SELECT * INTO new_t FROM t", Kind::SelectInto),
        ("SELECT a FROM t INTO OUTFILE '/tmp/x'", Kind::SelectInto),
        (
            "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
            Kind::WritingCte,
        ),
        (
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
            Kind::WritingCte,
        ),
        ("WITH x AS (SELECT 1) UPDATE t SET a = 1", Kind::WritingCte),
        ("SELECT do_write('s')", Kind::FunctionCall),
        ("SELECT do_write (1)", Kind::FunctionCall),
        ("SELECT my_schema.count(1)", Kind::FunctionCall),
        ("SELECT 1; DELETE FROM t", Kind::Multiple),
        ("SET x = 1; DELETE FROM t", Kind::Multiple),
        ("VALUES (do_write('s'))", Kind::FunctionCall),
        ("SELECT 'no end", Kind::Unknown),
        (
            "WITH a AS (SELECT 1 x) TABLE a ORDER BY x, do_write('s')",
            Kind::FunctionCall,
        ),
        (
            "WITH a AS (SELECT 1 x) (SELECT x FROM a) ORDER BY (x), do_write('s')",
            Kind::FunctionCall,
        ),
        ("SELECT 1 FROM t WHERE filter(1)", Kind::FunctionCall),
        ("SELECT over(1), by(2)", Kind::FunctionCall),
        ("SELECT sets(1)", Kind::FunctionCall),
        ("SELECT NEXT VALUE FOR s", Kind::WritingFunction),
        ("SELECT a.b() FROM t", Kind::FunctionCall),
        ("SELECT 1.5INTO OUTFILE 'x'", Kind::Unknown),
        ("SELECT 1fn()", Kind::Unknown),
        ("SELECT a FROM t WHERE b = 1.0FOR SHARE", Kind::Unknown),
        ("SELECT 'do_write'()", Kind::FunctionCall),
        ("SELECT t.; DELETE FROM t", Kind::Multiple),
        (
            "WITH x AS (SELECT 1) \u{feff}DELETE FROM cake RETURNING id",
            Kind::Unknown,
        ),
        ("SELECT 1 /* no end", Kind::Unknown),
    ]);
    in_one(
        Dialect::Postgres,
        &[
            ("SELECT \"do_write\"('s')", Kind::FunctionCall),
            ("SELECT $x$ no end $y$", Kind::Unknown),
            ("SELECT '\\'; DELETE FROM t; --'", Kind::Multiple),
            ("EXPLAIN ANALYZE DELETE FROM t", Kind::Delete),
            ("EXPLAIN (COSTS off, ANALYZE) DELETE FROM t", Kind::Delete),
            ("SELECT 1 -- x\n; DELETE FROM t", Kind::Multiple),
            ("SELECT 1 -- x\r; DELETE FROM t", Kind::Multiple),
            ("SELECT nextval --\r ('s')", Kind::WritingFunction),
            ("SELECT * FROM w --\rFOR UPDATE", Kind::LockingSelect),
            ("EXPLAIN (\"analyze\") DELETE FROM t", Kind::Delete),
            ("EXPLAIN (U&\"\\0061nalyze\") DELETE FROM t", Kind::Unknown),
            ("SELECT total(a) FROM t", Kind::FunctionCall),
        ],
    );
    in_one(
        Dialect::MySql,
        &[
            ("SELECT 1 /*! INTO OUTFILE 'x' */", Kind::Unknown),
            ("SELECT /*M!100 1 */", Kind::Unknown),
            ("/*!50000 DELETE FROM t */", Kind::Unknown),
            ("SELECT @a := 1", Kind::SessionState),
            ("SELECT @@identity", Kind::SessionQuery),
            ("SHOW WARNINGS", Kind::SessionQuery),
            ("SHOW STATUS WHERE get_lock('a', 10)", Kind::SessionState),
            (
                "SELECT cake./*!50000 id FROM cake FOR UPDATE */",
                Kind::Unknown,
            ),
            ("SELECT 2024_shop.do_write()", Kind::Unknown),
            (
                "EXPLAIN SELECT * FROM (SELECT do_write()) t",
                Kind::FunctionCall,
            ),
            ("EXPLAIN FORMAT=JSON INTO @v SELECT 1", Kind::SessionState),
            ("EXPLAIN DELETE FROM t", Kind::Delete),
            ("SELECT 1 --\x7f\n, do_write()", Kind::FunctionCall),
            ("SELECT 1 -- x\r FOR UPDATE", Kind::Unknown),
            ("SELECT \"do_write\"()", Kind::FunctionCall),
            ("SELECT 1 /* /* */ ; DELETE FROM t -- */", Kind::Multiple),
        ],
    );
}

#[test]
fn plain_writes() {
    in_all(&[
        ("INSERT INTO t VALUES (1)", Kind::Insert),
        ("update t set a = 1", Kind::Update),
        ("DELETE FROM t", Kind::Delete),
        ("REPLACE INTO t VALUES (1)", Kind::Merge),
        ("CREATE TABLE t (a int)", Kind::Ddl),
        ("SET search_path = x", Kind::SessionState),
        ("CALL p()", Kind::Call),
        ("BEGIN", Kind::Transaction),
        ("", Kind::Unknown),
        (";", Kind::Unknown),
        ("; SELECT 1", Kind::Unknown),
        ("FROBNICATE t", Kind::Unknown),
        ("'SELECT'", Kind::Unknown),
    ]);
}

#[test]
fn every_text_has_a_kind() {
    // Cut at every byte, statements lose their ends; what is left must still be understood or not.
    let sql = "WITH \"ä\" AS (SELECT 'ö', $ü$ß$ü$ /* é */ -- à\n) SELECT [x], `y`, E'\\'' FROM z";
    for dialect in ALL {
        for (cut, _) in sql.char_indices() {
            let _ = classify(&sql[..cut], dialect);
            let _ = classify(&sql[cut..], dialect);
        }
    }
}

/// However deep it is, what cannot be followed any more is taken for a call.
#[test]
fn depth_has_no_end() {
    let deep = |inner: &str| format!("{}{inner}{}", "(".repeat(40), ")".repeat(40));
    let alias = |inner: &str| deep(&format!("SELECT * FROM {inner} x (a)"));
    assert_eq!(classify(&deep("SELECT 1"), Dialect::Postgres), Kind::Select);
    assert_eq!(classify(&alias("t"), Dialect::Postgres), Kind::Select);
    let behind = format!("SELECT * FROM (t {} x (a)", ")".repeat(40));
    assert_eq!(classify(&behind, Dialect::Postgres), Kind::FunctionCall);
}

/// What decided is said, so that a user finds it in a long statement.
#[test]
fn the_reason_is_in_the_text() {
    let reason = |sql: &str| Statement::new(sql, Dialect::Postgres).to_string();
    assert_eq!(reason("SELECT 1"), "SELECT");
    assert_eq!(
        reason("SELECT shop . do_write(1)"),
        "call of an unknown function: shop . do_write"
    );
    assert_eq!(reason("SELECT 1 FROM t FOR UPDATE"), "locking SELECT: FOR");
    assert_eq!(reason("FROBNICATE t"), "unknown statement: FROBNICATE");
    assert_eq!(reason("DELETE FROM t"), "DELETE");
    assert_eq!(reason("SELECT '"), "unknown statement: '");
}

#[test]
fn catalogs_and_lists_say_more() {
    let function = |schema: &str, name: &str, is_volatile| CatalogFunction {
        schema: schema.to_owned(),
        name: name.to_owned(),
        is_volatile,
    };
    let functions = Functions::new(["shop.reading", "anywhere"], ["noting"]).with_catalog([
        function("public", "stable", false),
        function("public", "mixed", false),
        function("other", "mixed", true),
        function("public", "lower", true),
        function("pg_catalog", "lower", false),
        function("pg_catalog", "of_a_new_version", false),
        function("pg_catalog", "random", true),
        function("pg_catalog", "txid_current", false),
        function("public", "Quoted", false),
        function("public", "noting", false),
        function("other", "anywhere", true),
    ]);
    let kind = |sql| Statement::with_functions(sql, Dialect::Postgres, &functions).kind();
    for read in [
        "SELECT stable(1), public.stable(2), of_a_new_version()",
        "SELECT public.mixed(1), shop.reading(), anywhere(), other.anywhere()",
        "SELECT pg_catalog.lower('A'), random(), \"Quoted\"()",
    ] {
        assert_eq!(kind(read), Kind::Select, "{read}");
    }
    for unknown in [
        "SELECT mixed(1)",
        "SELECT other.mixed(1)",
        "SELECT lower('A')",
        "SELECT reading()",
        "SELECT quoted()",
        "SELECT shop.stable()",
    ] {
        assert_eq!(kind(unknown), Kind::FunctionCall, "{unknown}");
    }
    for write in [
        "SELECT noting(1)",
        "SELECT public.noting(1)",
        "SELECT txid_current()",
    ] {
        assert_eq!(kind(write), Kind::WritingFunction, "{write}");
    }
}

/// The lists do not contradict each other.
#[test]
fn no_function_both_reads_and_writes() {
    use super::functions::{mysql, postgres, postgres_catalog, sqlite};

    for (reads, writes) in [
        (postgres::READ, postgres::WRITE),
        (mysql::READ, mysql::WRITE),
        (sqlite::READ, sqlite::WRITE),
    ] {
        for name in reads.iter().chain(writes) {
            let lists = [reads, writes];
            let times = lists
                .iter()
                .flat_map(|list| list.iter())
                .filter(|n| n == &name);
            assert_eq!(times.count(), 1, "{name}");
        }
    }
    assert!(
        postgres::READ
            .iter()
            .all(|name| !postgres_catalog::READ.contains(name))
    );
}

fn reads(dialect: Dialect, texts: &[&str]) {
    let mut wrong = String::new();
    for sql in texts {
        let statement = Statement::new(*sql, dialect);
        if statement.access() != Access::Read {
            wrong += &format!("{statement}: {sql}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn writes(dialect: Dialect, cases: &[(Kind, &str)]) {
    let cases: Vec<_> = cases.iter().map(|(kind, sql)| (*sql, *kind)).collect();
    in_one(dialect, &cases);
}
