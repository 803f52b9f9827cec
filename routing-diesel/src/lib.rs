//! Diesel and diesel-async connections that route by themselves.
//!
//! This crate is a placeholder: it has no public item yet. The rule it will carry out, and the
//! sessions and errors it will share with the SeaORM adapter, are in `routing-core`.
