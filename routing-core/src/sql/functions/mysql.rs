//! Functions of MySQL and MariaDB, from their manuals' chapters on functions.

/// Neither write nor depend on what the connection did before.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const READ: &[&str] = &[
    // Aggregates and windows.
    "any_value", "avg", "bit_and", "bit_or", "bit_xor", "count", "cume_dist", "dense_rank",
    "first_value", "group_concat", "grouping", "json_arrayagg", "json_objectagg", "lag",
    "last_value", "lead", "max", "median", "min", "nth_value", "ntile", "percent_rank",
    "percentile_cont", "percentile_disc", "rank", "row_number", "std", "stddev", "stddev_pop",
    "stddev_samp", "sum", "var_pop", "var_samp", "variance",
    // Conditions and comparison.
    "coalesce", "greatest", "if", "ifnull", "interval", "isnull", "least", "nullif", "nvl", "nvl2",
    "strcmp", "values", "name_const", "decode_oracle",
    // Casts.
    "binary", "cast", "char", "convert",
    // Text.
    "ascii", "bin", "bit_length", "char_length", "character_length", "chr", "concat", "concat_ws",
    "elt", "export_set", "field", "find_in_set", "format", "from_base64", "hex", "insert", "instr",
    "lcase", "left", "length", "lengthb", "locate", "lower", "lpad", "ltrim", "make_set", "mid",
    "natural_sort_key", "oct", "octet_length", "ord", "position", "quote", "regexp_instr",
    "regexp_like", "regexp_replace", "regexp_substr", "repeat", "replace", "reverse", "right",
    "rpad", "rtrim", "sformat", "soundex", "space", "substr", "substring", "substring_index",
    "to_base64", "to_char", "trim", "ucase", "unhex", "upper", "weight_string",
    // Numbers.
    "abs", "acos", "asin", "atan", "atan2", "bit_count", "ceil", "ceiling", "conv", "cos", "cot",
    "crc32", "crc32c", "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow",
    "power", "radians", "rand", "round", "sign", "sin", "sqrt", "tan", "trunc", "truncate",
    "to_number",
    // Dates.
    "add_months", "adddate", "addtime", "convert_tz", "curdate", "current_date", "current_time",
    "current_timestamp", "curtime", "date", "date_add", "date_format", "date_sub", "datediff",
    "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "extract", "from_days",
    "from_unixtime", "get_format", "hour", "last_day", "localtime", "localtimestamp", "makedate",
    "maketime", "microsecond", "minute", "month", "monthname", "months_between", "now",
    "period_add", "period_diff", "quarter", "sec_to_time", "second", "str_to_date", "subdate",
    "subtime", "sysdate", "time", "time_format", "time_to_sec", "timediff", "timestamp",
    "timestampadd", "timestampdiff", "to_date", "to_days", "to_seconds", "unix_timestamp",
    "utc_date", "utc_time", "utc_timestamp", "week", "weekday", "weekofyear", "year", "yearweek",
    // JSON and XML.
    "extractvalue", "json_array", "json_array_append", "json_array_insert",
    "json_array_intersect", "json_compact", "json_contains", "json_contains_path", "json_depth",
    "json_detailed", "json_equals", "json_exists", "json_extract", "json_insert", "json_keys",
    "json_length", "json_loose", "json_merge", "json_merge_patch", "json_merge_preserve",
    "json_normalize", "json_object", "json_object_filter_keys", "json_object_to_array",
    "json_overlaps", "json_pretty", "json_query", "json_quote", "json_remove", "json_replace",
    "json_schema_valid", "json_schema_validation_report", "json_search", "json_set",
    "json_storage_free", "json_storage_size", "json_table", "json_type", "json_unquote",
    "json_valid", "json_value", "updatexml",
    // Dynamic columns.
    "column_add", "column_check", "column_create", "column_delete", "column_exists", "column_get",
    "column_json", "column_list",
    // Digests and compression.
    "aes_decrypt", "aes_encrypt", "compress", "md5", "password", "random_bytes", "sha", "sha1",
    "sha2", "statement_digest", "statement_digest_text", "uncompress", "uncompressed_length",
    // Identifiers and addresses. `uuid_short` holds the number of the server that made it.
    "bin_to_uuid", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "is_ipv4",
    "is_ipv4_compat", "is_ipv4_mapped", "is_ipv6", "is_uuid", "sys_guid", "uuid", "uuid_short",
    "uuid_to_bin", "uuid_v4", "uuid_v7",
    // Which server this is, and who asks.
    "benchmark", "charset", "coercibility", "collation", "connection_id", "current_role",
    "current_user", "database", "format_bytes", "format_pico_time", "icu_version", "schema",
    "session_user", "sleep", "system_user", "user", "version",
    // Sets of transactions; they compute.
    "binlog_gtid_pos", "gtid_subset", "gtid_subtract",
    // Vectors (MySQL 9, MariaDB 11.7).
    "from_vector", "string_to_vector", "to_vector", "vec_distance", "vec_distance_cosine",
    "vec_distance_euclidean", "vec_fromtext", "vec_totext", "vector_dim", "vector_to_string",
    // Geometry.
    "geometrycollection", "linestring", "mbrcontains", "mbrcoveredby", "mbrcovers", "mbrdisjoint",
    "mbrequals", "mbrintersects", "mbroverlaps", "mbrtouches", "mbrwithin", "multilinestring",
    "multipoint", "multipolygon", "point", "polygon", "st_area", "st_asbinary", "st_asgeojson",
    "st_astext", "st_aswkb", "st_aswkt", "st_boundary", "st_buffer", "st_centroid", "st_collect", "st_contains",
    "st_convexhull", "st_crosses", "st_difference", "st_dimension", "st_disjoint", "st_distance",
    "st_distance_sphere", "st_endpoint", "st_envelope", "st_equals", "st_exteriorring",
    "st_geohash", "st_geometryn", "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext",
    "st_geomfromwkb", "st_interiorringn", "st_intersection", "st_intersects", "st_isclosed",
    "st_isempty", "st_isring", "st_issimple", "st_isvalid", "st_latitude", "st_length",
    "st_linefromtext", "st_longitude", "st_makeenvelope", "st_numgeometries",
    "st_numinteriorrings", "st_numpoints", "st_overlaps", "st_pointfromtext", "st_pointn",
    "st_pointonsurface", "st_polyfromtext", "st_polygonfromtext", "st_relate", "st_simplify",
    "st_srid", "st_startpoint", "st_symdifference", "st_touches", "st_transform", "st_union",
    "st_within", "st_x", "st_y",
];

/// Write, or ask for what only the primary's connection has.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const WRITE: &[&str] = &[
    // Sequences (MariaDB).
    "currval", "lastval", "nextval", "setval",
    // Who has a named lock.
    "is_free_lock", "is_used_lock",
    // What the statement before did.
    "found_rows", "last_insert_id", "row_count",
    // Tables that show what the connection has.
    "session_account_connect_attrs", "session_status", "session_variables",
    // Waits for what a server has replayed.
    "master_gtid_wait", "master_pos_wait", "source_pos_wait", "wait_for_executed_gtid_set",
    "wait_until_sql_thread_after_gtids", "wsrep_last_seen_gtid", "wsrep_last_written_gtid",
    "wsrep_sync_wait_upto_gtid",
    // Replication's own.
    "asynchronous_connection_failover_add_managed",
    "asynchronous_connection_failover_add_source",
    "asynchronous_connection_failover_delete_managed",
    "asynchronous_connection_failover_delete_source", "asynchronous_connection_failover_reset",
    "group_replication_set_as_primary", "group_replication_switch_to_multi_primary_mode",
    "group_replication_switch_to_single_primary_mode",
];

/// They leave something in the connection, or end it: named locks, of MySQL's service for them too.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const STATE: &[&str] = &[
    "get_lock", "release_all_locks", "release_lock",
    "service_get_read_locks", "service_get_write_locks", "service_release_locks",
];

/// Only functions when the parenthesis follows at once; else they are names, such as that of a
/// stored function (MySQL manual, "Function Name Parsing and Resolution"; the lists of both).
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const ADJACENT: &[&str] = &[
    "adddate", "bit_and", "bit_or", "bit_xor", "cast", "count", "curdate", "curtime", "date_add",
    "date_sub", "extract", "group_concat", "max", "mid", "min", "now", "position", "session_user",
    "std", "stddev", "stddev_pop", "stddev_samp", "subdate", "substr", "substring", "sum",
    "sysdate", "system_user", "trim", "trim_oracle", "var_pop", "var_samp", "variance",
];

/// Reserved words that a parenthesis may follow.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const KEYWORDS: &[&str] = &[
    "all", "and", "any", "as", "between", "bigint", "both", "case", "collate", "cross", "dec", "decimal",
    "distinct", "distinctrow", "div", "double", "else", "end", "except", "exists", "float", "for", "force", "from", "group",
    "having", "ignore", "in", "index", "inner", "int", "integer", "intersect", "is", "join", "key", "lateral",
    "leading", "like", "limit", "match", "mediumint", "natural", "not", "numeric", "offset", "on", "or", "order", "outer",
    "partition", "real", "recursive", "regexp", "rlike", "row", "rows", "select", "separator", "smallint", "some",
    "straight_join", "then", "tinyint", "trailing", "union", "use", "using", "varbinary", "varchar", "when", "where", "window", "with", "xor",
];
