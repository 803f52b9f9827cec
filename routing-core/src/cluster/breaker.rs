//! Whether a node is left alone, in one atomic word.
//!
//! The obvious design is a set of banned nodes behind a lock and a task that empties it. It makes
//! every query take the lock, and lets a crowd rush to a node that has just been taken off the
//! list. Here a decision is a pure function of the state and the time, which gives the answer and
//! the next state, and the atomic cell only retries it:
//!
//! - *up*: a success clears the count of consecutive failures, so that failures which lie days
//!   apart never add up; the `failures`-th in a row takes the node down;
//! - *down* until an instant: nobody is let through. What fails or succeeds meanwhile had started
//!   before, and changes nothing;
//! - then exactly one *trial* is let through. Its success brings the node up; its failure doubles
//!   the back-off, up to the maximum. A trial that is given up (its future was dropped) makes room
//!   for another at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::rules::BreakerRules;
use crate::time::clock::Timestamp;

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up { failures: u16 },
    Down { until: Timestamp, round: u8 },
    Trial { round: u8 },
}

/// What a breaker says to somebody who wants to use its node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The node is up.
    Granted,
    /// The node is down, and the holder may find out whether it still is.
    Trial(Trial),
    /// The node is left alone for so long.
    Refused(Duration),
}

/// The permission to use a node that is down; there is one at a time.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a trial has to be reported or given up, or the node stays down"]
pub(crate) struct Trial(());

/// Whether a report changed what others are told of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    WentUp,
    WentDown(Duration),
}

#[derive(Debug)]
pub(crate) struct Breaker {
    word: AtomicU64,
}

impl Breaker {
    pub(crate) const fn new() -> Self {
        Self {
            word: AtomicU64::new(State::Up { failures: 0 }.pack()),
        }
    }

    /// Whether the node is up; needs no clock.
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        self.word.load(Ordering::Acquire) & TAG_MASK == TAG_UP
    }

    /// Whether the node is up and its last report was a success.
    #[inline]
    pub(crate) fn is_spotless(&self) -> bool {
        self.word.load(Ordering::Relaxed) == (State::Up { failures: 0 }).pack()
    }

    /// Whether [`admit`](Self::admit) would let somebody through now.
    pub(crate) fn would_admit(&self, now: Timestamp) -> bool {
        match State::unpack(self.word.load(Ordering::Acquire)) {
            State::Up { .. } => true,
            State::Down { until, .. } => until <= now,
            State::Trial { .. } => false,
        }
    }

    /// Lets the caller through, as the one trial, or not.
    pub(crate) fn admit(&self, now: Timestamp) -> Admission {
        let mut admission = Admission::Granted;
        self.update(|state| {
            let (answer, next) = state.admit(now);
            admission = answer;
            next
        });
        admission
    }

    /// The same for who asks a node whether it is up or not, and only needs a trial if it is down.
    pub(crate) fn admit_if_down(&self, now: Timestamp) -> Option<Admission> {
        (!self.is_up()).then(|| self.admit(now))
    }

    /// The node answered.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "a report uses the trial up")]
    pub(crate) fn succeeded(&self, trial: Option<Trial>) -> Change {
        if self.is_spotless() {
            return Change::None;
        }
        let (before, after) = self.update(|state| state.succeeded(trial.is_some()));
        match (before, after) {
            (State::Up { .. }, _) | (_, State::Down { .. } | State::Trial { .. }) => Change::None,
            (State::Down { .. } | State::Trial { .. }, State::Up { .. }) => Change::WentUp,
        }
    }

    /// The node could not be reached, or broke the connection. The rules are those of its role.
    #[expect(clippy::needless_pass_by_value, reason = "a report uses the trial up")]
    pub(crate) fn failed(
        &self,
        trial: Option<Trial>,
        now: Timestamp,
        rules: &BreakerRules,
    ) -> Change {
        let (before, after) = self.update(|state| state.failed(trial.is_some(), now, rules));
        match after {
            State::Down { until, .. } if before != after => Change::WentDown(until.since(now)),
            State::Up { .. } | State::Down { .. } | State::Trial { .. } => Change::None,
        }
    }

    /// Somebody has seen the node down and sees it up again, whatever is left of the back-off.
    pub(crate) fn proved(&self) -> Change {
        if self.is_spotless() {
            return Change::None;
        }
        let (before, _) = self.update(|_| State::Up { failures: 0 });
        match before {
            State::Up { .. } => Change::None,
            State::Down { .. } | State::Trial { .. } => Change::WentUp,
        }
    }

    /// How long the node is left alone, if it is.
    pub(crate) fn refuses_for(&self, now: Timestamp) -> Option<Duration> {
        match State::unpack(self.word.load(Ordering::Acquire)) {
            State::Up { .. } => None,
            State::Down { until, .. } => Some(until.since(now)),
            State::Trial { .. } => Some(Duration::ZERO),
        }
    }

    /// Nobody will ever know how the trial ended: another may try at once.
    pub(crate) fn gave_up(&self, _: Trial) {
        self.update(State::gave_up);
    }

    fn update(&self, mut step: impl FnMut(State) -> State) -> (State, State) {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let before = State::unpack(word);
            let after = step(before);
            let next = after.pack();
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return (before, after),
                Err(current) => word = current,
            }
        }
    }
}

const TAG_MASK: u64 = 0b11;
const TAG_UP: u64 = 0b00;
const TAG_DOWN: u64 = 0b01;
const TAG_TRIAL: u64 = 0b10;
const ROUND_SHIFT: u32 = 2;
const ROUND_MASK: u64 = 0b11_1111;
const PAYLOAD_SHIFT: u32 = 8;
const NANOS_PER_MICRO: u64 = 1_000;

impl State {
    fn admit(self, now: Timestamp) -> (Admission, Self) {
        match self {
            Self::Up { .. } => (Admission::Granted, self),
            Self::Down { until, round } if until <= now => {
                (Admission::Trial(Trial(())), Self::Trial { round })
            }
            Self::Down { until, .. } => (Admission::Refused(until.since(now)), self),
            Self::Trial { .. } => (Admission::Refused(Duration::ZERO), self),
        }
    }

    const fn succeeded(self, trial: bool) -> Self {
        match self {
            Self::Up { .. } => Self::Up { failures: 0 },
            Self::Trial { .. } if trial => Self::Up { failures: 0 },
            Self::Down { .. } | Self::Trial { .. } => self,
        }
    }

    fn failed(self, trial: bool, now: Timestamp, rules: &BreakerRules) -> Self {
        match self {
            Self::Up { failures } if failures.saturating_add(1) >= rules.failures => {
                Self::down(now, 0, rules)
            }
            Self::Up { failures } => Self::Up {
                failures: failures.saturating_add(1),
            },
            Self::Trial { round } if trial => {
                Self::down(now, round.saturating_add(1).min(ROUND_MASK as u8), rules)
            }
            Self::Down { .. } | Self::Trial { .. } => self,
        }
    }

    const fn gave_up(self) -> Self {
        match self {
            Self::Trial { round } => Self::Down {
                until: Timestamp::from_nanos(0),
                round,
            },
            Self::Up { .. } | Self::Down { .. } => self,
        }
    }

    fn down(now: Timestamp, round: u8, rules: &BreakerRules) -> Self {
        let factor = 1_u32.checked_shl(round.into()).unwrap_or(u32::MAX);
        let back_off = rules
            .back_off
            .saturating_mul(factor)
            .min(rules.max_back_off);
        Self::Down {
            until: now.after(back_off),
            round,
        }
    }

    /// Two bits say which state, six the round, the rest failures or microseconds.
    const fn pack(self) -> u64 {
        match self {
            Self::Up { failures } => TAG_UP | ((failures as u64) << PAYLOAD_SHIFT),
            Self::Down { until, round } => {
                // Rounded up: a node is never tried before its time.
                let micros = until.as_nanos().div_ceil(NANOS_PER_MICRO);
                TAG_DOWN | ((round as u64) << ROUND_SHIFT) | (micros << PAYLOAD_SHIFT)
            }
            Self::Trial { round } => TAG_TRIAL | ((round as u64) << ROUND_SHIFT),
        }
    }

    const fn unpack(word: u64) -> Self {
        let round = ((word >> ROUND_SHIFT) & ROUND_MASK) as u8;
        let payload = word >> PAYLOAD_SHIFT;
        match word & TAG_MASK {
            TAG_UP => Self::Up {
                failures: payload as u16,
            },
            TAG_TRIAL => Self::Trial { round },
            _ => Self::Down {
                until: Timestamp::from_nanos(payload.saturating_mul(NANOS_PER_MICRO)),
                round,
            },
        }
    }
}

#[cfg(test)]
mod tests;
