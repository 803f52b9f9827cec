//! Pools over real servers, and types that only PostgreSQL has.

use std::io::Write;
use std::sync::Arc;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgConnection, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql, WriteTuple};
use diesel::sql_types::{Integer, Record, SqlType};
use diesel::sqlite::SqliteConnection;
use diesel_async::AsyncPgConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_migrations::FileBasedMigrations;
use routing_core::Mode;
use routing_diesel::{AsyncRoutedConnection, AsyncRoutedPool, RoutedPool};
use routing_tests::recorder::Recorder;
use routing_tests::schema::server;
use routing_tests::world::{Backend, World};

pub(crate) type AsyncSqliteConnection = SyncConnectionWrapper<SqliteConnection>;

/// A pool, and what it decides.
pub(crate) struct On<P> {
    pub(crate) pool: P,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) world: World,
}

macro_rules! on {
    ($name:ident, $pool:ty, $backend:ident) => {
        pub(crate) async fn $name() -> On<$pool> {
            let world = World::new(Backend::$backend, false).await;
            let config = world.config(|config| config.mode(Mode::Greedy));
            let recorder = Arc::new(Recorder::default());
            let pool = <$pool>::builder(&config).observer(Arc::clone(&recorder) as _);
            On {
                pool: pool.build().expect("a pool"),
                recorder,
                world,
            }
        }
    };
}

on!(postgres, RoutedPool<PgConnection>, Postgres);
on!(sqlite, RoutedPool<SqliteConnection>, Sqlite);
on!(postgres_async, AsyncRoutedPool<AsyncPgConnection>, Postgres);
on!(sqlite_async, AsyncRoutedPool<AsyncSqliteConnection>, Sqlite);

/// The name of the server that answers.
pub(crate) async fn server_of(conn: &mut AsyncRoutedConnection<AsyncPgConnection>) -> String {
    use diesel::QueryDsl;
    use diesel_async::RunQueryDsl;

    let name = server::table.select(server::name).first(conn).await;
    name.expect("a name")
}

/// Runs a test of synchronous Diesel, which needs no runtime but to make its servers.
pub(crate) fn blocking<T>(test: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(test)
}

/// One migration, in files.
pub(crate) fn oven() -> (tempfile::TempDir, FileBasedMigrations) {
    let directory = tempfile::tempdir().expect("a directory");
    let first = directory.path().join("2026-01-01-000000_oven");
    std::fs::create_dir(&first).expect("a directory");
    std::fs::write(first.join("up.sql"), "CREATE TABLE oven (id integer)").expect("a file");
    std::fs::write(first.join("down.sql"), "DROP TABLE oven").expect("a file");
    let migrations = FileBasedMigrations::from_path(directory.path()).expect("migrations");
    (directory, migrations)
}

pub(crate) const TYPES: &str = "
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TYPE spot AS (x integer, mood mood);
    CREATE TABLE guest (
        id serial PRIMARY KEY, mood mood NOT NULL, moods mood[] NOT NULL, spot spot NOT NULL
    );
";

#[derive(Debug, Clone, Copy, SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "mood"))]
#[expect(unnameable_types, reason = "the table's items are public")]
pub struct MoodType;

#[derive(Debug, Clone, Copy, SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "spot"))]
#[expect(unnameable_types, reason = "the table's items are public")]
pub struct SpotType;

#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = MoodType)]
pub(crate) enum Mood {
    Glad,
    Sad,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = SpotType)]
pub(crate) struct Spot {
    pub(crate) x: i32,
    pub(crate) mood: Mood,
}

impl ToSql<MoodType, Pg> for Mood {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(match self {
            Self::Glad => b"glad",
            Self::Sad => b"sad",
        })?;
        Ok(IsNull::No)
    }
}

impl FromSql<MoodType, Pg> for Mood {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            b"glad" => Ok(Self::Glad),
            b"sad" => Ok(Self::Sad),
            other => Err(format!("{other:?} is no mood").into()),
        }
    }
}

impl ToSql<SpotType, Pg> for Spot {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        WriteTuple::<(Integer, MoodType)>::write_tuple(&(self.x, self.mood), &mut out.reborrow())
    }
}

impl FromSql<SpotType, Pg> for Spot {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let (x, mood) = FromSql::<Record<(Integer, MoodType)>, Pg>::from_sql(value)?;
        Ok(Self { x, mood })
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::{MoodType, SpotType};

    guest (id) {
        id -> Integer,
        mood -> MoodType,
        moods -> Array<MoodType>,
        spot -> SpotType,
    }
}
