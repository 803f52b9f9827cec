//! A pool of connections, which the router closes when it has opened and superseded it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use routing_core::Role;
use routing_core::adapter::spawn;
use sea_orm::DatabaseConnection;

/// A pool of the router's, or of the application's.
#[derive(Debug)]
pub(crate) struct Opened {
    connection: DatabaseConnection,
    /// The node's role when the pool was opened.
    pub(crate) role: Role,
    is_superseded: AtomicBool,
}

impl Opened {
    pub(crate) const fn new(connection: DatabaseConnection, role: Role) -> Self {
        Self {
            connection,
            role,
            is_superseded: AtomicBool::new(false),
        }
    }

    /// Closes the pool when its last statement has ended.
    pub(crate) fn supersede(&self) {
        self.is_superseded.store(true, Ordering::Release);
    }
}

/// A pool that was not superseded goes on for the application's clones of it.
impl Drop for Opened {
    fn drop(&mut self) {
        if !self.is_superseded.load(Ordering::Acquire) {
            return;
        }
        let pool = self.connection.clone();
        // Without a runtime, its connections end with the last clone of the pool.
        let _ = spawn(async move {
            if let Err(error) = pool.close().await {
                tracing::debug!(target: "routing", %error, "closing a superseded pool");
            }
        });
    }
}

impl Deref for Opened {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.connection
    }
}
