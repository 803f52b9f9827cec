use super::{Dialect, Kind, reads, writes};

#[test]
fn what_reads() {
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
            // Tables with arguments.
            "SELECT * FROM ft('words') WHERE rank < 3",
            "SELECT * FROM a JOIN main.ft('words') f ON f.rowid = a.id, dbstat('main', 1)",
            "SELECT * FROM \"ft\"('words'), (SELECT 1)",
            "SELECT fts5_get_locale(ft, 0) FROM ft",
            "PRAGMA \"user_version\"",
            "PRAGMA [main].`page_count`",
            "PRAGMA table_info = cake",
            "PRAGMA main.integrity_check = 1;",
        ],
    );
}

#[test]
fn what_writes() {
    writes(
        Dialect::Sqlite,
        &[
            (Kind::WritingFunction, "SELECT last_insert_rowid()"),
            (Kind::SessionState, "SELECT load_extension('x')"),
            (Kind::FunctionCall, "SELECT \"do_write\"()"),
            (Kind::FunctionCall, "SELECT match(1), regexp(2)"),
            (Kind::FunctionCall, "SELECT * FROM t f WHERE bake('words')"),
            (Kind::FunctionCall, "SELECT bake('words') FROM t"),
            (Kind::FunctionCall, "SELECT * FROM ft(bake('words'))"),
            (Kind::FunctionCall, "SELECT * FROM t ORDER BY bake(1)"),
            (Kind::FunctionCall, "SELECT * FROM pragma_optimize(1)"),
            (Kind::SessionState, "PRAGMA \"user_version\" = 3"),
            (Kind::SessionState, "PRAGMA \"journal_mode\""),
            (Kind::Multiple, "PRAGMA table_info = t; DELETE FROM t"),
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
            (Kind::Insert, "EXPLAIN INSERT INTO t VALUES (1)"),
            (Kind::Delete, "EXPLAIN QUERY PLAN DELETE FROM t"),
            (Kind::SessionState, "ATTACH 'x' AS y"),
            (Kind::FunctionCall, "SELECT 1 IN pragma_optimize"),
            (
                Kind::FunctionCall,
                "SELECT 1 IN \"main\".\"pragma_optimize\"",
            ),
            (Kind::Multiple, "PRAGMA user_version = 1; BEGIN"),
            (Kind::SessionState, "CREATE TEMP TABLE t (a)"),
            (Kind::SessionState, "CREATE TABLE temp.t (a)"),
            (
                Kind::SessionState,
                "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
            ),
            (Kind::Ddl, "CREATE TABLE t (temp)"),
            (Kind::Unknown, "TABLE t"),
            (Kind::Unknown, "SELECT 1\0; DELETE FROM t"),
        ],
    );
}
