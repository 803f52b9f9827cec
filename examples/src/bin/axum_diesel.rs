//! A page of notes over diesel-async: `cargo run -p routing-examples --features web --bin axum_diesel`.

use std::error::Error;

use routing_examples::notes::{DieselNotes, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(DieselNotes::open).await
}
