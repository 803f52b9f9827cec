//! What holds for a request before its handler runs.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use http::Uri;
use http::request::Parts;
use thiserror::Error;

use crate::session::Session;
use crate::session::context::Context;
use crate::session::scope::Scope;

/// What holds for the requests of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteRule {
    /// Their sessions are pinned, on all sets: they read from the primary, and may write in strict
    /// mode.
    Pin,
    /// They run in this scope.
    Scope(Scope),
}

/// A query parameter that pins the session of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinParameter {
    name: String,
    popped: bool,
}

/// A pattern that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{pattern}` is no pattern of paths: {message}")]
#[non_exhaustive]
pub struct InvalidPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub message: String,
}

impl PinParameter {
    /// A parameter of this name, whatever its value, that the handler sees too.
    #[must_use]
    pub fn kept(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            popped: false,
        }
    }

    /// One that is taken off before the handler sees the query.
    #[must_use]
    pub fn popped(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            popped: true,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    glob: GlobMatcher,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, InvalidPattern> {
        // Frameworks write `{id}` for one segment, where a glob has a choice.
        let escaped = pattern.replace('{', "\\{").replace('}', "\\}");
        let glob = GlobBuilder::new(&escaped)
            .literal_separator(true)
            .backslash_escape(true)
            .build();
        match glob {
            Ok(glob) => Ok(Self {
                text: pattern.to_owned(),
                glob: glob.compile_matcher(),
            }),
            Err(error) => Err(InvalidPattern {
                pattern: pattern.to_owned(),
                message: error.kind().to_string(),
            }),
        }
    }

    fn is(&self, path: &str) -> bool {
        path == self.text || self.glob.is_match(path)
    }
}

#[derive(Clone)]
pub(super) struct Rules {
    pub(super) pin_unsafe_methods: bool,
    pub(super) parameters: Vec<PinParameter>,
    pub(super) routes: Vec<(Pattern, RouteRule)>,
    pub(super) matched_path: fn(&Parts) -> Option<&str>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            pin_unsafe_methods: false,
            parameters: Vec::new(),
            routes: Vec::new(),
            matched_path: |_| None,
        }
    }
}

impl Rules {
    /// What the request runs in.
    pub(super) fn apply(&self, parts: &mut Parts, session: &Session) -> Context {
        if self.pin_unsafe_methods && !parts.method.is_safe() {
            session.pin_everywhere();
        }
        for parameter in &self.parameters {
            if let Some(rest) = without(&parts.uri, &parameter.name) {
                session.pin_everywhere();
                if parameter.popped {
                    parts.uri = rest;
                }
            }
        }
        let context = Context::default().with_session(session);
        let path = parts.uri.path();
        let matched = (self.matched_path)(parts);
        let rule = self.routes.iter().find(|(pattern, _)| {
            pattern.is(path) || matched.is_some_and(|matched| pattern.is(matched))
        });
        match rule {
            None => context,
            Some((_, RouteRule::Pin)) => {
                session.pin_everywhere();
                context
            }
            Some((_, RouteRule::Scope(scope))) => context.with_scope(scope.clone()),
        }
    }
}

/// The same without a parameter, if it is there. The rest of the query is left as it was written.
fn without(uri: &Uri, name: &str) -> Option<Uri> {
    let query = uri.query()?;
    let is_it = |pair: &&str| {
        let mut parsed = url::form_urlencoded::parse(pair.as_bytes());
        parsed.next().is_some_and(|(key, _)| key == name)
    };
    query.split('&').find(is_it)?;
    let rest: Vec<_> = query.split('&').filter(|pair| !is_it(pair)).collect();
    let path = uri.path();
    let path_and_query = if rest.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", rest.join("&"))
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("pin_unsafe_methods", &self.pin_unsafe_methods)
            .field("parameters", &self.parameters)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_taken_off_and_nothing_else() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        let rest = |text: &str| without(&uri(text), "fresh").map(|rest| rest.to_string());
        assert_eq!(
            rest("/a?b=1&fresh=1&c=%20"),
            Some("/a?b=1&c=%20".to_owned())
        );
        assert_eq!(rest("/a?fresh"), Some("/a".to_owned()));
        assert_eq!(
            rest("http://h/a?%66resh=&x"),
            Some("http://h/a?x".to_owned())
        );
        assert_eq!(rest("/a?fresher=1"), None);
        assert_eq!(rest("/fresh"), None);
    }

    #[test]
    fn patterns_are_of_segments() {
        let is = |pattern: &str, path: &str| Pattern::new(pattern).unwrap().is(path);
        assert!(is("/reports/*", "/reports/7"));
        assert!(!is("/reports/*", "/reports/7/pdf"));
        assert!(is("/admin/**", "/admin/a/b"));
        assert!(is("/users/{id}", "/users/{id}"));
        assert!(!is("/users/{id}", "/users/7"));
        assert!(Pattern::new("/a/[").is_err());
    }
}
