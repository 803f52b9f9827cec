//! Row-level security for each request, on replicas.
//!
//! The policy looks at a setting of the transaction. Each request sets it in a transaction of its own: one that is
//! declared read-only may run on a replica, and what it has set ends with it, so that the pool hands nothing of one
//! tenant's to the next.

mod schema;
pub mod with_diesel;
pub mod with_diesel_async;
pub mod with_seaorm;

/// A table whose rows are its tenant's alone. Superusers and the table's owner are above policies: the
/// application connects as neither.
pub const SCHEMA: &str = "
    CREATE TABLE memo (id serial PRIMARY KEY, tenant text NOT NULL, text text NOT NULL);
    ALTER TABLE memo ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON memo USING (tenant = current_setting('app.tenant', true));
";
