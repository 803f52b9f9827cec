//! Which replica, among those that may serve a read.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::rules::Balance;
use crate::names::MAX_NODES;
use crate::random::SplitMix64;

/// The nodes that may serve a read, by their index in the set.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    /// One bit per node.
    eligible: u64,
    shares: Shares<'a>,
}

/// Shares of reads, by index.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shares<'a> {
    /// As they are configured.
    Whole(&'a [u16]),
    /// Less for who comes back or is slow.
    Parts(&'a [u32; MAX_NODES]),
}

impl<'a> Candidates<'a> {
    /// `eligible` must not be empty, and every eligible node must have a weight.
    pub(crate) const fn new(eligible: u64, shares: Shares<'a>) -> Self {
        Self { eligible, shares }
    }

    /// Whether the node at `index` is a candidate.
    #[must_use]
    pub const fn contains(&self, index: usize) -> bool {
        index < u64::BITS as usize && self.eligible & (1 << index) != 0
    }

    /// The candidates' indices, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        let mut rest = self.eligible;
        std::iter::from_fn(move || {
            let index = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(index)
        })
    }

    /// The weight of the node at `index`, relative to the others'; less than was configured for one
    /// that has just come back, or is slow.
    #[must_use]
    #[inline]
    pub fn weight(&self, index: usize) -> u32 {
        match self.shares {
            Shares::Whole(weights) => weights.get(index).copied().unwrap_or(0).into(),
            Shares::Parts(weights) => weights.get(index).copied().unwrap_or(0),
        }
    }

    /// The sum of the candidates' weights.
    #[must_use]
    pub fn total_weight(&self) -> u64 {
        self.iter().map(|index| u64::from(self.weight(index))).sum()
    }

    /// The candidate at `point` of the line on which each takes up its weight; `point` counts
    /// modulo the total weight.
    #[must_use]
    pub fn at(&self, point: u64) -> usize {
        let mut rest = point % self.total_weight().max(1);
        let mut last = 0;
        for index in self.iter() {
            let weight = u64::from(self.weight(index));
            if rest < weight {
                return index;
            }
            rest -= weight;
            last = index;
        }
        last
    }
}

/// Chooses a replica for a read, where the session has none yet.
///
/// ```
/// use routing_core::{Balancer, Candidates};
///
/// /// Always the first that is up: the others are spares.
/// #[derive(Debug)]
/// struct FirstUp;
///
/// impl Balancer for FirstUp {
///     fn pick(&self, candidates: Candidates<'_>) -> usize {
///         candidates.iter().next().unwrap_or(0)
///     }
/// }
/// ```
pub trait Balancer: Send + Sync + fmt::Debug + 'static {
    /// The index of one of the candidates, of which there is at least one. An index that is none
    /// counts as the first.
    fn pick(&self, candidates: Candidates<'_>) -> usize;
}

impl Balance {
    pub(crate) fn balancer(self, seed: u64) -> Box<dyn Balancer> {
        let random = SplitMix64::from_seed(seed);
        match self {
            Self::RoundRobin => Box::new(RoundRobin(AtomicU64::new(random.next()))),
            Self::Random => Box::new(Random(random)),
        }
    }
}

#[derive(Debug)]
struct RoundRobin(AtomicU64);

impl Balancer for RoundRobin {
    /// Not point after point: the shares of a node with a great weight would come in a run. Steps of about
    /// the golden ratio take each point once in a round, and spread those of each node evenly
    /// (Knuth, The Art of Computer Programming, volume 3, section 6.4).
    fn pick(&self, candidates: Candidates<'_>) -> usize {
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        let mut weights = candidates.iter().map(|index| candidates.weight(index));
        let first = weights.next().unwrap_or(1);
        if weights.all(|weight| weight == first) {
            // Nodes of one weight simply take turns.
            return candidates.at(turn.wrapping_mul(first.into()));
        }
        candidates.at(spread(turn, candidates))
    }
}

/// The point of this turn, where weights differ.
fn spread(turn: u64, candidates: Candidates<'_>) -> u64 {
    let weights = candidates.iter();
    let weights = weights.map(|index| u64::from(candidates.weight(index)));
    let unit = weights.fold(0, gcd).max(1);
    let round = (candidates.total_weight() / unit).max(1);
    let point = u128::from(turn % round) * u128::from(stride(round)) % u128::from(round);
    point as u64 * unit
}

/// The step from one point to the next that takes all of `round` points, and goes far.
fn stride(round: u64) -> u64 {
    const GOLDEN: u64 = 618;
    let mut stride = (round * GOLDEN / 1_000).max(1);
    while gcd(stride, round) != 1 {
        stride += 1;
    }
    stride
}

const fn gcd(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[derive(Debug)]
struct Random(SplitMix64);

impl Balancer for Random {
    fn pick(&self, candidates: Candidates<'_>) -> usize {
        candidates.at(self.0.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(balancer: &dyn Balancer, candidates: Candidates<'_>, draws: usize) -> [usize; 4] {
        let mut shares = [0; 4];
        for _ in 0..draws {
            shares[balancer.pick(candidates)] += 1;
        }
        shares
    }

    #[test]
    fn round_robin_is_exact_and_skips_what_is_not_a_candidate() {
        let candidates = Candidates::new(0b1011, Shares::Whole(&[1, 2, 1, 3]));
        let balancer = Balance::RoundRobin.balancer(1);
        assert_eq!(shares(&*balancer, candidates, 600), [100, 200, 0, 300]);
    }

    #[test]
    fn round_robin_has_no_runs() {
        for weights in [
            [1, 1, 1, 1],
            [100, 100, 100, 100],
            [3, 1, 1, 1],
            [100, 99, 37, 5],
        ] {
            let candidates = Candidates::new(0b1111, Shares::Whole(&weights));
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let balancer = Balance::RoundRobin.balancer(3);
            let mut counts = [0_u64; 4];
            for draw in 1..=total {
                counts[balancer.pick(candidates)] += 1;
                for (count, weight) in counts.iter().zip(weights) {
                    let share = (draw * u64::from(weight)) as f64 / total as f64;
                    let off = (*count as f64 - share).abs();
                    assert!(off <= 2.0, "{weights:?}: {counts:?} after {draw}");
                }
            }
            assert!(
                counts
                    .iter()
                    .zip(weights)
                    .all(|(count, weight)| *count == u64::from(weight))
            );
        }
        // As many to one as to the other, whatever their weights are written as.
        let candidates = Candidates::new(0b11, Shares::Whole(&[100, 100]));
        let balancer = Balance::RoundRobin.balancer(4);
        assert_eq!(shares(&*balancer, candidates, 40), [20, 20, 0, 0]);
    }

    #[test]
    fn random_follows_the_weights() {
        let candidates = Candidates::new(0b1110, Shares::Whole(&[9, 1, 1, 2]));
        let balancer = Random(SplitMix64::from_seed(7));
        let [none, one, other, twice] = shares(&balancer, candidates, 4_000);
        assert_eq!(none, 0);
        assert!((900..1_100).contains(&one) && (900..1_100).contains(&other));
        assert!((1_850..2_150).contains(&twice));
    }
}
