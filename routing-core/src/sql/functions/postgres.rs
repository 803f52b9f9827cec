//! Functions of PostgreSQL's that its catalog does not judge, or misjudges.
//!
//! What the catalog calls immutable or stable is in [`postgres_catalog`](super::postgres_catalog).
//! A volatile function is unknown, unless it is here.

/// Volatile, because each call gives something else; but nothing is written.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const READ: &[&str] = &[
    // The clock, which goes on within a statement.
    "clock_timestamp", "timeofday",
    // Chance. `setseed` is a write, so that what follows it is on one connection.
    "array_sample", "array_shuffle", "gen_random_uuid", "random", "random_normal", "uuidv4", "uuidv7",
    // They wait.
    "pg_sleep", "pg_sleep_for", "pg_sleep_until",
    // The text of the statement that asks.
    "current_query",
    // How far this server has come; a replica is asked nothing more often.
    "pg_get_wal_replay_pause_state", "pg_is_in_recovery", "pg_is_wal_replay_paused",
    "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
    // Sizes of files.
    "pg_database_size", "pg_indexes_size", "pg_relation_size", "pg_table_size",
    "pg_tablespace_size", "pg_total_relation_size",
    // Who waits for whom on this server.
    "pg_blocking_pids", "pg_lock_status", "pg_safe_snapshot_blocking_pids",
    // The tree of partitions, read from the catalog.
    "pg_partition_ancestors", "pg_partition_tree",
    // What became of a transaction, read from the log of commits.
    "pg_xact_commit_timestamp", "pg_xact_status", "txid_status",
    // Facts of this server that are read from its control file and its build.
    "pg_collation_actual_version", "pg_control_checkpoint", "pg_control_init",
    "pg_control_recovery", "pg_control_system", "pg_database_collation_actual_version",
    "pg_jit_available",
    // Parts of the grammar that look like functions (SQL/JSON, and what the parser replaces).
    "collation", "json_array", "json_arrayagg", "json_exists", "json_objectagg", "json_query",
    "json_scalar", "json_serialize", "json_table", "json_value",
];

/// They write, or have an effect that belongs to the primary, though a replica would let them.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const WRITE: &[&str] = &[
    // Sequences, and what this connection drew from them.
    "currval", "lastval", "nextval", "setval",
    // They draw a transaction id, although the catalog calls them stable.
    "pg_current_xact_id", "txid_current",
    // Advisory locks of the transaction, which replicas have of their own.
    "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared", "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    // Notifications.
    "pg_listening_channels", "pg_notification_queue_usage", "pg_notify",
    // Large objects.
    "lo_close", "lo_creat", "lo_create", "lo_export", "lo_from_bytea", "lo_get", "lo_import",
    "lo_lseek", "lo_lseek64", "lo_open", "lo_put", "lo_tell", "lo_tell64", "lo_truncate",
    "lo_truncate64", "lo_unlink", "loread", "lowrite",
    // Snapshots, which are handed on within one server.
    "pg_export_snapshot",
    // They run what their argument says.
    "cursor_to_xml", "cursor_to_xmlschema", "dblink", "dblink_build_sql_delete",
    "dblink_build_sql_insert", "dblink_build_sql_update", "dblink_cancel_query", "dblink_exec",
    "query_to_xml", "query_to_xml_and_xmlschema", "query_to_xmlschema", "ts_rewrite", "ts_stat",
    // Other connections and the server itself.
    "pg_cancel_backend", "pg_log_backend_memory_contexts",
    "pg_promote", "pg_reload_conf", "pg_rotate_logfile", "pg_terminate_backend",
    "pg_wal_replay_pause", "pg_wal_replay_resume",
    // The log, of which a replica has only what it was sent.
    "pg_create_restore_point", "pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn", "pg_logical_emit_message", "pg_switch_wal", "pg_walfile_name",
    "pg_walfile_name_offset",
    // Replication's own.
    "pg_copy_logical_replication_slot", "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot", "pg_create_physical_replication_slot",
    "pg_drop_replication_slot", "pg_logical_slot_get_binary_changes",
    "pg_logical_slot_get_changes", "pg_logical_slot_peek_binary_changes",
    "pg_logical_slot_peek_changes", "pg_replication_origin_advance",
    "pg_replication_origin_create", "pg_replication_origin_drop", "pg_replication_origin_oid",
    "pg_replication_slot_advance",
    // Statistics that start again.
    "pg_stat_reset", "pg_stat_reset_replication_slot", "pg_stat_reset_shared",
    "pg_stat_reset_single_function_counters", "pg_stat_reset_single_table_counters",
    "pg_stat_reset_slru", "pg_stat_reset_subscription_stats",
    // Indexes that are put in order.
    "brin_desummarize_range", "brin_summarize_new_values", "brin_summarize_range",
    "gin_clean_pending_list", "pg_import_system_collations",
];

/// Functions of extensions that write, whatever their schema and whatever the catalog calls them: those of
/// tablefunc and xml2 run the statement which their argument contains, and PostGIS' makes a table.
pub(in crate::sql) const RUNS: &[&str] = &[
    "connectby",
    "crosstab",
    "crosstab2",
    "crosstab3",
    "crosstab4",
    "st_fromflatgeobuftotable",
    "xpath_table",
];

/// The one of isn's that sets a flag of the connection, whatever the catalog calls it.
pub(in crate::sql) const LEAVES: &str = "isn_weak";

/// Functions of extensions that only read, and are not in
/// [`postgres_extensions`](super::postgres_extensions): pgvector's (0.8) and TimescaleDB's (2.17), by their
/// documentation, and volatile ones that write nothing.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const OF_EXTENSIONS: &[&str] = &[
    // Chance.
    "gen_random_bytes", "gen_salt", "normal_rand", "st_generatepoints", "uuid_generate_v1", "uuid_generate_v1mc",
    "uuid_generate_v4",
    // pgvector.
    "binary_quantize", "cosine_distance", "hamming_distance", "inner_product", "jaccard_distance", "l1_distance",
    "l2_distance", "l2_norm", "l2_normalize", "subvector", "vector_dims", "vector_norm",
    // TimescaleDB.
    "interpolate", "locf", "time_bucket", "time_bucket_gapfill",
];

/// They leave something in the connection, or end it.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const STATE: &[&str] = &[
    // Settings. With `true` for its third argument `set_config` is the transaction's.
    "set_config", "setseed",
    // Advisory locks of the connection.
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock",
    "pg_advisory_unlock_all", "pg_advisory_unlock_shared", "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    // A backup, which ends with the connection.
    "pg_backup_start", "pg_backup_stop",
    // Connections and cursors of dblink's.
    "dblink_close", "dblink_connect", "dblink_connect_u", "dblink_disconnect", "dblink_fetch",
    "dblink_get_result", "dblink_open", "dblink_send_query",
    // The origin that is written into the log.
    "pg_replication_origin_session_reset", "pg_replication_origin_session_setup",
    "pg_replication_origin_xact_setup",
];

/// Words that a parenthesis may follow, and that no function is called: reserved, or of the kind
/// that "cannot be function or type name" (manual, appendix "SQL Key Words"). Types among them
/// have a modifier there.
#[rustfmt::skip] // A name a line would hide the groups.
pub(in crate::sql) const KEYWORDS: &[&str] = &[
    "all", "and", "any", "array", "as", "asymmetric", "between", "bit", "both", "case", "cast", "char", "character",
    "check", "coalesce", "current_time", "current_timestamp", "dec", "decimal", "distinct", "do",
    "else", "end", "except", "exists", "extract", "fetch", "float", "for", "from", "greatest",
    "group", "grouping", "having", "in", "intersect", "interval", "lateral", "leading", "least", "limit",
    "localtime", "localtimestamp", "nchar", "normalize", "not", "nullif", "numeric", "offset",
    "on", "only", "or", "order", "overlay", "placing", "position", "precision", "row", "select", "some",
    "substring", "symmetric", "then", "time", "timestamp", "to", "trailing", "treat", "trim", "union", "using", "values",
    "varchar", "variadic", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
    "xmlserialize", "xmltable",
];
