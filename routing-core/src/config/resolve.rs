//! From what was written to what is meant.

use std::collections::BTreeMap;
use std::time::Duration;

use super::builder::{
    BreakerBuilder, FromEnv, Ignored, NodeBuilder, RoutingConfigBuilder, SetBuilder,
};
use super::endpoint::{self, Endpoint};
use super::lenient::Lenient;
use super::problems::{Problems, join};
use super::{NodeConfig, PoolConfig, RoutingConfig, SetConfig};
use crate::error::RoutingError;
use crate::name::{NodeName, SetName};
use crate::replica_set::MAX_NODES;
use crate::replica_set_builder::{PRIMARY_NAME, replica_name, taken_names};
use crate::rules::{BreakerRules, Rules};

const PRIMARY_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Drivers add a timeout to the time, which must not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const REPLICA_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);

impl RoutingConfigBuilder {
    /// The checked configuration.
    ///
    /// # Errors
    ///
    /// [`RoutingError::Config`] with all mistakes, each with its path: values of the wrong type,
    /// unknown keys, a missing primary, URLs that are none or of different databases, two nodes of
    /// one name or one URL, weights and limits of 0.
    pub fn build(self) -> Result<RoutingConfig, RoutingError> {
        resolve(self)
    }
}

fn resolve(builder: RoutingConfigBuilder) -> Result<RoutingConfig, RoutingError> {
    let RoutingConfigBuilder {
        enabled,
        sets,
        default,
        found,
        from_env,
    } = builder;
    let mut problems = Problems(found);
    let enabled = problems
        .take("enabled", enabled, "true or false")
        .unwrap_or(true);
    let further = problems
        .take("sets", sets, "a table of sets")
        .unwrap_or_default();

    let default_name = SetName::default();
    let (rules, set) = set(default_name, "", &Rules::default(), default, &mut problems);
    let mut resolved = vec![set];
    for (name, builder) in further {
        let path = format!("sets.{name}");
        if name.is_empty() || name == SetName::default().as_str() {
            problems.add(&path, "a further set needs a name of its own");
        }
        let (_, set) = self::set(name.into(), &path, &rules, builder, &mut problems);
        resolved.push(set);
    }
    match resolved.into_iter().collect() {
        Some(sets) if problems.0.is_empty() => Ok(RoutingConfig { enabled, sets }),
        _ => {
            for problem in &mut problems.0 {
                name_variable(&mut problem.path, from_env);
            }
            Err(RoutingError::Config(problems.0))
        }
    }
}

/// A mistake in a node that the environment named, or should have, is the variable's.
fn name_variable(path: &mut String, from_env: FromEnv) {
    const PRIMARY: &str = "DATABASE_URL";
    const REPLICAS: &str = "DATABASE_REPLICA_URLS";
    let is_missing = path == "primary" && from_env.asked;
    if is_missing || (path == "primary.url" && from_env.primary) {
        PRIMARY.clone_into(path);
    } else if from_env.replicas && (path == "replicas" || path.starts_with("replicas[")) {
        let place = path["replicas".len()..].trim_end_matches(".url");
        *path = format!("{REPLICAS}{place}");
    }
}

/// The set's rules, and the set if its nodes are right.
fn set(
    name: SetName,
    path: &str,
    inherited: &Rules,
    builder: SetBuilder,
    problems: &mut Problems,
) -> (Rules, Option<SetConfig>) {
    let SetBuilder {
        unmanaged,
        mode,
        no_replica,
        late_pin,
        anonymous_reads,
        balance,
        affinity,
        primary_read_weight,
        replica_breaker,
        primary_breaker,
        primary,
        replicas,
        unknown,
    } = builder;
    report_unknown(path, &unknown, problems);

    macro_rules! rule {
        ($field:ident, $wanted:literal) => {
            problems
                .take(&join(path, stringify!($field)), $field, $wanted)
                .unwrap_or(inherited.$field)
        };
    }
    let rules = Rules {
        mode: rule!(mode, "\"strict\" or \"greedy\""),
        no_replica: rule!(no_replica, "\"primary\" or \"error\""),
        late_pin: rule!(late_pin, "\"allow\", \"warn\" or \"deny\""),
        anonymous_reads: rule!(anonymous_reads, "\"primary\" or \"replica\""),
        balance: rule!(balance, "\"round_robin\" or \"random\""),
        affinity: rule!(affinity, "true or false"),
        primary_read_weight: rule!(primary_read_weight, "a whole number up to 65535"),
        replica_breaker: breaker(
            &join(path, "replica_breaker"),
            replica_breaker,
            inherited.replica_breaker,
            problems,
        ),
        primary_breaker: breaker(
            &join(path, "primary_breaker"),
            primary_breaker,
            inherited.primary_breaker,
            problems,
        ),
    };
    let unmanaged = problems
        .take(&join(path, "unmanaged"), unmanaged, "true or false")
        .unwrap_or(false);

    let wanted = "a URL or a table with one";
    let primary_path = join(path, "primary");
    let primary = match primary {
        Some(given) => problems.take(&primary_path, Some(given), wanted),
        None => {
            problems.add(&primary_path, "is missing; a set needs a primary");
            None
        }
    };
    let replicas_path = join(path, "replicas");
    let replicas = problems
        .take(&replicas_path, replicas, "a list of nodes")
        .unwrap_or_default();
    if unmanaged && !replicas.is_empty() {
        problems.add(
            &replicas_path,
            "an unmanaged set has one node, and no replicas",
        );
    }
    if replicas.len() >= MAX_NODES {
        let most = MAX_NODES - 1;
        let message = format!("{} are too many; {most} at most", replicas.len());
        problems.add(&replicas_path, message);
    }

    let rules_of_set = rules.clone();
    let nodes = nodes(path, primary, replicas, problems);
    let set = nodes.map(|(primary, replicas)| SetConfig {
        name,
        managed: !unmanaged,
        rules,
        primary,
        replicas,
    });
    (rules_of_set, set)
}

fn breaker(
    path: &str,
    given: Option<Lenient<BreakerBuilder>>,
    inherited: BreakerRules,
    problems: &mut Problems,
) -> BreakerRules {
    let Some(BreakerBuilder {
        failures,
        back_off,
        max_back_off,
        unknown,
    }) = problems.take(path, given, "a table")
    else {
        return inherited;
    };
    report_unknown(path, &unknown, problems);
    let failures = problems.take(&join(path, "failures"), failures, "a whole number above 0");
    let mut span = |key, value| {
        problems
            .take(&join(path, key), value, "a duration such as \"5s\"")
            .map(|span: super::lenient::Span| span.0)
    };
    let back_off = span("back_off", back_off).unwrap_or(inherited.back_off);
    let max_back_off =
        span("max_back_off", max_back_off).unwrap_or_else(|| inherited.max_back_off.max(back_off));
    let failures = failures.unwrap_or(inherited.failures);
    if failures == 0 {
        problems.add(&join(path, "failures"), "must be at least 1");
    }
    if max_back_off < back_off {
        problems.add(&join(path, "max_back_off"), "is shorter than `back_off`");
    }
    BreakerRules {
        failures,
        back_off,
        max_back_off,
    }
}

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

fn nodes(
    path: &str,
    primary: Option<NodeBuilder>,
    replicas: Vec<Lenient<NodeBuilder>>,
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
    compare(&drafts, problems);

    let mut nodes = drafts.into_iter().map(Draft::finish);
    let primary = nodes.next().filter(|_| has_primary)??;
    Some((primary, nodes.collect::<Option<_>>()?))
}

/// What can only be wrong between nodes.
fn compare(drafts: &[Draft], problems: &mut Problems) {
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
            .find(|(_, other)| other.is_same_place(endpoint))
        {
            problems.add(
                &url_path,
                format!("is the same database as `{}`", other.name),
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
    let endpoint = endpoint::resolve(&mut node, path, from, problems);

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
    };
    // What is inherited has been reported where it was written.
    let inherits_none = primary.is_some_and(|primary| primary.pool.max_connections == Some(0));
    for (key, span) in [
        ("acquire_timeout", acquire_timeout),
        ("idle_timeout", pool.idle_timeout),
        ("max_lifetime", pool.max_lifetime),
    ] {
        if span.is_some_and(|span| span > LONGEST) {
            problems.add(&join(path, key), "is longer than a year");
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
    let inherits_no_time = primary.is_some_and(|primary| primary.pool.acquire_timeout.is_zero());
    if pool.acquire_timeout.is_zero() && !inherits_no_time {
        problems.add(&join(path, "acquire_timeout"), "must be longer than 0");
    }
    Draft {
        path: path.to_owned(),
        name: name.map_or(default_name, NodeName::from),
        weight,
        endpoint,
        pool,
        acquire_timeout,
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

fn report_unknown(path: &str, unknown: &BTreeMap<String, Ignored>, problems: &mut Problems) {
    for key in unknown.keys() {
        problems.add(&join(path, key), "is not a setting");
    }
}
