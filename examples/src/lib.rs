//! What the example programs share.

pub mod diesel_shop;
pub mod lagging_files;
#[cfg(feature = "web")]
pub mod notes;
pub mod seaorm_shop;
pub mod tally;
#[cfg(feature = "tenants")]
pub mod tenants;
