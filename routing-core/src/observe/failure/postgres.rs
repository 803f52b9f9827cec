//! PostgreSQL's SQLSTATEs, from the manual's appendix "PostgreSQL Error Codes".

use super::Failure::{
    self, Busy, Ended, Lost, NotOnStandby, ReadOnly, RecoveryConflict, Starting, Stopping,
    Unreachable,
};
use crate::observe::decision::Role;

/// What each SQLSTATE says of the node. All but `25006` only if the error is fatal; a fatal one that is
/// not listed ends the connection and says no more, and any other is the user's.
pub const SQLSTATES: &[(&str, Failure)] = &[
    // Refused before anything was sent.
    ("08001", Unreachable),
    ("08004", Unreachable),
    // `cannot_connect_now`: starting, stopping, or replaying until it is consistent.
    ("57P03", Starting),
    // `admin_shutdown`, `crash_shutdown`: the connection is over.
    ("57P01", Stopping),
    ("57P02", Stopping),
    // `idle_session_timeout`, `idle_in_transaction_session_timeout`, and from 17 on
    // `transaction_timeout`.
    ("57P05", Ended),
    ("25P03", Ended),
    ("25P04", Ended),
    // `too_many_connections`.
    ("53300", Busy),
    // `read_only_sql_transaction`: a standby, or a connection that only reads.
    ("25006", ReadOnly),
];

/// What a standby says when the log that it replays needs what a query holds, or is about to remove.
/// On a primary the same are conflicts between the application's own transactions.
///
/// From the manual, "Handling Query Conflicts", and `ProcessInterrupts` in PostgreSQL's sources:
/// `40001` for rows, tables and locks, `40P01` for a deadlock with the replay.
pub const RECOVERY_CONFLICTS: &[&str] = &["40001", "40P01"];

/// `feature_not_supported` and `object_not_in_prerequisite_state`, with one of these texts: what a hot
/// standby lacks. Both codes have other meanings, such as a cached plan that no longer fits.
///
/// From PostgreSQL's sources: `get_relation_info` (unlogged tables), `check_transaction_isolation` and
/// `GetSerializableTransactionSnapshot` (serializable), `RecoveryInProgress`'s callers.
const NOT_ON_STANDBY: [&str; 2] = ["0A000", "55000"];
const STANDBY_LACKS: [&str; 3] = ["during recovery", "hot standby", "recovery is in progress"];

/// Before PostgreSQL 9.1, and in forks, it is a cancelled query with this text.
const CANCELLED: &str = "57014";
const CONFLICT: &str = "conflict with recovery";

pub(super) fn of(sqlstate: &str, is_fatal: bool, message: &str, role: Role) -> Option<Failure> {
    let is_conflict = RECOVERY_CONFLICTS.contains(&sqlstate)
        || (sqlstate == CANCELLED && message.contains(CONFLICT));
    if is_conflict && role == Role::Replica {
        return Some(RecoveryConflict);
    }
    if NOT_ON_STANDBY.contains(&sqlstate) && role == Role::Replica && !is_fatal {
        return of_standby_message(message);
    }
    let listed = SQLSTATES.iter().find(|(listed, _)| *listed == sqlstate);
    match (listed, is_fatal) {
        (Some((_, ReadOnly)), _) => Some(ReadOnly),
        // Raised inside a statement, be it by a foreign server's answer: the connection goes on.
        (_, false) => None,
        (Some((_, failure)), true) => Some(*failure),
        // Also a pooler's, which has no code for it.
        (None, true) => Some(Lost),
    }
}

pub(super) fn of_standby_message(message: &str) -> Option<Failure> {
    if message.contains(CONFLICT) {
        Some(RecoveryConflict)
    } else if STANDBY_LACKS.iter().any(|text| message.contains(text)) {
        Some(NotOnStandby)
    } else {
        None
    }
}
