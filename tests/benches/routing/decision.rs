//! One decision.

use std::hint::black_box;
use std::sync::Barrier;

use routing_core::{Context, Position, ReplicaSet, Router, Rules, Session, StatementKind};

use crate::turns::{median, now};

const TURNS: usize = 41;
const DECISIONS: f64 = 200_000.0;

/// Prints nanoseconds and allocations per decision, its outcome reported.
pub(crate) fn table(effort: f64) {
    println!(
        "{:22}{:>10}{:>9}{:>14}{:>14}",
        "decision", "replicas", "threads", "ns (median)", "allocations"
    );
    let scale = scale((DECISIONS * effort) as usize);
    println!(
        "{:41}{scale:>14.1}{:>14}",
        "for scale, the clock read once", 0
    );
    for (name, kind, state, affinity) in [
        ("unpinned read", StatementKind::Select, State::New, true),
        (
            "… position required",
            StatementKind::Select,
            State::Told,
            true,
        ),
        ("… balanced anew", StatementKind::Select, State::New, false),
        ("pinned read", StatementKind::Select, State::Pinned, true),
        ("write", StatementKind::Insert, State::Pinned, true),
    ] {
        for replicas in [1, 3, 16] {
            for threads in [1, 2] {
                let router = router(replicas, affinity);
                let decisions = (DECISIONS * effort) as usize;
                let nanos = nanos(&router, kind, state, threads, decisions);
                let allocations = allocations(&router, kind, state);
                println!("{name:22}{replicas:>10}{threads:>9}{nanos:>14.1}{allocations:>14}");
            }
        }
    }
}

/// Machines differ, and days do on a shared one: nanoseconds of something that everybody has.
fn scale(times: usize) -> f64 {
    let turn = |_| {
        let start = now();
        for _ in 0..times {
            black_box(now());
        }
        start.elapsed().as_secs_f64() * 1e9 / times as f64
    };
    median((0..TURNS).map(turn).collect())
}

/// What a session has done before.
#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Pinned,
    /// An earlier one has told it of a position, which all replicas have reached.
    Told,
}

fn router(replicas: usize, affinity: bool) -> Router<usize> {
    let mut rules = Rules::default();
    rules.affinity = affinity;
    let set = (1..=replicas).fold(ReplicaSet::builder("default", 0), |set, n| set.replica(n));
    let set = set.rules(rules).positions(true).build().expect("a set");
    for node in &set.nodes()[1..] {
        node.observe(position());
    }
    Router::new([set]).expect("a router")
}

fn position() -> Position {
    Position::postgres(7_710_695_643_927_383_485, 1, 0x0400_12F8)
}

/// A handle with a session of its own, as each task of a program has one.
fn caller(state: State) -> Context {
    let session = Session::new();
    match state {
        State::New => {}
        State::Pinned => session.pin("default").expect("a pin"),
        State::Told => session.require("default", &position()),
    }
    Context::default().with_session(&session)
}

fn decide(router: &Router<usize>, kind: StatementKind, caller: &Context) {
    let set = router.default_set();
    let route = router
        .route(black_box(set), black_box(kind), black_box(caller))
        .expect("a decision");
    black_box(route.node().pool());
    route.start().1.succeeded(caller);
}

fn nanos(
    router: &Router<usize>,
    kind: StatementKind,
    state: State,
    threads: usize,
    decisions: usize,
) -> f64 {
    let barrier = Barrier::new(threads);
    let measure = || {
        let caller = caller(state);
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            barrier.wait();
            let start = now();
            for _ in 0..decisions {
                decide(router, kind, &caller);
            }
            turns.push(start.elapsed().as_secs_f64() * 1e9 / decisions as f64);
        }
        median(turns)
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(measure)).collect();
        let mine = measure();
        let all = others
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        median(all.chain([mine]).collect())
    })
}

/// Of 1,000 decisions, after the session has met the set.
fn allocations(router: &Router<usize>, kind: StatementKind, state: State) -> u64 {
    let caller = caller(state);
    decide(router, kind, &caller);
    let counted = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            decide(router, kind, &caller);
        }
    });
    counted.count_total / 1_000
}
