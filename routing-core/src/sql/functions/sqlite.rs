//! Functions of SQLite, from its manual: "Built-In Scalar SQL Functions", "Built-in Aggregate
//! Functions", "Built-in Window Functions", "Built-In Mathematical SQL Functions", "Date And Time
//! Functions", "JSON Functions And Operators", "SQLite FTS5 Extension", "The R*Tree Module".

/// Neither write nor depend on what the connection did before. A program may give its own
/// functions these names.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const READ: &[&str] = &[
    // Scalars.
    "abs", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "if", "ifnull",
    "iif", "instr", "length", "like", "likelihood", "likely", "lower", "ltrim", "max", "min",
    "nullif", "octet_length", "printf", "quote", "random", "randomblob", "replace", "round",
    "rtrim", "sign", "soundex", "sqlite_compileoption_get", "sqlite_compileoption_used",
    "sqlite_offset", "sqlite_source_id", "sqlite_version", "substr", "substring", "subtype",
    "trim", "typeof", "unhex", "unicode", "unistr", "unistr_quote", "unlikely", "upper",
    "zeroblob", "cast",
    // Aggregates and windows.
    "avg", "count", "cume_dist", "dense_rank", "first_value", "group_concat", "lag",
    "last_value", "lead", "median", "nth_value", "ntile", "percent_rank", "percentile",
    "percentile_cont", "percentile_disc", "rank", "row_number", "string_agg", "sum", "total",
    // Mathematics.
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh",
    "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power",
    "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    // Dates.
    "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday",
    "strftime", "time", "timediff", "unixepoch",
    // JSON, and what it gives as a table.
    "json", "json_array", "json_array_insert", "json_array_length", "json_each",
    "json_error_position", "json_extract", "json_group_array", "json_group_object", "json_insert",
    "json_object", "json_patch", "json_pretty", "json_quote", "json_remove", "json_replace",
    "json_set", "json_tree", "json_type", "json_valid", "jsonb", "jsonb_array",
    "jsonb_array_insert", "jsonb_each", "jsonb_extract", "jsonb_group_array",
    "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove",
    "jsonb_replace", "jsonb_set", "jsonb_tree",
    // Tables that compute.
    "generate_series",
    // Text search and boxes.
    "bm25", "fts5_get_locale", "fts5_insttoken", "fts5_locale", "fts5_source_id", "highlight", "matchinfo", "offsets", "rtreecheck", "rtreedepth",
    "rtreenode", "snippet",
    // Pragmas as tables, as far as they only tell.
    "pragma_application_id", "pragma_collation_list", "pragma_compile_options",
    "pragma_data_version", "pragma_database_list", "pragma_encoding", "pragma_foreign_key_check",
    "pragma_foreign_key_list", "pragma_freelist_count", "pragma_function_list",
    "pragma_index_info", "pragma_index_list", "pragma_index_xinfo", "pragma_integrity_check",
    "pragma_max_page_count", "pragma_module_list", "pragma_page_count", "pragma_page_size",
    "pragma_pragma_list", "pragma_quick_check", "pragma_schema_version", "pragma_table_info",
    "pragma_table_list", "pragma_table_xinfo", "pragma_user_version",
];

/// Write, or ask for what only the connection of the statement before has.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const WRITE: &[&str] = &[
    "changes", "edit", "last_insert_rowid", "optimize", "sqlite_log", "total_changes", "writefile",
];

/// They leave something in the connection.
pub(in crate::sql) const STATE: &[&str] = &["fts3_tokenizer", "load_extension"];

/// Words that a parenthesis may follow, and that no function is called.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const KEYWORDS: &[&str] = &[
    "all", "and", "as", "between", "case", "collate", "distinct", "else", "escape", "except",
    "exists", "from", "group", "having", "in", "intersect", "is", "isnull", "join", "limit",
    "not", "notnull", "on", "or", "order", "select", "then", "union", "using", "values", "when",
    "where",
];

/// Pragmas that, without a value, only tell.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const READING_PRAGMAS: &[&str] = &[
    "analysis_limit", "application_id", "auto_vacuum", "automatic_index", "busy_timeout",
    "cache_size", "cache_spill", "cell_size_check", "checkpoint_fullfsync", "collation_list",
    "compile_options", "data_version", "database_list", "defer_foreign_keys", "encoding",
    "foreign_key_check", "foreign_keys", "freelist_count", "fullfsync", "function_list",
    "hard_heap_limit", "ignore_check_constraints", "integrity_check", "journal_size_limit",
    "legacy_alter_table", "locking_mode", "max_page_count", "mmap_size", "module_list",
    "page_count", "page_size", "pragma_list", "query_only", "quick_check", "read_uncommitted",
    "recursive_triggers", "reverse_unordered_selects", "schema_version", "secure_delete",
    "soft_heap_limit", "synchronous", "table_list", "temp_store", "threads", "trusted_schema",
    "user_version", "wal_autocheckpoint",
];

/// Pragmas whose value says what they tell of.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const PRAGMAS_WITH_SUBJECT: &[&str] = &[
    "foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo",
    "integrity_check", "quick_check", "table_info", "table_list", "table_xinfo",
];
