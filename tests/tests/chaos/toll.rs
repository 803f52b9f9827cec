//! What the faults have done to the reads, and to the servers.

use std::time::Duration;

use super::fault::Fault;

/// How often a node is connected to during one fault, at most: each of the eight connections of its
/// pool breaks once, and so do those of its other pool, each is tried some six times while somebody
/// waits for it (400 ms, by r2d2's back-off), and a monitor asks again and again, ever less often. Who
/// connects anew for each statement makes many hundreds.
const MOST_ATTEMPTS: u64 = 128;

/// Of one fault, once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toll {
    pub(crate) fault: Fault,
    pub(crate) reads: u64,
    /// Reads that took longer than a statement may stay with a silent replica.
    pub(crate) late: u64,
    /// Connections that were made to the node that took the most.
    pub(crate) attempts: u64,
    /// From the end of the fault until all nodes were used again.
    pub(crate) recovery: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Tolls(Vec<Toll>);

impl Tolls {
    pub(crate) fn add(&mut self, toll: Toll) {
        self.0.push(toll);
    }

    /// Of a replica's faults at most one read in a hundred is late, and no fault has everybody connect
    /// again and again.
    pub(crate) fn are_bearable(&self, adapter: &str) {
        let mut faults = Vec::new();
        for toll in &self.0 {
            if !faults.contains(&toll.fault) {
                faults.push(toll.fault);
            }
        }
        let (mut all_late, mut all_reads) = (0, 0);
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
            if !fault.is_of_primary() {
                all_late += late;
                all_reads += reads;
            }
        }
        assert!(
            all_late * 100 <= all_reads,
            "{adapter}: {all_late} of {all_reads} reads were late"
        );
        // A server that is full is asked by each statement that finds no connection in its pool.
        let is_herd = |toll: &&Toll| toll.attempts > MOST_ATTEMPTS && !toll.fault.is_refusal();
        let herds: Vec<_> = self.0.iter().filter(is_herd).collect();
        assert!(herds.is_empty(), "{adapter}: {herds:?}");
    }
}
