//! Measuring in turns.

use std::future::Future;
use std::time::{Duration, Instant};

/// Now, to measure by.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What two ways of doing the same take.
pub(crate) struct Pair {
    /// The first, per piece of work.
    pub(crate) bare: Duration,
    /// The second, per piece of work.
    pub(crate) routed: Duration,
    /// First by second, median over the turns: the second's throughput, relative to the first's.
    pub(crate) throughput: f64,
}

/// Runs two ways of doing `work` pieces in turns, after a first turn that does not count.
pub(crate) async fn pair<A, B>(
    turns: usize,
    work: usize,
    bare: impl Fn(usize) -> A,
    routed: impl Fn(usize) -> B,
) -> Pair
where
    A: Future<Output = ()>,
    B: Future<Output = ()>,
{
    bare(work).await;
    routed(work).await;
    let (mut bares, mut routeds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns {
        // Whoever goes second may find caches warm: they change places.
        let (a, b) = if turn % 2 == 0 {
            let a = timed(bare(work)).await;
            (a, timed(routed(work)).await)
        } else {
            let b = timed(routed(work)).await;
            (timed(bare(work)).await, b)
        };
        bares.push(a);
        routeds.push(b);
        ratios.push(a / b);
    }
    let per_piece = |values| Duration::from_secs_f64(median(values) / work as f64);
    Pair {
        bare: per_piece(bares),
        routed: per_piece(routeds),
        throughput: median(ratios),
    }
}

async fn timed(work: impl Future<Output = ()>) -> f64 {
    let start = now();
    work.await;
    start.elapsed().as_secs_f64()
}
