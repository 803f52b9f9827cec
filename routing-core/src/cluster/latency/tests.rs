use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(seconds))
}

#[test]
fn replicas_that_take_turns_are_measured_alike() {
    for replicas in 1..8 {
        let mut measured = vec![0; replicas];
        for turn in 0..replicas * 4_096 {
            measured[turn % replicas] += usize::from(is_measured());
        }
        let expected = measured.iter().all(|count| (200..320).contains(count));
        assert!(expected, "{measured:?}");
    }
}

#[test]
fn who_comes_back_takes_ever_more() {
    let load = Load::default();
    let ramp = Duration::from_secs(10);
    assert!(load.is_whole());
    load.came_back(at(100));
    assert!(!load.is_whole());
    assert_eq!(load.part(ramp, at(100)), LEAST);
    assert_eq!(load.part(ramp, at(105)), WHOLE / 2);
    assert_eq!(load.part(ramp, at(110)), WHOLE);
    assert!(load.is_whole());
    // A clock that jumps back costs a share, not a panic.
    load.came_back(at(100));
    assert_eq!(load.part(ramp, at(1)), LEAST);
    assert_eq!(load.part(Duration::ZERO, at(1)), WHOLE);
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Enough reads that take so long, and the decision at this time.
fn weighed(load: &Load, took: Duration, others: Option<Duration>, now: Timestamp) -> u32 {
    for _ in 0..ENOUGH {
        load.measured(took);
    }
    load.weigh(load.close(), others, now);
    load.part(Duration::ZERO, now)
}

#[test]
fn a_slow_replica_takes_less_until_it_is_not_slow() {
    let load = Load::default();
    let part = weighed(&load, millis(100), Some(millis(10)), at(10));
    assert!((20..=30).contains(&part), "{part}");
    assert_eq!(weighed(&load, millis(100), Some(millis(1)), at(20)), LEAST);
    assert_eq!(weighed(&load, millis(11), Some(millis(10)), at(30)), WHOLE);
    assert!(load.is_whole());
    // Three times nothing is nothing, and without others there is nothing to compare with.
    let micros = Duration::from_micros;
    assert_eq!(
        weighed(&load, micros(900), Some(micros(100)), at(40)),
        WHOLE
    );
    assert_eq!(weighed(&load, millis(900), None, at(50)), WHOLE);
}

#[test]
fn few_slow_reads_are_no_slow_replica() {
    let (load, others) = (Load::default(), Some(millis(1)));
    // A report, while all else is fast.
    for took in [1, 1, 60_000, 1, 1].repeat(20) {
        load.measured(millis(took));
    }
    load.weigh(load.close(), others, at(10));
    assert!(load.is_whole());
    assert!(load.latency().is_some_and(|median| median < millis(2)));
    // Too few reads.
    for _ in 1..ENOUGH {
        load.measured(millis(500));
    }
    assert!(!load.has_enough());
    load.weigh(load.close(), others, at(20));
    assert!(load.is_whole());
}

#[test]
fn time_gives_the_share_back() {
    let load = Load::default();
    for (found, lasts) in [(10, 30), (100, 60), (200, 90)] {
        assert_eq!(
            weighed(&load, millis(500), Some(millis(1)), at(found)),
            LEAST
        );
        load.give_back(at(found + lasts - 1));
        assert_eq!(load.part(Duration::ZERO, at(found + lasts - 1)), LEAST);
        load.give_back(at(found + lasts));
        assert_eq!(load.part(Duration::ZERO, at(found + lasts)), WHOLE);
    }
    // However often, and wherever the clock is.
    for _ in 0..100 {
        weighed(&load, millis(500), Some(millis(1)), at(1_000_000));
        load.give_back(at(1_000_300));
        assert_eq!(load.part(Duration::ZERO, at(1_000_300)), WHOLE);
    }
    weighed(&load, millis(500), Some(millis(1)), at(1_000_000));
    load.give_back(at(0));
    assert_eq!(load.part(Duration::ZERO, at(0)), WHOLE);
}

#[test]
fn windows_end_with_enough_reads_or_with_time() {
    let comparison = Comparison::default();
    for (seconds, are_enough, expected) in [
        (1_000, false, true),
        (1_009, true, false),
        (1_010, false, false),
        (1_010, true, true),
        (1_069, false, false),
        (1_070, false, true),
        // The clock has jumped back.
        (10, false, true),
        (19, true, false),
    ] {
        let is_due = comparison.is_due(at(seconds), || are_enough);
        assert_eq!(is_due, expected, "{seconds} {are_enough}");
    }
}
