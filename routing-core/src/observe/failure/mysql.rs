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
    of(OPTION, message)
}
