//! A handle that only reads.

use routing_core::{Scope, Session, SetName};
use sea_orm::{DbBackend, DbErr};

use crate::handle::RoutedConnection;

/// A connection that only reads: [`RoutedConnection::read_only`] gives one.
///
/// SeaORM's trait for connections has methods that write, and its statements are not told apart by
/// their types, so that this cannot be a matter of types as it is in Diesel. What is not known to be
/// a read is refused with `WriteInReadOnlyScope` before a server sees it; there are no
/// transactions, and no way back to the connection it was made from; and its statements run on
/// connections of their own, which the server allows nothing but reads. Those are opened, beside
/// each node's pool and with its options, when they are first used. A MySQL pool that the application
/// opened itself, and a database in memory, serve such statements themselves: `sqlx` shows nobody a pool's
/// `after_connect`, which connections beside the pool would miss. There, and behind a pooler in transaction
/// mode, the router's refusal is all.
///
/// ```
/// # use sea_orm::{ConnectionTrait, DbErr};
/// use routing_seaorm::{ReadOnly, RoutedConnection, RoutingConfig, RoutingErrExt, RoutingError};
///
/// async fn report(db: &ReadOnly) -> Result<(), DbErr> {
///     db.execute_unprepared("SELECT 1").await?;
///     let refused = db.execute_unprepared("DELETE FROM cake").await.unwrap_err();
///     assert!(matches!(refused.routing(), Some(RoutingError::WriteInReadOnlyScope { .. })));
///     Ok(())
/// }
///
/// # #[cfg(feature = "sqlx-sqlite")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let config = RoutingConfig::builder().primary("sqlite::memory:").build()?;
/// let db = RoutedConnection::new(&config)?;
/// report(&db.read_only()).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ReadOnly(pub(crate) RoutedConnection);

impl RoutedConnection {
    /// A handle that only reads.
    #[must_use]
    pub fn read_only(&self) -> ReadOnly {
        let mut reader = self.scoped(Scope::read_only());
        reader.read_only = true;
        ReadOnly(reader)
    }
}

impl ReadOnly {
    /// A handle whose statements belong to `session`, whatever its caller runs in.
    #[must_use]
    pub fn with_session(&self, session: &Session) -> Self {
        Self(self.0.with_session(session))
    }

    /// A handle to another replica set of the same configuration.
    ///
    /// # Errors
    ///
    /// [`RoutingError::UnknownSet`](routing_core::RoutingError::UnknownSet) if the configuration
    /// has none of that name.
    pub fn on_set(&self, set: impl Into<SetName>) -> Result<Self, DbErr> {
        self.0.on_set(set).map(Self)
    }

    /// The name of the replica set that this handle looks at.
    #[must_use]
    pub fn set_name(&self) -> &SetName {
        self.0.set_name()
    }

    /// The database that all nodes of the set run.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }
}
