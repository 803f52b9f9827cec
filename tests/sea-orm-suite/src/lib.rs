//! SeaORM, with routed connections in place of its own.

pub use real::*;

#[cfg(not(feature = "bare"))]
mod routed;

#[cfg(not(feature = "bare"))]
pub use routed::{Database, DatabaseConnection, DatabaseTransaction, DbConn};

#[cfg(not(feature = "bare"))]
pub mod entity {
    pub use real::entity::*;

    pub mod prelude {
        pub use crate::{DatabaseConnection, DbConn};
        pub use real::entity::prelude::*;
    }
}

#[cfg(not(feature = "bare"))]
pub use entity::prelude;
