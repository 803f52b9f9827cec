//! A job that reads what was written just before it was enqueued:
//! `cargo run -p routing-examples --features web --bin worker`.
//!
//! The replicas are files that are copied twice a second, so a job that reads from any of them finds
//! nothing. The token in its payload is what makes the difference.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use routing_core::{Consistency, Session, TokenKeys};
use routing_examples::lagging_files::LaggingFiles;
use routing_examples::notes::{Notes, SeaOrmNotes, Share};
use tokio::sync::mpsc;

/// What is in the queue.
struct Job {
    note: String,
    token: Option<String>,
    consistency: Consistency,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let schema = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
    let files = LaggingFiles::create(schema, "note", Duration::from_millis(500)).await?;
    let notes = SeaOrmNotes::open(files.config()?, Arc::new(Share::default())).await?;
    let keys = TokenKeys::new(rand::random::<[u8; 32]>())?;
    let (queue, mut jobs) = mpsc::channel(8);

    let worker = tokio::spawn({
        let (notes, keys) = (notes.clone(), keys.clone());
        async move {
            while let Some(Job {
                note,
                token,
                consistency,
            }) = jobs.recv().await
            {
                let session = consistency.session(&keys, token.as_deref());
                let found = session.run(async {
                    notes.catch_up(consistency.patience()).await;
                    notes.newest().await
                });
                let found = found.await.is_ok_and(|notes| notes.contains(&note));
                println!("{consistency:?}, with its token: found its note: {found}");
            }
        }
    });

    for (i, consistency) in [
        Consistency::Always,
        Consistency::Sticky,
        Consistency::Delayed,
    ]
    .into_iter()
    .enumerate()
    {
        // A request that writes a note and enqueues a job.
        let session = Session::new();
        session.expect_hand_over();
        let note = format!("note {i}");
        session.run(notes.keep(note.clone())).await?;
        // What a job finds that knows nothing of this.
        let stranger = Session::new().run(notes.newest()).await?;
        println!(
            "A job of a session of its own: found its note: {}",
            stranger.contains(&note)
        );
        session.when_settled().await;
        let token = keys.seal(&session);
        queue
            .send(Job {
                note,
                token,
                consistency,
            })
            .await?;
    }
    drop(queue);
    worker.await?;
    Ok(())
}
