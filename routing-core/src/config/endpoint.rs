//! Node URLs, and what they mean.

use url::Url;

use crate::sql::Dialect;

/// Where a node is: a parsed URL of a known scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) dialect: Dialect,
}

/// The URL with `***` in place of its passwords.
pub(super) fn without_password(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        return "not a URL".to_owned();
    };
    if parsed.password().is_some() {
        // Only a URL that cannot have a password refuses one, and this one has one.
        let _ = parsed.set_password(Some("***"));
    }
    if parsed.query().is_some() {
        let pairs: Vec<(String, String)> = parsed
            .query_pairs()
            .map(|(key, value)| {
                let secret = key.contains("pass") || key.contains("key");
                let value = if secret { "***" } else { &*value };
                (key.to_string(), value.to_owned())
            })
            .collect();
        parsed.query_pairs_mut().clear().extend_pairs(pairs);
    }
    parsed.into()
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parsed = Url::parse(text).or_else(|error| {
            let rewritten = with_socket(text).and_then(|rewritten| Url::parse(&rewritten).ok());
            rewritten.ok_or(error)
        });
        let url = parsed.map_err(|error| {
            format!(
                "is not a URL ({error}); write it like `postgres://user:password@host/database`, with \
                 `%` and the hexadecimal number in place of what has a meaning there (a comma is `%2C`)"
            )
        })?;
        let dialect = match url.scheme() {
            "postgres" | "postgresql" => Dialect::Postgres,
            "mysql" | "mariadb" => Dialect::MySql,
            "sqlite" => Dialect::Sqlite,
            other => {
                return Err(format!(
                    "has the scheme `{other}`; it must be postgres, mysql or sqlite"
                ));
            }
        };
        let endpoint = Self { url, dialect };
        let has_host = endpoint.url.host_str().is_some_and(|host| !host.is_empty())
            || ["host", "hostaddr", "socket"]
                .iter()
                .any(|name| endpoint.parameter(name).is_some());
        if dialect != Dialect::Sqlite && !has_host {
            return Err(
                "names no host; write it like `postgres://user:password@host/database`".into(),
            );
        }
        Ok(endpoint)
    }

    /// Whether both are the same database on the same server, whoever logs in.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        if self.dialect == Dialect::Sqlite || other.dialect == Dialect::Sqlite {
            let file = |endpoint: &Self| {
                endpoint
                    .url
                    .as_str()
                    .trim_start_matches("sqlite:")
                    .trim_start_matches("//")
                    .split('?')
                    .next()
                    .map(str::to_owned)
            };
            return self.dialect == other.dialect && file(self) == file(other);
        }
        let port = |endpoint: &Self| endpoint.url.port().or(endpoint.default_port());
        self.dialect == other.dialect
            && self.host() == other.host()
            && port(self) == port(other)
            && self.url.path().trim_end_matches('/') == other.url.path().trim_end_matches('/')
            && self.parameter("host") == other.parameter("host")
            && self.parameter("port") == other.parameter("port")
    }

    fn host(&self) -> Option<String> {
        self.url.host_str().map(str::to_ascii_lowercase)
    }

    const fn default_port(&self) -> Option<u16> {
        match self.dialect {
            Dialect::Postgres => Some(5432),
            Dialect::MySql => Some(3306),
            Dialect::Sqlite => None,
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let (_, value) = self.url.query_pairs().find(|(key, _)| key == name)?;
        Some(value.into_owned())
    }
}

/// The name of a parameter, without its encoding.
pub(super) fn key_of(pair: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs
        .next()
        .map(|(key, _)| key.into_owned())
        .unwrap_or_default()
}

/// libpq takes `postgres://user@/db?host=/directory`, an empty host and its socket's directory as a
/// parameter; all drivers take the directory in the host's place, encoded.
fn with_socket(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (path, query) = rest.split_once('?')?;
    if !authority.ends_with('@') {
        return None;
    }
    let (hosts, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| key_of(pair) == "host");
    let [host] = hosts[..] else {
        return None;
    };
    let (_, directory) = url::form_urlencoded::parse(host.as_bytes()).next()?;
    let encoded: String = directory
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    let mark = if others.is_empty() { "" } else { "?" };
    Some(format!(
        "{scheme}://{authority}{encoded}{path}{mark}{}",
        others.join("&")
    ))
}
