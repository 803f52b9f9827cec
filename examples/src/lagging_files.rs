//! One primary and two replicas, as SQLite files, and a copier that lags on purpose.

use std::error::Error;
use std::time::Duration;

use routing_core::{RoutingConfig, RoutingError};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbErr};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Three database files in a directory that is removed at the end.
#[derive(Debug)]
pub struct LaggingFiles {
    directory: TempDir,
    copier: JoinHandle<()>,
}

impl LaggingFiles {
    /// Makes the files with this schema. From then on the replicas are copied from the primary
    /// once per `lag`: that is how far they are behind, at most.
    ///
    /// # Errors
    ///
    /// If a file cannot be made.
    pub async fn create(schema: &str, table: &str, lag: Duration) -> Result<Self, Box<dyn Error>> {
        let directory = TempDir::with_prefix("routing-quickstart-")?;
        let path = |name: &str| directory.path().join(name).with_extension("db");
        let mut copies = Vec::new();
        for name in ["primary", "replica-1", "replica-2"] {
            let url = format!("sqlite://{}?mode=rwc", path(name).display());
            let file = Database::connect(url).await?;
            file.execute_unprepared(schema).await?;
            if name == "primary" {
                file.execute_unprepared("PRAGMA journal_mode = WAL").await?;
                file.close().await?;
            } else {
                let attach = format!("ATTACH '{}' AS source", path("primary").display());
                file.execute_unprepared(&attach).await?;
                copies.push(file);
            }
        }
        let copy = format!(
            "BEGIN; DELETE FROM main.{table}; \
             INSERT INTO main.{table} SELECT * FROM source.{table}; COMMIT"
        );
        let copier = tokio::spawn(async move {
            loop {
                tokio::time::sleep(lag).await;
                for replica in &copies {
                    if let Err(error) = replicate(replica, &copy).await {
                        eprintln!("the copier: {error}");
                    }
                }
            }
        });
        Ok(Self { directory, copier })
    }

    /// The URL of the primary.
    #[must_use]
    pub fn primary(&self) -> String {
        self.url("primary", "rw")
    }

    /// The URLs of the replicas. They are opened read-only, as a hot standby is.
    #[must_use]
    pub fn replicas(&self) -> [String; 2] {
        [self.url("replica-1", "ro"), self.url("replica-2", "ro")]
    }

    /// A configuration of all three.
    ///
    /// # Errors
    ///
    /// None: they are right.
    pub fn config(&self) -> Result<RoutingConfig, RoutingError> {
        let [one, two] = self.replicas();
        let config = RoutingConfig::builder().primary(self.primary());
        config.replica(one).replica(two).build()
    }

    fn url(&self, name: &str, mode: &str) -> String {
        let path = self.directory.path().join(name).with_extension("db");
        format!("sqlite://{}?mode={mode}", path.display())
    }
}

async fn replicate(replica: &DatabaseConnection, copy: &str) -> Result<(), DbErr> {
    let copied = replica.execute_unprepared(copy).await;
    if copied.is_err() {
        // It may be open still; if it is not, there is nothing to roll back.
        let _ = replica.execute_unprepared("ROLLBACK").await;
    }
    copied.map(drop)
}

impl Drop for LaggingFiles {
    fn drop(&mut self) {
        self.copier.abort();
    }
}
