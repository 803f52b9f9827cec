//! A third adapter, as the test of the engine: a toy ORM over rusqlite, routed by the engine alone.

mod error;
mod orm;
mod routed;
mod steps;

pub(crate) use steps::Toy;
