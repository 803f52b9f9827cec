//! What an error of Diesel's says of the node it came from.
//!
//! Diesel keeps neither SQLSTATE nor error number, only a kind and texts. The kind is enough to
//! clear the node of most errors; for the rest the connection is asked whether it still works.

use diesel::result::{DatabaseErrorKind, Error};
use routing_core::sql::Dialect;
use routing_core::{Answer, Failure, Role, StatementKind, rolls_back_on_mysql};

/// What is to be done to know whether the node is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The user's error: the node is fine.
    Users,
    /// The node's.
    Failure(Failure),
    /// The connection is to be asked: it has failed if it does not answer.
    Ask,
}

/// `role` is that of the node.
pub(crate) fn verdict(error: &Error, dialect: Dialect, role: Role) -> Verdict {
    let Error::DatabaseError(kind, information) = error else {
        return Verdict::Users;
    };
    match kind {
        DatabaseErrorKind::ReadOnlyTransaction => Verdict::Failure(Failure::ReadOnly),
        // A standby runs no transactions that could conflict, but with what it replays.
        DatabaseErrorKind::SerializationFailure
            if role == Role::Replica && dialect == Dialect::Postgres =>
        {
            Verdict::Failure(Failure::RecoveryConflict)
        }
        DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::UnableToSendCommand
        | DatabaseErrorKind::Unknown => match dialect {
            Dialect::Sqlite => Failure::from_sqlite_message(information.message())
                .map_or(Verdict::Users, Verdict::Failure),
            Dialect::MySql => Failure::from_mysql_message(information.message())
                .map_or(Verdict::Ask, Verdict::Failure),
            Dialect::Postgres => {
                // Diesel knows no kind for a deadlock, nor for what is cancelled.
                let of_standby = Failure::from_standby_message(information.message());
                match of_standby.filter(|_| role == Role::Replica) {
                    Some(failure) => Verdict::Failure(failure),
                    // The most common of all, and a server has said it.
                    None if information.statement_position().is_some() => Verdict::Users,
                    None => Verdict::Ask,
                }
            }
            _ => Verdict::Ask,
        },
        _ => Verdict::Users,
    }
}

/// The answer to a probe that failed so.
pub(crate) fn answer(error: &Error, dialect: Dialect, role: Role) -> Answer {
    match verdict(error, dialect, role) {
        Verdict::Users => Answer::Unintelligible,
        Verdict::Failure(failure) => Answer::Failed(failure),
        // Whether it is there is seen by connecting again.
        Verdict::Ask => Answer::Failed(Failure::Lost),
    }
}

/// A question of no consequence, which can be asked even in a transaction that has failed.
pub(crate) const fn question(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "/* routing: liveness */",
        _ => "/* routing: liveness */ DO 0",
    }
}

/// Whether the answer shows that the connection works.
pub(crate) const fn is_alive(answer: &Result<(), Error>, dialect: Dialect) -> bool {
    match answer {
        Ok(()) => true,
        // libpq's caller complains about the empty question, after the server has answered it.
        Err(Error::DatabaseError(DatabaseErrorKind::Unknown, _)) => {
            matches!(dialect, Dialect::Postgres)
        }
        Err(_) => false,
    }
}

/// Whether MySQL or MariaDB has rolled the whole transaction back, as it does for a deadlock's victim.
pub(crate) fn is_deadlock(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        Error::DatabaseError(_, information) => rolls_back_on_mysql(None, information.message()),
        _ => false,
    }
}

/// Whether MySQL or MariaDB has not understood a statement: `ER_PARSE_ERROR`, by its text.
pub(crate) fn is_mysql_syntax_error(error: &Error) -> bool {
    let Error::DatabaseError(_, information) = error else {
        return false;
    };
    let text = "You have an error in your SQL syntax";
    information.message().starts_with(text)
}

/// Whether a text may leave a transaction open that nobody counts.
pub(crate) const fn may_leave_open(kind: StatementKind) -> bool {
    kind.controls_transaction() || matches!(kind, StatementKind::Multiple)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_certainly_did_nothing_is_read_only() {
        let of = |text: &str| {
            let error = Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(text.to_owned()));
            verdict(&error, Dialect::MySql, Role::Primary)
        };
        let option = "The MySQL server is running with the --super-read-only option so it cannot \
                      execute this statement";
        assert_eq!(of(option), Verdict::Failure(Failure::ReadOnly));
        // The other members of the group may have the write.
        let hook = "Error on observer while running replication hook 'before_commit'.";
        assert_eq!(of(hook), Verdict::Failure(Failure::Ended));
        assert_eq!(of("MySQL server has gone away"), Verdict::Ask);
    }
}
