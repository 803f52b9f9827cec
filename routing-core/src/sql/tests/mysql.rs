use super::{Dialect, Kind, reads, writes};

#[test]
fn what_reads() {
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
fn what_writes() {
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
