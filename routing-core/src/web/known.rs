//! What is kept of a client in a store.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::request::Parts;

use crate::session::Session;
use crate::session::hand_over::HandOver;
use crate::session::store::{PinStore, StoreError};
use crate::session::token::TokenKeys;

/// Whom a request is of.
pub(super) type Identities = dyn Fn(&Parts) -> Vec<String> + Send + Sync;

/// Under which keys a client is kept.
#[derive(Default)]
pub(super) struct Names {
    /// By the keys that seal.
    current: Vec<String>,
    /// By those that did so before.
    old: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Known {
    store: Arc<dyn PinStore>,
    identities: Arc<Identities>,
    pub(super) wait: Duration,
    failed: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

/// How a store has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoreCounts {
    /// How often it was asked or told something.
    pub asked: u64,
    /// How often it failed, or took too long.
    pub failed: u64,
}

impl Known {
    pub(super) fn new(
        store: Arc<dyn PinStore>,
        identities: Arc<Identities>,
        wait: Duration,
    ) -> Self {
        Self {
            store,
            identities,
            wait,
            failed: Arc::default(),
            asked: Arc::default(),
        }
    }

    pub(super) fn counts(&self) -> StoreCounts {
        StoreCounts {
            asked: self.asked.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// Under which keys a request's client is kept.
    pub(super) fn names(&self, parts: &Parts, keys: &TokenKeys) -> Names {
        let mut names = Names::default();
        for identity in (self.identities)(parts) {
            let mut hashes = keys.hashes(&identity);
            names.current.extend(hashes.next());
            names.old.extend(hashes);
        }
        names
    }

    /// Has the session take over what is kept; what cannot be known keeps it on the primary.
    pub(super) async fn load(&self, names: &Names, keys: &TokenKeys, session: &Session) {
        let at: Vec<_> = names.current.iter().chain(&names.old).cloned().collect();
        if at.is_empty() {
            return;
        }
        let Some(tokens) = self.within(self.store.load(&at)).await else {
            session.carry_pin_everywhere();
            return;
        };
        let mut useless = Vec::new();
        for (key, token) in at.iter().zip(tokens) {
            let Some(token) = token else { continue };
            match keys.open(&token) {
                Ok(told) => session.take_over(told),
                Err(_) => useless.push((key, token)),
            }
        }
        if !useless.is_empty() {
            let deleting = async {
                for (key, token) in &useless {
                    self.store.delete(key, token).await?;
                }
                Ok(())
            };
            let _deleted = self.within(deleting).await;
        }
    }

    /// Keeps what the session tells, with what is kept already.
    pub(super) async fn save(&self, names: &Names, keys: &TokenKeys, session: &Session) {
        let told = session.hand_over();
        let merge = |kept: Option<&str>| {
            // What cannot be opened is expired, or nobody's: there is nothing in it to keep.
            let kept = kept
                .and_then(|kept| keys.open(kept).ok())
                .unwrap_or_default();
            keys.seal_all(&HandOver::merge(kept, told.clone()))
        };
        let saving = async {
            for key in &names.current {
                self.store.update(key, &merge, keys.get_max_age()).await?;
            }
            Ok(())
        };
        // Who cannot be told has a cookie, if it is a browser; the failure is counted.
        let _saved = self.within(saving).await;
    }

    async fn within<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Option<T> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let error = match tokio::time::timeout(self.wait, asking).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(target: "routing", error, "the pin store did not answer");
        None
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("wait", &self.wait)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
