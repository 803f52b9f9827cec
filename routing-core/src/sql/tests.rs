use super::{CatalogFunction, Dialect, Functions, Statement, classify};
use crate::access::{Access, StatementKind as Kind};

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
            ("SELECT @@identity", Kind::SessionState),
            ("SHOW WARNINGS", Kind::SessionState),
            ("SHOW STATUS WHERE get_lock('a', 10)", Kind::WritingFunction),
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

#[test]
fn postgres_reads() {
    reads(
        Dialect::Postgres,
        &[
            "TABLE cake",
            "SHOW server_version",
            "SHOW TRANSACTION ISOLATION LEVEL",
            "SELECT delete, update, merge FROM t",
            "SELECT t.delete FROM t WHERE update = 1",
            "SELECT 1 AS into, 2 AS for",
            "SELECT a FROM t WHERE t.into = 1 AND u.for = 2",
            "SELECT x FROM update WHERE delete = 1",
            "SELECT \"count\"(*), pg_catalog.lower('A'), \"pg_catalog\".\"abs\"(-1)",
            "SELECT * FROM generate_series(1, 2) AS g (i)",
            "SELECT * FROM generate_series(1, 2) WITH ORDINALITY g (i, n)",
            "SELECT * FROM (VALUES (1, 2)) v (a, b), t AS u (c), t w (d)",
            "SELECT * FROM a JOIN b c (x) ON c.x = a.x LEFT JOIN (SELECT 1) d (y) ON true",
            "SELECT * FROM a, LATERAL (SELECT 1) b (x)",
            "SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY[1])) AS r (a, b)",
            "SELECT * FROM json_to_record('{}') AS x(a int, b numeric(10, 2), c varchar(3))",
            "SELECT 1::numeric(10, 2), '1'::public.money_of(3), CAST(a AS my_type(3)) FROM t",
            "SELECT a::character varying(10), '1'::bit varying(3), x::timestamp(3) FROM t",
            "SELECT CASE WHEN (a) THEN (b) ELSE (c) END, ARRAY(SELECT 1), ROW(1, 2)",
            "SELECT a FROM t WHERE b IN (1) AND c = ANY ($1) OR d LIKE ('x' || $2)",
            "SELECT a FROM t WHERE b NOT LIKE (c) AND (d, e) OVERLAPS (f, g)",
            "SELECT extract(year FROM a), trim(both ' ' from b), substring(c from 1 for 2) FROM t",
            "SELECT a FROM t GROUP BY ROLLUP (a), GROUPING SETS ((a), ())",
            "SELECT a FROM t GROUP BY CUBE (a, b)",
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t",
            "SELECT count(*) FILTER (WHERE a > 1) OVER (PARTITION BY (b)) FROM t",
            "SELECT a FROM t TABLESAMPLE BERNOULLI (10)",
            "SELECT a IS DISTINCT FROM b FROM t u (a, b)",
            "SELECT DISTINCT ON (a) lower(b) FROM t",
            "SELECT a FROM t WINDOW w AS (PARTITION BY b)",
            "SELECT a FROM t FETCH FIRST (2) ROWS ONLY",
            "SELECT a FROM t FOR READ ONLY",
            "SELECT now() AT TIME ZONE ('UTC'), random(), clock_timestamp(), gen_random_uuid()",
            "WITH a AS MATERIALIZED (SELECT 1), b (x) AS NOT MATERIALIZED (SELECT 2) TABLE b",
            "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t",
            "SELECT (WITH x (a) AS (SELECT 1) SELECT a FROM x)",
            "SELECT E'it\\'s', U&'\\0041', N'x', B'01', X'ff', 'a' 'b'",
            "SELECT E'a'\n'\\'; DELETE FROM t'",
            "SELECT a -> 'b' ->> 'c', d ? 'e', f #> '{g}', @ -1 FROM t",
            "SELECT a[1:2], a[lower(b)::int] FROM t",
            "SELECT f.a FROM t f WHERE f.b = 1",
            "SELECT 'C:\\' FROM t",
            "SELECT 1; SELECT 2; ;",
            "SELECT make_interval(days := 3)",
            "SELECT rank(3) WITHIN GROUP (ORDER BY x) FROM (VALUES (1)) v(x)",
            "SELECT * FROM a JOIN b ON a.x = b.x, LATERAL (SELECT 1) c (y)",
            "SELECT tsquery('a & b'), interval '1' second(2), interval '1 2:03' day to second(2)",
            "SELECT a FROM t GROUP BY DISTINCT ROLLUP (a)",
            "SELECT a FROM t GROUP BY a, ROLLUP (b), CUBE (c) HAVING count(*) > 1",
            "SELECT a FROM t TABLESAMPLE BERNOULLI (10) REPEATABLE (1) WHERE lock IN (1)",
            "SELECT lag(a) IGNORE NULLS OVER (ORDER BY b) FROM t",
            "SELECT t.session_id, t.last_name, \"t\".\"location\", \"t\".\"set_at\" FROM t",
            "EXPLAIN (ANALYZE, BUFFERS) SELECT 1",
            "EXPLAIN ANALYZE VERBOSE SELECT 1",
            "EXPLAIN (FORMAT JSON) (SELECT 1)",
            "EXPLAIN (SELECT 1)",
            "EXPLAIN SELECT 1 AS into, t.into FROM t",
            "EXPLAIN INSERT INTO t VALUES (1)",
            "EXPLAIN UPDATE t SET a = nextval('s')",
            "COPY t TO STDOUT",
            "COPY public.\"t\" (a, b) TO STDOUT WITH (FORMAT csv, HEADER)",
            "COPY (SELECT a FROM t) TO STDOUT",
        ],
    );
}

#[test]
fn postgres_writes() {
    writes(
        Dialect::Postgres,
        &[
            (Kind::Multiple, "SHOW x; DELETE FROM t"),
            (Kind::FunctionCall, "SHOW x WHERE do_write()"),
            (Kind::WritingFunction, "SELECT nextval('s')"),
            (Kind::WritingFunction, "SELECT pg_catalog . nextval ('s')"),
            (
                Kind::WritingFunction,
                "SELECT \"pg_catalog\".\"nextval\"('s')",
            ),
            (Kind::WritingFunction, "SELECT PG_ADVISORY_LOCK /* */ (1)"),
            (Kind::WritingFunction, "SELECT txid_current()"),
            (
                Kind::WritingFunction,
                "SELECT set_config('a.b', 'c', false)",
            ),
            (Kind::FunctionCall, "SELECT \"Count\"(*) FROM t"),
            (Kind::FunctionCall, "SELECT U&\"d\\006f\"()"),
            (Kind::FunctionCall, "SELECT pg_stat_clear_snapshot()"),
            (Kind::FunctionCall, "SELECT public.lower('a')"),
            (Kind::FunctionCall, "SELECT a.b.lower('a')"),
            (Kind::FunctionCall, "SELECT * FROM do_write(1) f (x)"),
            (Kind::FunctionCall, "SELECT * FROM t, do_write(1)"),
            (
                Kind::FunctionCall,
                "SELECT * FROM t JOIN LATERAL do_write(1) f ON true",
            ),
            (
                Kind::FunctionCall,
                "SELECT * FROM ONLY (t), ROWS FROM (do_write(1)) x",
            ),
            (
                Kind::FunctionCall,
                "SELECT DISTINCT ON (a) do_write(b) FROM t",
            ),
            (
                Kind::FunctionCall,
                "SELECT a IS DISTINCT FROM do_write(1) FROM t",
            ),
            (
                Kind::FunctionCall,
                "SELECT a IS DISTINCT FROM b AND do_write(1) FROM t",
            ),
            (
                Kind::FunctionCall,
                "SELECT extract(year FROM CASE do_write(1) WHEN 1 THEN 2 END)",
            ),
            (Kind::FunctionCall, "SELECT trim(both from NOT do_write(1))"),
            (Kind::FunctionCall, "SELECT * FROM t WHERE NOT do_write(1)"),
            (
                Kind::FunctionCall,
                "SELECT * FROM t GROUP BY a, NOT do_write(1)",
            ),
            (Kind::FunctionCall, "SELECT * FROM a JOIN b ON do_write(1)"),
            (Kind::FunctionCall, "SELECT * FROM a JOIN b ON join(1)"),
            (Kind::FunctionCall, "SELECT join(1)"),
            (
                Kind::FunctionCall,
                "SELECT a FROM t ORDER BY a USING <, do_write(1)",
            ),
            (
                Kind::FunctionCall,
                "SELECT a FROM t u (x) LIMIT do_write(1)",
            ),
            (Kind::FunctionCall, "SELECT rollup(1), cube(2)"),
            (
                Kind::FunctionCall,
                "SELECT a FROM t GROUP BY a ORDER BY rollup(1)",
            ),
            (
                Kind::FunctionCall,
                "SELECT * FROM a JOIN b ON true, NOT do_write(1)",
            ),
            (
                Kind::FunctionCall,
                "SELECT * FROM a, CASE do_write(1) WHEN 1 THEN 2 END",
            ),
            (Kind::FunctionCall, "SELECT 1 WHERE second(2)"),
            (Kind::FunctionCall, "SELECT varying(1)"),
            (
                Kind::FunctionCall,
                "WITH a (x) AS (SELECT do_write(1)) TABLE a",
            ),
            (Kind::FunctionCall, "SELECT 1::int + do_write(1)"),
            (Kind::FunctionCall, "SELECT 1 AS a, do_write(1)"),
            (
                Kind::WritingCte,
                "WITH x AS (DELETE FROM t RETURNING 1), y AS (TABLE x) TABLE y",
            ),
            (
                Kind::WritingCte,
                "WITH x AS (SELECT 1) UPDATE ONLY t SET a = 1",
            ),
            (Kind::WritingCte, "WITH x AS (SELECT 1) DELETE FROM t"),
            (
                Kind::WritingCte,
                "WITH x AS (SELECT 1) MERGE INTO t USING x ON true WHEN MATCHED THEN DELETE",
            ),
            (
                Kind::WritingCte,
                "SELECT 1 WHERE EXISTS (WITH x AS (UPDATE \"t\" SET a = 1) TABLE x)",
            ),
            (
                Kind::WritingCte,
                "WITH RECURSIVE x AS (SELECT 1 a UNION ALL SELECT 2 FROM x) CYCLE a SET b USING by DELETE FROM t",
            ),
            (
                Kind::LockingSelect,
                "SELECT (SELECT a FROM t FOR NO KEY UPDATE OF t NOWAIT)",
            ),
            (
                Kind::LockingSelect,
                "SELECT a FROM t FOR READ ONLY FOR UPDATE",
            ),
            (Kind::SelectInto, "SELECT a INTO TEMP u FROM t"),
            (Kind::SelectInto, "SELECT a INTO\"u\"FROM t"),
            (Kind::Unknown, "SELECT 'a\\', ', do_write(), '"),
            (Kind::Unknown, "SELECT 1 /* /* */"),
            (Kind::Unknown, "SELECT 1\0"),
            (Kind::Unknown, "SELECT $1FOR UPDATE"),
            (Kind::Unknown, "EXPLAIN ANALYZE FROBNICATE"),
            (Kind::Delete, "EXPLAIN ANALYZE DELETE FROM t"),
            (Kind::Delete, "EXPLAIN (COSTS off, ANALYZE) DELETE FROM t"),
            (Kind::Delete, "EXPLAIN (\"analyze\") DELETE FROM t"),
            (Kind::Unknown, "EXPLAIN (U&\"\\0061nalyze\") DELETE FROM t"),
            (
                Kind::FunctionCall,
                "EXPLAIN (ANALYZE false) SELECT do_write()",
            ),
            (Kind::Unknown, "EXPLAIN EXECUTE p"),
            (Kind::SelectInto, "EXPLAIN SELECT 1 INTO t"),
            (Kind::SelectInto, "EXPLAIN SELECT 1 AS as INTO t"),
            (Kind::SelectInto, "SELECT 1 AS as INTO t"),
            (Kind::Unknown, "EXPLAIN ANALYZE EXPLAIN ANALYZE SELECT 1"),
            (
                Kind::WritingFunction,
                "SELECT 1 AS from FROM pg_advisory_lock(7)",
            ),
            (
                Kind::FunctionCall,
                "SELECT 1 AS from FROM LATERAL do_write(1) f (x)",
            ),
            (Kind::WritingFunction, "SELECT (7::bigint).pg_advisory_lock"),
            (
                Kind::WritingFunction,
                "SELECT x.pg_advisory_lock FROM generate_series(1, 2) x",
            ),
            (
                Kind::WritingFunction,
                "SELECT \"x\".\"nextval\" FROM \"t\" AS \"x\" WHERE 1 = 1",
            ),
            (
                Kind::WritingFunction,
                "SELECT \"t\".\"session_id\", \"t\".\"a\", \"x\".\"nextval\", \"t\".\"b\" FROM t",
            ),
            (Kind::FunctionCall, "SELECT now().do_write('s')"),
            (Kind::FunctionCall, "SELECT now().lower('s')"),
            (Kind::WritingFunction, "SELECT pg_walfile_name('0/0')"),
            (
                Kind::FunctionCall,
                "SELECT * FROM (VALUES (1), (NOT do_write(1))) t",
            ),
            (Kind::Unknown, "EXPLAIN CREATE TABLE u AS SELECT 1"),
            (Kind::Multiple, "EXPLAIN SELECT 1; DELETE FROM t"),
            (Kind::BulkTransfer, "COPY t FROM STDIN"),
            (Kind::BulkTransfer, "COPY t TO '/tmp/x'"),
            (Kind::BulkTransfer, "COPY t TO PROGRAM 'x'"),
            (
                Kind::BulkTransfer,
                "COPY (DELETE FROM t RETURNING 1) TO STDOUT",
            ),
            (Kind::FunctionCall, "COPY (SELECT do_write()) TO STDOUT"),
            (
                Kind::WritingCte,
                "COPY (WITH x AS (DELETE FROM t RETURNING 1) TABLE x) TO STDOUT",
            ),
            (Kind::Multiple, "COPY t TO STDOUT; DELETE FROM t"),
            (Kind::Lock, "LOCK TABLE t"),
            (Kind::Notify, "NOTIFY x"),
            (Kind::SessionState, "DECLARE c CURSOR FOR SELECT 1"),
            (Kind::Unknown, "PRAGMA user_version"),
        ],
    );
}

#[test]
fn mysql_reads() {
    reads(
        Dialect::MySql,
        &[
            "TABLE cake",
            "SHOW TABLES",
            "SHOW FULL COLUMNS FROM t LIKE 'a%'",
            "DESCRIBE t",
            "DESC t a",
            "EXPLAIN t",
            "EXPLAIN SELECT 1",
            "EXPLAIN FORMAT=JSON SELECT 1",
            "EXPLAIN EXTENDED (SELECT 1)",
            "ANALYZE FORMAT=JSON SELECT 1",
            "SELECT @@version, @@global.read_only, @@session.sql_mode",
            "SELECT 'it\\'s', \"it\\\"s\"",
            "SELECT 'C:\\\\'",
            "SELECT insert('abc', 1, 1, 'x'), replace(a, 'b', 'c'), if(a, b, c) FROM t",
            "SELECT a FROM t USE INDEX FOR ORDER BY (i) FORCE INDEX (j) WHERE a IN (1)",
            "SELECT a FROM t PARTITION (p0, p1) u JOIN v ON (u.a = v.a)",
            "SELECT MATCH (a, b) AGAINST ('x' IN BOOLEAN MODE) FROM t",
            "SELECT group_concat(DISTINCT a ORDER BY b SEPARATOR ', ') FROM t",
            "SELECT a FROM t STRAIGHT_JOIN u USING (id) GROUP BY a WITH ROLLUP",
            "SELECT json_value(a, '$.b') FROM t, JSON_TABLE(a, '$[*]' COLUMNS (b INT PATH '$')) j",
            "SELECT DATE_ADD(a, INTERVAL (1 + 1) DAY), CAST(a AS CHAR(10)), a DIV (b) FROM t",
            "SELECT /*+ NO_INDEX_MERGE(t) */ a FROM t # the end",
            "SELECT /*My comment*/ 1",
            "SELECT `a`.`delete`, `b` FROM `a`",
            "SELECT count(*), sum(a) OVER (PARTITION BY b) FROM t",
            "WITH a (x) AS (SELECT 1) SELECT * FROM a",
            "SELECT merge, lock FROM t",
            "SELECT json_value(a, '$.b' RETURNING DECIMAL(4, 2)) FROM t",
            "SELECT (a) IN (SELECT b FROM u) FROM t FOR SYSTEM_TIME AS OF NOW()",
        ],
    );
}

#[test]
fn mysql_writes() {
    writes(
        Dialect::MySql,
        &[
            (Kind::WritingFunction, "SELECT last_insert_id()"),
            (Kind::WritingFunction, "SELECT nextval(s)"),
            (Kind::WritingFunction, "SELECT GET_LOCK('a', 1)"),
            (Kind::WritingFunction, "SELECT `get_lock`('a', 1)"),
            (Kind::FunctionCall, "SELECT count (*) FROM t"),
            (Kind::FunctionCall, "SELECT `count`(a) FROM t"),
            (Kind::FunctionCall, "SELECT shop.lower(a) FROM t"),
            (Kind::FunctionCall, "SELECT $lower(1)"),
            (Kind::FunctionCall, "SELECT load_file('/etc/passwd')"),
            (
                Kind::FunctionCall,
                "SELECT trim(LEADING 'x' FROM BINARY do_write(1))",
            ),
            (Kind::FunctionCall, "SELECT DEFAULT(id) FROM t"),
            (Kind::WritingFunction, "SELECT s.nextval, s.currval"),
            (
                Kind::WritingFunction,
                "SELECT * FROM (VALUES (1), (BINARY get_lock('y', 1))) t",
            ),
            (
                Kind::Unknown,
                "SELECT 1 AS \"\\\", '\\', ', get_lock('x', 1) -- \"",
            ),
            (Kind::SessionState, "SELECT @a"),
            (Kind::SessionState, "SELECT @@session.last_insert_id"),
            (Kind::SessionState, "SELECT @@`identity`"),
            (Kind::SessionState, "SELECT SQL_CALC_FOUND_ROWS a FROM t"),
            (Kind::SessionState, "SHOW COUNT(*) WARNINGS"),
            (Kind::SessionState, "HANDLER t OPEN"),
            (Kind::SelectInto, "SELECT a INTO @x FROM t"),
            (Kind::SelectInto, "SELECT a FROM t INTO DUMPFILE 'x'"),
            (Kind::LockingSelect, "SELECT a FROM t LOCK IN SHARE MODE"),
            (Kind::LockingSelect, "SELECT a FROM t FOR SHARE SKIP LOCKED"),
            (Kind::Unknown, "SELECT 'a\\', do_write(), '\\'"),
            (Kind::FunctionCall, "SELECT 'it\\'s', do_write() -- '"),
            (Kind::BulkTransfer, "LOAD DATA INFILE 'x' INTO TABLE t"),
            (Kind::Call, "DO sleep(1)"),
            (Kind::Ddl, "ANALYZE TABLE t"),
            (Kind::Unknown, "EXPLAIN FOR CONNECTION 3"),
            (Kind::Update, "EXPLAIN UPDATE t SET a = 1"),
            (Kind::Delete, "ANALYZE DELETE FROM t"),
            (Kind::FunctionCall, "DESCRIBE SELECT do_write()"),
            (Kind::Merge, "REPLACE t VALUES (1)"),
            (Kind::Transaction, "XA START 'x'"),
        ],
    );
}

#[test]
fn sqlite_reads() {
    reads(
        Dialect::Sqlite,
        &[
            "PRAGMA user_version",
            "PRAGMA main.page_count;",
            "PRAGMA table_info(cake)",
            "EXPLAIN QUERY PLAN SELECT 1",
            "EXPLAIN SELECT 1",
            "SELECT :update, @insert, $delete, ?1, ?",
            "SELECT \"abs\"(1), [abs](1), `abs`(1)",
            "SELECT * FROM json_each('[]') AS j, pragma_table_info('cake')",
            "SELECT a FROM t INDEXED BY i WHERE a GLOB ('x' || '*') AND b NOT LIKE (c)",
            "SELECT sum(a) FILTER (WHERE b) OVER (ORDER BY c) FROM t",
            "SELECT 'it\\', x'00' FROM t",
            "SELECT replace, merge FROM t WHERE replace = 1",
            "SELECT * FROM pragma_user_version",
        ],
    );
}

#[test]
fn sqlite_writes() {
    writes(
        Dialect::Sqlite,
        &[
            (Kind::WritingFunction, "SELECT last_insert_rowid()"),
            (Kind::WritingFunction, "SELECT load_extension('x')"),
            (Kind::FunctionCall, "SELECT \"do_write\"()"),
            (Kind::FunctionCall, "SELECT match(1), regexp(2)"),
            (Kind::FunctionCall, "SELECT * FROM pragma_optimize"),
            (Kind::FunctionCall, "SELECT * FROM main.pragma_optimize"),
            (
                Kind::FunctionCall,
                "SELECT * FROM \"main\".\"pragma_optimize\"",
            ),
            (
                Kind::FunctionCall,
                "SELECT * FROM t, [pragma_journal_mode] AS j",
            ),
            (
                Kind::SelectInto,
                "WITH x AS (SELECT 1) REPLACE INTO t SELECT * FROM x",
            ),
            (Kind::SessionState, "PRAGMA user_version = 3"),
            (Kind::SessionState, "PRAGMA journal_mode"),
            (Kind::SessionState, "PRAGMA main.journal_mode(wal)"),
            (Kind::SessionState, "PRAGMA \"user_version\""),
            (Kind::Insert, "EXPLAIN INSERT INTO t VALUES (1)"),
            (Kind::Delete, "EXPLAIN QUERY PLAN DELETE FROM t"),
            (Kind::Ddl, "ATTACH 'x' AS y"),
            (Kind::Unknown, "TABLE t"),
            (Kind::Unknown, "SELECT 1\0; DELETE FROM t"),
        ],
    );
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
