//! Sessions over the router, run as an adapter runs them, and a check of everything they see.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use routing_core::{
    ConnectionState, Context, Failure, HandOver, Next, PinRelease, ReplicaSet, Role, Router,
    RoutingError, Rules, Scope, Session, StatementKind,
};

use super::cluster::{self, Cluster, Entry, Line, Statement, execute, wait_in_pool, with};
use super::executor::{VirtualClock, VirtualTimer, run, sleep, spawn};
use super::planted::Bug;

const CLIENTS: usize = 3;

/// What has happened, for the check at the end.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reads: usize,
    pub(crate) on_replicas: usize,
    pub(crate) failed_reads: usize,
    /// Reads that came after a statement which left something in its connection.
    pub(crate) reads_with_state: usize,
    pub(crate) writes: usize,
    pub(crate) failed_writes: usize,
    pub(crate) promotions: u32,
    /// What must never be.
    pub(crate) violations: Vec<String>,
}

type Shared = Arc<Mutex<Outcome>>;

#[derive(Clone)]
struct App {
    router: Arc<Router<usize>>,
    clock: Arc<VirtualClock>,
    /// The sessions', which does not jump: what is known by time only is as good as its clock.
    steady: Arc<VirtualClock>,
    outcome: Shared,
    bug: Option<Bug>,
}

#[derive(Debug)]
enum Failed {
    Refused { _why: RoutingError },
    Driver { _how: Failure },
}

impl App {
    fn new(seed: u64, bug: Option<Bug>, outcome: Shared) -> Self {
        let mut random = SmallRng::seed_from_u64(seed ^ 0xabb);
        let mut rules = Rules::default();
        rules.pin_release = if random.random_bool(0.8) {
            PinRelease::CaughtUp
        } else {
            PinRelease::SessionEnd
        };
        rules.catch_up_wait = Duration::from_millis(random.random_range(0..20));
        rules.affinity = true;
        let set = ReplicaSet::builder("default", 0)
            .replica(1)
            .replica(2)
            .rules(rules)
            .positions(true)
            .seed(seed)
            .build()
            .expect("a set");
        let clock = Arc::new(VirtualClock::default());
        let router = Router::builder([set])
            .clock(Arc::clone(&clock) as _)
            .build()
            .expect("a router");
        let router = Arc::new(router);
        for monitor in router.monitors(router.default_set()) {
            spawn(monitor.run::<Line, VirtualTimer>());
        }
        Self {
            router,
            clock,
            steady: Arc::default(),
            outcome,
            bug,
        }
    }

    fn violation(&self, what: String) {
        let mut outcome = self.outcome.lock().expect("one thread");
        outcome.violations.push(what);
    }

    /// Runs a statement as an adapter does.
    async fn run(
        &self,
        kind: StatementKind,
        caller: &Caller,
        what: Statement,
    ) -> Result<Answered, Failed> {
        let kept = caller.kept();
        let Caller { context, state, .. } = caller;
        let caller = context;
        let set = self.router.default_set();
        let refused = |_why| Failed::Refused { _why };
        let mut route = self
            .router
            .route_patiently::<VirtualTimer>(set, kind, caller)
            .await
            .map_err(refused)?;
        let mut attempts = 0;
        loop {
            wait_in_pool().await;
            if self.bug != Some(Bug::NeverLooksAgain) && !route.holds() {
                route = route.decide_anew(caller).map_err(refused)?;
                continue;
            }
            let (permit, running) = route.start();
            let (index, role) = (*permit.node().pool(), permit.role());
            let (node, connected) = (permit.node(), permit.node().connected().clone());
            // A caller keeps the connection that its state is in.
            let is_gone = kept.is_some_and(|(place, start)| {
                place == index && start != with(|cluster| cluster.start_of(index))
            });
            attempts += 1;
            if attempts > 8 {
                self.violation(format!("{kind:?} was tried {attempts} times"));
            }
            self.check_write(what, index, role);
            let start = with(|cluster| cluster.start_of(index));
            let mut attended = if is_gone {
                Some(Err(Failure::Lost))
            } else {
                let executing = execute(index, what, connected.clone());
                running.attend::<VirtualTimer, _>(executing).await
            };
            if matches!(
                attended,
                None | Some(Err(Failure::Lost | Failure::Silent | Failure::Unreachable))
            ) {
                state.lose(node);
            }
            if self.bug == Some(Bug::RetriesWrites) && attended == Some(Err(Failure::Lost)) {
                attended = Some(execute(index, what, connected).await);
            }
            let next = match attended {
                Some(Ok(_)) if running.shows_less_patiently::<VirtualTimer>().await => {
                    running.failed(Failure::Ended, caller)
                }
                Some(Ok(answer)) => {
                    running.succeeded(caller);
                    return Ok(Answered {
                        answer,
                        role,
                        index,
                        start,
                    });
                }
                Some(Err(Failure::ReadOnly)) => {
                    running
                        .refused_as_write_patiently::<VirtualTimer>("a write", caller)
                        .await
                }
                Some(Err(failure)) => {
                    let next = running.failed_patiently::<VirtualTimer>(failure, caller);
                    match next.await {
                        Next::Unchanged => return Err(Failed::Driver { _how: failure }),
                        next => next,
                    }
                }
                None => Next::Route(running.silent(caller).map_err(refused)?),
            };
            route = match next {
                Next::Route(route) => route,
                Next::Refused(error) => return Err(refused(error)),
                Next::Unchanged => {
                    return Err(Failed::Driver {
                        _how: Failure::ReadOnly,
                    });
                }
            };
        }
    }

    /// No write on a replica, nor on a primary that is known to have been superseded.
    fn check_write(&self, what: Statement, index: usize, role: Role) {
        if !matches!(what, Statement::Write(_)) {
            return;
        }
        if role == Role::Replica {
            self.violation(format!("a write goes to replica {index}"));
        }
        if with(|cluster| cluster.is_known_to_be_superseded(index)) {
            self.violation(format!("a write goes to {index}, which is superseded"));
        }
    }
}

/// Who runs statements: with a connection to each node for as long as it likes, as Diesel's callers.
struct Caller {
    context: Context,
    state: ConnectionState,
    /// The server that state was left on, and which start of it.
    kept: Mutex<Option<(usize, u64)>>,
}

impl Caller {
    fn new(session: &Session, bug: Option<Bug>) -> Self {
        let state = ConnectionState::default();
        let context = Context::default().with_session(session);
        Self {
            context: if bug == Some(Bug::ForgetsState) {
                context
            } else {
                context.with_state(&state)
            },
            state,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> Option<(usize, u64)> {
        *self.kept.lock().expect("one thread")
    }
}

/// What a server has answered, and which.
#[derive(Debug)]
struct Answered {
    answer: [u64; 2],
    role: Role,
    index: usize,
    start: u64,
}

/// One client: requests one after the other, with what each hands over to the next.
struct Client {
    app: App,
    id: usize,
    random: SmallRng,
    number: u64,
    /// What was acknowledged, and is in the token that he has.
    acknowledged: Vec<Entry>,
    token: Vec<HandOver>,
}

impl Client {
    async fn request(&mut self) {
        let session = Session::with_clock(Arc::clone(&self.app.steady) as _);
        session.expect_hand_over();
        session.take_over(self.token.drain(..));
        let caller = Caller::new(&session, self.app.bug);
        // What an earlier read of this request has shown of the neighbour's.
        let mut seen = 0;
        for _ in 0..self.random.random_range(1..7) {
            if self.random.random_bool(0.3) {
                self.write(&caller).await;
            } else if self.random.random_bool(0.1) {
                self.leave_state(&caller).await;
            } else {
                seen = self.read(&caller, seen).await;
            }
            let think = self.random.random_range(0..60);
            sleep(Duration::from_millis(think)).await;
        }
        let settled = session.when_settled();
        let limit = Duration::from_secs(1);
        let _settled = <VirtualTimer as routing_core::Timer>::within(limit, settled).await;
        self.token = session.hand_over();
    }

    /// Runs a statement such as `SET`.
    async fn leave_state(&self, caller: &Caller) {
        let read = Statement::Read(self.id, self.id);
        let left = self
            .app
            .run(StatementKind::SessionState, caller, read)
            .await;
        if let Ok(Answered { index, start, .. }) = left {
            *caller.kept.lock().expect("one thread") = Some((index, start));
        }
    }

    async fn write(&mut self, caller: &Caller) {
        self.number += 1;
        let entry = Entry {
            client: self.id,
            number: self.number,
        };
        let done = self
            .app
            .run(StatementKind::Insert, caller, Statement::Write(entry))
            .await;
        if let Ok(Answered { index, start, .. }) = done {
            self.check_state(caller, index, start);
        }
        let mut outcome = self.app.outcome.lock().expect("one thread");
        outcome.writes += 1;
        match done {
            Ok(_) => self.acknowledged.push(entry),
            Err(_) => outcome.failed_writes += 1,
        }
    }

    /// Nothing runs without what its caller has left in a connection.
    fn check_state(&self, caller: &Caller, index: usize, start: u64) {
        if let Some(kept) = caller.kept()
            && kept != (index, start)
        {
            let what = format!(
                "client {} left state in {kept:?}, and is on {:?}",
                self.id,
                (index, start)
            );
            self.app.violation(what);
        }
    }

    async fn read(&mut self, caller: &Caller, seen: u64) -> u64 {
        let kept = caller.kept();
        let Caller { context, state, .. } = caller;
        let context = context.clone();
        let caller = Caller {
            context: if self.app.bug == Some(Bug::NoFence) {
                context.with_scope(Scope::replica())
            } else {
                context
            },
            state: state.clone(),
            kept: Mutex::new(kept),
        };
        let neighbour = (self.id + 1) % CLIENTS;
        let promotions = with(|cluster| cluster.promotions);
        let what = Statement::Read(self.id, neighbour);
        let done = self.app.run(StatementKind::Select, &caller, what).await;
        let mut outcome = self.app.outcome.lock().expect("one thread");
        outcome.reads += 1;
        let Ok(Answered {
            answer: [own, theirs],
            role,
            index,
            start,
        }) = done
        else {
            outcome.failed_reads += 1;
            return seen;
        };
        outcome.on_replicas += usize::from(role == Role::Replica);
        outcome.reads_with_state += usize::from(kept.is_some());
        drop(outcome);
        self.check_state(&caller, index, start);
        let required = with(|cluster| {
            let kept = self.acknowledged.iter();
            kept.filter(|entry| !cluster.lost.contains(entry))
                .map(|entry| entry.number)
                .max()
                .unwrap_or(0)
        });
        if own < required {
            let what = format!("client {} read {own}, and has written {required}", self.id);
            self.app.violation(what);
        }
        // What was seen may have been lost with its primary.
        let is_same_history = promotions == with(|cluster| cluster.promotions) && promotions == 0;
        if theirs < seen && is_same_history {
            let what = format!("client {} read {theirs} after {seen}", self.id);
            self.app.violation(what);
        }
        theirs.max(if is_same_history { seen } else { 0 })
    }
}

/// Runs one schedule, and says what came of it: on a thread of its own, where nothing is left of
/// another.
///
/// # Panics
///
/// If it does not end.
pub(crate) fn schedule(seed: u64, bug: Option<Bug>) -> Outcome {
    let played = std::thread::spawn(move || play(seed, bug)).join();
    played.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn play(seed: u64, bug: Option<Bug>) -> Outcome {
    let outcome = Shared::default();
    let shared = Arc::clone(&outcome);
    run(seed, Duration::from_secs(3_600), async move {
        cluster::install(seed, bug);
        let app = App::new(seed, bug, shared);
        cluster::live(30);
        let left = Arc::new(Mutex::new(CLIENTS));
        for id in 0..CLIENTS {
            let left = Arc::clone(&left);
            let mut client = Client {
                app: app.clone(),
                id,
                random: SmallRng::seed_from_u64(seed ^ (id as u64) << 32),
                number: 0,
                acknowledged: Vec::new(),
                token: Vec::new(),
            };
            spawn(async move {
                for _ in 0..12 {
                    client.request().await;
                    let pause = client.random.random_range(0..300);
                    sleep(Duration::from_millis(pause)).await;
                }
                *left.lock().expect("one thread") -= 1;
            });
        }
        let mut random = SmallRng::seed_from_u64(seed ^ 0x1ea9);
        while *left.lock().expect("one thread") > 0 {
            sleep(Duration::from_millis(500)).await;
            if random.random_bool(0.05) {
                app.clock
                    .jump(Duration::from_secs(random.random_range(1..100)));
            }
            // Whoever is stuck is not to be freed by this.
            if super::executor::now() > 600_000_000_000 {
                app.violation("somebody does not get on".into());
                return;
            }
        }
        finish(&app).await;
    });
    Arc::into_inner(outcome)
        .expect("all is over")
        .into_inner()
        .expect("one thread")
}

/// Everything is right again: so must the router be, and nothing may have happened twice.
async fn finish(app: &App) {
    with(Cluster::heal);
    sleep(Duration::from_secs(90)).await;
    let session = Session::with_clock(Arc::clone(&app.steady) as _);
    let caller = Caller::new(&session, None);
    let read = Statement::Read(CLIENTS, 0);
    if let Err(error) = app.run(StatementKind::Select, &caller, read).await {
        app.violation(format!("after healing, a read: {error:?}"));
    }
    // A connection of before may break under a write, which nobody sends again but its user.
    let mut failed = Vec::new();
    for number in 1..=3 {
        let last = Entry {
            client: CLIENTS,
            number,
        };
        let write = app.run(StatementKind::Insert, &caller, Statement::Write(last));
        match (
            write.await,
            app.run(StatementKind::Select, &caller, read).await,
        ) {
            (
                Ok(_),
                Ok(Answered {
                    answer: [seen, _], ..
                }),
            ) if seen == number => failed.clear(),
            other => failed.push(other),
        }
        if failed.is_empty() {
            break;
        }
    }
    if !failed.is_empty() {
        app.violation(format!("after healing, a write and a read: {failed:?}"));
    }
    let log = with(|cluster| cluster.final_log());
    for (at, entry) in log.iter().enumerate() {
        if log[..at].contains(entry) {
            app.violation(format!("{entry:?} was executed twice"));
        }
    }
    let mut outcome = app.outcome.lock().expect("one thread");
    outcome.promotions = with(|cluster| cluster.promotions);
}
