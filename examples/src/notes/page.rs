//! The page.

use maud::{DOCTYPE, Markup, html};

/// What is put into it is escaped.
pub(super) fn page(notes: &[String], on_primary: u64, on_replicas: u64) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Notes" }
            }
            body {
                h1 { "Notes" }
                form method="post" {
                    input name="text" required autofocus placeholder="A note";
                    button { "Keep" }
                }
                ul { @for note in notes { li { (note) } } }
                p {
                    (on_replicas) " reads on replicas, " (on_primary) " on the primary. "
                    a href="/?fresh=1" { "Read from the primary" }
                }
            }
        }
    }
}
