//! What the example programs share.

pub mod diesel_shop;
pub mod lagging_files;
pub mod seaorm_shop;
pub mod tally;
