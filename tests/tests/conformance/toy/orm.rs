//! A small ORM, which knows nothing of routing.

use std::path::Path;
use std::time::Duration;

use rusqlite::{OpenFlags, params_from_iter};

pub(super) type Result<T> = rusqlite::Result<T>;

/// A connection to a file.
#[derive(Debug)]
pub(super) struct Connection(rusqlite::Connection);

impl Connection {
    pub(super) fn open(path: &Path, read_only: bool) -> Result<Self> {
        let flags = if read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        };
        let connection = rusqlite::Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        Ok(Self(connection))
    }

    pub(super) fn execute(&self, sql: &str, values: &[String]) -> Result<usize> {
        self.0.execute(sql, params_from_iter(values))
    }

    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        self.0.execute_batch(sql)
    }

    pub(super) fn number(&self, sql: &str) -> Result<i64> {
        self.0.query_row(sql, (), |row| row.get(0))
    }

    pub(super) fn text(&self, sql: &str) -> Result<String> {
        self.0.query_row(sql, (), |row| row.get(0))
    }

    pub(super) fn numbers(&self, sql: &str) -> Result<Vec<i64>> {
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.query_map((), |row| row.get(0))?;
        rows.collect()
    }

    pub(super) fn begin(&self) -> Result<()> {
        self.batch("BEGIN")
    }

    pub(super) fn commit(&self) -> Result<()> {
        self.batch("COMMIT")
    }

    pub(super) fn rollback(&self) -> Result<()> {
        self.batch("ROLLBACK")
    }

    pub(super) fn savepoint(&self, depth: usize) -> Result<()> {
        self.batch(&format!("SAVEPOINT toy_{depth}"))
    }

    pub(super) fn release(&self, depth: usize) -> Result<()> {
        self.batch(&format!("RELEASE toy_{depth}"))
    }

    pub(super) fn rollback_to(&self, depth: usize) -> Result<()> {
        self.batch(&format!("ROLLBACK TO toy_{depth}; RELEASE toy_{depth}"))
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        !self.0.is_autocommit()
    }
}
