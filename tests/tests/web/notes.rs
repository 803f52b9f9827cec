//! The example servers, over HTTP, with a client that keeps cookies.

use std::sync::Arc;

use routing_core::{RoutingConfig, TokenKeys};
use routing_examples::lagging_files::LaggingFiles;
use routing_examples::notes::{DieselNotes, Notes, SeaOrmNotes, Share, site};
use routing_tests::runtime::run;
use routing_tests::world::{Backend, World};

use crate::layer::{browser, listen};

/// Longer than any test: the copies never see anything.
const LAG: std::time::Duration = std::time::Duration::from_secs(3_600);

fn keys() -> TokenKeys {
    TokenKeys::new("a secret that is long enough for this").expect("a secret")
}

/// Who has written finds it after the redirect, although no replica has it; a stranger does not.
async fn a_note_is_there_after_the_redirect<N: Notes>(notes: N, share: Arc<Share>) {
    let at = listen(site(notes, share, keys())).await;
    let (writer, stranger) = (browser(), browser());
    for n in 1..=5 {
        let text = format!("note {n} <b>");
        let form = [("text", text.as_str())];
        let page = writer
            .post(&at)
            .form(&form)
            .send()
            .await
            .expect("an answer");
        assert_eq!((page.status().as_u16(), page.url().path()), (200, "/"));
        let page = page.text().await.expect("a page");
        assert!(page.contains(&format!("note {n} &lt;b&gt;")), "{page}");
        let again = writer.get(&at).send().await.expect("an answer");
        assert!(
            again
                .text()
                .await
                .expect("a page")
                .contains(&format!("note {n} "))
        );
        let page = stranger.get(&at).send().await.expect("an answer");
        assert!(!page.text().await.expect("a page").contains("&lt;b&gt;"));
    }
    // Who asks for the primary gets it.
    let fresh = format!("{at}?fresh=1");
    let page = stranger.get(fresh).send().await.expect("an answer");
    assert!(page.text().await.expect("a page").contains("note 5 "));
}

async fn files() -> (RoutingConfig, LaggingFiles) {
    let schema = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
    let files = LaggingFiles::create(schema, "note", LAG)
        .await
        .expect("files");
    (files.config().expect("a configuration"), files)
}

#[test]
fn over_seaorm_on_files() {
    run(async {
        let (config, _files) = files().await;
        let share = Arc::new(Share::default());
        let notes = SeaOrmNotes::open(config, Arc::clone(&share))
            .await
            .expect("notes");
        a_note_is_there_after_the_redirect(notes, share).await;
    });
}

#[test]
fn over_diesel_on_files() {
    run(async {
        let (config, _files) = files().await;
        let share = Arc::new(Share::default());
        let notes = DieselNotes::open(config, Arc::clone(&share))
            .await
            .expect("notes");
        a_note_is_there_after_the_redirect(notes, share).await;
    });
}

#[test]
fn over_seaorm_on_postgres() {
    run(async {
        let world = World::new(Backend::Postgres, true).await;
        let share = Arc::new(Share::default());
        let config = world.config(|config| config);
        let notes = SeaOrmNotes::open(config, Arc::clone(&share))
            .await
            .expect("notes");
        world.catch_up().await;
        world.pause().await;
        a_note_is_there_after_the_redirect(notes, share).await;
        world.resume().await;
    });
}

#[test]
fn over_diesel_on_postgres() {
    run(async {
        let world = World::new(Backend::Postgres, true).await;
        let share = Arc::new(Share::default());
        let config = world.config(|config| config);
        let notes = DieselNotes::open(config, Arc::clone(&share))
            .await
            .expect("notes");
        world.catch_up().await;
        world.pause().await;
        a_note_is_there_after_the_redirect(notes, share).await;
        world.resume().await;
    });
}
