//! Parts of adapters that run on Tokio.

pub(super) mod background;
pub(super) mod dedicated;
pub(super) mod dial;
pub(super) mod home;
