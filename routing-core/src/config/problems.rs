//! Collecting mistakes.

use std::collections::BTreeMap;

use super::lenient::{Ignored, Lenient};
use crate::error::ConfigProblem;

/// All mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(pub(super) Vec<ConfigProblem>);

impl Problems {
    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(ConfigProblem::new(path, message));
    }

    /// The value, if there is one and it fits; `wanted` says what would.
    pub(super) fn take<T>(
        &mut self,
        path: &str,
        value: Option<Lenient<T>>,
        wanted: &str,
    ) -> Option<T> {
        match value? {
            Lenient::Fits(value) => Some(value),
            Lenient::Other(_) if path.ends_with("password") => {
                self.add(path, format!("must be {wanted}; put it in quotes"));
                None
            }
            Lenient::Other(other) => {
                self.add(path, format!("must be {wanted}, not {other}"));
                None
            }
        }
    }
}

/// `path.key`, where the outermost path is empty.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A key that nobody knows is more often misspelt than meant.
pub(super) fn report_unknown(
    path: &str,
    unknown: &BTreeMap<String, Ignored>,
    problems: &mut Problems,
) {
    for key in unknown.keys() {
        problems.add(&join(path, key), "is not a setting");
    }
}
