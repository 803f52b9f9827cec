//! A node's endpoint: its URL, single parts that override it, and what it inherits from the primary's.

use std::net::Ipv6Addr;

use super::endpoint::{Endpoint, key_of};
use super::node_builder::NodeFields;
use super::problems::{Problems, join};
use crate::sql::Dialect;

/// Parameters that say where or as whom to connect, in place of the URL's own parts.
const OF_THE_NODE: &[&str] = &[
    "host", "hostaddr", "port", "user", "password", "dbname", "socket",
];

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
                overrides.inherit(&mut endpoint, primary);
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

    /// Adds to a replica's URL what it leaves out, from the primary's.
    fn inherit(&self, endpoint: &mut Endpoint, primary: &Endpoint) {
        if endpoint.dialect != primary.dialect || endpoint.dialect == Dialect::Sqlite {
            return;
        }
        let (url, from) = (&mut endpoint.url, &primary.url);
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
                    "user" => self.user.is_none(),
                    "password" => self.user.is_none() && self.password.is_none(),
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
            // The URL's password belongs to its own user.
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

/// Encodes percent signs, which the URL's parser takes for encodings.
fn encoded(text: &str) -> String {
    text.replace('%', "%25")
}
