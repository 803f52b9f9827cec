//! What becomes of a request's token, and of its session's.

use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::Settings;
use super::known::Names;
use crate::session::Session;
use crate::session::context::Context;

/// A request that is being served.
pub(super) struct Request {
    pub(super) context: Context,
    session: Session,
    /// Under which keys its client is kept.
    known_as: Names,
}

impl Settings {
    /// The session of a request: it takes over what its client, and whoever else it is known as, has
    /// written.
    pub(super) async fn open(&self, parts: &mut Parts) -> Request {
        let session = self.keys.resume(None);
        for token in self.cookie.find(&parts.headers) {
            self.take_over(&token, &session);
        }
        if let Some(header) = &self.header
            && let Some(Ok(token)) = parts.headers.get(header).map(HeaderValue::to_str)
        {
            self.take_over(token, &session);
        }
        let mut known_as = Names::default();
        if let Some(known) = &self.known {
            known_as = known.names(parts, &self.keys);
            known.load(&known_as, &self.keys, &session).await;
        }
        let context = self.rules.apply(parts, &session);
        parts.extensions.insert(session.clone());
        Request {
            context,
            session,
            known_as,
        }
    }

    fn take_over(&self, token: &str, session: &Session) {
        if let Ok(told) = self.keys.open(token) {
            session.take_over(told);
        }
    }

    /// Tells the client what its session has written, if it has.
    pub(super) async fn close(&self, request: &Request, headers: &mut HeaderMap) {
        let session = &request.session;
        if !session.has_written() {
            return;
        }
        // Who does not wait long enough is told a time.
        let _settled = tokio::time::timeout(self.settle_wait, session.when_settled()).await;
        if let Some(known) = &self.known {
            known.save(&request.known_as, &self.keys, session).await;
        }
        let Some(token) = self.keys.seal(session) else {
            return;
        };
        if let Some(header) = &self.header
            && let Ok(value) = HeaderValue::from_str(&token)
        {
            headers.insert(header, value);
        }
        self.cookie.set(token, &self.keys, headers);
    }
}
