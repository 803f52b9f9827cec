use super::{CatalogFunction, Dialect, Functions, Kind, Statement, reads, writes};

#[test]
fn what_reads() {
    reads(
        Dialect::Postgres,
        &[
            "TABLE cake",
            "SHOW server_version",
            "COPY (SELECT a FROM t) TO STDOUT (FORMAT csv)",
            "SELECT * FROM t, JSON_TABLE(t.j, '$[*]' AS p COLUMNS (a int PATH '$.a'))",
            "SELECT uuidv4(), uuidv7(), random_normal(), array_shuffle(a), array_sample(a, 1) FROM t",
            "SELECT a FROM t WHERE a OPERATOR(pg_catalog.~) 'x' COLLATE pg_catalog.default",
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
            "SELECT a FROM t GROUP BY b, GROUPING SETS (CUBE (a, b), GROUPING SETS (ROLLUP(a)), (a))",
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
            "SELECT a NOT LIKE (b), 'a' NOT ILIKE ('b'), (a) NOT LIKE (b), \"a\" NOT ILIKE (b), 1 NOT LIKE (2) FROM t",
            "SELECT trim(BOTH (' ') FROM a), overlay(a PLACING (b) FROM 1) FROM t",
            "WITH RECURSIVE x(a, b) AS (SELECT 1, 2) SEARCH DEPTH FIRST BY a, b SET o, y(c) AS (SELECT o FROM x) TABLE y",
            "WITH RECURSIVE x(a) AS (SELECT 1) CYCLE a SET c TO 'y' DEFAULT 'n' USING p, y(c) AS (TABLE x) TABLE y",
            "SELECT unaccent(a), similarity(a, 'b'), digest(a, 'sha256'), public.crypt(a, b) FROM t",
            "SELECT a FROM t WHERE ST_DWithin(g, ST_MakePoint(1, 2)::geography, 100)",
            "SELECT a FROM t ORDER BY l2_distance(v, '[1,2]') LIMIT 3",
            "SELECT akeys(h), hstore('a', b), uuid_generate_v4(), subpath(p, 0, 1), soundex(a) FROM t",
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
fn an_extension_is_believed_in_until_the_catalog_is_there() {
    let kind = |functions: &Functions, sql| {
        Statement::with_functions(sql, Dialect::Postgres, functions).kind()
    };
    let unknown = Functions::default();
    let known = Functions::new(["f"], ["st_area"]);
    let of_catalog = |name: &str, is_volatile| CatalogFunction {
        schema: "public".to_owned(),
        name: name.to_owned(),
        is_volatile,
    };
    let loaded =
        Functions::default().with_catalog([of_catalog("digest", true), of_catalog("akeys", false)]);
    for (functions, sql, expected) in [
        (&unknown, "SELECT st_area(g) FROM t", Kind::Select),
        (
            &unknown,
            "SELECT shop.st_area(g) FROM t",
            Kind::FunctionCall,
        ),
        (
            &unknown,
            "SELECT updategeometrysrid('t', 'g', 1)",
            Kind::FunctionCall,
        ),
        (
            &unknown,
            "SELECT public.st_fromflatgeobuftotable('a', 'b', c) FROM t",
            Kind::WritingFunction,
        ),
        (&loaded, "SELECT isn_weak(true)", Kind::SessionState),
        (&known, "SELECT st_length(g) FROM t", Kind::Select),
        (&known, "SELECT st_area(g) FROM t", Kind::WritingFunction),
        (&loaded, "SELECT st_area(g) FROM t", Kind::FunctionCall),
        (
            &loaded,
            "SELECT digest(a, 'md5') FROM t",
            Kind::FunctionCall,
        ),
        (&loaded, "SELECT akeys(h) FROM t", Kind::Select),
    ] {
        assert_eq!(kind(functions, sql), expected, "{sql}");
    }
}

#[test]
fn what_writes() {
    writes(
        Dialect::Postgres,
        &[
            (Kind::FunctionCall, "SELECT a FROM t GROUP BY bake(CUBE(a))"),
            (
                Kind::FunctionCall,
                "SELECT cube(a) FROM t GROUP BY GROUPING SETS ((a))",
            ),
            (
                Kind::FunctionCall,
                "SELECT a FROM t GROUP BY GROUPING SETS ((CUBE(a)))",
            ),
            (Kind::SessionState, "SET search_path TO tenant_b"),
            (Kind::SessionState, "SET SESSION search_path TO tenant_b"),
            (Kind::SessionState, "SET ROLE reader"),
            (Kind::SessionState, "LISTEN cakes"),
            (Kind::SessionState, "CREATE TEMP TABLE t (a int)"),
            (Kind::SessionState, "CREATE LOCAL TEMPORARY TABLE t (a int)"),
            (
                Kind::SessionState,
                "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
            ),
            (Kind::SessionState, "CREATE TABLE pg_temp.t (a int)"),
            (Kind::Ddl, "CREATE TABLE t (temp int)"),
            (Kind::SessionState, "SELECT a INTO pg_temp.u FROM t"),
            (
                Kind::SessionState,
                "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            ),
            (Kind::SessionState, "SELECT set_config('a.b', 'c', $1)"),
            (Kind::SessionState, "SELECT set_config($1, 'c', true)"),
            (Kind::SessionState, "SELECT set_config('a.b', true)"),
            (
                Kind::SessionState,
                "SELECT set_config('a.b', 'c', NOT true)",
            ),
            (
                Kind::SessionState,
                "SELECT set_config('transaction_read_only', 'off', true)",
            ),
            (Kind::SessionState, "SET LOCAL transaction_read_only = off"),
            (
                Kind::SessionState,
                "SET LOCAL \"transaction_read_only\" = off",
            ),
            (Kind::SessionState, "SET TRANSACTION READ WRITE"),
            (Kind::Multiple, "SELECT nextval('s'); SET search_path TO b"),
            (
                Kind::Multiple,
                "SELECT set_config('a.b', 'c', true); COMMIT",
            ),
            (Kind::Multiple, "SET LOCAL a.b = 'c'; SET a.b = 'd'"),
            (
                Kind::WritingFunction,
                "SELECT set_config('a.b', 'c', true), nextval('s')",
            ),
            (
                Kind::WritingFunction,
                "DECLARE c CURSOR FOR SELECT nextval('s')",
            ),
            (
                Kind::LockingSelect,
                "DECLARE c CURSOR FOR SELECT a FROM t FOR UPDATE",
            ),
            (Kind::TransactionState, "SET LOCAL search_path TO tenant_b"),
            (Kind::TransactionState, "SET LOCAL a.b = 'read write'"),
            (
                Kind::TransactionState,
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            ),
            (Kind::TransactionState, "SET CONSTRAINTS ALL DEFERRED"),
            (
                Kind::TransactionState,
                "SELECT set_config('a.b', lower($1), true)",
            ),
            (
                Kind::TransactionState,
                "SELECT set_config('a', 'b', true), set_config('c', 'd', TRUE)",
            ),
            (
                Kind::TransactionState,
                "DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR (SELECT 1)",
            ),
            (Kind::TransactionState, "FETCH 10 FROM c"),
            (Kind::TransactionState, "CLOSE c"),
            (Kind::Prepare, "PREPARE p (int) AS SELECT $1"),
            (Kind::Multiple, "PREPARE p AS SELECT 1; COMMIT"),
            (
                Kind::Multiple,
                "PREPARE p AS SELECT id FROM t FOR UPDATE; SET a.b = 1",
            ),
            (Kind::Multiple, "COPY t FROM '/f'; SET a.b = 1"),
            (Kind::SessionState, "SET local.tenant = 'b'"),
            (Kind::SessionState, "SET transaction.tenant TO 'b'"),
            (Kind::SessionState, "SET local TO 'b'"),
            (
                Kind::SessionState,
                "SET LOCAL U&\"transaction\\005fread_only\" = off",
            ),
            (
                Kind::SessionState,
                "SELECT set_config('transaction_' || 'read_only', 'off', true)",
            ),
            (
                Kind::SessionState,
                "SELECT nextval('s'), set_config('a.b', 'c', false)",
            ),
            (Kind::SessionState, "SELECT nextval('s'), set_tenant('b')"),
            (
                Kind::SessionState,
                "WITH u AS (UPDATE t SET a = 1 RETURNING a) SELECT set_config('a.b', a, false) FROM u",
            ),
            (
                Kind::WritingCte,
                "WITH u AS (INSERT INTO t (a) VALUES (1) RETURNING a) SELECT a FROM u",
            ),
            (Kind::SessionState, "SELECT a INTO TABLE pg_temp.u FROM t"),
            (Kind::SessionState, "PREPARE p AS SELECT nextval('s')"),
            (
                Kind::WritingFunction,
                "SELECT nextval('s') FROM generate_series(1, 9) g (n)",
            ),
            (Kind::Transaction, "RELEASE SAVEPOINT a"),
            (Kind::Transaction, "ROLLBACK TRANSACTION TO SAVEPOINT \"a\""),
            (
                Kind::WritingFunction,
                "SELECT * FROM crosstab('select 1') AS c (a text)",
            ),
            (
                Kind::WritingFunction,
                "SELECT * FROM public.connectby('a', 'b', 'c', 'd', 0) AS t (x text)",
            ),
            (Kind::FunctionCall, "SELECT 1 WHERE 'b' LIKE is('x')"),
            (Kind::FunctionCall, "SELECT NOT ilike() = 1"),
            (
                Kind::FunctionCall,
                "SELECT a FROM t WHERE a AND NOT ilike(b)",
            ),
            (Kind::FunctionCall, "SELECT 'a' SIMILAR TO stdout()::text"),
            (Kind::FunctionCall, "SELECT 'a' SIMILAR TO second()::text"),
            (
                Kind::FunctionCall,
                "SELECT * FROM t LEFT JOIN escape('x') ON true",
            ),
            (Kind::FunctionCall, "SELECT NOT is(1) = 1"),
            (Kind::FunctionCall, "SELECT now() AT TIME ZONE is('UTC')"),
            (Kind::FunctionCall, "SELECT trim(BOTH is('x') FROM 'a')"),
            (
                Kind::FunctionCall,
                "SELECT a FROM t FETCH FIRST is(1) ROWS ONLY",
            ),
            (Kind::TransactionEnd, "PREPARE TRANSACTION 'x'"),
            (
                Kind::TransactionState,
                "LOCK TABLE t, u IN ACCESS SHARE MODE NOWAIT",
            ),
            (Kind::Lock, "LOCK TABLE t IN ROW SHARE MODE"),
            (Kind::Lock, "LOCK t"),
            (Kind::TransactionEnd, "COMMIT"),
            (Kind::Multiple, "SHOW x; DELETE FROM t"),
            (Kind::FunctionCall, "SHOW x WHERE do_write()"),
            (Kind::WritingFunction, "SELECT nextval('s')"),
            (Kind::WritingFunction, "SELECT pg_catalog . nextval ('s')"),
            (
                Kind::WritingFunction,
                "SELECT \"pg_catalog\".\"nextval\"('s')",
            ),
            (Kind::SessionState, "SELECT PG_ADVISORY_LOCK /* */ (1)"),
            (Kind::WritingFunction, "SELECT txid_current()"),
            (Kind::SessionState, "SELECT set_config('a.b', 'c', false)"),
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
            (Kind::SessionState, "SELECT a INTO TEMP u FROM t"),
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
                Kind::SessionState,
                "SELECT 1 AS from FROM pg_advisory_lock(7)",
            ),
            (
                Kind::FunctionCall,
                "SELECT 1 AS from FROM LATERAL do_write(1) f (x)",
            ),
            (Kind::SessionState, "SELECT (7::bigint).pg_advisory_lock"),
            (
                Kind::SessionState,
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
            (Kind::TransactionState, "DECLARE c CURSOR FOR SELECT 1"),
            (Kind::Unknown, "PRAGMA user_version"),
        ],
    );
}
