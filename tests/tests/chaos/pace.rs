//! Whether the machine, not the router, kept a user from the primary.
//!
//! A watch beside the router asks the primary again and again. If the primary answers late although
//! nothing was done to it, the machine is busy; then the router may rightly take the primary for failed,
//! and refuse what needs it until its circuit breaker closes.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ledger::Tally;

/// An answer that takes longer is late. No probe's timeout is shorter.
const LATE: Duration = Duration::from_secs(2);

/// The longest that a circuit breaker stays open, and a probe after it.
const LASTS: Duration = Duration::from_secs(40);

const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Pace {
    late: Arc<Mutex<Vec<(Instant, Instant)>>>,
    is_enough: Arc<AtomicBool>,
    watches: JoinHandle<()>,
}

impl Pace {
    /// Asks the primary, beside the router, until [`Pace::end`].
    pub(crate) fn watch(primary: DatabaseConnection, tally: Arc<Tally>) -> Self {
        let late = Arc::new(Mutex::new(Vec::new()));
        let is_enough = Arc::new(AtomicBool::new(false));
        let (lates, enough) = (Arc::clone(&late), Arc::clone(&is_enough));
        let watches = tokio::spawn(async move {
            while !enough.load(Ordering::Acquire) {
                // A question that was asked while the primary failed counts from the end of that.
                let mut well_since = None;
                // Only the time counts: the users report a missing answer.
                let mut asking = pin!(async {
                    let _answered = primary.ping().await;
                    tokio::time::sleep(PAUSE).await;
                });
                let mut is_answered = false;
                while !is_answered {
                    let may_fail = tally.may_fail.load(Ordering::Acquire);
                    well_since = well_since
                        .filter(|_| !may_fail)
                        .or_else(|| (!may_fail).then(Instant::now));
                    let waiting = tokio::time::timeout(PAUSE, asking.as_mut());
                    is_answered = waiting.await.is_ok();
                }
                if let Some(since) = well_since
                    && since.elapsed() > LATE
                {
                    let mut lates = lates.lock().expect("no panic inside");
                    lates.push((since, Instant::now()));
                }
            }
            primary.close().await.expect("the connection closes");
        });
        Self {
            late,
            is_enough,
            watches,
        }
    }

    /// Closes its connection, and says when the primary may have been taken for failed.
    pub(crate) async fn end(self) -> impl Fn(Instant) -> bool {
        self.is_enough.store(true, Ordering::Release);
        self.watches.await.expect("no panic");
        let late = std::mem::take(&mut *self.late.lock().expect("no panic inside"));
        move |at| {
            late.iter()
                .any(|(from, to)| *from <= at && at <= *to + LASTS)
        }
    }
}
