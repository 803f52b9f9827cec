//! Groups of settings as they are written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lenient::{Given, Ignored, Lenient, Span};
use crate::config::rules::{BreakerRules, FallbackBudget, LagLimits, ProbeRules, RetryRules};

/// Which functions only read, and which write.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionLists {
    pub(super) read: Given<Vec<String>>,
    pub(super) write: Given<Vec<String>>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct BreakerBuilder {
    pub(super) failures: Given<u16>,
    pub(super) back_off: Given<Span>,
    pub(super) max_back_off: Given<Span>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProbeBuilder {
    pub(super) heartbeat: Given<Span>,
    pub(super) fastest: Given<Span>,
    pub(super) timeout: Given<Span>,
    pub(super) suspect_after: Given<Span>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct LagBuilder {
    pub(super) time: Given<Span>,
    pub(super) bytes: Given<u64>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RetryBuilder {
    pub(super) attempts: Given<u8>,
    pub(super) back_off: Given<Span>,
    pub(super) max_back_off: Given<Span>,
    pub(super) deadline: Given<Span>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct BudgetBuilder {
    pub(super) per_second: Given<u32>,
    pub(super) burst: Given<u32>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

impl From<BreakerRules> for Lenient<BreakerBuilder> {
    fn from(rules: BreakerRules) -> Self {
        Self::Fits(BreakerBuilder {
            failures: Some(rules.failures.into()),
            back_off: Some(Span(rules.back_off).into()),
            max_back_off: Some(Span(rules.max_back_off).into()),
            unknown: BTreeMap::new(),
        })
    }
}

impl From<ProbeRules> for Lenient<ProbeBuilder> {
    fn from(rules: ProbeRules) -> Self {
        Self::Fits(ProbeBuilder {
            heartbeat: Some(rules.heartbeat.into()),
            fastest: Some(rules.fastest.into()),
            timeout: Some(rules.timeout.into()),
            suspect_after: Some(rules.suspect_after.into()),
            unknown: BTreeMap::new(),
        })
    }
}

impl From<LagLimits> for Lenient<LagBuilder> {
    fn from(limits: LagLimits) -> Self {
        Self::Fits(LagBuilder {
            time: Some(limits.time.into()),
            bytes: Some(limits.bytes.into()),
            unknown: BTreeMap::new(),
        })
    }
}

impl From<RetryRules> for Lenient<RetryBuilder> {
    fn from(rules: RetryRules) -> Self {
        Self::Fits(RetryBuilder {
            attempts: Some(rules.attempts.into()),
            back_off: Some(rules.back_off.into()),
            max_back_off: Some(rules.max_back_off.into()),
            deadline: Some(rules.deadline.into()),
            unknown: BTreeMap::new(),
        })
    }
}

impl From<FallbackBudget> for Lenient<BudgetBuilder> {
    fn from(budget: FallbackBudget) -> Self {
        Self::Fits(BudgetBuilder {
            per_second: Some(budget.per_second.into()),
            burst: Some(budget.burst.into()),
            unknown: BTreeMap::new(),
        })
    }
}
