use super::{Dialect, StatementKind as Kind, classify};

const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

fn in_all(cases: &[(&str, Kind)]) {
    for (sql, kind) in cases {
        for dialect in ALL {
            assert_eq!(classify(sql, dialect), *kind, "{dialect:?}: {sql}");
        }
    }
}

fn in_one(dialect: Dialect, cases: &[(&str, Kind)]) {
    for (sql, kind) in cases {
        assert_eq!(classify(sql, dialect), *kind, "{dialect:?}: {sql}");
    }
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
        ("TABLE cake", Kind::Select),
        ("SHOW server_version", Kind::Show),
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
        ("SELECT nextval('s')", Kind::FunctionCall),
        ("SELECT pg_advisory_lock (1)", Kind::FunctionCall),
        ("SELECT my_schema.count(1)", Kind::FunctionCall),
        ("SELECT last_insert_id()", Kind::FunctionCall),
        ("SELECT 1; DELETE FROM t", Kind::Multiple),
        ("SHOW x; DELETE FROM t", Kind::Multiple),
        ("SET x = 1; DELETE FROM t", Kind::Multiple),
        ("VALUES (nextval('s'))", Kind::FunctionCall),
        ("SELECT 'no end", Kind::Unknown),
        (
            "WITH a AS (SELECT 1 x) TABLE a ORDER BY x, nextval('s')",
            Kind::FunctionCall,
        ),
        (
            "WITH a AS (SELECT 1 x) (SELECT x FROM a) ORDER BY (x), nextval('s')",
            Kind::FunctionCall,
        ),
        ("SELECT 1 FROM t WHERE filter(1)", Kind::FunctionCall),
        ("SELECT over(1), by(2)", Kind::FunctionCall),
        ("SELECT sets(1)", Kind::FunctionCall),
        ("SELECT NEXT VALUE FOR s", Kind::FunctionCall),
        ("SELECT a.b() FROM t", Kind::FunctionCall),
        ("SELECT 1.5INTO OUTFILE 'x'", Kind::Unknown),
        ("SELECT 1fn()", Kind::Unknown),
        ("SELECT a FROM t WHERE b = 1.0FOR SHARE", Kind::Unknown),
        ("SHOW x WHERE do_write()", Kind::FunctionCall),
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
            ("SELECT \"nextval\"('s')", Kind::FunctionCall),
            ("SELECT $x$ no end $y$", Kind::Unknown),
            ("SELECT '\\'; DELETE FROM t; --'", Kind::Unknown),
            ("EXPLAIN ANALYZE DELETE FROM t", Kind::Unknown),
            ("EXPLAIN (COSTS off, ANALYZE) DELETE FROM t", Kind::Unknown),
            ("SELECT 1 -- x\n; DELETE FROM t", Kind::Multiple),
            ("SELECT 1 -- x\r; DELETE FROM t", Kind::Multiple),
            ("SELECT nextval --\r ('s')", Kind::FunctionCall),
            ("SELECT * FROM w --\rFOR UPDATE", Kind::LockingSelect),
            ("EXPLAIN (\"analyze\") DELETE FROM t", Kind::Unknown),
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
            ("SELECT @@identity", Kind::SessionState),
            ("SHOW WARNINGS", Kind::SessionState),
            ("SHOW STATUS WHERE get_lock('a', 10)", Kind::FunctionCall),
            (
                "SELECT cake./*!50000 id FROM cake FOR UPDATE */",
                Kind::Unknown,
            ),
            ("SELECT 2024_shop.do_write()", Kind::Unknown),
            (
                "EXPLAIN SELECT * FROM (SELECT do_write()) t",
                Kind::FunctionCall,
            ),
            ("EXPLAIN FORMAT=JSON INTO @v SELECT 1", Kind::SelectInto),
            ("EXPLAIN DELETE FROM t", Kind::WritingCte),
            ("SELECT 1 --\x7f\n, do_write()", Kind::FunctionCall),
            ("SELECT 1 -- x\r FOR UPDATE", Kind::Unknown),
            ("SELECT \"do_write\"()", Kind::FunctionCall),
            ("SELECT 1 /* /* */ ; DELETE FROM t -- */", Kind::Multiple),
        ],
    );
}

#[test]
fn writes() {
    in_all(&[
        ("INSERT INTO t VALUES (1)", Kind::Insert),
        ("update t set a = 1", Kind::Update),
        ("DELETE FROM t", Kind::Delete),
        ("REPLACE INTO t VALUES (1)", Kind::Merge),
        ("CREATE TABLE t (a int)", Kind::Ddl),
        ("COPY t FROM STDIN", Kind::BulkTransfer),
        ("SET search_path = x", Kind::SessionState),
        ("PRAGMA user_version = 3", Kind::SessionState),
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
