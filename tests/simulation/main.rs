//! A deterministic simulation of the whole: sessions, the router and its monitors as they are, over
//! servers that are made up, in virtual time and from a seed.
//!
//! A seed that fails is printed, and `ROUTING_SEED=… cargo test -p routing-simulation`
//! plays it again.

mod clients;
mod cluster;
mod executor;
mod planted;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clients::{Outcome, schedule};
use planted::Bug;

/// How many schedules are played: 10,000, or `ROUTING_SCHEDULES`.
fn schedules() -> u64 {
    let given = std::env::var("ROUTING_SCHEDULES").ok();
    given.map_or(10_000, |given| given.parse().expect("a number"))
}

/// The one that is to be played again.
fn seed() -> Option<u64> {
    let given = std::env::var("ROUTING_SEED").ok();
    given.map(|given| given.parse().expect("a number"))
}

#[test]
fn no_schedule_breaks_a_promise() {
    if let Some(seed) = seed() {
        let outcome = schedule(seed, None);
        assert!(outcome.violations.is_empty(), "seed {seed}: {outcome:#?}");
        return;
    }
    let (next, last) = (AtomicU64::new(0), schedules());
    let total = Mutex::new(Outcome::default());
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        return;
                    }
                    let played = std::panic::catch_unwind(|| schedule(seed, None));
                    let Ok(outcome) = played else {
                        panic!("seed {seed}: play it again with ROUTING_SEED={seed}");
                    };
                    assert!(
                        outcome.violations.is_empty(),
                        "seed {seed}, to be played again with ROUTING_SEED={seed}: {outcome:#?}"
                    );
                    let mut total = total.lock().expect("nobody has failed");
                    total.reads += outcome.reads;
                    total.on_replicas += outcome.on_replicas;
                    total.failed_reads += outcome.failed_reads;
                    total.reads_with_state += outcome.reads_with_state;
                    total.writes += outcome.writes;
                    total.failed_writes += outcome.failed_writes;
                    total.promotions += outcome.promotions;
                }
            });
        }
    });
    let total = total.into_inner().expect("nobody has failed");
    println!("{last} schedules: {total:?}");
    // It was not all refused: most reads are answered whatever happens, and by replicas, too.
    assert!(total.failed_reads * 4 < total.reads, "{total:?}");
    assert!(total.on_replicas * 4 > total.reads, "{total:?}");
    assert!(total.failed_writes * 2 < total.writes, "{total:?}");
    assert!(u64::from(total.promotions) > last / 10, "{total:?}");
    assert!(total.reads_with_state * 50 > total.reads, "{total:?}");
}

#[test]
fn the_same_seed_is_the_same_schedule() {
    for seed in 0..20 {
        let [one, two] = [(); 2].map(|()| format!("{:?}", schedule(seed, None)));
        assert_eq!(one, two, "seed {seed}");
    }
}

/// Each planted bug is found, within a tenth of what is played.
fn is_found(bug: Bug) {
    let most = (schedules() / 10).max(1);
    let found = (0..most).find(|&seed| {
        // A schedule that never ends is found, too.
        let played = std::panic::catch_unwind(|| schedule(seed, Some(bug)));
        played.map_or(true, |outcome| !outcome.violations.is_empty())
    });
    println!("{bug:?}: seed {found:?}");
    assert!(found.is_some(), "{bug:?} is not found");
}

#[test]
fn reads_without_a_fence_are_found() {
    is_found(Bug::NoFence);
}

#[test]
fn writes_that_are_sent_again_are_found() {
    is_found(Bug::RetriesWrites);
}

#[test]
fn decisions_that_nobody_looks_at_again_are_found() {
    is_found(Bug::NeverLooksAgain);
}

#[test]
fn reads_without_their_state_are_found() {
    is_found(Bug::ForgetsState);
}

#[test]
fn timelines_that_nobody_looks_at_are_found() {
    is_found(Bug::IgnoresTimelines);
}
