//! Role-based access control, which SeaORM has for its own connection type: all of it is on the
//! primary.

use sea_orm::rbac::{RbacEngine, RbacUserId};
use sea_orm::{DbErr, RestrictedConnection};

use crate::handle::RoutedConnection;

impl RoutedConnection {
    /// Loads the rules from the primary, and replaces those that were loaded before.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn load_rbac(&self) -> Result<(), DbErr> {
        self.primary().load_rbac().await
    }

    /// Loads the rules from another database's primary.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn load_rbac_from(&self, db: &Self) -> Result<(), DbErr> {
        self.primary().load_rbac_from(db.primary()).await
    }

    /// Replaces the rules.
    pub fn replace_rbac(&self, engine: RbacEngine) {
        self.primary().replace_rbac(engine);
    }

    /// A connection with the rights of one user, which reads and writes on the primary.
    ///
    /// The router does not see what is written there: **the session reads from the primary from now on**.
    ///
    /// # Errors
    ///
    /// [`DbErr::RbacError`] if no rules are loaded.
    pub fn restricted_for(&self, user_id: RbacUserId) -> Result<RestrictedConnection, DbErr> {
        let restricted = self.primary().restricted_for(user_id)?;
        self.handle.set.record_untracked_write(&self.handle.context);
        Ok(restricted)
    }
}
