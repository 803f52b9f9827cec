//! From what was written to what is meant.

use std::sync::Arc;

use super::builder::{FromEnv, RoutingConfigBuilder, SetBuilder};
use super::draft::nodes;
use super::groups::FunctionLists;
use super::lenient::Lenient;
use super::nested::{breaker, fallback_budget, lag_limits, probe_rules, retry_rules, span};
use super::node_builder::NodeBuilder;
use super::problems::{Problems, join, report_unknown};
use super::{RoutingConfig, SetConfig};
use crate::config::rules::Rules;
use crate::error::RoutingError;
use crate::names::MAX_NODES;
use crate::names::SetName;
use crate::sql::Functions;

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
    mut builder: SetBuilder,
    problems: &mut Problems,
) -> (Rules, Option<SetConfig>) {
    report_unknown(path, &builder.unknown, problems);
    let rules = rules(path, inherited, &mut builder, problems);
    let unmanaged = problems
        .take(
            &join(path, "unmanaged"),
            builder.unmanaged.take(),
            "true or false",
        )
        .unwrap_or(false);
    let (primary, replicas) = members(path, unmanaged, &mut builder, problems);

    let tables_path = join(path, "tables");
    let tables = names_of(&tables_path, builder.tables, "a table", problems);
    if path.is_empty() && !tables.is_empty() {
        let message = "belong to a further set; the default set has all that no other has";
        problems.add(&tables_path, message);
    }

    let rules_of_set = rules.clone();
    let allows_same = rules.allow_same_server;
    let nodes = nodes(path, primary, replicas, allows_same, problems);
    let set = nodes.map(|(primary, replicas)| SetConfig {
        name,
        managed: !unmanaged,
        rules,
        tables,
        primary,
        replicas,
    });
    (rules_of_set, set)
}

fn rules(
    path: &str,
    inherited: &Rules,
    builder: &mut SetBuilder,
    problems: &mut Problems,
) -> Rules {
    macro_rules! rule {
        ($field:ident, $wanted:literal) => {
            problems
                .take(
                    &join(path, stringify!($field)),
                    builder.$field.take(),
                    $wanted,
                )
                .unwrap_or(inherited.$field)
        };
        ($field:ident) => {
            span(path, stringify!($field), builder.$field.take(), problems)
                .unwrap_or(inherited.$field)
        };
        ($field:ident by $group:ident) => {
            $group(
                &join(path, stringify!($field)),
                builder.$field.take(),
                inherited.$field,
                problems,
            )
        };
    }
    let lists = builder.functions.take();
    let query = problems.take(
        &join(path, "probe_query"),
        builder.probe_query.take(),
        "a query",
    );
    Rules {
        mode: rule!(mode, "\"strict\" or \"greedy\""),
        no_replica: rule!(no_replica, "\"primary\" or \"error\""),
        late_pin: rule!(late_pin, "\"allow\", \"warn\" or \"deny\""),
        anonymous_reads: rule!(anonymous_reads, "\"primary\" or \"replica\""),
        balance: rule!(balance, "\"round_robin\" or \"random\""),
        affinity: rule!(affinity, "true or false"),
        primary_read_weight: rule!(primary_read_weight, "a whole number up to 65535"),
        functions: function_lists(&join(path, "functions"), lists, problems)
            .unwrap_or_else(|| inherited.functions.clone()),
        load_functions: rule!(load_functions, "true or false"),
        pin_release: rule!(pin_release, "\"session_end\" or \"caught_up\""),
        positions: rule!(positions, "true or false"),
        catch_up_wait: rule!(catch_up_wait),
        time_pin: rule!(time_pin),
        allow_same_server: rule!(allow_same_server, "true or false"),
        probe: rule!(probe by probe_rules),
        probe_query: match query {
            Some(query) => Some(query.trim())
                .filter(|query| !query.is_empty())
                .map(Arc::from),
            None => inherited.probe_query.clone(),
        },
        lag: rule!(lag by lag_limits),
        retry: rule!(retry by retry_rules),
        slow_start: rule!(slow_start),
        fallback_budget: rule!(fallback_budget by fallback_budget),
        replica_breaker: rule!(replica_breaker by breaker),
        primary_breaker: rule!(primary_breaker by breaker),
    }
}

/// The nodes as they are written.
fn members(
    path: &str,
    unmanaged: bool,
    builder: &mut SetBuilder,
    problems: &mut Problems,
) -> (Option<NodeBuilder>, Vec<Lenient<NodeBuilder>>) {
    let primary_path = join(path, "primary");
    let primary = builder.primary.take();
    if primary.is_none() {
        problems.add(&primary_path, "is missing; a set needs a primary");
    }
    let primary = problems.take(&primary_path, primary, "a URL or a table with one");
    let replicas_path = join(path, "replicas");
    let replicas = problems
        .take(&replicas_path, builder.replicas.take(), "a list of nodes")
        .unwrap_or_default();
    if unmanaged && !replicas.is_empty() {
        let message = "an unmanaged set has one node, and no replicas";
        problems.add(&replicas_path, message);
    }
    if replicas.len() >= MAX_NODES {
        let most = MAX_NODES - 1;
        let message = format!("{} are too many; {most} at most", replicas.len());
        problems.add(&replicas_path, message);
    }
    (primary, replicas)
}

fn function_lists(
    path: &str,
    given: Option<Lenient<FunctionLists>>,
    problems: &mut Problems,
) -> Option<Functions> {
    let FunctionLists {
        read,
        write,
        unknown,
    } = problems.take(path, given, "a table with `read` and `write`")?;
    report_unknown(path, &unknown, problems);
    let read = names_of(&join(path, "read"), read, "a function", problems);
    let write_path = join(path, "write");
    let write = names_of(&write_path, write, "a function", problems);
    for (i, name) in write.iter().enumerate() {
        if read.contains(name) {
            let message = format!("`{name}` cannot be in `read` too");
            problems.add(&format!("{write_path}[{i}]"), message);
        }
    }
    Some(Functions::new(read, write))
}

/// Names with or without a schema.
fn names_of(
    path: &str,
    given: Option<Lenient<Vec<String>>>,
    of: &str,
    problems: &mut Problems,
) -> Vec<String> {
    let names = problems
        .take(path, given, "a list of names")
        .unwrap_or_default();
    for (i, name) in names.iter().enumerate() {
        let parts: Vec<_> = name.split('.').collect();
        let is_letter = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let is_name =
            |part: &&str| !part.is_empty() && part.len() <= 63 && part.chars().all(is_letter);
        if parts.len() > 2 || !parts.iter().all(is_name) {
            let message = format!("is no name of {of}: write `name` or `schema.name`");
            problems.add(&format!("{path}[{i}]"), message);
        }
    }
    names
}
