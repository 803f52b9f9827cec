//! What the example programs share.

pub mod lagging_files;
pub mod shop;
