//! SQLite's result codes, from the manual's "Result and Error Codes".

use super::Failure::{self, Lost, ReadOnly};

/// What each primary result code says of the file, with the text of `sqlite3_errstr` for it, as some
/// drivers keep only that; what is not listed is the user's error.
pub const RESULT_CODES: &[(i32, &str, Failure)] = &[
    // `SQLITE_READONLY`, `SQLITE_IOERR`, `SQLITE_CORRUPT`, `SQLITE_CANTOPEN`, `SQLITE_NOTADB`.
    (8, "attempt to write a readonly database", ReadOnly),
    (10, "disk I/O error", Lost),
    (11, "database disk image is malformed", Lost),
    (14, "unable to open database file", Lost),
    (26, "file is not a database", Lost),
];

pub(super) fn of(code: i32) -> Option<Failure> {
    let listed = RESULT_CODES
        .iter()
        .find(|(listed, ..)| *listed == code & 0xff);
    listed.map(|(.., failure)| *failure)
}

pub(super) fn of_message(message: &str) -> Option<Failure> {
    let listed = RESULT_CODES
        .iter()
        .find(|(_, listed, _)| *listed == message);
    listed.map(|(.., failure)| *failure)
}
