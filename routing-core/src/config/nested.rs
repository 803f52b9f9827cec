//! Settings that are tables of settings.

use std::time::Duration;

use super::groups::{BreakerBuilder, BudgetBuilder, LagBuilder, ProbeBuilder, RetryBuilder};
use super::lenient::{Lenient, Span};
use super::problems::{Problems, join, report_unknown};
use crate::config::rules::{BreakerRules, FallbackBudget, LagLimits, ProbeRules, RetryRules};
use crate::names::MAX_ATTEMPTS;

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
        suspect_after,
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
        suspect_after: span(path, "suspect_after", suspect_after, problems)
            .unwrap_or(inherited.suspect_after),
    };
    for (key, span) in [
        ("fastest", rules.fastest),
        ("timeout", rules.timeout),
        ("suspect_after", rules.suspect_after),
    ] {
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

pub(super) fn lag_limits(
    path: &str,
    given: Option<Lenient<LagBuilder>>,
    inherited: LagLimits,
    problems: &mut Problems,
) -> LagLimits {
    let Some(LagBuilder {
        time,
        bytes,
        unknown,
    }) = problems.take(path, given, "a table")
    else {
        return inherited;
    };
    report_unknown(path, &unknown, problems);
    let time = span(path, "time", time, problems).unwrap_or(inherited.time);
    let bytes = problems.take(&join(path, "bytes"), bytes, "a whole number");
    if time.is_zero() {
        problems.add(&join(path, "time"), "must be more than 0");
    }
    LagLimits {
        time,
        bytes: bytes.unwrap_or(inherited.bytes),
    }
}

pub(super) fn retry_rules(
    path: &str,
    given: Option<Lenient<RetryBuilder>>,
    inherited: RetryRules,
    problems: &mut Problems,
) -> RetryRules {
    let Some(RetryBuilder {
        attempts,
        back_off,
        max_back_off,
        deadline,
        unknown,
    }) = problems.take(path, given, "a table")
    else {
        return inherited;
    };
    report_unknown(path, &unknown, problems);
    let attempts = problems.take(&join(path, "attempts"), attempts, "1 to 8");
    let attempts = attempts.unwrap_or(inherited.attempts);
    let back_off = span(path, "back_off", back_off, problems).unwrap_or(inherited.back_off);
    let rules = RetryRules {
        attempts,
        back_off,
        max_back_off: span(path, "max_back_off", max_back_off, problems)
            .unwrap_or_else(|| inherited.max_back_off.max(back_off)),
        deadline: span(path, "deadline", deadline, problems).unwrap_or(inherited.deadline),
    };
    if attempts == 0 || usize::from(attempts) > MAX_ATTEMPTS {
        let message = format!("must be 1 to {}", MAX_ATTEMPTS);
        problems.add(&join(path, "attempts"), &message);
    }
    if rules.max_back_off < back_off {
        problems.add(&join(path, "max_back_off"), "is shorter than `back_off`");
    }
    rules
}

pub(super) fn fallback_budget(
    path: &str,
    given: Option<Lenient<BudgetBuilder>>,
    inherited: Option<FallbackBudget>,
    problems: &mut Problems,
) -> Option<FallbackBudget> {
    let Some(BudgetBuilder {
        per_second,
        burst,
        unknown,
    }) = problems.take(path, given, "a table")
    else {
        return inherited;
    };
    report_unknown(path, &unknown, problems);
    let path_of = |key| join(path, key);
    let per_second = problems.take(&path_of("per_second"), per_second, "a whole number");
    let burst = problems.take(&path_of("burst"), burst, "a whole number");
    let Some(per_second) = per_second.or(inherited.map(|budget| budget.per_second)) else {
        problems.add(&path_of("per_second"), "is missing");
        return None;
    };
    // By default what a second allows may come at once.
    let budget = FallbackBudget::new(per_second, burst.unwrap_or(per_second));
    for (key, value) in [("per_second", budget.per_second), ("burst", budget.burst)] {
        if value == 0 {
            let message = "must be at least 1; `no_replica = \"error\"` lets no read through";
            problems.add(&path_of(key), message);
        }
    }
    Some(budget)
}
