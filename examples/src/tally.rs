//! What both shops have in common: the table, and what is counted.

use std::sync::atomic::{AtomicU32, Ordering};

/// The shop's table.
pub const SCHEMA: &str = "CREATE TABLE orders (
    id integer PRIMARY KEY AUTOINCREMENT, customer text NOT NULL, status text NOT NULL
)";

/// What was seen, all customers together.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Reads that were asked.
    pub reads: AtomicU32,
    /// Reads that missed what the same customer had written before.
    pub stale_reads: AtomicU32,
    /// Writes that a replica was asked to do, and refused.
    pub writes_on_replicas: AtomicU32,
}

impl Tally {
    /// Counts a read.
    pub fn read(&self, fresh: bool) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.stale_reads
            .fetch_add(u32::from(!fresh), Ordering::Relaxed);
    }
}
