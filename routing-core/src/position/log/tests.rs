use event_listener::Listener;

use super::*;

fn at(lsn: u64) -> Position {
    Position::postgres(7, 1, lsn)
}

#[test]
fn a_mark_is_covered_by_the_first_sample_after_it() {
    let samples = Samples::new(Positions::Asked);
    assert_eq!(samples.after(0), None);
    for number in 10..20 {
        samples.take(number, at(number * 100), Timestamp::default());
    }
    assert_eq!(samples.after(9), Some(at(1_000)));
    assert_eq!(samples.after(10), Some(at(1_100)));
    assert_eq!(samples.after(18), Some(at(1_900)));
    assert_eq!(samples.after(19), None);
    assert_eq!(samples.after(u64::MAX), None);
}

#[test]
fn old_samples_make_room() {
    let samples = Samples::new(Positions::Asked);
    for number in 1..=(KEPT as u64 * 3) {
        samples.take(number, at(number), Timestamp::default());
    }
    // The first that is left includes what was marked before all of them.
    assert_eq!(samples.after(1), Some(at(KEPT as u64 * 2 + 1)));
}

#[test]
fn who_is_behind_all_that_is_kept_is_behind_for_longer() {
    let samples = Samples::new(Positions::Asked);
    // Ten a second, for two days.
    let now = |number: u64| Timestamp::default().after(Duration::from_millis(100 * number));
    let last = 2 * 24 * 3_600 * 10;
    for number in 1..=last {
        samples.take(number, at(number), now(number));
    }
    let behind = |lsn: u64| samples.time_behind(&at(lsn), now(last));
    assert_eq!(behind(last), Some(Behind::For(Duration::ZERO)));
    let some = Behind::For(Duration::from_millis(100 * 99));
    assert_eq!(behind(last - 100), Some(some));
    for (seconds, exactly_to) in [(5, 1), (60, 1), (250, 1), (1_000, 60), (80_000, 60)] {
        let told = behind(last - 10 * seconds);
        let Some(Behind::For(told)) = told else {
            panic!("{told:?} for {seconds}");
        };
        let exact = Duration::from_secs(seconds);
        let most = Duration::from_secs(exactly_to);
        assert!(told.abs_diff(exact) <= most, "{told:?} is {exact:?}");
    }
    let told = behind(1);
    let day = Duration::from_secs(24 * 3_600 - 60);
    assert!(
        matches!(told, Some(Behind::AtLeast(least)) if least >= day),
        "{told:?}"
    );
}

#[test]
fn asking_twice_wakes_once() {
    let hurry = Hurry::default();
    let listener = hurry.listen();
    hurry.ask();
    assert!(listener.wait_timeout(Duration::ZERO).is_some());
    let listener = hurry.listen();
    hurry.ask();
    assert!(listener.wait_timeout(Duration::ZERO).is_none());
    assert!(hurry.take());
    assert!(!hurry.take());
    hurry.ask();
    assert!(hurry.is_asked());
}

#[test]
fn a_replica_is_behind_since_the_first_sample_that_it_has_not_reached() {
    let samples = Samples::new(Positions::Asked);
    let seconds = |n| Timestamp::default().after(Duration::from_secs(n));
    let behind = |lsn, now| samples.time_behind(&at(lsn), seconds(now));
    assert_eq!(behind(1, 9), None);
    for number in 1..=5 {
        samples.take(number, at(number * 100), seconds(number));
    }
    let (exactly, at_least) = (
        |seconds| Some(Behind::For(Duration::from_secs(seconds))),
        |seconds| Some(Behind::AtLeast(Duration::from_secs(seconds))),
    );
    assert_eq!(behind(500, 9), exactly(0));
    assert_eq!(behind(499, 9), exactly(4));
    assert_eq!(behind(100, 9), exactly(7));
    assert_eq!(
        behind(99, 9),
        at_least(8),
        "nobody has seen when it was there"
    );
    let foreign = Position::postgres(8, 1, 900);
    assert_eq!(samples.time_behind(&foreign, seconds(9)), None);
}
