//! Positions through the router: what a session wrote and saw keeps replicas from serving it until
//! they are known to be there.

use std::sync::Arc;
use std::time::Duration;

use routing_core::{
    Answer, Context, Failure, HandOver, ManualClock, Monitor, Observation, PinRelease, Position,
    Probe, Reason, ReplicaSet, Role, Router, Rules, Scope, Session, StatementKind, Turn,
    sql::Dialect,
};
use routing_tests::recorder::Recorder;

const SELECT: StatementKind = StatementKind::Select;
const INSERT: StatementKind = StatementKind::Insert;

/// A primary and two replicas, whose answers the test makes up.
struct Cluster {
    router: Router<&'static str>,
    monitors: Vec<Monitor<&'static str>>,
    clock: Arc<ManualClock>,
    recorder: Arc<Recorder>,
}

impl Cluster {
    fn new(change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = Rules::default();
        rules.pin_release = PinRelease::CaughtUp;
        change(&mut rules);
        let set = ReplicaSet::builder("default", "primary")
            .replica("replica-1")
            .replica("replica-2")
            .rules(rules)
            .positions(true)
            .build()
            .expect("a set");
        let (clock, recorder) = (Arc::new(ManualClock::new()), Arc::new(Recorder::default()));
        clock.advance(Duration::from_secs(1_000));
        let router = Router::builder([set])
            .clock(Arc::clone(&clock) as _)
            .observer(Arc::clone(&recorder) as _)
            .build()
            .expect("a router");
        let mut monitors = router.monitors(router.default_set());
        see(&mut monitors);
        Self {
            router,
            monitors,
            clock,
            recorder,
        }
    }

    /// Has a node answer a probe, which is due after some time.
    fn answers(&mut self, node: usize, answer: Option<&str>) {
        self.clock.advance(Duration::from_secs(60));
        let Turn::Probe(ticket) = self.monitors[node].turn() else {
            panic!("a probe is due");
        };
        let role = ticket.role();
        let probe = Probe::new(Dialect::Postgres, "").expect("it has positions");
        let answer: Option<Observation> = answer.and_then(|answer| probe.read(role, answer));
        self.monitors[node].report(ticket, or_failed(answer));
    }

    fn written_to(&mut self, lsn: u64) {
        self.answers(0, Some(&format!("primary 7 1 0/{lsn:X} 16777216")));
    }

    fn replayed_to(&mut self, replica: usize, lsn: u64) {
        self.answers(replica, Some(&format!("replica 7 1 0/{lsn:X} 16777216")));
    }

    fn run(&self, kind: StatementKind, caller: &Context) -> &'static str {
        let route = self.router.route(self.router.default_set(), kind, caller);
        let route = route.expect("a route");
        let pool = *route.node().pool();
        route.start().1.succeeded(caller);
        pool
    }

    fn reason(&self) -> Reason {
        self.recorder.take().last().expect("a decision").reason
    }
}

fn or_failed(answer: Option<Observation>) -> Answer {
    answer.map_or(Answer::Failed(Failure::Unreachable), Answer::Observed)
}

/// Has the replicas seen, of which nothing else is known.
fn see(monitors: &mut [Monitor<&'static str>]) {
    for monitor in &mut monitors[1..] {
        let Turn::Probe(ticket) = monitor.turn() else {
            panic!("the first probe is due");
        };
        monitor.report(ticket, Answer::Unintelligible);
    }
}

fn session() -> (Session, Context) {
    let session = Session::new();
    let caller = Context::default().with_session(&session);
    (session, caller)
}

#[test]
fn a_write_keeps_reads_on_the_primary_until_a_replica_has_it() {
    let mut cluster = Cluster::new(|_| {});
    let (session, caller) = session();
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x1000);
    cluster.replayed_to(2, 0x1000);
    assert_eq!(cluster.run(INSERT, &caller), "primary");
    assert!(session.is_pinned("default"));
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    assert_eq!(cluster.reason(), Reason::NotCaughtUp);
    // What was sampled before says nothing; what is sampled now covers the read too.
    cluster.written_to(0x1100);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    cluster.written_to(0x1200);
    cluster.replayed_to(1, 0x11ff);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    cluster.written_to(0x1200);
    cluster.replayed_to(2, 0x1200);
    assert_eq!(cluster.run(SELECT, &caller), "replica-2");
    cluster.replayed_to(1, 0x1300);
    assert_eq!(cluster.run(SELECT, &caller), "replica-2", "it stays there");
    assert_eq!(cluster.reason(), Reason::Affine);
    // The pin is still one for writes.
    assert!(session.is_pinned("default"));
    assert_eq!(cluster.run(INSERT, &caller), "primary");
    assert_eq!(cluster.reason(), Reason::Pinned);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn until_the_session_ends_means_until_then() {
    let mut cluster = Cluster::new(|rules| rules.pin_release = PinRelease::SessionEnd);
    let (_session, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x2000);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    assert_eq!(cluster.reason(), Reason::Pinned);
}

#[test]
fn a_session_that_pinned_itself_waits_for_its_own_write() {
    let mut cluster = Cluster::new(|_| {});
    let (session, caller) = session();
    session.pin("default").expect("a pin");
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x1000);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    assert_eq!(cluster.reason(), Reason::Pinned, "it is going to write");
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1100);
    cluster.replayed_to(1, 0x1100);
    assert_eq!(cluster.run(SELECT, &caller), "replica-1");
}

#[test]
fn who_loses_its_replica_does_not_go_back_in_time() {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    cluster.written_to(0x1000);
    // Nobody knows how far the second is beyond this.
    cluster.replayed_to(1, 0x500);
    cluster.replayed_to(2, 0x900);
    let first = cluster.run(SELECT, &caller);
    let other = if first == "replica-1" { 2 } else { 1 };
    let set = cluster.router.default_set();
    let route = cluster.router.route(set, SELECT, &caller).expect("a route");
    assert_eq!(*route.node().pool(), first);
    let routing_core::Next::Route(next) = route.start().1.failed(Failure::Unreachable, &caller)
    else {
        panic!("the primary is left");
    };
    assert_eq!(
        *next.node().pool(),
        "primary",
        "the other may be older than what was seen"
    );
    drop(next);
    // It is known to have all that the first can have shown.
    cluster.written_to(0x1000);
    cluster.replayed_to(other, 0xfff);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    cluster.written_to(0x1000);
    cluster.replayed_to(other, 0x1000);
    assert_ne!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn a_replica_that_went_back_is_not_its_sessions_home_any_more() {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    cluster.replayed_to(1, 0x900);
    cluster.replayed_to(2, 0x900);
    let first = cluster.run(SELECT, &caller);
    let home = if first == "replica-1" { 1 } else { 2 };
    // It was restored from an old copy.
    cluster.replayed_to(home, 0x100);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    cluster.written_to(0x1000);
    cluster.replayed_to(home, 0x1000);
    assert_eq!(cluster.run(SELECT, &caller), first);
}

#[test]
fn a_replica_that_does_not_answer_is_unknown() {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x1000);
    cluster.answers(1, None);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    cluster.answers(1, Some("nonsense"));
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn a_primary_that_calls_itself_a_standby_has_no_say() {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.answers(0, Some("replica 7 1 0/1000 16777216"));
    cluster.replayed_to(1, 0x1000);
    // What it shows may lack what was written, and so may the replica.
    let route = cluster
        .router
        .route(cluster.router.default_set(), SELECT, &caller);
    let error = route.expect_err("nobody has it");
    assert!(error.to_string().contains("it is demoted"), "{error}");
    cluster.written_to(0x1001);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn a_standby_of_another_history_serves_no_one() {
    let mut cluster = Cluster::new(|_| {});
    let (_writer, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x100);
    cluster.answers(2, Some("replica 8 1 0/5000 16777216"));
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    let (_other, other) = session();
    assert_eq!(cluster.run(SELECT, &other), "replica-1");
    // Where there is a second timeline there has been a promotion: the primary is none any more.
    cluster.answers(1, Some("replica 7 2 0/5000 16777216"));
    let set = cluster.router.default_set();
    assert!(set.is_read_only());
    for kind in [SELECT, INSERT] {
        let error = cluster.router.route(set, kind, &caller);
        error.expect_err("it is superseded");
    }
    assert_eq!(cluster.run(SELECT, &session().1), "replica-1");
}

#[test]
fn without_positions_a_write_is_kept_for_a_time() {
    let mut cluster = Cluster::new(|rules| rules.time_pin = Duration::from_secs(15));
    let session = Session::with_clock(Arc::clone(&cluster.clock) as _);
    let caller = Context::default().with_session(&session);
    // Such as Aurora: its log has no place.
    cluster.answers(0, Some("primary 7 1 0/0 16777216"));
    cluster.run(INSERT, &caller);
    cluster.clock.advance(Duration::from_millis(14_999));
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    assert_eq!(cluster.reason(), Reason::Pinned);
    cluster.clock.advance(Duration::from_millis(1));
    assert_ne!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn a_forced_write_is_not_waited_for() {
    let mut cluster = Cluster::new(|_| {});
    let (session, caller) = session();
    cluster.replayed_to(1, 0x1000);
    let forced = caller.clone().with_scope(Scope::primary());
    assert_eq!(cluster.run(INSERT, &forced), "primary");
    assert!(!session.is_pinned("default") && !session.has_written());
    assert_ne!(cluster.run(SELECT, &caller), "primary");
    // A read there has seen what replicas may not have.
    assert_eq!(cluster.run(SELECT, &forced), "primary");
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn who_asks_for_a_stale_replica_is_not_bound_by_it() {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1000);
    let stale = caller.clone().with_scope(Scope::replica());
    assert_ne!(cluster.run(SELECT, &stale), "primary");
    assert_eq!(
        cluster.run(SELECT, &caller),
        "primary",
        "it is still not there"
    );
}

#[test]
fn a_later_session_is_told() {
    let mut cluster = Cluster::new(|rules| rules.pin_release = PinRelease::SessionEnd);
    let (writer, caller) = session();
    writer.expect_hand_over();
    assert!(writer.hand_over().is_empty());
    cluster.run(INSERT, &caller);
    // Not known yet: as a time.
    let told = writer.hand_over();
    assert_eq!((told.len(), told[0].position.is_some()), (1, false));
    assert!(
        told[0]
            .pinned_for
            .is_some_and(|lasts| lasts <= Duration::from_secs(15))
    );
    // Somebody waits for it, so that the probe is due at once.
    let Turn::Probe(ticket) = cluster.monitors[0].turn() else {
        panic!("a probe is due");
    };
    let probe = Probe::new(Dialect::Postgres, "").expect("it has positions");
    let answer = probe.read(Role::Primary, "primary 7 1 0/1000 16777216");
    cluster.monitors[0].report(ticket, or_failed(answer));
    cluster.written_to(0x2000);
    let told = writer.hand_over();
    assert_eq!(told[0].position, Some(Position::postgres(7, 1, 0x1000)));
    assert_eq!(told[0].pinned_for, None);

    let (reader, caller) = session();
    reader.take_over(told);
    assert!(!reader.is_pinned("default") && !reader.has_written());
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    cluster.written_to(0x2000);
    cluster.replayed_to(1, 0xfff);
    cluster.replayed_to(2, 0x2000);
    assert_eq!(cluster.run(SELECT, &caller), "replica-2");
}

#[test]
fn a_position_of_nobodys_is_the_primarys_until_the_session_ends() {
    let mut cluster = Cluster::new(|_| {});
    for position in [
        Position::postgres(7, 1, 0xffff_0000),
        Position::postgres(8, 1, 1),
        Position::UNKNOWN,
        Position::mariadb("0-1-5").expect("a list"),
    ] {
        let (reader, caller) = session();
        reader.require("default", &position);
        cluster.written_to(0x1000);
        cluster.replayed_to(1, 0x1000);
        cluster.replayed_to(2, 0x1000);
        assert_eq!(cluster.run(SELECT, &caller), "primary", "{position}");
        // And nobody waits for what cannot come.
        let set = cluster.router.default_set();
        let route = cluster.router.route_blocking(set, SELECT, &caller);
        assert_eq!(
            *route.expect("a route").node().pool(),
            "primary",
            "{position}"
        );
    }
}

#[test]
fn times_are_handed_on_and_end() {
    let cluster = Cluster::new(|_| {});
    let clock = Arc::new(ManualClock::new());
    let session = Session::with_clock(Arc::clone(&clock) as _);
    let mut told = HandOver::new("default");
    told.pinned_for = Some(Duration::from_secs(10));
    session.take_over([told.clone()]);
    assert!(session.is_pinned("default"));
    clock.advance(Duration::from_secs(4));
    assert_eq!(
        session.hand_over()[0].pinned_for,
        Some(Duration::from_secs(6))
    );
    // The longest counts, and a write of its own does not shorten it.
    told.pinned_for = Some(Duration::from_secs(2));
    session.take_over([told]);
    assert_eq!(
        session.hand_over()[0].pinned_for,
        Some(Duration::from_secs(6))
    );
    clock.advance(Duration::from_secs(6));
    assert!(!session.is_pinned("default"));
    assert!(session.hand_over().is_empty());
    drop(cluster);
}

#[test]
fn a_pin_everywhere_is_also_on_sets_that_are_met_later() {
    let cluster = Cluster::new(|_| {});
    let (session, caller) = session();
    session.carry_pin_everywhere();
    assert!(session.is_pinned("default") && session.is_pinned("any other"));
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    cluster.run(INSERT, &caller);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    assert_eq!(cluster.reason(), Reason::Pinned, "what was carried stays");
}

#[test]
fn an_idle_primary_is_no_lag() {
    let mut cluster = Cluster::new(|_| {});
    let lag = |cluster: &Cluster| cluster.router.default_set().nodes()[1].lag();
    assert_eq!(lag(&cluster), None);
    cluster.written_to(0x2000);
    cluster.replayed_to(1, 0x1000);
    let behind = lag(&cluster).expect("it has answered");
    assert_eq!(behind.bytes, Some(0x1000));
    let minute = Some(Duration::from_secs(60));
    assert_eq!((behind.time, behind.at_least), (None, minute));
    cluster.replayed_to(1, 0x2000);
    let idle = lag(&cluster).expect("it has answered");
    assert_eq!((idle.bytes, idle.time), (Some(0), Some(Duration::ZERO)));
    // Nothing is known of a foreign one, and of one that does not answer.
    cluster.answers(1, Some("replica 8 1 0/3000 16777216"));
    let foreign = lag(&cluster).expect("it has answered");
    assert_eq!((foreign.bytes, foreign.time), (None, None));
    cluster.answers(1, None);
    assert_eq!(lag(&cluster), None);
}

#[test]
fn nobody_waits_for_replicas_that_are_far_behind() {
    // So long that the test would not end.
    let hour = Duration::from_secs(3_600);
    let mut cluster = Cluster::new(|rules| rules.catch_up_wait = hour);
    let (_session, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x2000);
    cluster.clock.advance(5 * hour);
    cluster.replayed_to(1, 0x1000);
    cluster.replayed_to(2, 0x1000);
    let set = cluster.router.default_set();
    let route = cluster.router.route_blocking(set, SELECT, &caller);
    assert_eq!(*route.expect("a route").node().pool(), "primary");
}

#[test]
fn an_enormous_wait_is_one() {
    let mut rules = Rules::default();
    rules.pin_release = PinRelease::CaughtUp;
    rules.catch_up_wait = Duration::MAX;
    let (router, mut monitors, clock) = leaked(rules);
    let pg = Probe::new(Dialect::Postgres, "").expect("it has positions");
    let set = router.default_set();
    let (_session, caller) = session();
    let route = router.route(set, INSERT, &caller).expect("a route");
    route.start().1.succeeded(&caller);
    say(&mut monitors, &clock, &pg, 0, "primary 7 1 0/2000 16777216");
    say(&mut monitors, &clock, &pg, 1, "replica 7 1 0/1000 16777216");
    say(&mut monitors, &clock, &pg, 2, "replica 7 1 0/1000 16777216");
    let waiting = std::thread::spawn(move || {
        let route = router.route_blocking(set, SELECT, &caller);
        *route.expect("a route").node().pool()
    });
    let mut lsn = 0x2000;
    while !waiting.is_finished() {
        lsn += 8;
        let answer = format!("replica 7 1 0/{lsn:X} 16777216");
        say(&mut monitors, &clock, &pg, 1, &answer);
    }
    assert_eq!(waiting.join().expect("no panic"), "replica-1");
}

#[test]
fn a_primary_that_takes_reads_does_not_make_a_session_forget_its_replica() {
    let mut cluster = Cluster::new(|rules| rules.primary_read_weight = 1);
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x900);
    cluster.replayed_to(2, 0x900);
    let (caller, first) = loop {
        let (_session, caller) = session();
        let first = cluster.run(SELECT, &caller);
        if first != "primary" {
            break (caller, first);
        }
    };
    let set = cluster.router.default_set();
    let route = cluster.router.route(set, SELECT, &caller).expect("a route");
    assert_eq!(*route.node().pool(), first);
    let routing_core::Next::Route(next) = route.start().1.failed(Failure::Unreachable, &caller)
    else {
        panic!("the primary is left");
    };
    assert_eq!(*next.node().pool(), "primary");
    // The primary fails, too: the other replica may be older than what was seen.
    if let routing_core::Next::Route(next) = next.start().1.failed(Failure::Unreachable, &caller) {
        panic!("went back in time: {}", next.node().pool());
    }
}

#[test]
fn a_replica_that_goes_back_behind_a_lost_probe() {
    let mut cluster = Cluster::new(|_| {});
    cluster.replayed_to(1, 0x900);
    cluster.replayed_to(2, 0x900);
    // One probe each is not answered: too slow, say.
    cluster.answers(1, None);
    cluster.answers(2, None);
    cluster.written_to(0x1000);
    let (_session, caller) = session();
    let first = cluster.run(SELECT, &caller);
    let home = if first == "replica-1" { 1 } else { 2 };
    // It is restored from an old copy, and says so: 0x900 was known of it.
    cluster.replayed_to(home, 0x100);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

thread_local! {
    static HOOK: std::cell::RefCell<Option<Box<dyn FnOnce()>>> = const { std::cell::RefCell::new(None) };
}

#[derive(Debug)]
struct First;

impl routing_core::Balancer for First {
    fn pick(&self, candidates: routing_core::Candidates<'_>) -> usize {
        if let Some(hook) = HOOK.with_borrow_mut(Option::take) {
            hook();
        }
        candidates.iter().next().expect("one")
    }
}

fn leaked(
    rules: Rules,
) -> (
    &'static Router<&'static str>,
    Vec<Monitor<&'static str>>,
    Arc<ManualClock>,
) {
    let set = ReplicaSet::builder("default", "primary")
        .replica("replica-1")
        .replica("replica-2")
        .rules(rules)
        .balancer(Box::new(First))
        .positions(true)
        .build()
        .expect("a set");
    let clock = Arc::new(ManualClock::new());
    clock.advance(Duration::from_secs(1_000));
    let router = Router::builder([set])
        .clock(Arc::clone(&clock) as _)
        .build()
        .expect("a router");
    let router: &'static Router<&'static str> = Box::leak(Box::new(router));
    let monitors = router.monitors(router.default_set());
    (router, monitors, clock)
}

fn say(
    monitors: &mut [Monitor<&'static str>],
    clock: &ManualClock,
    probe: &Probe,
    node: usize,
    answer: &str,
) {
    clock.advance(Duration::from_secs(60));
    let Turn::Probe(ticket) = monitors[node].turn() else {
        panic!("a probe is due");
    };
    let answer = probe.read(ticket.role(), answer);
    monitors[node].report(ticket, or_failed(answer));
}

#[test]
fn a_read_that_ends_while_another_moves_is_not_forgotten() {
    let mut rules = Rules::default();
    rules.pin_release = PinRelease::CaughtUp;
    let (router, mut monitors, clock) = leaked(rules);
    let pg = Probe::new(Dialect::Postgres, "").expect("it has positions");
    let set = router.default_set();
    let (_session, caller) = session();
    see(&mut monitors);
    let route = router.route(set, SELECT, &caller).expect("a route");
    assert_eq!(*route.node().pool(), "replica-1");
    route.start().1.succeeded(&caller);
    say(&mut monitors, &clock, &pg, 0, "primary 7 1 0/1000 16777216");
    say(&mut monitors, &clock, &pg, 2, "replica 7 1 0/1000 16777216");
    // A second read is on its way, of what was written after.
    let slow = router.route(set, SELECT, &caller).expect("a route");
    assert_eq!(*slow.node().pool(), "replica-1");
    let (_permit, slow) = slow.start();
    say(&mut monitors, &clock, &pg, 0, "primary 7 1 0/2000 16777216");
    // Somebody else finds that replica-1 is down.
    let (_other, other) = session();
    let lost = router.route(set, SELECT, &other).expect("a route");
    assert_eq!(*lost.node().pool(), "replica-1");
    drop(lost.start().1.failed(Failure::Unreachable, &other));
    // The third read chooses, and the second ends meanwhile.
    let ends = caller.clone();
    HOOK.set(Some(Box::new(move || slow.succeeded(&ends))));
    let third = router.route(set, SELECT, &caller).expect("a route");
    assert_eq!(*third.node().pool(), "replica-2");
    third.start().1.succeeded(&caller);
    // A fourth begins after the second has ended, which saw what is at 0x2000.
    let fourth = router.route(set, SELECT, &caller).expect("a route");
    assert_eq!(
        *fourth.node().pool(),
        "primary",
        "replica-2 is known to be at 0x1000"
    );
}

/// The servers are full, say, and the position of what was written is not known after its time.
#[test]
fn a_write_whose_position_is_long_unknown_is_handed_over() {
    let cluster = Cluster::new(|_| {});
    let clock = Arc::clone(&cluster.clock);
    let writer = Session::with_clock(Arc::clone(&clock) as _);
    writer.expect_hand_over();
    let caller = Context::default().with_session(&writer);
    let mut cluster = cluster;
    cluster.written_to(0x1000);
    cluster.run(INSERT, &caller);
    clock.advance(Duration::from_secs(60));
    let told = writer.hand_over();
    assert_eq!(
        told[0].pinned_for,
        Some(Duration::from_secs(15)),
        "{told:?}"
    );
    // The next request reads from the primary, and this one too.
    let reader = Session::with_clock(Arc::clone(&clock) as _);
    reader.take_over(told);
    let caller = Context::default().with_session(&reader);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn what_is_written_after_a_failover_is_handed_over() {
    let mut cluster = Cluster::new(|_| {});
    let clock = Arc::clone(&cluster.clock);
    let writer = Session::with_clock(Arc::clone(&clock) as _);
    writer.expect_hand_over();
    let mut told = HandOver::new("default");
    told.position = Some(Position::postgres(7, 1, 0x1000));
    writer.take_over([told]); // a token from before the failover
    let caller = Context::default().with_session(&writer);
    cluster.run(INSERT, &caller);
    let Turn::Probe(ticket) = cluster.monitors[0].turn() else {
        panic!("due")
    };
    let probe = Probe::new(Dialect::Postgres, "").expect("it has positions");
    let answer = probe.read(Role::Primary, "primary 7 2 0/5000 16777216");
    cluster.monitors[0].report(ticket, or_failed(answer));
    let told = writer.hand_over();
    // The reader comes after the time, within the token's age; replicas lag.
    let reader = Session::with_clock(Arc::clone(&clock) as _);
    clock.advance(Duration::from_secs(20));
    let told = told.into_iter().map(|mut told| {
        told.pinned_for = told
            .pinned_for
            .and_then(|lasts| lasts.checked_sub(Duration::from_secs(20)));
        told
    });
    reader.take_over(told.collect::<Vec<_>>());
    let caller = Context::default().with_session(&reader);
    cluster.answers(1, Some("replica 7 2 0/4000 16777216"));
    cluster.answers(2, Some("replica 7 2 0/4000 16777216"));
    assert_eq!(
        cluster.run(SELECT, &caller),
        "primary",
        "0x5000 on timeline 2 was known"
    );
}

#[test]
fn two_databases_of_one_set_name() {
    let mut rules = Rules::default();
    rules.pin_release = PinRelease::CaughtUp;
    let (a, mut of_a, clock_a) = leaked(rules.clone());
    let (b, mut of_b, clock_b) = leaked(rules);
    let maria = Probe::new(Dialect::MySql, "10.11.6-MariaDB").expect("positions");
    let (_session, caller) = session();
    let run = |router: &'static Router<&'static str>, kind, caller: &Context| {
        let route = router
            .route(router.default_set(), kind, caller)
            .expect("a route");
        let pool = *route.node().pool();
        route.start().1.succeeded(caller);
        pool
    };
    run(a, INSERT, &caller);
    run(b, INSERT, &caller); // 0-1-100 of b
    say(&mut of_a, &clock_a, &maria, 0, "0|0-1-10|");
    say(&mut of_b, &clock_b, &maria, 0, "0|0-1-100|");
    let told = _session.hand_over();
    let (reader, caller) = session();
    reader.take_over(told);
    say(&mut of_b, &clock_b, &maria, 0, "0|0-1-100|");
    say(&mut of_b, &clock_b, &maria, 1, "1|0-1-50|0-1-50");
    assert_eq!(
        run(b, SELECT, &caller),
        "primary",
        "the replica of b is at 50, the write at 100"
    );
}

#[test]
fn a_write_that_was_given_up_may_have_happened() {
    let mut cluster = Cluster::new(|_| {});
    let (session, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x1000);
    cluster.replayed_to(2, 0x1000);
    assert_ne!(cluster.run(SELECT, &caller), "primary");
    let set = cluster.router.default_set();
    // Its future is dropped by a timeout, after it was sent.
    drop(cluster.router.route(set, INSERT, &caller).expect("a route"));
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    drop(session);
}

/// What is left of a write whose outcome is unknown, once both replicas have all that was there then.
fn after_a_failed_write(kind: StatementKind, failure: Failure) -> &'static str {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    let set = cluster.router.default_set();
    let (_permit, running) = cluster
        .router
        .route(set, kind, &caller)
        .expect("a route")
        .start();
    drop(running.failed(failure, &caller));
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x1000);
    cluster.replayed_to(2, 0x1000);
    cluster.run(SELECT, &caller)
}

#[test]
fn a_write_that_may_still_be_executed_keeps_its_session_on_the_primary() {
    assert_eq!(after_a_failed_write(INSERT, Failure::Lost), "primary");
    assert_eq!(after_a_failed_write(INSERT, Failure::Silent), "primary");
    // A server that has ended the connection has ended the statement.
    assert_ne!(after_a_failed_write(INSERT, Failure::Ended), "primary");
}

#[test]
fn a_text_that_was_refused_half_way_has_written() {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1000);
    cluster.replayed_to(1, 0x1000);
    cluster.replayed_to(2, 0x1000);
    assert_ne!(cluster.run(SELECT, &caller), "primary");
    let set = cluster.router.default_set();
    let route = cluster
        .router
        .route(set, StatementKind::Multiple, &caller)
        .expect("a route");
    let _next = route
        .start()
        .1
        .refused_as_write("INSERT …; UPDATE …", &caller);
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn who_waits_for_a_primary_that_missed_one_probe_is_answered_soon() {
    let mut cluster = Cluster::new(|_| {});
    let (_session, caller) = session();
    cluster.written_to(0x1000);
    cluster.run(INSERT, &caller);
    cluster.clock.advance(Duration::from_millis(5));
    // Its connection was closed while nobody used it.
    let Turn::Probe(ticket) = cluster.monitors[0].turn() else {
        panic!("due")
    };
    cluster.monitors[0].report(ticket, Answer::Failed(Failure::Unreachable));
    cluster.clock.advance(Duration::from_millis(1_500));
    assert!(
        matches!(cluster.monitors[0].turn(), Turn::Probe(_)),
        "Delayed has given up by now"
    );
}
