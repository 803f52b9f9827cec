//! Transactions with options.

use std::fmt;

use diesel::result::Error;
use diesel_async::AsyncPgConnection;
use routing_core::StatementKind;

use crate::asynchronous::connection::AsyncRoutedConnection;

const SERIALIZABLE: &str = " ISOLATION LEVEL SERIALIZABLE";

/// Builds a transaction, as diesel-async's builder does for its own connections.
#[must_use = "no transaction is begun until `run` is called"]
pub struct AsyncTransactionBuilder<'a> {
    connection: &'a mut AsyncRoutedConnection<AsyncPgConnection>,
    isolation_level: Option<&'static str>,
    read_only: Option<bool>,
    deferrable: Option<&'static str>,
}

impl AsyncRoutedConnection<AsyncPgConnection> {
    /// Builds a transaction with options. One that is `read_only` may run on a replica.
    pub const fn build_transaction(&mut self) -> AsyncTransactionBuilder<'_> {
        AsyncTransactionBuilder {
            connection: self,
            isolation_level: None,
            read_only: None,
            deferrable: None,
        }
    }
}

impl AsyncTransactionBuilder<'_> {
    /// Makes it `READ ONLY`: it may run on a replica, and a write in it is refused.
    pub const fn read_only(mut self) -> Self {
        self.read_only = Some(true);
        self
    }

    /// Makes it `READ WRITE`, as it is unless the server is told otherwise.
    pub const fn read_write(mut self) -> Self {
        self.read_only = Some(false);
        self
    }

    /// Makes it `DEFERRABLE`.
    pub const fn deferrable(mut self) -> Self {
        self.deferrable = Some(" DEFERRABLE");
        self
    }

    /// Makes it `NOT DEFERRABLE`.
    pub const fn not_deferrable(mut self) -> Self {
        self.deferrable = Some(" NOT DEFERRABLE");
        self
    }

    /// Gives it the isolation level `READ COMMITTED`.
    pub const fn read_committed(mut self) -> Self {
        self.isolation_level = Some(" ISOLATION LEVEL READ COMMITTED");
        self
    }

    /// Gives it the isolation level `REPEATABLE READ`.
    pub const fn repeatable_read(mut self) -> Self {
        self.isolation_level = Some(" ISOLATION LEVEL REPEATABLE READ");
        self
    }

    /// Gives it the isolation level `SERIALIZABLE`. No hot standby has it, so that the transaction runs on
    /// the primary even if it only reads.
    pub const fn serializable(mut self) -> Self {
        self.isolation_level = Some(SERIALIZABLE);
        self
    }

    /// Runs a closure in the transaction, and commits if it succeeds.
    ///
    /// # Errors
    ///
    /// The closure's, or Diesel's if the transaction cannot be begun or ended: `AlreadyInTransaction`
    /// inside another.
    pub async fn run<R, E, F>(&mut self, callback: F) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut AsyncRoutedConnection<AsyncPgConnection>) -> Result<R, E>,
        E: From<Error>,
    {
        let kind = match self.read_only {
            Some(true) if self.isolation_level == Some(SERIALIZABLE) => {
                StatementKind::BeginSerializable
            }
            Some(true) => StatementKind::BeginReadOnly,
            _ => StatementKind::Transaction,
        };
        let access = match self.read_only {
            Some(true) => " READ ONLY",
            Some(false) => " READ WRITE",
            None => "",
        };
        let isolation_level = self.isolation_level.unwrap_or_default();
        let deferrable = self.deferrable.unwrap_or_default();
        let sql = format!("BEGIN TRANSACTION{isolation_level}{access}{deferrable}");
        self.connection.run_transaction(kind, &sql, callback).await
    }
}

impl fmt::Debug for AsyncTransactionBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTransactionBuilder")
            .field("isolation_level", &self.isolation_level)
            .field("read_only", &self.read_only)
            .field("deferrable", &self.deferrable)
            .finish_non_exhaustive()
    }
}
