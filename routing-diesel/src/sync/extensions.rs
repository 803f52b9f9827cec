//! The traits beside Diesel's connection that only some databases or tasks need.

use diesel::connection::MultiConnectionHelper;
use diesel::migration::MigrationConnection;
use diesel::query_dsl::UpdateAndFetchResults;
use diesel::r2d2::R2D2Connection;
use diesel::result::QueryResult;
use diesel::sql_types::TypeMetadata;
use routing_core::{Scope, StatementKind};

use super::connection::RoutedConnection;
use crate::database::Routable;

/// `save_changes` updates and fetches on the primary, in one go.
impl<C, Changes, Output> UpdateAndFetchResults<Changes, Output> for RoutedConnection<C>
where
    C: Routable + UpdateAndFetchResults<Changes, Output>,
    Changes: Copy,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.run(StatementKind::Update, String::new, |connection| {
            connection.update_and_fetch(changeset)
        })
    }
}

/// Migrations run on the primary, whatever the mode, and what they write counts as the session's. Diesel's
/// harness does not say when they are done: the connection stays there for good.
impl<C> MigrationConnection for RoutedConnection<C>
where
    C: Routable + MigrationConnection,
{
    fn setup(&mut self) -> QueryResult<usize> {
        self.handle = self.handle.scoped(Scope::migration());
        self.run(StatementKind::Ddl, String::new, MigrationConnection::setup)
    }
}

impl<C: Routable> R2D2Connection for RoutedConnection<C> {
    /// Asks the connections that are checked out, and no node that is not needed.
    fn ping(&mut self) -> QueryResult<()> {
        self.checkouts.all().try_for_each(R2D2Connection::ping)
    }

    fn is_broken(&mut self) -> bool {
        self.checkouts.all().any(R2D2Connection::is_broken)
    }
}

impl<C> MultiConnectionHelper for RoutedConnection<C>
where
    C: Routable + MultiConnectionHelper,
{
    fn to_any<'a>(
        lookup: &mut <C::Backend as TypeMetadata>::MetadataLookup,
    ) -> &mut (dyn std::any::Any + 'a) {
        C::to_any(lookup)
    }

    fn from_any(
        lookup: &mut dyn std::any::Any,
    ) -> Option<&mut <C::Backend as TypeMetadata>::MetadataLookup> {
        C::from_any(lookup)
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use diesel::ExecuteCopyFromDsl;
    use diesel::pg::{GetPgMetadataCache, PgConnection, PgMetadataCache, TransactionBuilder};

    use super::{RoutedConnection, StatementKind};

    impl RoutedConnection<PgConnection> {
        /// Builds a transaction with options. One that is `read_only` may run on a replica.
        pub fn build_transaction(&mut self) -> TransactionBuilder<'_, Self> {
            TransactionBuilder::new(self)
        }
    }

    /// Types are looked up on the connection that runs the query; this cache is of what Diesel
    /// looks up through the routed connection itself.
    impl GetPgMetadataCache for RoutedConnection<PgConnection> {
        fn get_metadata_cache(&mut self) -> &mut PgMetadataCache {
            &mut self.types
        }
    }

    impl<T, A> ExecuteCopyFromDsl<RoutedConnection<PgConnection>> for diesel::pg::CopyFromQuery<T, A>
    where
        Self: ExecuteCopyFromDsl<PgConnection, Error: From<diesel::result::Error>>,
    {
        type Error = <Self as ExecuteCopyFromDsl<PgConnection>>::Error;

        fn execute(
            self,
            connection: &mut RoutedConnection<PgConnection>,
        ) -> Result<usize, Self::Error> {
            connection.run_once(StatementKind::BulkTransfer, |connection| {
                ExecuteCopyFromDsl::execute(self, connection)
            })
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use diesel::connection::{AnsiTransactionManager, WithMetadataLookup};
    use diesel::sqlite::SqliteConnection;

    use super::RoutedConnection;

    impl WithMetadataLookup for RoutedConnection<SqliteConnection> {
        fn metadata_lookup(&mut self) -> &mut () {
            // It has no size, so that nothing is allocated and nothing leaks.
            Box::leak(Box::new(()))
        }
    }

    impl RoutedConnection<SqliteConnection> {
        /// Runs a closure in a transaction that takes the write lock at once.
        ///
        /// # Errors
        ///
        /// The closure's, or Diesel's if the transaction cannot be begun or ended.
        pub fn immediate_transaction<T, E>(
            &mut self,
            callback: impl FnOnce(&mut Self) -> Result<T, E>,
        ) -> Result<T, E>
        where
            E: From<diesel::result::Error>,
        {
            let begin = |conn: &mut Self| {
                AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")
            };
            self.run_transaction(begin, callback)
        }

        /// Runs a closure in a transaction that lets nobody else read or write.
        ///
        /// # Errors
        ///
        /// The closure's, or Diesel's if the transaction cannot be begun or ended.
        pub fn exclusive_transaction<T, E>(
            &mut self,
            callback: impl FnOnce(&mut Self) -> Result<T, E>,
        ) -> Result<T, E>
        where
            E: From<diesel::result::Error>,
        {
            let begin = |conn: &mut Self| {
                AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN EXCLUSIVE")
            };
            self.run_transaction(begin, callback)
        }
    }
}
