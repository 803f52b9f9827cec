//! MySQL's and MariaDB's error numbers, from the servers' error message references.

use super::Failure::{self, Busy, Ended, ReadOnly, Starting, Stopping, Unreachable};

/// What each error number says of the node; what is not listed is the user's error.
pub const ERROR_NUMBERS: &[(u16, Failure)] = &[
    // `ER_CON_COUNT_ERROR`, `ER_TOO_MANY_USER_CONNECTIONS`, `ER_USER_LIMIT_REACHED`.
    (1040, Busy),
    (1203, Busy),
    (1226, Busy),
    // `ER_HOST_IS_BLOCKED`, after too many connections that broke as they were made.
    (1129, Unreachable),
    // `ER_SERVER_SHUTDOWN`, `ER_SERVER_OFFLINE_MODE`.
    (1053, Stopping),
    (3032, Stopping),
    // `ER_CONNECTION_KILLED`, MariaDB's and MySQL's.
    (1927, Ended),
    (3169, Ended),
    // `ER_CLIENT_INTERACTION_TIMEOUT`.
    (4031, Ended),
    // `ER_RUN_HOOK_ERROR`, `ER_TRANSACTION_ROLLBACK_DURING_COMMIT`: a member of a group has not finished a commit, which
    // the other members may have received. The second means a conflict, or that the member leaves the group and ends
    // all waiting commits (`unblock_waiting_transactions` in the plugin's source).
    (3100, Ended),
    (3101, Ended),
    // `ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION`, `ER_READ_ONLY_MODE`.
    (1792, ReadOnly),
    (1836, ReadOnly),
];

/// `ER_OPTION_PREVENTS_STATEMENT`: any option that does not let a statement run.
const OPTION: u16 = 1290;

/// Those that mean that the server takes no writes.
const READ_ONLY_OPTIONS: &[&str] = &[
    "--read-only",
    "--read_only",
    "--super-read-only",
    "--super_read_only",
    "--transaction-read-only",
    "--innodb-read-only",
    "--innodb_read_only",
];

/// `ER_UNKNOWN_COM_ERROR`: also what a Galera node says of any statement while it is not in step.
const COMMAND: u16 = 1047;
const NOT_IN_STEP: &str = "WSREP";

/// Errors after which the server has rolled the whole transaction back, and runs the next statement
/// outside of one.
///
/// - 1213, `ER_LOCK_DEADLOCK`; Galera says it of a conflict with another node, with a text of its own.
/// - 1020, `ER_CHECKREAD`: MariaDB's, by `innodb_snapshot_isolation`, which is on since 11.6.2.
/// - 1206, `ER_LOCK_TABLE_FULL`.
///
/// 1205, a wait for a lock that took too long, is one only by `innodb_rollback_on_timeout`, which is off.
pub const ROLLBACKS: &[(u16, &[&str])] = &[
    (1213, &["Deadlock found", "WSREP detected deadlock"]),
    (1020, &["Record has changed since last read"]),
    (
        1206,
        &["The total number of locks exceeds the lock table size"],
    ),
];

/// Whether the error of this number, or of this message where a driver keeps only that, means that the
/// server has rolled the whole transaction back: see [`ROLLBACKS`].
///
/// ```
/// use routing_core::rolls_back_on_mysql;
///
/// assert!(rolls_back_on_mysql(Some(1213), ""));
/// assert!(rolls_back_on_mysql(None, "Record has changed since last read in table 'cake'"));
/// assert!(!rolls_back_on_mysql(Some(1205), "Lock wait timeout exceeded"));
/// ```
#[must_use]
pub fn rolls_back_on_mysql(number: Option<u16>, message: &str) -> bool {
    ROLLBACKS.iter().any(|(listed, texts)| {
        number == Some(*listed) || texts.iter().any(|text| message.starts_with(text))
    })
}

pub(super) fn of(number: u16, message: &str) -> Option<Failure> {
    if number == COMMAND {
        return message.contains(NOT_IN_STEP).then_some(Starting);
    }
    if number == OPTION {
        let mut options = READ_ONLY_OPTIONS.iter();
        let is_named = options.any(|option| message.contains(option));
        return is_named.then_some(ReadOnly);
    }
    let listed = ERROR_NUMBERS.iter().find(|(listed, _)| *listed == number);
    listed.map(|(_, failure)| *failure)
}

pub(super) fn of_message(message: &str) -> Option<Failure> {
    if message.contains("READ ONLY transaction") || message.contains("in read-only mode") {
        return Some(ReadOnly);
    }
    let of_group = [
        "while running replication hook 'before_commit'",
        "Plugin instructed the server to rollback the current transaction",
    ];
    if of_group.iter().any(|text| message.contains(text)) {
        return Some(Ended);
    }
    of(OPTION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_a_group_may_have_is_unknown() {
        for (number, said) in [
            (
                3100,
                "Error on observer while running replication hook 'before_commit'.",
            ),
            (
                3101,
                "Plugin instructed the server to rollback the current transaction.",
            ),
        ] {
            assert_eq!(of(number, said), Some(Ended));
            assert_eq!(of_message(said), Some(Ended));
            assert!(!rolls_back_on_mysql(None, said) && !rolls_back_on_mysql(Some(number), ""));
        }
    }
}
