//! Users who write down numbers and read them back, while servers fail, and a check of everything.
//!
//! Each user writes 1, 2, 3, … into a ledger that takes each number as often as it is given. So it is
//! known what a read may not miss, and what must be there at the end: each number that was
//! acknowledged once, and every other at most once.
//!
//! On PostgreSQL one read of four finds the user by a setting of its transaction, as row-level security does: it
//! shows whether a statement ran without the state that its transaction has set.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use routing_core::{HandOver, Session};
use routing_tests::adapter::{Adapter, Begin, End, Outcome, Shop, Step};
use routing_tests::wait::LIMIT;
use tokio::time::Instant;

/// The table, which takes every number as often as it is given.
pub(crate) const TABLE: &str = "CREATE TABLE ledger (who int NOT NULL, number bigint NOT NULL)";
pub(crate) const INDEX: &str = "CREATE INDEX ledger_who ON ledger (who, number)";

/// The last number of the user whom the setting names, and that user behind it.
const BY_SETTING: &str = "SELECT coalesce(max(number * 100 + who), \
                          current_setting('chaos.reader')::bigint) \
                          FROM ledger WHERE who = current_setting('chaos.reader')::int";

/// Whether PostgreSQL says that the setting is not there, or is empty.
fn is_without_setting(error: &str) -> bool {
    let told = [
        "unrecognized configuration parameter",
        "invalid input syntax",
    ];
    told.iter().any(|text| error.contains(text))
}

/// The factor of the number in that answer.
const PLACES: i64 = 100;

/// What has been counted, by all users.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) reads: AtomicU64,
    pub(crate) failed_reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) failed_writes: AtomicU64,
    /// Reads that took longer than a statement may stay with a silent replica: on a busy machine some do.
    pub(crate) late_reads: AtomicU64,
    pub(crate) slowest: AtomicU64,
    /// Reads that found the user by a setting.
    pub(crate) by_setting: AtomicU64,
    /// Those whose transaction a fault has ended.
    pub(crate) cut: AtomicU64,
    /// Whether reads may fail now, as the primary is in trouble too.
    pub(crate) may_fail: AtomicBool,
    /// What must not be.
    pub(crate) wrong: Mutex<Vec<String>>,
    /// The reads that were refused while the primary was well, and when they were.
    pub(crate) refused: Mutex<Vec<(Instant, String)>>,
    pub(crate) is_enough: AtomicBool,
}

impl Tally {
    pub(crate) fn operations(&self) -> u64 {
        self.reads.load(Ordering::Relaxed) + self.writes.load(Ordering::Relaxed)
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.writes.load(Ordering::Relaxed) - self.failed_writes.load(Ordering::Relaxed)
    }

    /// How many reads there were, and how many of them late.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        let late = self.late_reads.load(Ordering::Relaxed);
        (self.reads.load(Ordering::Relaxed), late)
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().expect("no panic inside").push(what);
    }
}

pub(crate) struct User<A> {
    pub(crate) db: A,
    pub(crate) id: usize,
    pub(crate) tally: Arc<Tally>,
    /// A read that takes longer is late.
    pub(crate) deadline: Duration,
    /// Whether the servers have settings that a transaction can set for itself.
    pub(crate) has_settings: bool,
    pub(crate) number: i64,
    pub(crate) acknowledged: Vec<i64>,
    pub(crate) token: Vec<HandOver>,
}

/// From a user's request to his next.
const THINKS: Duration = Duration::from_millis(250);

/// How long a request waits until its position is known. While the primary fails, it is not.
const SETTLES: Duration = Duration::from_secs(2);

/// An operation that takes longer hangs.
const HANGS: Duration = LIMIT;

impl<A: Adapter> User<A> {
    /// Works until it is enough.
    pub(crate) async fn work(mut self) -> Self {
        while !self.tally.is_enough.load(Ordering::Acquire) {
            self.request().await;
            // The machine is for the servers, and for who waits for them.
            tokio::time::sleep(THINKS).await;
        }
        self
    }

    async fn request(&mut self) {
        let session = Session::new();
        session.expect_hand_over();
        session.take_over(self.token.drain(..));
        let db = self.db.with_session(&session);
        self.reads(&db).await;
        self.write(&db).await;
        self.reads(&db).await;
        let _settled = tokio::time::timeout(SETTLES, session.when_settled()).await;
        self.token = session.hand_over();
    }

    async fn write(&mut self, db: &A) {
        self.number += 1;
        let sql = format!("INSERT INTO ledger VALUES ({}, {})", self.id, self.number);
        let done = tokio::time::timeout(HANGS, db.execute(&sql)).await;
        if !matches!(done, Ok(Ok(()))) {
            self.tally.failed_writes.fetch_add(1, Ordering::Relaxed);
        }
        self.tally.writes.fetch_add(1, Ordering::Relaxed);
        match done {
            Ok(Ok(())) => self.acknowledged.push(self.number),
            Ok(Err(_)) => {
                // As a user would, who is told that it does not work now.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(_) => self.tally.wrong(format!("a write of {} hangs", self.id)),
        }
    }

    async fn reads(&self, db: &A) {
        for _ in 0..3 {
            self.read(db).await;
        }
        // A transaction that a fault has ended is not run again by itself.
        if !(self.has_settings && self.read_by_setting(db).await) {
            self.read(db).await;
        }
    }

    /// Reads the last number of the user whom a setting of the transaction names; returns whether it did.
    async fn read_by_setting(&self, db: &A) -> bool {
        let steps = vec![
            Step::Execute(format!("SET LOCAL chaos.reader = '{}'", self.id)),
            Step::Number(BY_SETTING.to_owned()),
        ];
        let transaction = db.transaction(Begin::ReadOnly, steps, End::Commit);
        let Ok(outcomes) = tokio::time::timeout(HANGS, transaction).await else {
            let what = format!("a read of {} by a setting hangs", self.id);
            self.tally.wrong(what);
            return false;
        };
        self.tally.reads.fetch_add(1, Ordering::Relaxed);
        // The steps after a failed one run too, perhaps on another connection.
        let (mut seen, mut is_cut) = (None, false);
        for outcome in outcomes {
            match outcome {
                Outcome::Count(number) => seen = Some(number),
                Outcome::Failed(failed) if is_without_setting(&failed.text) => {
                    let what =
                        format!("a read of {} without its setting: {}", self.id, failed.text);
                    self.tally.wrong(what);
                }
                Outcome::Failed(_) => is_cut = true,
                Outcome::Server(_) | Outcome::Done => {}
            }
        }
        if is_cut {
            self.tally.cut.fetch_add(1, Ordering::Relaxed);
        }
        let Some(seen) = seen else {
            return false;
        };
        self.tally.by_setting.fetch_add(1, Ordering::Relaxed);
        let required = self.acknowledged.last().copied().unwrap_or(0);
        let (number, who) = (seen / PLACES, seen % PLACES);
        if usize::try_from(who) != Ok(self.id) || number < required {
            let what = format!(
                "{} read {number} of {who} by a setting, and has written {required}",
                self.id
            );
            self.tally.wrong(what);
        }
        true
    }

    async fn read(&self, db: &A) {
        let sql = format!(
            "SELECT coalesce(max(number), 0) FROM ledger WHERE who = {}",
            self.id
        );
        let might_fail = self.tally.may_fail.load(Ordering::Acquire);
        let begun = Instant::now();
        let done = tokio::time::timeout(HANGS, db.number(&sql)).await;
        let took = begun.elapsed();
        self.tally.reads.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.tally.slowest.fetch_max(micros, Ordering::Relaxed);
        if took > self.deadline {
            self.tally.late_reads.fetch_add(1, Ordering::Relaxed);
        }
        match done {
            Ok(Ok(seen)) => {
                let required = self.acknowledged.last().copied().unwrap_or(0);
                if seen < required {
                    let what = format!("{} read {seen}, and has written {required}", self.id);
                    self.tally.wrong(what);
                }
            }
            Ok(Err(error)) => {
                self.tally.failed_reads.fetch_add(1, Ordering::Relaxed);
                if !might_fail && !self.tally.may_fail.load(Ordering::Acquire) {
                    let what = format!("a read of {}: {error:?}", self.id);
                    let mut refused = self.tally.refused.lock().expect("no panic inside");
                    refused.push((Instant::now(), what));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(_) => self.tally.wrong(format!("a read of {} hangs", self.id)),
        }
    }
}
