//! Keeping tokens on the server, by who somebody is.
//!
//! A cookie follows a browser. A user with two devices, or a client that keeps no cookies, is known
//! by an identity instead, and what it wrote last is kept under that, where every server of the
//! application finds it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;

/// A future of a store's.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Makes what is to be kept from what is kept already.
pub type Merge<'a> = &'a (dyn Fn(Option<&str>) -> String + Send + Sync);

/// Keeps a text for each key, for a time.
///
/// The keys are hashes of identities, and the texts are sealed: a store learns nothing.
pub trait PinStore: Send + Sync + 'static {
    /// The texts that are kept under these keys, one for each, in one round trip.
    fn load<'a>(&'a self, keys: &'a [String]) -> StoreFuture<'a, Vec<Option<String>>>;

    /// Replaces the text under a key by what `merge` makes of it, so that of two that do so at once
    /// none is lost. It is kept for `lasts`.
    fn update<'a>(&'a self, key: &'a str, merge: Merge<'a>, lasts: Duration)
    -> StoreFuture<'a, ()>;

    /// Deletes the text under a key if it is still this one.
    fn delete<'a>(&'a self, key: &'a str, text: &'a str) -> StoreFuture<'a, ()>;
}

/// A store could not be asked.
#[derive(Debug, Error)]
#[error("the pin store failed: {0}")]
pub struct StoreError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// What was wrong.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for dyn PinStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinStore")
    }
}
