use super::*;

const RULES: BreakerRules = BreakerRules {
    failures: 2,
    back_off: Duration::from_secs(1),
    max_back_off: Duration::from_secs(3),
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(seconds))
}

fn trial(breaker: &Breaker, now: Timestamp) -> Trial {
    match breaker.admit(now) {
        Admission::Trial(trial) => trial,
        other => panic!("expected a trial, got {other:?}"),
    }
}

#[test]
fn only_consecutive_failures_count() {
    let breaker = Breaker::new();
    for second in 0..10 {
        assert_eq!(breaker.failed(None, at(second), &RULES), Change::None);
        assert_eq!(breaker.succeeded(None), Change::None);
    }
    assert!(breaker.is_up());
    breaker.failed(None, at(10), &RULES);
    assert_eq!(
        breaker.failed(None, at(10), &RULES),
        Change::WentDown(Duration::from_secs(1))
    );
    assert!(!breaker.is_up());
}

#[test]
fn one_trial_at_a_time_and_a_growing_back_off() {
    let breaker = Breaker::new();
    breaker.failed(None, at(0), &RULES);
    breaker.failed(None, at(0), &RULES);
    assert_eq!(
        breaker.admit(at(0)),
        Admission::Refused(Duration::from_secs(1))
    );
    let mut now = 1;
    for back_off in [2, 3, 3] {
        assert!(breaker.would_admit(at(now)));
        let trial = trial(&breaker, at(now));
        assert!(!breaker.would_admit(at(now)));
        assert_eq!(breaker.admit(at(now)), Admission::Refused(Duration::ZERO));
        assert_eq!(
            breaker.failed(Some(trial), at(now), &RULES),
            Change::WentDown(Duration::from_secs(back_off))
        );
        now += back_off;
    }
    let last = trial(&breaker, at(now));
    assert_eq!(breaker.succeeded(Some(last)), Change::WentUp);
    assert_eq!(breaker.admit(at(now)), Admission::Granted);
}

#[test]
fn what_started_before_the_fall_changes_nothing() {
    let breaker = Breaker::new();
    breaker.failed(None, at(0), &RULES);
    breaker.failed(None, at(0), &RULES);
    assert_eq!(breaker.failed(None, at(5), &RULES), Change::None);
    assert_eq!(breaker.succeeded(None), Change::None);
    assert!(!breaker.is_up());
    assert!(breaker.would_admit(at(1)));
}

#[test]
fn a_trial_that_is_given_up_makes_room() {
    let breaker = Breaker::new();
    breaker.failed(None, at(0), &RULES);
    breaker.failed(None, at(0), &RULES);
    let first = trial(&breaker, at(1));
    breaker.gave_up(first);
    let second = trial(&breaker, at(1));
    assert_eq!(breaker.succeeded(Some(second)), Change::WentUp);
}

#[test]
fn states_survive_the_word() {
    for state in [
        State::Up { failures: 0 },
        State::Up { failures: u16::MAX },
        State::Down {
            until: at(86_400 * 365),
            round: 63,
        },
        State::Trial { round: 63 },
    ] {
        assert_eq!(State::unpack(state.pack()), state);
    }
}

#[test]
fn many_threads_get_one_trial() {
    let breaker = Breaker::new();
    breaker.failed(None, at(0), &RULES);
    breaker.failed(None, at(0), &RULES);
    let trials: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| match breaker.admit(at(1)) {
                    Admission::Trial(_) => 1,
                    Admission::Granted | Admission::Refused(_) => 0,
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(trials, 1);
}
