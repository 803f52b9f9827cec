//! One decision.

use std::hint::black_box;
use std::sync::Barrier;

use routing_core::{Context, ReplicaSet, Router, Rules, Session, StatementKind};

use crate::turns::{median, now};

const TURNS: usize = 41;
const DECISIONS: f64 = 200_000.0;

/// Prints nanoseconds and allocations per decision, its outcome reported.
pub(crate) fn table(effort: f64) {
    println!(
        "{:22}{:>10}{:>9}{:>14}{:>14}",
        "decision", "replicas", "threads", "ns (median)", "allocations"
    );
    for (name, kind, pinned, affinity) in [
        ("unpinned read", StatementKind::Select, false, true),
        ("… balanced anew", StatementKind::Select, false, false),
        ("pinned read", StatementKind::Select, true, true),
        ("write", StatementKind::Insert, true, true),
    ] {
        for replicas in [1, 3, 16] {
            for threads in [1, 2] {
                let router = router(replicas, affinity);
                let decisions = (DECISIONS * effort) as usize;
                let nanos = nanos(&router, kind, pinned, threads, decisions);
                let allocations = allocations(&router, kind, pinned);
                println!("{name:22}{replicas:>10}{threads:>9}{nanos:>14.1}{allocations:>14}");
            }
        }
    }
}

fn router(replicas: usize, affinity: bool) -> Router<usize> {
    let mut rules = Rules::default();
    rules.affinity = affinity;
    let set = (1..=replicas).fold(ReplicaSet::builder("default", 0), |set, n| set.replica(n));
    Router::new([set.rules(rules).build().expect("a set")]).expect("a router")
}

/// A handle with a session of its own, as each task of a program has one.
fn caller(pinned: bool) -> Context {
    let session = Session::new();
    if pinned {
        session.pin("default").expect("a pin");
    }
    Context::default().with_session(&session)
}

fn decide(router: &Router<usize>, kind: StatementKind, caller: &Context) {
    let set = router.default_set();
    let route = router
        .route(black_box(set), black_box(kind), black_box(caller))
        .expect("a decision");
    black_box(route.node().pool());
    route.succeeded(caller);
}

fn nanos(
    router: &Router<usize>,
    kind: StatementKind,
    pinned: bool,
    threads: usize,
    decisions: usize,
) -> f64 {
    let barrier = Barrier::new(threads);
    let measure = || {
        let caller = caller(pinned);
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
fn allocations(router: &Router<usize>, kind: StatementKind, pinned: bool) -> u64 {
    let caller = caller(pinned);
    decide(router, kind, &caller);
    let counted = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            decide(router, kind, &caller);
        }
    });
    counted.count_total / 1_000
}
