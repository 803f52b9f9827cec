//! A router whose nodes answer probes, and what may go wrong between an answer and a decision.

mod roles;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{self, Poll, Waker};
use std::thread;
use std::time::Duration;

use routing_core::sql::Dialect;
use routing_core::{
    Answer, Context, Failure, FallbackBudget, ManualClock, Monitor, Next, NodeName, Observer,
    PinRelease, Probe, ReplicaSet, Router, RoutingError, Rules, Session, SetName, StatementKind,
    Timer, Turn,
};

type Pools = Router<&'static str>;

const LONG: Duration = Duration::from_secs(60);

/// A primary and its replicas, each with a monitor, and nobody who asks but the test.
struct Probed {
    router: Arc<Pools>,
    monitors: Vec<Monitor<&'static str>>,
    clock: Arc<ManualClock>,
    probe: Probe,
}

impl Probed {
    fn new(probe: Probe, observer: Option<Arc<dyn Observer>>, rules: Rules) -> Self {
        let set = ReplicaSet::builder("default", "primary")
            .named_replica("replica-1", 1, "replica-1")
            .rules(rules)
            .positions(true);
        let clock = Arc::new(ManualClock::new());
        clock.advance(Duration::from_secs(1_000));
        let mut router = Router::builder([set.build().expect("a set")]);
        router = router.clock(Arc::clone(&clock) as _);
        if let Some(observer) = observer {
            router = router.observer(observer);
        }
        let router = router.build().expect("a router");
        let monitors = router.monitors(router.default_set());
        Self {
            router: Arc::new(router),
            monitors,
            clock,
            probe,
        }
    }

    fn postgres() -> Self {
        Self::new(postgres(), None, rules())
    }

    fn mariadb() -> Self {
        let probe = Probe::new(Dialect::MySql, "10.11-MariaDB");
        Self::new(probe.expect("it has positions"), None, rules())
    }

    /// After a while a node answers its probe so, or not at all.
    fn says(&mut self, wait: Duration, node: usize, answer: Option<&str>) {
        let probe = self.probe.clone();
        let read = |role| {
            let read = |answer| Answer::from(probe.read(role, answer));
            answer.map_or(Answer::Failed(Failure::Silent), read)
        };
        self.clock.advance(wait);
        let Turn::Probe(ticket) = self.monitors[node].turn() else {
            panic!("a probe is due");
        };
        let answer = read(ticket.role());
        self.monitors[node].report(ticket, answer);
    }

    /// The connection breaks over which a node is asked.
    fn breaks(&mut self, wait: Duration, node: usize) {
        self.clock.advance(wait);
        let Turn::Probe(ticket) = self.monitors[node].turn() else {
            panic!("a probe is due");
        };
        self.monitors[node].report(ticket, Answer::Failed(Failure::Lost));
    }

    /// Answers a probe of a node's, if one is due by now.
    fn may_say(&mut self, node: usize, answer: &str) {
        self.clock.advance(Duration::from_millis(5));
        if let Turn::Probe(ticket) = self.monitors[node].turn() {
            let answer = Answer::from(self.probe.read(ticket.role(), answer));
            self.monitors[node].report(ticket, answer);
        }
    }

    fn run(&self, kind: StatementKind, caller: &Context) -> Result<&'static str, RoutingError> {
        let route = self.router.route(self.router.default_set(), kind, caller)?;
        let pool = *route.node().pool();
        route.start().1.succeeded(caller);
        Ok(pool)
    }

    /// The primary answers no probe until it counts as down.
    fn falls(&mut self) {
        for _ in 0..5 {
            self.says(LONG, 0, None);
        }
        assert!(!self.router.default_set().nodes()[0].is_up());
    }
}

fn rules() -> Rules {
    let mut rules = Rules::default();
    rules.pin_release = PinRelease::CaughtUp;
    rules
}

fn postgres() -> Probe {
    Probe::new(Dialect::Postgres, "").expect("it has positions")
}

fn in_session() -> Context {
    Context::default().with_session(&Session::new())
}

const PRIMARY: Option<&str> = Some("primary 7 1 0/1000 16777216");
const STANDBY: Option<&str> = Some("replica 7 1 0/1000 16777216");

#[test]
fn a_replica_that_is_an_hour_behind_a_busy_primary_is_left_out() {
    let mut probed = Probed::mariadb();
    probed.says(LONG, 0, Some("0|0-1-1||1"));
    probed.says(LONG, 1, Some("1|0-1-1|0-1-1|2"));
    let writer = in_session();
    for number in 2..20_000 {
        let written = probed.run(StatementKind::Insert, &writer);
        assert_eq!(written, Ok("primary"));
        let answer = format!("0|0-1-{number}||1");
        probed.says(Duration::from_millis(10), 0, Some(&answer));
    }
    probed.says(LONG, 1, Some("1|0-1-1|0-1-1|2"));
    let lag = probed.router.default_set().nodes()[1].lag();
    let lag = lag.and_then(|lag| lag.time).expect("it is known");
    assert!(lag > Duration::from_secs(200), "{lag:?}");
    let read = probed.run(StatementKind::Select, &in_session());
    assert_eq!(read, Ok("primary"));
}

/// Of a replica that answers before the primary nobody knows how far it is behind.
#[test]
fn a_replica_is_asked_again_when_the_primary_has_answered_first() {
    let mut probed = Probed::postgres();
    // Far behind what the primary will say.
    probed.says(LONG, 1, Some("replica 7 1 0/1000 16777216"));
    let caller = in_session();
    let read = |probed: &Probed| probed.run(StatementKind::Select, &caller);
    probed.says(Duration::ZERO, 0, Some("primary 7 1 9/0 16777216"));
    // Long before its next heartbeat.
    let tick = Duration::from_millis(5);
    probed.says(tick, 1, Some("replica 7 1 0/1000 16777216"));
    let nodes = &probed.router.status().sets[0].nodes;
    assert_eq!(nodes[1].left_out, ["lagging"]);
    assert_eq!(read(&probed).expect("a node"), "primary");
}

#[test]
fn a_budget_of_more_reads_than_nanoseconds_is_one() {
    let mut rules = rules();
    rules.fallback_budget = Some(FallbackBudget::new(u32::MAX, 1));
    let probed = Probed::new(postgres(), None, rules);
    let status = probed.router.status();
    assert_eq!(status.sets[0].fallback_left, Some(1));
}

/// Reads as soon as it is told that a node is up.
#[derive(Default)]
struct Eager(OnceLock<Arc<Pools>>, Mutex<Vec<&'static str>>);

impl Observer for Eager {
    fn node_up(&self, _: &SetName, _: &NodeName) {
        let router = self.0.get().expect("a router");
        let route = router.route(router.default_set(), StatementKind::Select, &in_session());
        let route = route.expect("a node");
        self.1
            .lock()
            .expect("no panic inside")
            .push(*route.node().pool());
    }
}

#[test]
fn what_a_node_is_counts_before_that_it_is_back() {
    let eager = Arc::new(Eager::default());
    let mut probed = Probed::new(postgres(), Some(Arc::clone(&eager) as _), rules());
    assert!(eager.0.set(Arc::clone(&probed.router)).is_ok());
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    probed.says(LONG, 1, None);
    probed.says(LONG, 1, Some("replica 8 1 0/9000 16777216"));
    let reads = eager.1.lock().expect("no panic inside").clone();
    assert_eq!(reads, ["primary"], "another system answers at its address");
}

#[test]
fn who_is_full_has_not_said_what_it_is() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    let Turn::Probe(ticket) = probed.monitors[1].turn() else {
        panic!("a probe is due");
    };
    probed.monitors[1].report(ticket, Answer::Failed(Failure::Busy));
    let read = probed.run(StatementKind::Select, &in_session());
    assert_eq!(read, Ok("primary"));
}

#[test]
fn a_replica_that_takes_writes_beside_its_primary_is_not_promoted() {
    let mut probed = Probed::mariadb();
    probed.says(LONG, 0, Some("0|0-1-10||1"));
    probed.says(LONG, 1, Some("1|0-1-10|0-1-10|2"));
    // An operator needs to write there for a moment.
    probed.says(LONG, 1, Some("0|0-1-10|0-1-10|2"));
    probed.says(LONG, 0, Some("0|0-1-11||1"));
    for _ in 0..5 {
        probed.says(LONG, 0, None);
    }
    probed.says(LONG, 1, Some("0|0-1-11|0-1-11|2"));
    probed.says(LONG, 0, Some("0|0-1-12||1"));
    let written = probed.run(StatementKind::Insert, &in_session());
    assert_eq!(written, Ok("primary"));
    // Who turns while the primary is gone has been promoted.
    probed.says(LONG, 1, Some("1|0-1-12|0-1-12|2"));
    for _ in 0..5 {
        probed.says(LONG, 0, None);
    }
    probed.says(LONG, 1, Some("0|0-1-12|0-1-12|2"));
    let written = probed.run(StatementKind::Insert, &in_session());
    assert_eq!(written, Ok("replica-1"));
}

/// What the primary has refused, as it is none any more, once another has taken its place.
fn after_a_refusal(kind: StatementKind) -> Option<&'static str> {
    let mut probed = Probed::mariadb();
    probed.says(LONG, 0, Some("0|0-1-10||1"));
    probed.says(LONG, 1, Some("1|0-1-10|0-1-10|2"));
    let (router, caller) = (Arc::clone(&probed.router), in_session());
    let (said, hears) = channel();
    thread::spawn(move || {
        let route = router.route(router.default_set(), kind, &caller);
        let running = route.expect("the primary").start().1;
        said.send(None).expect("somebody hears");
        let next = running.refused_as_write_blocking("CALL both()", &caller);
        let again = match next {
            Next::Route(route) => Some(*route.node().pool()),
            Next::Refused(_) | Next::Unchanged => None,
        };
        said.send(Some(again)).expect("somebody hears");
    });
    assert_eq!(hears.recv(), Ok(None), "it runs");
    loop {
        // When they are asked, which the refusal has them.
        probed.may_say(0, "1|0-1-11||1");
        probed.may_say(1, "0|0-1-11|0-1-11|2");
        if let Ok(again) = hears.recv_timeout(Duration::from_millis(5)) {
            return again.expect("it has been said");
        }
    }
}

#[test]
fn what_may_have_run_in_part_is_not_run_again() {
    // What is one whole goes to the new primary, which is shown on servers that switch over.
    for kind in [
        StatementKind::Call,
        StatementKind::Multiple,
        StatementKind::Unknown,
    ] {
        assert_eq!(after_a_refusal(kind), None, "{kind:?}");
    }
}

#[test]
fn a_decision_is_looked_at_again_when_there_is_a_connection() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    let (router, caller) = (Arc::clone(&probed.router), in_session());
    let set = router.default_set();
    let read = router.route(set, StatementKind::Select, &caller);
    let write = router.route(set, StatementKind::Insert, &caller);
    let (read, write) = (read.expect("a node"), write.expect("a node"));
    assert!(read.holds() && write.holds());
    // While both wait for a connection, the one is promoted.
    probed.says(LONG, 1, Some("primary 7 2 0/2000 16777216"));
    assert!(!read.holds() && !write.holds());
    let write = write.decide_anew(&caller).expect("a node");
    assert_eq!(*write.node().pool(), "replica-1");
    assert!(write.holds());
}

/// A standby that was seen to be gone shows less, perhaps, when it is back.
#[test]
fn a_read_does_not_wait_for_a_connection_to_who_began_anew() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    let caller = in_session();
    let router = Arc::clone(&probed.router);
    let route = router.route(router.default_set(), StatementKind::Select, &caller);
    let route = route.expect("a node");
    assert_eq!(*route.node().pool(), "replica-1");
    probed.says(LONG, 1, None);
    probed.says(LONG, 1, STANDBY);
    assert!(!route.holds());
}

/// Panics when it is told of a late pin.
struct Panics;

impl Observer for Panics {
    fn late_pin(&self, _: &SetName) {
        panic!("an observer's");
    }
}

#[test]
fn a_trial_that_a_panic_ends_makes_room_for_another() {
    let mut probed = Probed::new(postgres(), Some(Arc::new(Panics)), rules());
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    let caller = in_session();
    let read = probed.run(StatementKind::Select, &caller);
    assert_eq!(read, Ok("replica-1"));
    probed.falls();
    probed.clock.advance(LONG);
    let write = || probed.run(StatementKind::Insert, &caller);
    assert!(catch_unwind(AssertUnwindSafe(write)).is_err());
    let write = probed.run(StatementKind::Insert, &Context::default());
    assert_eq!(write, Ok("primary"));
}

#[test]
fn the_primary_is_up_as_soon_as_it_answers_whatever_its_trial_does() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    let caller = Context::default();
    probed.falls();
    assert!(probed.run(StatementKind::Insert, &caller).is_err());
    probed.says(Duration::from_secs(1), 0, PRIMARY);
    let written = probed.run(StatementKind::Insert, &caller);
    assert_eq!(written, Ok("primary"), "not after 30 s");
    // One statement is the trial, and lasts.
    probed.falls();
    probed.clock.advance(LONG);
    let router = Arc::clone(&probed.router);
    let trial = router.route(router.default_set(), StatementKind::Ddl, &caller);
    let trial = trial.expect("the trial").start().1;
    assert!(probed.run(StatementKind::Insert, &caller).is_err());
    probed.says(LONG, 0, PRIMARY);
    let written = probed.run(StatementKind::Insert, &caller);
    assert_eq!(written, Ok("primary"));
    trial.succeeded(&caller);
}

/// A program starts after a failover, and the old primary is gone: its first statement waits until that is
/// certain, and another has been elected.
#[test]
fn the_first_write_waits_until_the_primary_is_down() {
    let mut probed = Probed::mariadb();
    let caller = in_session();
    let router = Arc::clone(&probed.router);
    let mut route =
        pin!(router.route_patiently::<Never>(router.default_set(), StatementKind::Insert, &caller));
    let cx = &mut task::Context::from_waker(Waker::noop());
    let mut is_waiting = || route.as_mut().poll(cx).is_pending();
    assert!(is_waiting(), "nobody has been asked");
    probed.says(Duration::ZERO, 1, Some("0|0-1-7||2"));
    for millis in [0, 10, 20, 40, 80] {
        assert!(is_waiting(), "after {millis} ms more");
        probed.says(Duration::from_millis(millis), 0, None);
    }
    let Poll::Ready(route) = route.as_mut().poll(cx) else {
        panic!("it waits");
    };
    assert_eq!(*route.expect("an answer").node().pool(), "replica-1");
}

/// A server that is full when the program starts has been asked, and has said nothing of what it is: no read
/// waits for it any more.
#[test]
fn reads_wait_for_no_replica_that_has_been_asked() {
    let mut probed = Probed::postgres();
    let caller = in_session();
    let router = Arc::clone(&probed.router);
    let set = router.default_set();
    probed.says(LONG, 0, PRIMARY);
    let Turn::Probe(ticket) = probed.monitors[1].turn() else {
        panic!("a probe is due");
    };
    probed.monitors[1].report(ticket, Answer::Failed(Failure::Busy));
    let route = pin!(router.route_patiently::<Never>(set, StatementKind::Select, &caller));
    let Poll::Ready(route) = route.poll(&mut task::Context::from_waker(Waker::noop())) else {
        panic!("it waits");
    };
    assert_eq!(*route.expect("an answer").node().pool(), "primary");
}

/// Time does not pass.
struct Never;

impl Timer for Never {
    async fn within<F>(_: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        Some(future.await)
    }
}

/// A firewall forgets all idle connections, an administrator ends all that there are: each is one failure,
/// when it is next used. A pool has no connection in time: all that waited tell of it. The node is asked,
/// and is well.
#[test]
fn statements_take_no_node_down_that_answers() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    let caller = Context::default();
    let router = Arc::clone(&probed.router);
    let set = router.default_set();
    for failure in [Failure::Lost, Failure::Stopping, Failure::Unreachable] {
        for (kind, node) in [(StatementKind::Insert, 0), (StatementKind::Select, 1)] {
            let caller = if node == 0 {
                caller.clone()
            } else {
                in_session()
            };
            for _ in 0..20 {
                let route = router.route(set, kind, &caller).expect("it is up");
                let _told = route.start().1.failed(failure, &caller);
            }
            let node = &set.nodes()[node];
            assert!(node.is_up(), "{failure:?} of {kind:?}");
        }
        // The monitor is asked, and finds out.
        probed.says(Duration::from_millis(5), 0, PRIMARY);
    }
    // The monitor's own connection is one of them, once.
    for (node, answer) in [(0, PRIMARY), (1, STANDBY)] {
        let member = Arc::clone(set.nodes()[node]);
        probed.says(LONG, node, answer);
        probed.breaks(LONG, node);
        assert!(member.is_up());
        assert!(node == 0 || member.position().is_none(), "nobody knows");
        probed.says(Duration::from_millis(20), node, answer);
        probed.breaks(LONG, node);
        for _ in 0..5 {
            probed.breaks(Duration::from_secs(1), node);
        }
        assert!(!member.is_up());
        probed.says(Duration::from_secs(1), node, answer);
        assert!(member.is_up());
    }
}

/// Somebody waits for a position that no replica will have, and the interval grows; but not while one
/// of them may be promoted.
#[test]
fn replicas_are_asked_often_while_there_is_no_primary_whoever_waits() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    let caller = in_session();
    assert_eq!(
        probed.run(StatementKind::Insert, &caller),
        Ok("primary"),
        "it is to be read by who wrote it"
    );
    probed.says(LONG, 0, Some("primary 7 1 0/2000 16777216"));
    assert_eq!(probed.run(StatementKind::Select, &caller), Ok("primary"));
    probed.says(LONG, 1, STANDBY);
    for _ in 0..5 {
        probed.says(Duration::from_secs(1), 0, None);
    }
    assert!(probed.router.status().read_only());
    // At once, and then again and again.
    probed.says(Duration::from_millis(5), 1, STANDBY);
    let Turn::Wait(pause) = probed.monitors[1].turn() else {
        panic!("it has just been asked");
    };
    assert!(pause.lasts() <= Duration::from_millis(200), "{pause:?}");
}

#[test]
fn a_standby_that_receives_nothing_stays_on_its_timeline() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, Some("replica 7 2 0/1000 16777216"));
    // Who sent it that is gone, and its last checkpoint was before.
    probed.says(LONG, 1, STANDBY);
    let status = probed.router.status();
    let node = status.node("default", "replica-1").expect("a node");
    assert!(node.left_out.is_empty(), "{:?}", node.left_out);
    // Started anew, it says all that is known.
    probed.says(LONG, 1, None);
    probed.says(LONG, 1, STANDBY);
    let status = probed.router.status();
    let node = status.node("default", "replica-1").expect("a node");
    assert_eq!(node.left_out, ["other history"]);
}

/// Who was told that a standby is full may be shown what nobody knows of, until it begins anew.
#[test]
fn what_was_shown_while_it_could_not_be_asked_is_not_taken_back() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    probed.clock.advance(LONG);
    let Turn::Probe(ticket) = probed.monitors[1].turn() else {
        panic!("a probe is due");
    };
    probed.monitors[1].report(ticket, Answer::Failed(Failure::Busy));
    let caller = in_session();
    assert_eq!(probed.run(StatementKind::Select, &caller), Ok("replica-1"));
    let router = Arc::clone(&probed.router);
    let set = router.default_set();
    set.nodes()[1].connected().tell();
    probed.says(LONG, 0, Some("primary 7 1 0/5000 16777216"));
    probed.says(LONG, 1, STANDBY);
    let route = router.route(set, StatementKind::Select, &caller);
    assert_eq!(*route.expect("a node").node().pool(), "primary");
}

#[test]
fn a_read_is_proved_although_connections_go_on_being_made() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, PRIMARY);
    probed.says(LONG, 1, STANDBY);
    let caller = in_session();
    assert_eq!(probed.run(StatementKind::Select, &caller), Ok("replica-1"));
    let router = Arc::clone(&probed.router);
    let set = router.default_set();
    let connected = set.nodes()[1].connected();
    connected.tell();
    let route = router
        .route(set, StatementKind::Select, &caller)
        .expect("a node");
    assert_eq!(*route.node().pool(), "replica-1");
    let holds = thread::scope(|scope| {
        let waits = scope.spawn(|| route.holds_blocking());
        while !waits.is_finished() {
            probed.clock.advance(Duration::from_millis(5));
            if let Turn::Probe(ticket) = probed.monitors[1].turn() {
                // Another statement's, while the answer is on its way.
                connected.tell();
                let answer = probed
                    .probe
                    .read(ticket.role(), STANDBY.expect("an answer"));
                probed.monitors[1].report(ticket, Answer::from(answer));
            }
        }
        waits.join().expect("no panic")
    });
    assert!(holds);
}

/// What it has shown in the transaction is of before its replica began anew, whenever it ends.
#[test]
fn a_transaction_that_outlives_its_replica_does_not_make_it_fresh() {
    for ends_late in [false, true] {
        let mut probed = Probed::postgres();
        probed.says(LONG, 0, PRIMARY);
        probed.says(LONG, 1, STANDBY);
        let caller = in_session();
        let router = Arc::clone(&probed.router);
        let set = router.default_set();
        let node = Arc::clone(set.nodes()[1]);
        let begun = router
            .route(set, StatementKind::BeginReadOnly, &caller)
            .expect("a node");
        assert_eq!(*begun.node().pool(), "replica-1");
        begun.start().1.succeeded(&caller);
        set.record_read(&node, &caller);
        probed.says(LONG, 1, None);
        probed.says(LONG, 0, PRIMARY);
        probed.says(LONG, 1, Some("replica 7 1 0/500 16777216"));
        if ends_late {
            set.record_read(&node, &caller);
        }
        probed.says(LONG, 0, PRIMARY);
        let route = router.route(set, StatementKind::Select, &caller);
        assert_eq!(*route.expect("a node").node().pool(), "primary");
    }
}

#[test]
fn a_promoted_primary_does_not_lag() {
    let mut probed = Probed::postgres();
    probed.says(LONG, 0, Some("primary 7 1 0/9000000 16777216"));
    probed.says(LONG, 1, STANDBY);
    probed.says(LONG, 0, Some("primary 7 1 0/A000000 16777216"));
    probed.says(LONG, 1, STANDBY);
    probed.says(LONG, 1, Some("primary 7 2 0/2000 16777216"));
    let set = probed.router.default_set();
    let mut limits = set.lag_limits();
    limits.time = Duration::from_secs(1);
    set.set_lag_limits(limits);
    let status = probed.router.status();
    let node = status.node("default", "replica-1").expect("a node");
    assert_eq!((node.role, node.lag), ("primary", None));
    assert_eq!((&node.position, node.lag_bytes), (&None, None));
    assert!(node.left_out.is_empty(), "{:?}", node.left_out);
}

/// Galera's 1047, which it also says to a statement of a procedure after others have run.
#[test]
fn what_a_node_that_is_not_ready_was_given_is_run_again_only_as_a_whole() {
    let said = "WSREP has not yet prepared node for application use";
    let failure = Failure::from_mysql_error(1047, said).expect("a failure");
    for (kind, is_again) in [
        (StatementKind::Insert, true),
        (StatementKind::Call, false),
        (StatementKind::Multiple, false),
        (StatementKind::Unknown, false),
    ] {
        let mut probed = Probed::mariadb();
        probed.says(LONG, 0, Some("0|0-1-10||1"));
        probed.says(LONG, 1, Some("1|0-1-10|0-1-10|2"));
        let caller = in_session();
        let set = probed.router.default_set();
        let route = probed
            .router
            .route(set, kind, &caller)
            .expect("the primary");
        let next = route.start().1.failed_blocking(failure, &caller);
        assert_eq!(matches!(next, Next::Route(_)), is_again, "{kind:?}");
    }
}
