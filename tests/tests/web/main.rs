//! Across requests: tokens, the layer for axum, the store on Redis, and jobs.

mod jobs;
mod layer;
mod notes;
mod store;
mod tenants;
mod tokens;
