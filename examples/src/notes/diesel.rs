//! The notes over diesel-async.

use std::error::Error;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use routing_diesel::{AsyncRoutedPool, RoutingConfig, RoutingError};

use super::{Notes, Share};

diesel::table! {
    note (id) {
        id -> Integer,
        text -> Text,
    }
}

/// Notes over diesel-async: the queries know nothing of replicas.
///
/// Diesel's types know their database, so there is one for each.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "it runs on these")]
pub enum DieselNotes {
    /// In files.
    Sqlite(AsyncRoutedPool<SyncConnectionWrapper<SqliteConnection>>),
    /// On PostgreSQL.
    Postgres(AsyncRoutedPool<AsyncPgConnection>),
}

impl DieselNotes {
    /// Opens them, and makes the table if it is not there.
    ///
    /// # Errors
    ///
    /// If the primary is not there.
    pub async fn open(config: RoutingConfig, share: Arc<Share>) -> Result<Self, Box<dyn Error>> {
        let is_file = config.sets()[0].primary().url().starts_with("sqlite");
        if is_file {
            let pool = AsyncRoutedPool::builder(&config).observer(share).build()?;
            return Ok(Self::Sqlite(pool));
        }
        let pool: AsyncRoutedPool<AsyncPgConnection> =
            AsyncRoutedPool::builder(&config).observer(share).build()?;
        let schema = "CREATE TABLE IF NOT EXISTS note (id serial PRIMARY KEY, text text NOT NULL)";
        let mut connection = pool.get().await?;
        connection.primary().await?.batch_execute(schema).await?;
        Ok(Self::Postgres(pool))
    }
}

/// The same queries on a connection to either database.
macro_rules! on {
    ($self:ident, $pool:ident => $queries:expr) => {
        match $self {
            DieselNotes::Sqlite($pool) => $queries,
            DieselNotes::Postgres($pool) => $queries,
        }
    };
}

/// What goes wrong: there is no connection, or the database says so.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failed {
    /// There is no connection.
    Routing(RoutingError),
    /// The database says so.
    Query(diesel::result::Error),
}

impl From<RoutingError> for Failed {
    fn from(error: RoutingError) -> Self {
        Self::Routing(error)
    }
}

impl From<diesel::result::Error> for Failed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Routing(error) => error.fmt(f),
            Self::Query(error) => error.fmt(f),
        }
    }
}

impl Notes for DieselNotes {
    type Error = Failed;

    async fn newest(&self) -> Result<Vec<String>, Failed> {
        let newest = note::table
            .select(note::text)
            .order(note::id.desc())
            .limit(20);
        on!(self, pool => Ok(newest.load(&mut pool.get().await?).await?))
    }

    async fn keep(&self, text: String) -> Result<(), Failed> {
        on!(self, pool => {
            let new = diesel::insert_into(note::table).values(note::text.eq(text));
            new.execute(&mut pool.get().await?).await?;
            Ok(())
        })
    }
}
