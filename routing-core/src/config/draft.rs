//! Nodes, as far as they could be understood, until it is known that all of them could.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::lenient::Lenient;
use super::node_builder::{NodeBuilder, NodeFields};
use super::overrides;
use super::problems::{Problems, join, report_unknown};
use super::{NodeConfig, PoolConfig, PoolMode};
use crate::names::NodeName;
use crate::names::{PRIMARY_NAME, replica_name, taken_names};

const PRIMARY_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Drivers add a timeout to the time, which must not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const REPLICA_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);

/// A node as far as it could be understood.
struct Draft {
    path: String,
    name: NodeName,
    weight: u16,
    endpoint: Option<Endpoint>,
    pool: PoolConfig,
    /// Only what was written can be inherited, and not the primary's default.
    acquire_timeout: Option<Duration>,
}

/// The primary and the replicas, if all are right.
pub(super) fn nodes(
    path: &str,
    primary: Option<NodeBuilder>,
    replicas: Vec<Lenient<NodeBuilder>>,
    allows_same: bool,
    problems: &mut Problems,
) -> Option<(NodeConfig, Vec<NodeConfig>)> {
    let primary_path = join(path, "primary");
    let primary = primary.map(|builder| {
        let name = NodeName::from(PRIMARY_NAME);
        if builder.0.weight.is_some() {
            let message = "a primary has no weight; `primary_read_weight` is its share of reads";
            problems.add(&join(&primary_path, "weight"), message);
        }
        draft(&primary_path, name, builder, None, problems)
    });
    let wanted = "a URL or a table with one";
    let mut drafts: Vec<Draft> = primary.into_iter().collect();
    let has_primary = !drafts.is_empty();
    for (i, given) in replicas.into_iter().enumerate() {
        let path = join(path, &format!("replicas[{i}]"));
        if let Some(builder) = problems.take(&path, Some(given), wanted) {
            let primary = drafts.first().filter(|_| has_primary);
            let draft = draft(&path, replica_name(i), builder, primary, problems);
            drafts.push(draft);
        }
    }
    compare(&drafts, allows_same, problems);

    let mut nodes = drafts.into_iter().map(Draft::finish);
    let primary = nodes.next().filter(|_| has_primary)??;
    Some((primary, nodes.collect::<Option<_>>()?))
}

/// What can only be wrong between nodes.
fn compare(drafts: &[Draft], allows_same: bool, problems: &mut Problems) {
    let names: Vec<_> = drafts.iter().map(|draft| draft.name.clone()).collect();
    for index in taken_names(&names) {
        let message = format!("another node is called `{}`", names[index]);
        problems.add(&join(&drafts[index].path, "name"), message);
    }
    for (i, draft) in drafts.iter().enumerate() {
        let Some(endpoint) = &draft.endpoint else {
            continue;
        };
        let mut earlier = drafts[..i]
            .iter()
            .filter_map(|other| Some((other, other.endpoint.as_ref()?)));
        let url_path = join(&draft.path, "url");
        if let Some((other, _)) = earlier
            .clone()
            .find(|(_, other)| !allows_same && other.is_same_place(endpoint))
        {
            problems.add(
                &url_path,
                format!(
                    "is the same database as `{}`; if that is meant, as in a test, say \
                     `allow_same_server = true`",
                    other.name
                ),
            );
        }
        if let Some((other, _)) = earlier.find(|(_, other)| other.dialect != endpoint.dialect) {
            let message = format!("is another kind of database than `{}`", other.name);
            problems.add(&url_path, message);
        }
    }
}

fn draft(
    path: &str,
    default_name: NodeName,
    NodeBuilder(mut node): NodeBuilder,
    primary: Option<&Draft>,
    problems: &mut Problems,
) -> Draft {
    report_unknown(path, &node.unknown, problems);
    let name = problems.take(&join(path, "name"), node.name.take(), "text");
    if name.as_deref().is_some_and(|name| name.trim().is_empty()) {
        problems.add(&join(path, "name"), "must not be empty");
    }
    let weight = problems
        .take(
            &join(path, "weight"),
            node.weight.take(),
            "a whole number above 0",
        )
        .unwrap_or(1);
    if weight == 0 {
        let message = "must be at least 1; leave the replica out instead";
        problems.add(&join(path, "weight"), message);
    }
    let from = primary.and_then(|primary| primary.endpoint.as_ref());
    let endpoint = overrides::resolve(&mut node, path, from, problems);

    let (pool, acquire_timeout) = pool(path, &mut node, primary, problems);
    Draft {
        path: path.to_owned(),
        name: name.map_or(default_name, NodeName::from),
        weight,
        endpoint,
        pool,
        acquire_timeout,
    }
}

/// The pool's options, and the acquire timeout if it was written.
fn pool(
    path: &str,
    node: &mut NodeFields,
    primary: Option<&Draft>,
    problems: &mut Problems,
) -> (PoolConfig, Option<Duration>) {
    macro_rules! option {
        ($field:ident, $wanted:literal) => {
            problems
                .take(&join(path, stringify!($field)), node.$field.take(), $wanted)
                .or_else(|| primary.and_then(|primary| primary.pool.$field))
        };
        ($field:ident) => {
            problems
                .take(
                    &join(path, stringify!($field)),
                    node.$field.take(),
                    "a duration such as \"5s\"",
                )
                .map(|span| span.0)
        };
    }
    let acquire_timeout =
        option!(acquire_timeout).or_else(|| primary.and_then(|primary| primary.acquire_timeout));
    let default_timeout = match primary {
        None => PRIMARY_ACQUIRE_TIMEOUT,
        Some(_) => REPLICA_ACQUIRE_TIMEOUT,
    };
    let pool = PoolConfig {
        max_connections: option!(max_connections, "a whole number above 0"),
        min_connections: option!(min_connections, "a whole number"),
        acquire_timeout: acquire_timeout.unwrap_or(default_timeout),
        idle_timeout: option!(idle_timeout)
            .or_else(|| primary.and_then(|primary| primary.pool.idle_timeout)),
        max_lifetime: option!(max_lifetime)
            .or_else(|| primary.and_then(|primary| primary.pool.max_lifetime)),
        test_before_acquire: option!(test_before_acquire, "true or false"),
        pool_mode: problems
            .take(
                &join(path, "pool_mode"),
                node.pool_mode.take(),
                "\"session\" or \"transaction\"",
            )
            .or_else(|| primary.map(|primary| primary.pool.pool_mode))
            .unwrap_or_default(),
        on_connect: problems
            .take(
                &join(path, "on_connect"),
                node.on_connect.take(),
                "a list of statements",
            )
            .or_else(|| primary.map(|primary| primary.pool.on_connect.clone()))
            .unwrap_or_default(),
    };
    check_pool(path, &pool, primary, problems);
    (pool, acquire_timeout)
}

fn check_pool(path: &str, pool: &PoolConfig, primary: Option<&Draft>, problems: &mut Problems) {
    // What is inherited has been reported where it was written.
    let inherits_none = primary.is_some_and(|primary| primary.pool.max_connections == Some(0));
    for (key, span) in [
        ("acquire_timeout", Some(pool.acquire_timeout)),
        ("idle_timeout", pool.idle_timeout),
        ("max_lifetime", pool.max_lifetime),
    ] {
        if span.is_some_and(|span| span > LONGEST) {
            problems.add(&join(path, key), "is longer than a year");
        }
    }
    for (key, span, inherited) in [
        (
            "idle_timeout",
            pool.idle_timeout,
            primary.and_then(|primary| primary.pool.idle_timeout),
        ),
        (
            "max_lifetime",
            pool.max_lifetime,
            primary.and_then(|primary| primary.pool.max_lifetime),
        ),
    ] {
        let is_zero = |span: Option<Duration>| span.is_some_and(|span| span.is_zero());
        if is_zero(span) && !is_zero(inherited) {
            problems.add(&join(path, key), "must be longer than 0");
        }
    }
    if pool.max_connections == Some(0) {
        if !inherits_none {
            problems.add(&join(path, "max_connections"), "must be at least 1");
        }
    } else if pool.min_connections > pool.max_connections.or(Some(u32::MAX)) {
        problems.add(
            &join(path, "min_connections"),
            "is more than `max_connections`",
        );
    }
    let is_reported = primary.is_some_and(|primary| {
        primary.pool.pool_mode == PoolMode::Transaction
            && primary.pool.on_connect == pool.on_connect
    });
    if pool.pool_mode == PoolMode::Transaction && !pool.on_connect.is_empty() && !is_reported {
        let message = "would reach other clients behind a pooler that gives each transaction another server \
                       process: use the pooler's own setting (PgBouncer's `connect_query`), and say \
                       `on_connect = []` here if it is the primary's";
        problems.add(&join(path, "on_connect"), message);
    }
    let inherits_no_time = primary.is_some_and(|primary| primary.pool.acquire_timeout.is_zero());
    if pool.acquire_timeout.is_zero() && !inherits_no_time {
        problems.add(&join(path, "acquire_timeout"), "must be longer than 0");
    }
}

impl Draft {
    fn finish(self) -> Option<NodeConfig> {
        let Endpoint { url, dialect } = self.endpoint?;
        Some(NodeConfig {
            name: self.name,
            weight: self.weight,
            url: url.into(),
            dialect,
            pool: self.pool,
        })
    }
}
