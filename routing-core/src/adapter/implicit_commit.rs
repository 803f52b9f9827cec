//! Statements that may commit the transaction they are in, on MySQL and MariaDB.

use std::sync::atomic::Ordering;

use crate::adapter::fate::Fate;
use crate::sql::kind::StatementKind;

/// Whether MySQL or MariaDB may commit the open transaction because of a statement of this kind, even if
/// the statement fails. A procedure may contain `COMMIT`.
pub(super) const fn may_commit_on_mysql(kind: StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::Ddl | StatementKind::Lock | StatementKind::Call
    )
}

/// A statement that the router does not understand, in a transaction of MySQL or MariaDB: it may be one
/// that commits the transaction, unless the server does not understand it either.
pub(super) struct Suspect<'a>(pub(super) Option<&'a Fate>);

impl Suspect<'_> {
    /// It has failed. Nothing was done if it is one statement with a syntax error.
    pub(super) fn failed(mut self, is_syntax_error: bool, sql: impl FnOnce() -> String) {
        if self.0.is_some() && is_syntax_error {
            let sql = sql();
            let rest = sql.trim_end().trim_end_matches(';');
            let is_one = !rest.contains(';') && !rest.contains("/*");
            let begins = |word: &str| {
                rest.trim_start()
                    .get(..word.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            };
            if is_one && !begins("set") {
                self.0 = None;
            }
        }
    }
}

/// Also when the statement's future is dropped.
impl Drop for Suspect<'_> {
    fn drop(&mut self) {
        if let Some(fate) = self.0 {
            fate.is_unclear.store(true, Ordering::Relaxed);
        }
    }
}
