//! A node's URL, as Diesel's drivers want it.

use std::time::Duration;

use routing_core::sql::Dialect;
use routing_core::{NodeConfig, Role};

/// The URL for a driver of this dialect.
pub(crate) fn of(node: &NodeConfig, role: Role, dialect: Dialect) -> Result<String, String> {
    if node.dialect() != dialect {
        let (is, wanted) = (name(node.dialect()), name(dialect));
        return Err(format!("is of {is}, but the connections are of {wanted}"));
    }
    let url = node.url();
    Ok(match dialect {
        Dialect::Sqlite => sqlite(url, role),
        Dialect::MySql => match url.strip_prefix("mariadb://") {
            Some(rest) => format!("mysql://{rest}"),
            None => url.to_owned(),
        },
        _ => url.to_owned(),
    })
}

/// libpq waits for ever for a server that takes a connection and says nothing, and for an answer
/// that does not come because the server's machine or the way to it is gone. It is told not to,
/// unless the URL has said something else; 2 s is the least that it waits for a connection, and what
/// is lost is noticed after 10 s: 4 of silence, and three questions that nobody answers.
pub(crate) fn with_timeouts(mut url: String, timeout: Duration, dialect: Dialect) -> String {
    if dialect != Dialect::Postgres {
        return url;
    }
    let seconds = timeout.as_secs_f64().ceil().max(2.0).to_string();
    for (name, value) in [
        ("connect_timeout", seconds.as_str()),
        ("keepalives_idle", "4"),
        ("keepalives_interval", "2"),
        ("keepalives_count", "3"),
        ("tcp_user_timeout", "10000"),
    ] {
        if !url.contains(&format!("{name}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(name);
            url.push('=');
            url.push_str(value);
        }
    }
    url
}

pub(crate) fn is_in_memory(url: &str, dialect: Dialect) -> bool {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let is_named_so = matches!(path, ":memory:" | "file::memory:");
    dialect == Dialect::Sqlite && (is_named_so || query.split('&').any(|it| it == "mode=memory"))
}

const fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "PostgreSQL",
        Dialect::MySql => "MySQL",
        Dialect::Sqlite => "SQLite",
        _ => "another database",
    }
}

/// A URI of SQLite's own. A file is not made unless the URL says so (`mode=rwc`), and a replica's
/// is opened read-only, as a hot standby is by itself.
fn sqlite(url: &str, role: Role) -> String {
    let path = url.trim_start_matches("sqlite:");
    let path = path.strip_prefix("//").unwrap_or(path);
    if path == ":memory:" {
        return path.to_owned();
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut mode = "rw";
    let mut parameters: Vec<&str> = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.strip_prefix("mode=") {
            Some(asked) => mode = asked,
            None => parameters.push(parameter),
        }
    }
    if role == Role::Replica && mode != "memory" {
        mode = "ro";
    }
    let mode = format!("mode={mode}");
    parameters.insert(0, &mode);
    format!("file:{path}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_to_postgres_has_its_time() {
        const LOST: &str =
            "keepalives_idle=4&keepalives_interval=2&keepalives_count=3&tcp_user_timeout=10000";
        let of = |url: &str, seconds| {
            let timeout = Duration::from_secs_f64(seconds);
            with_timeouts(url.to_owned(), timeout, Dialect::Postgres)
        };
        assert_eq!(
            of("postgres://h/d", 0.3),
            format!("postgres://h/d?connect_timeout=2&{LOST}")
        );
        assert_eq!(
            of("postgres://h/d?a=b", 4.5),
            format!("postgres://h/d?a=b&connect_timeout=5&{LOST}")
        );
        let own = format!("postgres://h/d?connect_timeout=9&{LOST}");
        assert_eq!(of(&own, 1.0), own);
        let own = "mysql://h/d".to_owned();
        assert_eq!(
            with_timeouts(own.clone(), Duration::ZERO, Dialect::MySql),
            own
        );
    }

    #[test]
    fn a_path_does_not_make_a_database_in_memory() {
        let is_in_memory = |url| is_in_memory(&sqlite(url, Role::Primary), Dialect::Sqlite);
        assert!(is_in_memory("sqlite::memory:") && is_in_memory("sqlite:b?mode=memory"));
        for file in [
            "sqlite:///srv/memory.db",
            "sqlite:///a:memory:b",
            "sqlite://mode=memory.db",
        ] {
            assert!(!is_in_memory(file), "{file}");
        }
    }

    #[test]
    fn sqlite_urls_become_uris() {
        let of = |url, role| sqlite(url, role);
        assert_eq!(of("sqlite::memory:", Role::Primary), ":memory:");
        assert_eq!(
            of("sqlite:///a/b.db", Role::Primary),
            "file:/a/b.db?mode=rw"
        );
        assert_eq!(
            of("sqlite://b.db?mode=rwc&cache=private", Role::Primary),
            "file:b.db?mode=rwc&cache=private"
        );
        assert_eq!(
            of("sqlite://b.db?mode=rwc", Role::Replica),
            "file:b.db?mode=ro"
        );
        assert_eq!(
            of("sqlite:b?mode=memory&cache=shared", Role::Replica),
            "file:b?mode=memory&cache=shared"
        );
    }
}
