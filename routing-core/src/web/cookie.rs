//! The cookie.

use ::cookie::Cookie;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::session::token::TokenKeys;

/// Which requests from other sites carry a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the standard has these")]
pub enum SameSite {
    /// None.
    Strict,
    /// Those that a user sees: a link that is followed.
    #[default]
    Lax,
    /// All; needs `Secure`.
    None,
}

#[derive(Debug, Clone)]
pub(super) struct CookieSettings {
    pub(super) name: String,
    pub(super) domain: Option<String>,
    pub(super) secure: bool,
    pub(super) same_site: SameSite,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self {
            name: "routing".to_owned(),
            domain: None,
            secure: true,
            same_site: SameSite::default(),
        }
    }
}

impl CookieSettings {
    /// The cookies of this name: there may be several, of a domain and of its parent.
    ///
    /// Other cookies may be of any bytes, and hide none.
    pub(super) fn find<'h>(&'h self, headers: &'h HeaderMap) -> impl Iterator<Item = String> + 'h {
        let values = headers.get_all(COOKIE).iter();
        let pairs = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        pairs
            .filter_map(|pair| Cookie::parse(std::str::from_utf8(pair).ok()?.trim()).ok())
            .filter(|cookie| cookie.name() == self.name)
            .map(|cookie| cookie.value().to_owned())
    }

    pub(super) fn set(&self, token: String, keys: &TokenKeys, headers: &mut HeaderMap) {
        let same_site = match self.same_site {
            SameSite::Strict => ::cookie::SameSite::Strict,
            SameSite::Lax => ::cookie::SameSite::Lax,
            SameSite::None => ::cookie::SameSite::None,
        };
        let seconds = i64::try_from(keys.get_max_age().as_secs().max(1)).unwrap_or(i64::MAX);
        let mut cookie = Cookie::build((self.name.clone(), token))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(same_site)
            .max_age(::cookie::time::Duration::seconds(seconds));
        if let Some(domain) = &self.domain {
            cookie = cookie.domain(domain.clone());
        }
        match HeaderValue::from_str(&cookie.build().to_string()) {
            Ok(value) => {
                headers.append(SET_COOKIE, value);
            }
            Err(error) => {
                let name = self.name.as_str();
                tracing::error!(target: "routing", name, %error, "no cookie of this name");
            }
        }
    }
}
