//! Node URLs: what they mean, and how one inherits from another.

use std::net::Ipv6Addr;

use url::Url;

use super::node_builder::NodeFields;
use super::problems::{Problems, join};
use crate::sql::Dialect;

/// Where a node is: a parsed URL of a known scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) dialect: Dialect,
}

/// Parameters that say where or as whom to connect, in place of the URL's own parts.
const OF_THE_NODE: &[&str] = &[
    "host", "hostaddr", "port", "user", "password", "dbname", "socket",
];

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
    fn parse(text: &str) -> Result<Self, String> {
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

    /// Takes from the primary's URL what this one leaves out.
    fn inherit(&mut self, primary: &Self, overrides: &Overrides) {
        if self.dialect != primary.dialect || self.dialect == Dialect::Sqlite {
            return;
        }
        let (url, from) = (&mut self.url, &primary.url);
        let names_user =
            !url.username().is_empty() || url.query_pairs().any(|(key, _)| key == "user");
        let same_user =
            !names_user || !url.username().is_empty() && url.username() == from.username();
        // These setters refuse only URLs without a host, for which there is nothing to inherit.
        if !names_user {
            let _ = url.set_username(from.username());
        }
        if same_user && url.password().is_none() {
            let _ = url.set_password(from.password());
        }
        if matches!(url.path(), "" | "/") {
            url.set_path(from.path());
        }
        // As they are written: what encodes a form, with `+` for a space, no driver reads.
        let own: Vec<String> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
        let is_missing = |pair: &&str| {
            let key = key_of(pair);
            let is_the_users = same_user
                && match &*key {
                    "user" => overrides.user.is_none(),
                    "password" => overrides.user.is_none() && overrides.password.is_none(),
                    _ => false,
                };
            (is_the_users || !OF_THE_NODE.contains(&&*key)) && !own.contains(&key)
        };
        let inherited = from.query().unwrap_or_default();
        let inherited: Vec<_> = inherited
            .split('&')
            .filter(|pair| !pair.is_empty())
            .filter(is_missing)
            .collect();
        if !inherited.is_empty() {
            let mut query = url.query().unwrap_or_default().to_owned();
            for pair in inherited {
                if !query.is_empty() {
                    query.push('&');
                }
                query.push_str(pair);
            }
            url.set_query(Some(&query));
        }
    }
}

/// The name of a parameter, without its encoding.
fn key_of(pair: &str) -> String {
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

/// The endpoint of a node, from its URL and the fields that override parts of it.
pub(super) fn resolve(
    node: &mut NodeFields,
    path: &str,
    primary: Option<&Endpoint>,
    problems: &mut Problems,
) -> Option<Endpoint> {
    let url = problems.take(&join(path, "url"), node.url.take(), "a URL");
    let overrides = Overrides::take(node, path, problems);
    let mut endpoint = match url {
        Some(text) => {
            let parsed = Endpoint::parse(&text);
            let mut endpoint = parsed
                .map_err(|message| problems.add(&join(path, "url"), message))
                .ok()?;
            if let Some(primary) = primary {
                endpoint.inherit(primary, &overrides);
            }
            endpoint
        }
        None if !overrides.is_empty() && primary.is_some() => primary?.clone(),
        None => {
            let message = if path.contains("replicas") {
                "is missing; give a `url`, or a `host` to go with the primary's"
            } else {
                "is missing"
            };
            // A primary that is wrong itself has been reported.
            if primary.is_some() || !path.contains("replicas") || overrides.is_empty() {
                problems.add(&join(path, "url"), message);
            }
            return None;
        }
    };
    overrides
        .apply(&mut endpoint, path, problems)
        .then_some(endpoint)
}

/// Single parts of a URL.
#[derive(Debug, Default)]
struct Overrides {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
}

impl Overrides {
    fn take(node: &mut NodeFields, path: &str, problems: &mut Problems) -> Self {
        let mut text = |key: &str, value: &mut Option<_>| {
            problems.take(&join(path, key), value.take(), "text")
        };
        Self {
            host: text("host", &mut node.host),
            user: text("user", &mut node.user),
            password: text("password", &mut node.password),
            database: text("database", &mut node.database),
            port: problems.take(
                &join(path, "port"),
                node.port.take(),
                "a number up to 65535",
            ),
        }
    }

    const fn is_empty(&self) -> bool {
        self.host.is_none()
            && self.port.is_none()
            && self.user.is_none()
            && self.password.is_none()
            && self.database.is_none()
    }

    /// Whether all of them fit.
    fn apply(&self, endpoint: &mut Endpoint, path: &str, problems: &mut Problems) -> bool {
        if self.is_empty() {
            return true;
        }
        if endpoint.dialect == Dialect::Sqlite {
            let message = "an SQLite database has no host, port, user, password or database name; \
                           give its `url`";
            problems.add(path, message);
            return false;
        }
        let url = &mut endpoint.url;
        let mut fits = true;
        let mut check = |key: &str, done: bool| {
            if !done {
                problems.add(&join(path, key), "does not fit into the URL");
                fits = false;
            }
        };
        // A parameter of the same meaning would win over what is set here.
        for (parameter, given) in [
            ("host", self.host.is_some()),
            ("hostaddr", self.host.is_some()),
            ("port", self.port.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("dbname", self.database.is_some()),
        ] {
            check(
                parameter,
                !given || url.query_pairs().all(|(key, _)| key != parameter),
            );
        }
        if let Some(host) = &self.host {
            let host = if host.parse::<Ipv6Addr>().is_ok() {
                &format!("[{host}]")
            } else {
                host
            };
            let is_address = host.starts_with('[') && host.ends_with(']');
            let is_name = !host.is_empty() && !host.contains([':', '/', '@', '?', '#', '%', ' ']);
            check(
                "host",
                (is_name || is_address) && url.set_host(Some(host)).is_ok(),
            );
        }
        if let Some(port) = self.port {
            check("port", url.set_port(Some(port)).is_ok());
        }
        if let Some(user) = &self.user {
            // The password that is there belongs to somebody else.
            if self.password.is_none() && url.username() != encoded(user) {
                let _ = url.set_password(None);
            }
            check("user", url.set_username(&encoded(user)).is_ok());
        }
        if let Some(password) = &self.password {
            check(
                "password",
                url.set_password(Some(&encoded(password))).is_ok(),
            );
        }
        if let Some(database) = &self.database {
            let fits = !matches!(database.as_str(), "" | "." | "..") && !database.contains('/');
            check("database", fits);
            url.set_path(&encoded(database));
        }
        fits
    }
}

/// What the URL does not encode by itself: a percent sign, which it takes for an encoding.
fn encoded(text: &str) -> String {
    text.replace('%', "%25")
}
