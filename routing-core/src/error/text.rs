//! Parts of the refusals' texts.

use std::fmt;
use std::time::Duration;

use super::problem::ConfigProblem;
use crate::names::SetName;
use crate::sql::kind::StatementKind;

pub(super) fn cause(kind: Option<StatementKind>) -> &'static str {
    kind.map_or("`pin`", StatementKind::as_str)
}

pub(super) struct Listing<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for Listing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}`{name}`")?;
        }
        Ok(())
    }
}

/// What else can be done about a write that is one only because nobody knows better.
pub(super) struct Hint(pub(super) StatementKind);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            StatementKind::FunctionCall => f.write_str(
                "; if the function only reads, name it in `functions.read` or, in PostgreSQL, \
                 declare it STABLE",
            ),
            _ => Ok(()),
        }
    }
}

pub(super) struct Unpinned<'a> {
    pub(super) set: &'a SetName,
    pub(super) in_session: bool,
}

impl fmt::Display for Unpinned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.set;
        if self.in_session {
            write!(
                f,
                "on a session that is not pinned, in strict mode; call `session.pin(\"{set}\")` \
                 before the session's first read, or, if the session need not read it back, run the \
                 statement in `Scope::primary()`, which pins nobody"
            )
        } else {
            write!(
                f,
                "without a session, in strict mode; run it in `session.run(…)` (a spawned task \
                 needs `in_current_session(…)`) after `session.pin(\"{set}\")`, or, if nobody need \
                 read it back, in `Scope::primary()`"
            )
        }
    }
}

pub(super) struct Cause<'a>(pub(super) Option<&'a str>);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}

pub(super) struct Retry(pub(super) Option<Duration>);

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(Duration::ZERO) => f.write_str(", and is being tried right now"),
            Some(wait) => write!(
                f,
                "; it will be tried again in {:.1} s at the latest",
                wait.as_secs_f64()
            ),
        }
    }
}

pub(super) struct Problems<'a>(pub(super) &'a [ConfigProblem]);

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "the routing configuration is wrong: {one}"),
            many => {
                write!(f, "the routing configuration has {} mistakes:", many.len())?;
                many.iter()
                    .try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}
