//! A session for each HTTP request, which knows what the client has written before.
//!
//! The obvious middleware sends unsafe methods to the primary, and for some seconds after them the
//! whole client. A `GET` that writes breaks it, and it forgets the one response that matters most:
//! the redirect after a form. Here a write is known when it happens, whatever the method; the token
//! is set on every status, and only by who has written; and the body of a response, however long it
//! streams, runs in the request's session.

mod cookie;
mod known;
mod request;
mod rules;
mod service;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;

pub use known::StoreCounts;
pub use rules::{InvalidPattern, PinParameter, RouteRule};
pub use service::SessionService;

use crate::session::store::PinStore;
use crate::session::token::TokenKeys;
use cookie::CookieSettings;
pub use cookie::SameSite;
use known::Known;
use rules::Rules;

/// A [`tower_layer::Layer`] that runs each request in a session of its own.
///
/// The session is in the request's extensions too.
///
/// ```
/// # use routing_core::{TokenKeys, web::{RouteRule, SessionLayer}};
/// let keys = TokenKeys::new("a secret of at least 32 bytes, from your vault")?;
/// let layer = SessionLayer::new(keys)
///     .route("/admin/**", RouteRule::Pin)?
///     .secure(false); // over plain HTTP, while developing
/// // axum::Router::new().route(…).layer(layer)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SessionLayer(Arc<Settings>);

#[derive(Debug, Clone)]
struct Settings {
    keys: TokenKeys,
    cookie: CookieSettings,
    rules: Rules,
    header: Option<HeaderName>,
    known: Option<Known>,
    store_wait: Duration,
    settle_wait: Duration,
}

impl SessionLayer {
    /// Tokens of these keys, in a cookie called `routing`.
    #[must_use]
    pub fn new(keys: TokenKeys) -> Self {
        Self(Arc::new(Settings {
            keys,
            cookie: CookieSettings::default(),
            rules: Rules::default(),
            header: None,
            known: None,
            store_wait: Duration::from_millis(100),
            settle_wait: Duration::from_millis(50),
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The cookie's name; **`routing`**.
    #[must_use]
    pub fn cookie_name(self, name: impl Into<String>) -> Self {
        self.with(|settings| settings.cookie.name = name.into())
    }

    /// The cookie's domain; **none**, which is the host alone.
    #[must_use]
    pub fn cookie_domain(self, domain: impl Into<String>) -> Self {
        self.with(|settings| settings.cookie.domain = Some(domain.into()))
    }

    /// Whether the cookie is sent over HTTPS only; **`true`**. Browsers make an exception of
    /// `localhost`; other clients do not.
    #[must_use]
    pub fn secure(self, secure: bool) -> Self {
        self.with(|settings| settings.cookie.secure = secure)
    }

    /// Which requests from other sites carry the cookie; **`Lax`**.
    #[must_use]
    pub fn same_site(self, same_site: SameSite) -> Self {
        self.with(|settings| settings.cookie.same_site = same_site)
    }

    /// Also takes a token from this header, and answers with it, for clients that keep no cookies.
    /// **None**. A token is authenticated wherever it comes from.
    #[must_use]
    pub fn trusted_header(self, header: HeaderName) -> Self {
        self.with(|settings| settings.header = Some(header))
    }

    /// Pins the session of `POST`, `PUT`, `PATCH`, `DELETE` and all other unsafe methods from the
    /// start; **`false`**. A write pins by itself, in greedy mode; in strict mode this is a way to
    /// declare it, and `GET` handlers that write are found.
    #[must_use]
    pub fn pin_unsafe_methods(self, pin: bool) -> Self {
        self.with(|settings| settings.rules.pin_unsafe_methods = pin)
    }

    /// Pins the session of a request whose query has this parameter; **none**.
    #[must_use]
    pub fn pin_parameter(self, parameter: PinParameter) -> Self {
        self.with(|settings| settings.rules.parameters.push(parameter))
    }

    /// What holds for paths that match a pattern, such as `/reports/*` or `/users/{id}/**`: the
    /// first that matches counts. It is compared with the path, and with the
    /// [matched path](Self::matched_path).
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`] if it is no glob.
    pub fn route(self, pattern: &str, rule: RouteRule) -> Result<Self, InvalidPattern> {
        let pattern = rules::Pattern::new(pattern)?;
        Ok(self.with(|settings| settings.rules.routes.push((pattern, rule))))
    }

    /// How the path that a framework has matched is found, such as `/users/{id}`. In axum:
    /// `|parts| Some(parts.extensions.get::<MatchedPath>()?.as_str())`; the layer is
    /// given to the router for that (`Router::layer` or `route_layer`), and not put around it.
    #[must_use]
    pub fn matched_path(self, find: fn(&Parts) -> Option<&str>) -> Self {
        self.with(|settings| settings.rules.matched_path = find)
    }

    /// Also keeps tokens in a store, under identities that a request has, such as its user's and its
    /// tenant's; none is fine. A store that does not answer within [`store_wait`](Self::store_wait)
    /// costs the request the replicas, and nothing else.
    #[must_use]
    pub fn store(
        self,
        store: impl PinStore,
        identities: impl Fn(&Parts) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        let wait = self.0.store_wait;
        let known = Known::new(Arc::new(store), Arc::new(identities), wait);
        self.with(|settings| settings.known = Some(known))
    }

    /// How long the store has to answer; **100 ms**.
    #[must_use]
    pub fn store_wait(self, wait: Duration) -> Self {
        self.with(|settings| {
            settings.store_wait = wait;
            if let Some(known) = &mut settings.known {
                known.wait = wait;
            }
        })
    }

    /// How long a response waits for the positions of what was written; **50 ms**. What is not known
    /// by then is told as a time.
    #[must_use]
    pub fn settle_wait(self, wait: Duration) -> Self {
        self.with(|settings| settings.settle_wait = wait)
    }

    /// How the store has done.
    #[must_use]
    pub fn store_counts(&self) -> StoreCounts {
        let known = self.0.known.as_ref();
        known.map_or_else(StoreCounts::default, Known::counts)
    }
}

impl<S> tower_layer::Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::store::{Merge, StoreFuture};

    #[derive(Debug)]
    struct Nothing;

    impl PinStore for Nothing {
        fn load<'a>(&'a self, keys: &'a [String]) -> StoreFuture<'a, Vec<Option<String>>> {
            Box::pin(async { Ok(vec![None; keys.len()]) })
        }

        fn update<'a>(&'a self, _: &'a str, _: Merge<'a>, _: Duration) -> StoreFuture<'a, ()> {
            Box::pin(async { Ok(()) })
        }

        fn delete<'a>(&'a self, _: &'a str, _: &'a str) -> StoreFuture<'a, ()> {
            Box::pin(async { Ok(()) })
        }
    }

    #[test]
    fn settings_count_in_any_order() {
        let keys = TokenKeys::new([7; 32]).expect("a secret");
        let wait = Duration::from_secs(9);
        let before = SessionLayer::new(keys.clone())
            .store_wait(wait)
            .store(Nothing, |_| vec![]);
        let after = SessionLayer::new(keys)
            .store(Nothing, |_| vec![])
            .store_wait(wait);
        for layer in [before, after] {
            let known = layer.0.known.as_ref().expect("a store");
            assert_eq!(known.wait, wait);
        }
    }
}
