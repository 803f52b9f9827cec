//! The tables of a statement.

use super::super::tables::tables;
use super::Dialect;

fn names(sql: &str, dialect: Dialect) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let complete = tables(sql, dialect, |table| names.push(table.name().into_owned()));
    complete.then_some(names)
}

#[test]
fn tables_are_found() {
    for (sql, expected) in [
        ("SELECT 1", ""),
        ("SELECT a FROM t", "t"),
        (
            "SELECT * FROM a, b AS c JOIN d e ON e.x = c.x, f",
            "a b d f",
        ),
        (
            "SELECT * FROM a JOIN b USING (id) LEFT JOIN c ON true",
            "a b c",
        ),
        (
            "SELECT (SELECT max(x) FROM u) FROM s.t WHERE EXISTS (SELECT 1 FROM v)",
            "u t v",
        ),
        (
            "SELECT * FROM (a JOIN b ON true), (SELECT * FROM c) d",
            "a b c",
        ),
        ("SELECT a FROM t UNION SELECT b FROM u", "t u"),
        ("((SELECT a FROM t))", "t"),
        ("SELECT * FROM generate_series(1, 2) g, t", "t"),
        (
            "WITH x AS (SELECT * FROM t), y (a) AS (SELECT 1) SELECT * FROM x, Y, z",
            "t z",
        ),
        ("INSERT INTO t (a, b) VALUES (1, 2)", "t"),
        ("INSERT INTO s.t SELECT a FROM u", "t u"),
        (
            "UPDATE t SET a = 1 FROM u WHERE t.b IS DISTINCT FROM u.b",
            "t u",
        ),
        ("UPDATE t SET a = (SELECT b FROM u) WHERE c = 1", "t u"),
        ("DELETE FROM t USING u WHERE t.id = u.id", "t u"),
        (
            "MERGE INTO t USING (SELECT * FROM u) v ON true WHEN MATCHED THEN DELETE",
            "t u",
        ),
        (
            "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d",
            "t u",
        ),
        ("SELECT extract(year FROM a) FROM t", "t"),
        ("TABLE t", "t"),
        ("TRUNCATE TABLE t, u", "t u"),
        ("EXPLAIN SELECT * FROM t", "t"),
        ("EXPLAIN ANALYZE UPDATE t SET a = 1 FROM u", "t u"),
        ("SELECT a FROM t; SELECT b FROM u", "t u"),
    ] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(names(sql, Dialect::Postgres).expect(sql), expected, "{sql}");
    }
    let update = "UPDATE OR IGNORE [my t] SET a = 1";
    assert_eq!(names(update, Dialect::Sqlite).expect(update), ["my t"]);
    let delete = "DELETE a FROM `t` a JOIN u ON a.id = u.id";
    assert_eq!(names(delete, Dialect::MySql).expect(delete), ["t", "u"]);
}

#[test]
fn case_counts_where_the_database_says() {
    for (dialect, counts) in [
        (Dialect::Postgres, true),
        (Dialect::MySql, false),
        (Dialect::Sqlite, false),
    ] {
        let mut is = false;
        let sql = match dialect {
            Dialect::MySql => "SELECT * FROM `Audit_Log`",
            _ => "SELECT * FROM \"Audit_Log\"",
        };
        tables(sql, dialect, |table| is = table.is("audit_log"));
        assert_eq!(is, !counts, "{dialect:?}");
    }
}

#[test]
fn unknown_is_an_answer() {
    for sql in [
        "CREATE TABLE t (a int)",
        "CALL p()",
        "SELECT 'x",
        "INSERT t VALUES (1)",
        "x",
    ] {
        assert_eq!(names(sql, Dialect::MySql), None, "{sql}");
    }
    let many = (0..20)
        .map(|n| format!("x{n} AS (SELECT 1)"))
        .collect::<Vec<_>>();
    let many = format!("WITH {} SELECT 1", many.join(", "));
    assert_eq!(names(&many, Dialect::Postgres), None);
}
