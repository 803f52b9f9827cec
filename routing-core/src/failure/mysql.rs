//! MySQL's and MariaDB's error numbers, from the servers' error message references.

use super::Failure::{self, Busy, Lost, ReadOnly, Stopping};

/// What each error number says of the node; what is not listed is the user's error.
pub const ERROR_NUMBERS: &[(u16, Failure)] = &[
    // `ER_CON_COUNT_ERROR`, `ER_TOO_MANY_USER_CONNECTIONS`.
    (1040, Busy),
    (1203, Busy),
    // `ER_SERVER_SHUTDOWN`.
    (1053, Stopping),
    // `ER_CONNECTION_KILLED`, MariaDB's and MySQL's.
    (1927, Lost),
    (3169, Lost),
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

pub(super) fn of(number: u16, message: &str) -> Option<Failure> {
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
