//! A page of notes over SeaORM: `cargo run -p routing-examples --features web --bin axum_seaorm`.

use std::error::Error;

use routing_examples::notes::{SeaOrmNotes, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(SeaOrmNotes::open).await
}
