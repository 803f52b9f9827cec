//! What the faults have done to the reads, and to the servers.

use std::time::Duration;

use super::fault::Fault;

/// How often a node is connected to during one fault, at most, in [`USUAL`] time: each of the eight connections of its
/// pool breaks once, and so do those of its other pool, each is tried some six times while somebody
/// waits for it (400 ms, by r2d2's back-off), and a monitor asks again and again, ever less often. Who
/// connects anew for each statement makes many hundreds.
const MOST_ATTEMPTS: u64 = 128;

/// How long a fault lasts, with what comes after it. On a busy machine it is longer, and those who try
/// again do so for as long, no more often.
const USUAL: Duration = Duration::from_secs(4);

/// Of one fault, once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toll {
    pub(crate) fault: Fault,
    pub(crate) reads: u64,
    /// Reads that took longer than a statement may stay with a silent replica.
    pub(crate) late: u64,
    /// Connections that were made to the node that took the most.
    pub(crate) attempts: u64,
    /// From its beginning until nothing was left of it.
    pub(crate) lasted: Duration,
    /// From the end of the fault until all nodes were used again.
    pub(crate) recovery: Duration,
}

impl Toll {
    fn most_attempts(&self) -> u64 {
        let usual = self.lasted.as_secs_f64() / USUAL.as_secs_f64();
        (MOST_ATTEMPTS as f64 * usual.max(1.0)) as u64
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tolls(Vec<Toll>);

impl Tolls {
    pub(crate) fn add(&mut self, toll: Toll) {
        self.0.push(toll);
    }

    /// No fault has everybody connect again and again. How many reads are late is only told: it is up to
    /// the machine.
    pub(crate) fn are_bearable(&self, adapter: &str) {
        let mut faults = Vec::new();
        for toll in &self.0 {
            if !faults.contains(&toll.fault) {
                faults.push(toll.fault);
            }
        }
        for fault in faults {
            let of_fault = self.0.iter().filter(|toll| toll.fault == fault);
            let (mut late, mut reads, mut attempts) = (0, 0, 0);
            let mut recovery = Duration::ZERO;
            for toll in of_fault {
                late += toll.late;
                reads += toll.reads;
                attempts = attempts.max(toll.attempts);
                recovery = recovery.max(toll.recovery);
            }
            println!(
                "  {fault:?}: {late} of {reads} reads late, at most {attempts} connections to a node, \
                 all well again after {recovery:.1?}"
            );
        }
        // A server that is full is asked by each statement that finds no connection in its pool.
        let is_herd =
            |toll: &&Toll| toll.attempts > toll.most_attempts() && !toll.fault.is_refusal();
        let herds: Vec<_> = self.0.iter().filter(is_herd).collect();
        assert!(herds.is_empty(), "{adapter}: {herds:?}");
    }
}
