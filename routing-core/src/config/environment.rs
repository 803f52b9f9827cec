//! The environment's four variables.

use super::builder::RoutingConfigBuilder;
use super::node_builder::NodeBuilder;
use crate::config::rules::Mode;
use crate::error::ConfigProblem;

impl RoutingConfigBuilder {
    /// Takes what the environment has, in place of what was set until now; what it has not, stays.
    /// So a file that the environment overrides is
    /// `toml::from_str::<RoutingConfigBuilder>(text)?.env().build()?`.
    ///
    /// - `DATABASE_URL`: the primary.
    /// - `DATABASE_REPLICA_URLS`: all replicas, separated by commas or spaces; set but empty is
    ///   none.
    /// - `ROUTING_ENABLED`: `true`, `1`, `on`, `yes`, or `false`, `0`, `off`, `no`.
    /// - `ROUTING_MODE`: `strict` or `greedy`.
    pub fn env(self) -> Self {
        self.env_from(|name| std::env::var_os(name))
    }

    /// The same, with another environment.
    ///
    /// ```
    /// use routing_core::{RoutingConfig, RoutingError};
    ///
    /// let env = |name: &str| match name {
    ///     "DATABASE_URL" => Some("sqlite://shop.db".into()),
    ///     "ROUTING_MODE" => Some("gready".into()),
    ///     _ => None,
    /// };
    /// let Err(RoutingError::Config(problems)) = RoutingConfig::builder().env_from(env).build()
    /// else {
    ///     panic!("one variable has a wrong value");
    /// };
    /// assert_eq!(problems[0].path, "ROUTING_MODE");
    /// ```
    pub fn env_from(mut self, lookup: impl Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let mut found = Vec::new();
        let mut read = |name: &str| match lookup(name)?.into_string() {
            Ok(text) => Some(text.trim().to_owned()),
            Err(_) => {
                found.push(ConfigProblem::new(name, "must be UTF-8"));
                None
            }
        };
        let (url, replicas) = (read("DATABASE_URL"), read("DATABASE_REPLICA_URLS"));
        let (enabled, mode) = (read("ROUTING_ENABLED"), read("ROUTING_MODE"));

        self.from_env.asked = true;
        if let Some(url) = url {
            self.from_env.primary = true;
            self = self.primary(url);
        }
        if let Some(replicas) = replicas {
            self.from_env.replicas = true;
            let urls = replicas
                .split(|c: char| c == ',' || c.is_whitespace())
                .filter(|url| !url.is_empty());
            self.default.replicas = Some(
                urls.map(|url| NodeBuilder::url(url).into())
                    .collect::<Vec<_>>()
                    .into(),
            );
        }
        match enabled.map(|text| text.to_ascii_lowercase()).as_deref() {
            None => {}
            Some("true" | "1" | "on" | "yes") => self = self.enabled(true),
            Some("false" | "0" | "off" | "no") => self = self.enabled(false),
            Some(other) => found.push(ConfigProblem::new(
                "ROUTING_ENABLED",
                format!("must be \"true\" or \"false\", not {other:?}"),
            )),
        }
        match mode.map(|text| text.to_ascii_lowercase()).as_deref() {
            None => {}
            Some("strict") => self = self.mode(Mode::Strict),
            Some("greedy") => self = self.mode(Mode::Greedy),
            Some(other) => found.push(ConfigProblem::new(
                "ROUTING_MODE",
                format!("must be \"strict\" or \"greedy\", not {other:?}"),
            )),
        }
        self.found.extend(found);
        self
    }
}
