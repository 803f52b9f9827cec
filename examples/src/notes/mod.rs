//! A page of notes: a form, a redirect, a list. The reader must find what he has just written.

mod diesel;
mod page;
mod seaorm;

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::Markup;
use routing_core::web::{PinParameter, SessionLayer};
use routing_core::{Decision, Observer, Role, RoutingConfig, TokenKeys};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::lagging_files::LaggingFiles;

pub use diesel::{DieselNotes, Failed as DieselFailed};
pub use seaorm::SeaOrmNotes;

/// How far the files behind are, if no server is named.
const LAG: Duration = Duration::from_millis(500);

/// Where notes are kept.
pub trait Notes: Clone + Send + Sync + 'static {
    /// What goes wrong.
    type Error: Display;

    /// The newest notes.
    fn newest(&self) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// Keeps another.
    fn keep(&self, text: String) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Where the reads went.
#[derive(Debug, Default)]
pub struct Share {
    primary: AtomicU64,
    replicas: AtomicU64,
}

impl Observer for Share {
    fn decided(&self, decision: &Decision<'_>) {
        if decision.access() == routing_core::Access::Read {
            let counter = match decision.role {
                Role::Primary => &self.primary,
                Role::Replica => &self.replicas,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The site.
#[must_use = "it is to be served"]
pub fn site<N: Notes>(notes: N, share: Arc<Share>, keys: TokenKeys) -> axum::Router {
    let layer = SessionLayer::new(keys)
        .pin_parameter(PinParameter::popped("fresh"))
        .secure(false);
    axum::Router::new()
        .route("/", get(list::<N>).post(create::<N>))
        .layer(layer)
        .with_state((notes, share))
}

type Shared<N> = State<(N, Arc<Share>)>;

async fn list<N: Notes>(State((notes, share)): Shared<N>) -> Result<Markup, Failed> {
    let newest = notes.newest().await.map_err(failed)?;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(page::page(
        &newest,
        count(&share.primary),
        count(&share.replicas),
    ))
}

#[derive(Deserialize)]
struct New {
    text: String,
}

async fn create<N: Notes>(
    State((notes, _)): Shared<N>,
    Form(new): Form<New>,
) -> Result<Redirect, Failed> {
    notes.keep(new.text).await.map_err(failed)?;
    Ok(Redirect::to("/"))
}

struct Failed(String);

fn failed(error: impl Display) -> Failed {
    Failed(error.to_string())
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0).into_response()
    }
}

/// Serves a site on `LISTEN` (127.0.0.1:3000), over `DATABASE_URL` and `DATABASE_REPLICA_URLS` or,
/// if they are not set, over files.
///
/// # Errors
///
/// If a server is not there, or the address is taken.
pub async fn serve<N, F>(
    open: impl FnOnce(RoutingConfig, Arc<Share>) -> F,
) -> Result<(), Box<dyn Error>>
where
    N: Notes,
    F: Future<Output = Result<N, Box<dyn Error>>>,
{
    // Kept until the end: it removes the files.
    let (config, _files) = if std::env::var_os("DATABASE_URL").is_some() {
        (RoutingConfig::from_env()?, None)
    } else {
        let schema = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
        let files = LaggingFiles::create(schema, "note", LAG).await?;
        (files.config()?, Some(files))
    };
    let secret = match std::env::var("ROUTING_SECRET") {
        Ok(secret) => secret.into_bytes(),
        // Of this process: another server would not take its tokens.
        Err(_) => rand::random::<[u8; 32]>().to_vec(),
    };
    let share = Arc::new(Share::default());
    let notes = open(config, Arc::clone(&share)).await?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    let site = site(notes, share, TokenKeys::new(secret)?);
    axum::serve(listener, site).await?;
    Ok(())
}
