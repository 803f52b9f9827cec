//! Settings of MySQL and MariaDB that hold what happened on the connection.

use super::bytes::is_any;

/// Whether `@@name` is what an earlier statement of the connection left there, or what the next
/// one is given: another connection's says something else.
///
/// From MariaDB's "Server System Variables" and MySQL's "Server System Variables" and
/// "Replication and Binary Logging Options": those of session scope only.
pub(super) fn belongs_to_primary(name: &[u8]) -> bool {
    is_any(name, OF_THE_SESSION)
}

const OF_THE_SESSION: &[&str] = &[
    "error_count",
    "external_user",
    "gtid_binlog_pos",
    "gtid_binlog_state",
    "gtid_current_pos",
    "gtid_executed",
    "gtid_next",
    "gtid_owned",
    "gtid_purged",
    "gtid_seq_no",
    "identity",
    "in_transaction",
    "insert_id",
    "last_gtid",
    "last_insert_id",
    "pseudo_slave_mode",
    "pseudo_replica_mode",
    "pseudo_thread_id",
    "rand_seed1",
    "rand_seed2",
    "skip_replication",
    "sql_log_bin",
    "statement_id",
    "timestamp",
    "warning_count",
];
