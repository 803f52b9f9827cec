//! Statements by the thousand, for each dialect: plain reads, and what may look like one.
//!
//! They are over the shop's tables, so that servers can be asked what they make of them.

use std::collections::BTreeSet;

use routing_core::sql::Dialect;

/// Reads of tables, with no function but built-in harmless ones.
#[must_use]
pub fn reads(dialect: Dialect) -> Vec<String> {
    let own: &[&str] = match dialect {
        Dialect::Postgres => POSTGRES_EXPRESSIONS,
        Dialect::MySql => MYSQL_EXPRESSIONS,
        _ => SQLITE_EXPRESSIONS,
    };
    let sources: &[&str] = match dialect {
        Dialect::Postgres => POSTGRES_SOURCES,
        Dialect::MySql => MYSQL_SOURCES,
        _ => SQLITE_SOURCES,
    };
    let mut all = BTreeSet::new();
    let expressions: Vec<_> = EXPRESSIONS.iter().chain(own).collect();
    let sources: Vec<_> = SOURCES.iter().chain(sources).collect();
    for (e, expression) in expressions.iter().enumerate() {
        for (s, source) in sources.iter().enumerate() {
            for turn in 0..3 {
                let condition = CONDITIONS[(e + 5 * s + turn) % CONDITIONS.len()];
                let tail = TAILS[(3 * e + s + 2 * turn) % TAILS.len()];
                let select = format!("SELECT {expression} FROM {source}{condition}");
                all.insert(match (e + s + turn) % 7 {
                    0 => format!("({select})"),
                    1 => format!("WITH w AS ({select}) SELECT * FROM w"),
                    2 => format!("SELECT EXISTS ({select})"),
                    3 if dialect != Dialect::Sqlite => format!("({select}) UNION ALL ({select})"),
                    _ => format!("{select}{tail}"),
                });
            }
        }
    }
    all.into_iter().collect()
}

/// What writes, locks, depends on the connection or is refused; and what only looks like it.
#[must_use]
pub fn others(dialect: Dialect) -> Vec<String> {
    let mut all = BTreeSet::new();
    let (statements, calls): (&[&str], &[&str]) = match dialect {
        Dialect::Postgres => (POSTGRES_STATEMENTS, POSTGRES_CALLS),
        Dialect::MySql => (MYSQL_STATEMENTS, MYSQL_CALLS),
        _ => (SQLITE_STATEMENTS, SQLITE_CALLS),
    };
    for call in calls {
        for place in PLACES {
            all.insert(place.replace('?', call));
        }
    }
    let (words, places): (&[&str], &[&str]) = match dialect {
        Dialect::Postgres => (POSTGRES_WORDS, POSTGRES_WORD_PLACES),
        Dialect::MySql => (MYSQL_WORDS, MYSQL_WORD_PLACES),
        _ => (&[], &[]),
    };
    for word in words {
        for place in places {
            all.insert(place.replace('?', &format!("{word}()")));
        }
    }
    let data = DATA_CHANGES.iter().chain(statements);
    for statement in data {
        for dress in DRESSES {
            all.insert(dress.replace('?', statement));
        }
    }
    let changes: &[&str] = match dialect {
        Dialect::Postgres => POSTGRES_CTES,
        Dialect::MySql => &[],
        _ => SQLITE_CTES,
    };
    for change in changes {
        for place in CTE_PLACES {
            all.insert(place.replace('?', change));
        }
    }
    if dialect != Dialect::Sqlite {
        for lock in LOCKS {
            for place in LOCK_PLACES {
                all.insert(place.replace('?', lock));
            }
        }
    }
    for explain in match dialect {
        Dialect::Postgres => POSTGRES_EXPLAINS,
        Dialect::MySql => MYSQL_EXPLAINS,
        _ => SQLITE_EXPLAINS,
    } {
        let explained = DATA_CHANGES.iter().chain(statements).chain(changes);
        for statement in explained {
            all.insert(explain.replace('?', statement));
        }
        for call in calls {
            all.insert(explain.replace('?', &format!("SELECT {call}")));
        }
    }
    all.into_iter().collect()
}

#[rustfmt::skip] // A statement a line would hide the groups.
const EXPRESSIONS: &[&str] = &[
    "1", "c.id", "c.name", "c.*", "count(*)", "count(DISTINCT c.name)", "max(c.id) + 1",
    "coalesce(c.name, 'none')", "nullif(c.name, '')", "lower(c.name)", "upper(c.name)",
    "length(c.name)", "round(c.id / 2.0, 2)", "abs(-c.id)", "replace(c.name, 'a', 'b')",
    "trim(c.name)", "substr(c.name, 1, 2)", "CASE WHEN c.id > 1 THEN 'x' ELSE 'y' END",
    "CASE (c.id) WHEN (1) THEN (2) ELSE (3) END", "CAST(c.id AS char(10))",
    "c.id IN (1, 2, 3)", "c.id BETWEEN (1) AND (2)", "NOT (c.id = 1)", "c.name LIKE ('a' || '%')",
    "(SELECT max(f.id) FROM fruit f)", "EXISTS (SELECT 1 FROM fruit f WHERE f.cake_id = c.id)",
    "row_number() OVER (ORDER BY c.id)", "rank() OVER (PARTITION BY c.name ORDER BY c.id)",
    "'FOR UPDATE; DELETE FROM cake'", "'it''s'", "c.id AS n",
    "1.5e3", "CURRENT_TIMESTAMP", "min(c.id) AS least_of_all",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const POSTGRES_EXPRESSIONS: &[&str] = &[
    "c.id::text", "c.id::numeric(10, 2)", "now()", "date_trunc('day', now())", "random()",
    "extract(year FROM now())", "to_char(now(), 'YYYY')", "jsonb_build_object('a', c.id)",
    "'{\"a\": 1}'::jsonb -> 'a'", "'{\"a\": 1}'::jsonb @> '{}'::jsonb", "array_agg(c.id)",
    "string_agg(c.name, ',' ORDER BY c.id)", "ARRAY[1, c.id]", "c.id = ANY (ARRAY[1, 2])",
    "count(*) FILTER (WHERE c.id > 1)", "$$; DROP TABLE cake$$", "E'it\\'s'", "U&'\\0041'",
    "greatest(c.id, 2)", "position('a' IN c.name)", "overlay(c.name PLACING 'x' FROM 1 FOR 1)",
    "pg_catalog.lower(c.name)", "\"lower\"(c.name)", "c.name ~ 'a+'", "md5(c.name)",
    "gen_random_uuid()", "percentile_cont(0.5) WITHIN GROUP (ORDER BY c.id)", "ROW(c.id, 1)",
    "c.id IS DISTINCT FROM 1", "c.name SIMILAR TO ('a%')", "substring(c.name FROM 1 FOR 2)",
    "c.name COLLATE \"C\"", "(ARRAY[1, 2])[1:2]", "to_tsvector('a b') @@ to_tsquery('a')",
    "pg_is_in_recovery()", "current_setting('server_version')", "interval '1' day",
    "timestamp '2020-01-01' AT TIME ZONE ('UTC')", "xmlelement(name a, c.name)", "c.id AS into",
    "format('%s', c.id)", "width_bucket(c.id, 1, 10, 3)", "regexp_replace(c.name, 'a', 'b')",
    "generate_series(1, 2)", "unnest(ARRAY[c.id])", "json_agg(c)", "row_to_json(c)",
    "c.name OPERATOR(pg_catalog.~) 'a+'", "c.id OPERATOR(pg_catalog.=) 1", "array_to_string(ARRAY[c.id], ',')",
    "c.name LIKE ('a%') ESCAPE ('!')", "trim(BOTH (' ') FROM c.name)", "c.id IS NOT DISTINCT FROM (1)",
    "now() AT TIME ZONE ('UTC')", "(c.id, 1) OVERLAPS (c.id, 2)", "c.id::varchar(10)", "NOT (c.id) IN (1)",
    "json_build_array(c.id)", "lag(c.id) OVER (ORDER BY (c.id))", "'a' NOT ILIKE (c.name)", "pg_typeof(c.id)",
    "current_date - (1)", "EXTRACT(epoch FROM (now()))", "c.name IS NORMALIZED",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const MYSQL_EXPRESSIONS: &[&str] = &[
    "if(c.id, 1, 2)", "ifnull(c.name, 'x')", "now()", "date_format(now(), '%Y')", "rand()",
    "date_add(now(), INTERVAL (1 + 1) DAY)", "unix_timestamp()", "concat_ws(',', c.id, c.name)",
    "group_concat(DISTINCT c.name ORDER BY c.id SEPARATOR ';')", "json_extract('{}', '$.a')",
    "json_object('a', c.id)", "c.id DIV (2)", "c.id MOD (2)", "c.name REGEXP ('a')", "`c`.`id`",
    "\"it's\"", "'it\\'s'", "@@version", "@@global.read_only", "insert(c.name, 1, 1, 'x')",
    "left(c.name, 1)", "version()", "database()", "uuid()", "greatest(c.id, 2)", "sleep(0)",
    "CAST(c.id AS SIGNED)", "convert(c.name USING utf8mb4)", "c.name COLLATE utf8mb4_bin",
    "extract(year FROM now())", "truncate(1.5, 0)", "x'4D'", "0x4D", "BINARY c.name",
    "timestampdiff(day, now(), now())", "interval(c.id, 1, 2)", "values(name)", "md5(c.name)",
    "sql_no_cache.id", "char(65)", "substring_index(c.name, 'a', 1)", "row_number() OVER ()",
    "CONVERT(c.id, DECIMAL(4,2))", "c.name LIKE 2 ESCAPE ('!')", "json_value('{}', '$.a')", "c.name SOUNDS LIKE ('a')",
    "NOT (c.id) IN (1)", "c.name RLIKE ('a')", "CAST(c.id AS DECIMAL(4, 2))", "TRIM(LEADING ('a') FROM c.name)",
    "c.id XOR (1)", "json_extract('{}', \"$.a\")", "date_sub(now(), INTERVAL (1) DAY)", "CASE (c.id) WHEN (1) THEN (2) END",
    "position('a' IN (c.name))", "lag(c.id) OVER (ORDER BY (c.id))", "c.id BETWEEN (1) AND (2)", "ST_AsText(POINT(1, 2))",
    "(SELECT b FROM JSON_TABLE('[1]', '$[*]' COLUMNS (b VARCHAR(9) PATH '$')) j LIMIT 1)", "WEIGHT_STRING(c.name)",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const SQLITE_EXPRESSIONS: &[&str] = &[
    "ifnull(c.name, 'x')", "iif(c.id, 1, 2)", "datetime('now')", "strftime('%Y', 'now')",
    "random()", "hex(c.name)", "json_extract('{}', '$.a')", "json_object('a', c.id)",
    "group_concat(c.name, ',')", "total(c.id)", "typeof(c.id)", "instr(c.name, 'a')", "[c].[id]",
    "`c`.`id`", "\"c\".\"id\"", "quote(c.name)", "x'00'", "c.name GLOB ('a*')", "printf('%d', 1)",
    "unicode(c.name)", "json_group_array(c.id)", "sqlite_version()", "julianday('now')",
    "max(c.id, 2)", "c.name COLLATE NOCASE", "sum(c.id) FILTER (WHERE c.id > 1)",
    "\"abs\"(c.id)", "likelihood(c.id, 0.5)", "zeroblob(1)", "c.name NOT LIKE ('a')",
    "c.name LIKE ('a') ESCAPE ('!')", "c.id IN (SELECT value FROM json_each('[1]'))", "NOT (c.id) IN (1)",
    "(SELECT name FROM pragma_table_info('cake') LIMIT 1)", "CAST(c.id AS varchar(10))", "c.name IS NOT ('a')",
    "lag(c.id) OVER (ORDER BY (c.id))", "CASE (c.id) WHEN (1) THEN (2) END", "c.id BETWEEN (1) AND (2)",
    "json('[1]') -> '$[0]'", "nullif((c.id), (1))", "ltrim(c.name, ('a'))", "[c].[name] || ('a')", "round((1.5))",
    "date('now', ('+1 day'))",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const SOURCES: &[&str] = &[
    "cake c", "cake AS c", "cake c JOIN fruit f ON f.cake_id = c.id",
    "cake c LEFT JOIN fruit f ON (f.cake_id = c.id)", "cake c, fruit f",
    "(SELECT id, name FROM cake) c", "(SELECT id, name FROM cake) AS c",
    "cake c CROSS JOIN (SELECT 1 AS one) o",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const POSTGRES_SOURCES: &[&str] = &[
    "(VALUES (1, 'a')) c (id, name)", "(VALUES (1, 'a')) AS c (id, name)", "ONLY cake c",
    "cake c, LATERAL (SELECT c.id) l (x)", "generate_series(1, 2) AS c (id), cake n (i, name)",
    "cake c (id, name)", "cake c TABLESAMPLE BERNOULLI (100)", "public.cake c",
    "ROWS FROM (generate_series(1, 2), unnest(ARRAY['a'])) AS c (id, name)",
    "json_to_record('{}') AS c(id int, name varchar(10))", "\"cake\" \"c\" (\"id\", \"name\")",
    "generate_series(1, 2) WITH ORDINALITY c (id, name)",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const MYSQL_SOURCES: &[&str] = &[
    "`cake` `c`", "cake c USE INDEX (PRIMARY)", "cake c IGNORE INDEX FOR ORDER BY (PRIMARY)",
    "cake c STRAIGHT_JOIN fruit f", "cake c NATURAL JOIN fruit f", "cake c FORCE KEY (PRIMARY)",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const SQLITE_SOURCES: &[&str] = &[
    "main.cake c", "[cake] c", "cake c NATURAL JOIN fruit f", "cake c, json_each('[1]') j",
    "cake c NOT INDEXED", "cake c, pragma_table_info('cake') p", "`cake` AS c",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const CONDITIONS: &[&str] = &[
    "", " WHERE c.id = 1", " WHERE c.id IN (1, 2)", " WHERE (c.id = 1 OR c.id = 2)",
    " WHERE c.name LIKE 'a%' AND NOT (c.id = 7)", " WHERE c.id IN (SELECT id FROM cake)",
    " WHERE EXISTS (SELECT 1 FROM cake x WHERE x.id = c.id)", " WHERE c.name = 'for update'",
    " WHERE length(c.name) > 1", " WHERE -c.id < 1 /* FOR UPDATE */",
];

const TAILS: &[&str] = &["", " LIMIT 10", " LIMIT 10 OFFSET 1", ";", " -- INTO"];

/// Where a call can be.
#[rustfmt::skip] // A statement a line would hide the groups.
const PLACES: &[&str] = &[
    "SELECT ?", "SELECT 1, ?", "SELECT (?)", "SELECT ? FROM cake", "SELECT id FROM cake WHERE ? = 1",
    "SELECT id FROM cake WHERE id = 1 AND ? = 1", "SELECT id FROM cake ORDER BY ?",
    "SELECT id FROM cake GROUP BY id, ?", "SELECT id FROM cake c JOIN fruit f ON ? = 1",
    "SELECT (SELECT ?)", "SELECT * FROM (SELECT ?) x", "SELECT * FROM (SELECT ?) AS x (a)",
    "WITH x AS (SELECT ?) SELECT * FROM x", "WITH x (a) AS (SELECT ?) SELECT a FROM x",
    "SELECT CASE WHEN ? = 1 THEN 1 END", "SELECT coalesce(1, ?)", "SELECT count(*) FROM cake HAVING ? = 1",
    "SELECT 1 UNION SELECT ?", "SELECT ? AS id", "SELECT DISTINCT ?", "(SELECT ?)", "SELECT 1; SELECT ?",
    "SELECT 1 WHERE EXISTS (SELECT ?)", "SELECT 1 WHERE 1 IN (?)", "SELECT NOT ?", "SELECT -?",
    "SELECT sum(id) OVER (ORDER BY ?) FROM cake", "SELECT 'x' -- '\n, ?", "SELECT /* ? */ ?",
    "SELECT 1 FROM cake c, (SELECT ?) d (e)", "VALUES (?)", "SELECT 1 LIMIT ?",
];

/// How a statement can look.
#[rustfmt::skip] // A statement a line would hide the groups.
const DRESSES: &[&str] = &[
    "?", " ?", "?;", "\n\t?", "-- x\n?", "/* SELECT */ ?", "SELECT 1; ?", "?; SELECT 1", ";?",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const DATA_CHANGES: &[&str] = &[
    "INSERT INTO cake (name) VALUES ('x')", "UPDATE cake SET name = 'x' WHERE id = -1",
    "DELETE FROM cake WHERE id = -1", "insert into cake (name) select 'y'",
    "CREATE TABLE new_table (a int)", "DROP TABLE no_table", "ALTER TABLE cake ADD COLUMN z int",
    "CREATE VIEW new_view AS SELECT 1", "CREATE INDEX new_index ON cake (name)",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const CTE_PLACES: &[&str] = &[
    "WITH x AS (?) SELECT 1", "WITH x AS (SELECT 1) ?", "WITH a AS (SELECT 1), x AS (?) SELECT 1",
    "WITH RECURSIVE x AS (SELECT 1 AS a) ?", "/* c */ WITH x (a) AS (SELECT 1) ?",
    "WITH x AS MATERIALIZED (?) SELECT 1", "WITH x AS NOT MATERIALIZED (SELECT 1) ?",
    "WITH \"x\" AS (SELECT 1), \"y\" AS (SELECT 2) ?",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const POSTGRES_CTES: &[&str] = &[
    "INSERT INTO cake (name) VALUES ('x') RETURNING id",
    "UPDATE cake SET name = 'x' WHERE id = -1 RETURNING id",
    "UPDATE ONLY cake SET name = 'x' WHERE id = -1 RETURNING id",
    "UPDATE \"cake\" SET name = 'x' WHERE id = -1 RETURNING id",
    "DELETE FROM cake WHERE id = -1 RETURNING id", "DELETE FROM ONLY cake WHERE id = -1",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const SQLITE_CTES: &[&str] = &[
    "INSERT INTO cake (name) VALUES ('x')", "UPDATE cake SET name = 'x' WHERE id = -1",
    "DELETE FROM cake WHERE id = -1", "REPLACE INTO cake (name) VALUES ('x')",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const LOCKS: &[&str] = &[
    "FOR UPDATE", "FOR SHARE", "for update nowait", "FOR UPDATE SKIP LOCKED", "FOR NO KEY UPDATE",
    "FOR KEY SHARE", "FOR UPDATE OF c", "LOCK IN SHARE MODE", "FOR/**/UPDATE", "FOR\nSHARE",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const LOCK_PLACES: &[&str] = &[
    "SELECT id FROM cake c ?", "SELECT id FROM cake c WHERE id = 1 ORDER BY id LIMIT 1 ?",
    "(SELECT id FROM cake c ?)", "SELECT * FROM (SELECT id FROM cake c ?) x",
    "WITH x AS (SELECT id FROM cake c ?) SELECT * FROM x", "SELECT (SELECT id FROM cake c LIMIT 1 ?)",
    "SELECT id FROM cake WHERE id IN (SELECT id FROM cake c ?)", "SELECT c.id FROM cake c, fruit ?",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const POSTGRES_CALLS: &[&str] = &[
    "nextval('cake_id_seq')", "setval('cake_id_seq', 10)", "lastval()", "currval('cake_id_seq')",
    "pg_catalog.nextval('cake_id_seq')", "\"nextval\"('cake_id_seq')", "NextVal ('cake_id_seq')",
    "nextval/**/('cake_id_seq')", "txid_current()", "pg_current_xact_id()", "lo_create(0)",
    "lo_creat(-1)", "lo_from_bytea(0, '')", "pg_notify('a', 'b')", "set_config('a.b', 'c', false)",
    "pg_advisory_lock_shared(1)", "pg_try_advisory_lock(1)", "pg_advisory_unlock_all()",
    "pg_current_wal_lsn()", "pg_switch_wal()", "pg_create_restore_point('x')", "bake()",
    "public.bake()", "\"bake\"()", "bake ()", "note(1)", "pg_export_snapshot()",
    "pg_logical_emit_message(true, 'a', 'b')", "query_to_xml('DELETE FROM cake', true, true, '')",
    "setseed(0.5)", "pg_stat_reset()", "pg_drop_replication_slot('x')", "brin_summarize_new_values(0)",
    "pg_replication_origin_create('x')", "gin_clean_pending_list(0)", "public . bake ( )",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const MYSQL_CALLS: &[&str] = &[
    "bake()", "`bake`()", "bake ()", "get_lock('a', 0)", "release_lock('a')", "is_free_lock('a')",
    "last_insert_id()", "found_rows()", "row_count()", "LAST_INSERT_ID(7)", "nextval(seq)",
    "NEXT VALUE FOR seq", "lastval(seq)", "setval(seq, 100)", "@a", "@a := 1", "@@last_insert_id",
    "@@identity", "@@session.insert_id", "release_all_locks()", "load_file('/x')", "bake/**/()",
    "`nextval`(seq)", "PREVIOUS VALUE FOR seq", "master_gtid_wait('0-1-1', 0)", "count (1)",
];

/// Words of the grammar that a function of the user's may be called.
#[rustfmt::skip] // A word a line would hide them.
pub const POSTGRES_WORDS: &[&str] = &[
    "authorization", "binary", "concurrently", "cross", "freeze", "full", "ilike", "inner", "is", "isnull", "join",
    "natural", "notnull", "outer", "similar", "tablesample", "verbose",
    "escape", "zone", "first", "next", "columns", "cube", "rollup", "sets", "second", "stdout", "repeatable", "over",
    "filter", "by", "recursive", "system", "operator", "within", "ties", "rows", "value",
];

/// Where such a function can be called, after words that something else may follow.
#[rustfmt::skip] // A statement a line would hide the groups.
const POSTGRES_WORD_PLACES: &[&str] = &[
    "SELECT 'b' LIKE ?::text", "SELECT 'b' NOT ILIKE ?::text", "SELECT NOT ? = 1", "SELECT now() AT TIME ZONE ?::text",
    "SELECT trim(BOTH ?::text FROM 'a')", "SELECT 1 FETCH FIRST ? ROWS ONLY", "SELECT 1 LIMIT ?", "SELECT 1 OFFSET ?",
    "SELECT 1 FROM cake t LEFT JOIN ? e ON true", "SELECT 1 FROM cake t, ? e", "SELECT 1 BETWEEN ? AND 2",
    "SELECT 1 BETWEEN SYMMETRIC ? AND 2", "SELECT CASE ? WHEN 1 THEN 2 END", "SELECT CASE WHEN true THEN ? ELSE 1 END",
    "SELECT 1 IS DISTINCT FROM ?", "SELECT ARRAY[?]", "SELECT 1 WHERE 1 IN (2, ?)", "SELECT 'a' SIMILAR TO ?::text",
    "SELECT 'a' LIKE 'b' ESCAPE ?::text", "SELECT DISTINCT ON (?) 1", "SELECT ALL ?", "SELECT 1 ORDER BY ? DESC",
    "SELECT 1 GROUP BY ?", "SELECT count(*) FILTER (WHERE ? = 1)", "SELECT sum(1) OVER (PARTITION BY ?)",
    "SELECT * FROM LATERAL ? x", "SELECT * FROM ROWS FROM (?) x", "SELECT overlay('a' PLACING ?::text FROM 1)",
    "SELECT position(?::text IN 'a')", "SELECT extract(year FROM now() + ? * interval '1 day')",
    "WITH x AS (SELECT ?) TABLE x", "SELECT 1 UNION ALL SELECT ?", "SELECT -?", "SELECT 1 + ?", "SELECT (?) + 1",
    "SELECT a FROM (VALUES (?)) v (a)", "SELECT (1, ?) = (1, 2)", "SELECT 1 AS a, ? AS b",
];

/// Words of the grammar that a stored function may be called.
#[rustfmt::skip] // A word a line would hide them.
pub const MYSQL_WORDS: &[&str] = &[
    "against", "columns", "escape", "first", "member", "next", "of", "only", "rollup",
    "second", "some", "sounds", "sql_cache", "stdout", "value", "via", "without",
];

/// Where such a function can be called, after words that something else may follow.
#[rustfmt::skip] // A statement a line would hide the groups.
const MYSQL_WORD_PLACES: &[&str] = &[
    "SELECT 'b' LIKE ?", "SELECT NOT ?", "SELECT 2 DIV ?", "SELECT 2 MOD ?", "SELECT 1 XOR ?", "SELECT 'a' REGEXP ?",
    "SELECT 'a' NOT RLIKE ?", "SELECT BINARY ?", "SELECT CASE ? WHEN 1 THEN 2 END", "SELECT CASE WHEN 1 THEN ? END",
    "SELECT DATE_ADD(now(), INTERVAL ? DAY)", "SELECT 1 IN (2, ?)", "SELECT trim(LEADING ? FROM 'a')",
    "SELECT 1 FROM cake ORDER BY ?", "SELECT DISTINCT ?", "SELECT SQL_NO_CACHE ?", "SELECT 1 BETWEEN ? AND 2",
    "SELECT ALL ?", "SELECT id FROM cake GROUP BY ?", "SELECT (?) + 1", "SELECT -?", "SELECT ! ?", "SELECT 1 && ?",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const SQLITE_CALLS: &[&str] = &[
    "last_insert_rowid()", "changes()", "total_changes()", "load_extension('x')", "bake()",
    "\"bake\"()", "[bake]()", "`last_insert_rowid`()", "changes ()", "bake/**/()", "edit('x')",
    "fts3_tokenizer('x')", "writefile('x', 'y')",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const POSTGRES_STATEMENTS: &[&str] = &[
    "SELECT 1 INTO new_table", "SELECT id INTO TEMP new_table FROM cake", "TRUNCATE cake",
    "CREATE TEMP TABLE t (a int)", "CREATE TABLE t AS SELECT 1", "COPY cake FROM STDIN",
    "COPY cake (name) FROM STDIN WITH (FORMAT csv)", "COPY (DELETE FROM cake RETURNING 1) TO STDOUT",
    "LOCK TABLE cake", "LOCK cake IN EXCLUSIVE MODE", "LISTEN a", "UNLISTEN a", "NOTIFY a, 'b'",
    "VACUUM cake", "ANALYZE cake", "REINDEX TABLE cake", "CLUSTER", "CHECKPOINT",
    "REFRESH MATERIALIZED VIEW m", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DO $$ BEGIN INSERT INTO cake (name) VALUES ('x'); END $$", "CALL p()", "GRANT SELECT ON cake TO PUBLIC",
    "COMMENT ON TABLE cake IS 'x'", "CREATE SCHEMA s", "CREATE SEQUENCE s", "ALTER SEQUENCE cake_id_seq RESTART",
    "SECURITY LABEL ON TABLE cake IS 'x'", "CREATE ROLE r", "DROP OWNED BY nobody", "PREPARE TRANSACTION 'x'",
    "MERGE INTO cake USING (SELECT 1 AS a) x ON false WHEN NOT MATCHED THEN INSERT (name) VALUES ('x')",
    "SET search_path = public", "RESET ALL", "DISCARD TEMP", "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "CREATE RULE r AS ON INSERT TO cake DO NOTHING", "CREATE TRIGGER t AFTER INSERT ON cake EXECUTE FUNCTION f()",
    "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "REASSIGN OWNED BY a TO b", "ALTER SYSTEM SET work_mem = '1MB'",
    "CREATE EXTENSION hstore", "CREATE TYPE y AS (a int)", "LOAD 'x'", "CREATE DATABASE d", "DROP DATABASE d",
    "PREPARE p1 AS INSERT INTO cake (name) VALUES ('x')", "EXECUTE no_such", "TABLE baked", "SELECT * FROM baked",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const MYSQL_STATEMENTS: &[&str] = &[
    "REPLACE INTO cake (name) VALUES ('x')", "REPLACE cake VALUES (1, 'x')", "INSERT cake (name) VALUES ('x')",
    "TRUNCATE TABLE cake", "CREATE TABLE t SELECT 1", "LOAD DATA INFILE '/x' INTO TABLE cake",
    "LOCK TABLES cake WRITE", "UNLOCK TABLES", "OPTIMIZE TABLE cake", "ANALYZE TABLE cake", "REPAIR TABLE cake",
    "SELECT id FROM cake INTO OUTFILE '/tmp/x'", "SELECT 1 INTO @a", "SELECT id INTO @a FROM cake LIMIT 1",
    "SET @a = 1", "SET NAMES utf8mb4", "DO get_lock('a', 0)", "CALL p()", "HANDLER cake OPEN",
    "RENAME TABLE cake TO cakes", "CREATE USER u", "GRANT SELECT ON *.* TO u", "FLUSH TABLES", "XA START 'x'",
    "PREPARE s FROM 'DELETE FROM cake'", "EXECUTE s", "BEGIN", "START TRANSACTION", "INSERT INTO cake SET name = 'x'",
    "UPDATE cake c JOIN fruit f ON f.cake_id = c.id SET c.name = 'x'", "DELETE c FROM cake c",
    "WITH x AS (SELECT 1) DELETE FROM cake WHERE id = -1", "WITH x AS (SELECT 1) UPDATE cake SET name = 'x'",
    "/*! DELETE FROM cake */", "/*!50000 DELETE FROM cake */ WHERE id = -1", "SELECT 1 /*! INTO OUTFILE '/x' */",
    "/*M! DELETE FROM cake */", "CREATE PROCEDURE q() SELECT 1", "DROP PROCEDURE q", "SELECT * FROM baked",
    "CREATE SEQUENCE s", "ALTER SEQUENCE seq RESTART", "SELECT SQL_CALC_FOUND_ROWS id FROM cake LIMIT 1",
    "SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "INSTALL SONAME 'x'", "PURGE BINARY LOGS TO 'x'",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const SQLITE_STATEMENTS: &[&str] = &[
    "REPLACE INTO cake (name) VALUES ('x')", "INSERT OR IGNORE INTO cake (name) VALUES ('x')",
    "UPDATE OR IGNORE cake SET name = 'x'", "CREATE TEMP TABLE t (a)", "CREATE TABLE t AS SELECT 1",
    "CREATE VIRTUAL TABLE v USING fts5(a)", "VACUUM", "REINDEX", "ANALYZE", "ATTACH ':memory:' AS x",
    "DETACH x", "PRAGMA user_version = 3", "PRAGMA user_version(3)", "PRAGMA journal_mode = wal",
    "PRAGMA journal_mode", "PRAGMA wal_checkpoint", "PRAGMA optimize", "PRAGMA incremental_vacuum(1)",
    "PRAGMA foreign_keys = on", "PRAGMA main.user_version = 3", "PRAGMA application_id=7", "PRAGMA encoding = 'UTF-8'",
    "PRAGMA schema_version = 9", "PRAGMA shrink_memory", "PRAGMA case_sensitive_like(1)", "PRAGMA temp_store = 2",
    "BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT a", "DROP VIEW IF EXISTS v",
    "CREATE TRIGGER r AFTER INSERT ON cake BEGIN DELETE FROM fruit; END",
    "INSERT INTO cake (name) VALUES ('x') RETURNING id", "DELETE FROM cake RETURNING id",
    "PRAGMA table_info(cake)", "PRAGMA user_version", "PRAGMA integrity_check", "PRAGMA index_list('cake')",
    "PRAGMA foreign_key_check", "PRAGMA main.page_count", "PRAGMA synchronous", "PRAGMA locking_mode",
    "PRAGMA secure_delete", "PRAGMA auto_vacuum", "PRAGMA cache_size", "PRAGMA mmap_size", "PRAGMA max_page_count",
    "PRAGMA analysis_limit", "PRAGMA busy_timeout", "PRAGMA data_version", "PRAGMA freelist_count", "PRAGMA threads",
    "PRAGMA trusted_schema", "PRAGMA wal_autocheckpoint", "PRAGMA compile_options", "PRAGMA database_list",
    "PRAGMA function_list", "PRAGMA module_list", "PRAGMA pragma_list", "PRAGMA collation_list", "PRAGMA table_list",
    "PRAGMA recursive_triggers", "PRAGMA reverse_unordered_selects", "PRAGMA soft_heap_limit", "PRAGMA hard_heap_limit",
    "PRAGMA temp_store", "PRAGMA legacy_alter_table", "PRAGMA ignore_check_constraints", "PRAGMA fullfsync",
    "PRAGMA checkpoint_fullfsync", "PRAGMA cell_size_check", "PRAGMA cache_spill", "PRAGMA automatic_index",
    "PRAGMA query_only", "PRAGMA read_uncommitted", "PRAGMA quick_check", "PRAGMA schema_version", "PRAGMA page_size",
    "PRAGMA encoding", "PRAGMA application_id", "PRAGMA defer_foreign_keys", "PRAGMA foreign_keys", "PRAGMA journal_size_limit",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const POSTGRES_EXPLAINS: &[&str] = &[
    "EXPLAIN ANALYZE ?", "EXPLAIN ANALYSE VERBOSE ?", "EXPLAIN (ANALYZE) ?", "EXPLAIN (COSTS off, ANALYZE on) ?",
    "EXPLAIN (\"analyze\") ?", "EXPLAIN ?", "EXPLAIN VERBOSE ?", "EXPLAIN (ANALYZE, TIMING off) ?",
    "explain (analyze true, buffers) ?", "EXPLAIN (FORMAT json) ?",
];

#[rustfmt::skip] // A statement a line would hide the groups.
const MYSQL_EXPLAINS: &[&str] = &[
    "EXPLAIN ?", "DESCRIBE ?", "DESC ?", "EXPLAIN EXTENDED ?", "EXPLAIN FORMAT=JSON ?", "ANALYZE ?",
    "ANALYZE FORMAT=JSON ?",
];

const SQLITE_EXPLAINS: &[&str] = &["EXPLAIN ?", "EXPLAIN QUERY PLAN ?", "explain query plan ?"];
