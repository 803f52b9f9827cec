//! Settings that are tables of settings.

use std::time::Duration;

use super::builder::{BreakerBuilder, ProbeBuilder};
use super::lenient::{Lenient, Span};
use super::problems::{Problems, join, report_unknown};
use crate::rules::{BreakerRules, ProbeRules};

pub(super) fn span(
    path: &str,
    key: &str,
    given: Option<Lenient<Span>>,
    problems: &mut Problems,
) -> Option<Duration> {
    let given = problems.take(&join(path, key), given, "a duration such as \"5s\"")?;
    Some(given.0)
}

pub(super) fn probe_rules(
    path: &str,
    given: Option<Lenient<ProbeBuilder>>,
    inherited: ProbeRules,
    problems: &mut Problems,
) -> ProbeRules {
    let Some(ProbeBuilder {
        heartbeat,
        fastest,
        timeout,
        unknown,
    }) = problems.take(path, given, "a table")
    else {
        return inherited;
    };
    report_unknown(path, &unknown, problems);
    let rules = ProbeRules {
        heartbeat: span(path, "heartbeat", heartbeat, problems).unwrap_or(inherited.heartbeat),
        fastest: span(path, "fastest", fastest, problems).unwrap_or(inherited.fastest),
        timeout: span(path, "timeout", timeout, problems).unwrap_or(inherited.timeout),
    };
    for (key, span) in [("fastest", rules.fastest), ("timeout", rules.timeout)] {
        if span.is_zero() {
            problems.add(&join(path, key), "must be more than 0");
        }
    }
    if rules.heartbeat < rules.fastest {
        problems.add(&join(path, "heartbeat"), "is shorter than `fastest`");
    }
    rules
}

pub(super) fn breaker(
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
    let back_off = span(path, "back_off", back_off, problems).unwrap_or(inherited.back_off);
    let max_back_off = span(path, "max_back_off", max_back_off, problems)
        .unwrap_or_else(|| inherited.max_back_off.max(back_off));
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
