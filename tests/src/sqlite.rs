//! A primary file and two replica files, which are copied over on demand.
//!
//! Replicas of a configuration are opened read-only, so that the file refuses what a hot standby
//! would refuse.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection, Row};
use tempfile::TempDir;

/// Three files in a directory of their own.
#[derive(Debug)]
pub struct Files {
    directory: TempDir,
    paused: [AtomicBool; 2],
}

const NAMES: [&str; 3] = ["primary", "replica-1", "replica-2"];

impl Files {
    /// Makes three empty databases, each of which says its name.
    pub async fn create() -> Self {
        let files = Self {
            directory: TempDir::with_prefix("routing-sqlite-").expect("a temporary directory"),
            paused: Default::default(),
        };
        for name in NAMES {
            let mut file = files.open(name).await;
            sqlx::query("CREATE TABLE server (id integer PRIMARY KEY, name text NOT NULL)")
                .execute(&mut file)
                .await
                .expect("a table");
            sqlx::query("INSERT INTO server VALUES (1, ?)")
                .bind(name)
                .execute(&mut file)
                .await
                .expect("a name");
            file.close().await.expect("the file is closed");
        }
        files
    }

    /// Where the primary or a replica is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name).with_extension("db")
    }

    /// The URL of the primary.
    #[must_use]
    pub fn primary_url(&self) -> String {
        format!("sqlite://{}?mode=rw", self.path(NAMES[0]).display())
    }

    /// The URL of a replica, from 0.
    #[must_use]
    pub fn replica_url(&self, index: usize) -> String {
        // Writable, by its URL: that nothing is written to it is the adapter's doing.
        format!("sqlite://{}?mode=rw", self.path(NAMES[index + 1]).display())
    }

    /// Stops copying to a replica.
    pub fn pause(&self, index: usize) {
        self.paused[index].store(true, Ordering::Relaxed);
    }

    /// Copies again.
    pub fn resume(&self, index: usize) {
        self.paused[index].store(false, Ordering::Relaxed);
    }

    /// Copies everything to the replicas that are not paused.
    pub async fn catch_up(&self) {
        for (index, paused) in self.paused.iter().enumerate() {
            if !paused.load(Ordering::Relaxed) {
                self.copy(NAMES[index + 1]).await.expect("a copy");
            }
        }
    }

    async fn copy(&self, replica: &str) -> Result<(), sqlx::Error> {
        let mut file = self.open(replica).await;
        sqlx::query("ATTACH ? AS source")
            .bind(self.path(NAMES[0]).display().to_string())
            .execute(&mut file)
            .await?;
        let mut copy = file.begin().await?;
        let old = "SELECT name, '' FROM main.sqlite_master WHERE type = 'table'";
        for (table, _) in tables(&mut copy, old).await? {
            execute(&mut copy, &format!("DROP TABLE main.\"{table}\"")).await?;
        }
        let new = "SELECT name, sql FROM source.sqlite_master WHERE type = 'table'";
        for (table, definition) in tables(&mut copy, new).await? {
            execute(&mut copy, &definition).await?;
            let rows = format!("INSERT INTO main.\"{table}\" SELECT * FROM source.\"{table}\"");
            execute(&mut copy, &rows).await?;
        }
        copy.commit().await?;
        file.close().await
    }

    async fn open(&self, name: &str) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.path(name))
            .create_if_missing(true)
            .foreign_keys(false)
            .connect()
            .await
            .expect("the file opens")
    }
}

/// The tables that are copied: not the name, nor SQLite's own.
async fn tables(
    file: &mut SqliteConnection,
    sql: &'static str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query(sql).fetch_all(file).await?;
    Ok(rows
        .iter()
        .map(|row| (row.get::<String, _>(0), row.get::<String, _>(1)))
        .filter(|(table, _)| table != "server" && !table.starts_with("sqlite_"))
        .collect())
}

async fn execute(file: &mut SqliteConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(file).await?;
    Ok(())
}
