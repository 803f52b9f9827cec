//! Virtual time: tasks that run one at a time, in an order that a seed decides, and a clock that
//! moves when nobody has anything to do.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use routing_core::{Clock, Timer, Timestamp};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the tasks of one schedule share.
#[derive(Default)]
struct Shared {
    now: AtomicU64,
    ready: Mutex<Vec<usize>>,
    timers: Mutex<BinaryHeap<Reverse<(u64, u64, usize)>>>,
    sequence: AtomicU64,
}

thread_local! {
    static SHARED: RefCell<Arc<Shared>> = RefCell::default();
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
    static CURRENT: RefCell<usize> = const { RefCell::new(0) };
}

fn shared() -> Arc<Shared> {
    SHARED.with_borrow(Arc::clone)
}

/// The virtual time, in nanoseconds.
pub(crate) fn now() -> u64 {
    shared().now.load(Ordering::Relaxed)
}

/// Starts a task.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(task)));
}

/// Lets time pass.
pub(crate) fn sleep(lasts: Duration) -> Sleep {
    Sleep { lasts, until: None }
}

pub(crate) struct Sleep {
    lasts: Duration,
    until: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let shared = shared();
        let now = shared.now.load(Ordering::Relaxed);
        match self.until {
            Some(until) if until <= now => Poll::Ready(()),
            // Whoever polls this is the current task.
            Some(_) => Poll::Pending,
            None => {
                let lasts = u64::try_from(self.lasts.as_nanos()).unwrap_or(u64::MAX);
                let until = now.saturating_add(lasts.max(1));
                self.until = Some(until);
                let sequence = shared.sequence.fetch_add(1, Ordering::Relaxed);
                let task = CURRENT.with_borrow(|current| *current);
                let mut timers = shared.timers.lock().expect("one thread");
                timers.push(Reverse((until, sequence, task)));
                Poll::Pending
            }
        }
    }
}

/// The virtual time as the core's.
pub(crate) struct VirtualTimer;

impl Timer for VirtualTimer {
    async fn within<F>(limit: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        let mut future = pin!(future);
        let mut sleep = sleep(limit);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            Pin::new(&mut sleep).poll(cx).map(|()| None)
        })
        .await
    }
}

/// The virtual time, which may jump ahead of itself.
#[derive(Default)]
pub(crate) struct VirtualClock {
    jumped: AtomicU64,
}

impl VirtualClock {
    pub(crate) fn jump(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.jumped.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(now() + self.jumped.load(Ordering::Relaxed))
    }
}

struct TaskWaker {
    task: usize,
    shared: Arc<Shared>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = self.shared.ready.lock().expect("one thread");
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

/// Runs what `main` starts until `main` is over.
///
/// # Panics
///
/// If nobody has anything to do before, or if it takes more than `limit` of virtual time.
pub(crate) fn run(seed: u64, limit: Duration, main: impl Future<Output = ()> + Send + 'static) {
    let shared = Arc::new(Shared::default());
    SHARED.set(Arc::clone(&shared));
    SPAWNED.with_borrow_mut(Vec::clear);
    let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    let mut random = SmallRng::seed_from_u64(seed ^ 0xe8ec);
    let mut tasks: Vec<Option<Task>> = vec![Some(Box::pin(main))];
    shared.ready.lock().expect("one thread").push(0);
    while tasks[0].is_some() {
        let next = {
            let mut ready = shared.ready.lock().expect("one thread");
            let count = ready.len();
            (count > 0).then(|| ready.swap_remove(random.random_range(0..count)))
        };
        let Some(task) = next else {
            let due = shared.timers.lock().expect("one thread").pop();
            let Some(Reverse((at, _, task))) = due else {
                panic!("nobody has anything to do, and the schedule is not over");
            };
            assert!(at < limit, "the schedule does not end");
            shared.now.fetch_max(at, Ordering::Relaxed);
            let mut ready = shared.ready.lock().expect("one thread");
            if !ready.contains(&task) {
                ready.push(task);
            }
            continue;
        };
        let Some(running) = &mut tasks[task] else {
            continue;
        };
        CURRENT.set(task);
        let waker = Waker::from(Arc::new(TaskWaker {
            task,
            shared: Arc::clone(&shared),
        }));
        let is_over = running
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        if is_over {
            tasks[task] = None;
        }
        for spawned in SPAWNED.with_borrow_mut(std::mem::take) {
            shared.ready.lock().expect("one thread").push(tasks.len());
            tasks.push(Some(spawned));
        }
    }
    // What is left ends here, where it can still ask for the time.
    drop(tasks);
}
