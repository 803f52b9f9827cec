//! Positions through the router: what a session wrote and saw keeps replicas from serving it until
//! they are known to be there.

use std::sync::Arc;
use std::time::Duration;

use routing_core::{
    Context, Failure, HandOver, ManualClock, Monitor, Observation, PinRelease, Position, Probe,
    Reason, ReplicaSet, Role, Router, Rules, Scope, Session, StatementKind, Turn, sql::Dialect,
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
        let router = Router::new([set])
            .expect("a router")
            .with_clock(Arc::clone(&clock) as _)
            .with_observer(Arc::clone(&recorder) as _);
        let monitors = Monitor::of_set(&router, router.default_set());
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
        let role = ticket.node().role();
        let probe = Probe::new(Dialect::Postgres, "").expect("it has positions");
        let answer: Option<Observation> = answer.and_then(|answer| probe.read(role, answer));
        self.monitors[node].report(ticket, answer);
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
        route.succeeded(caller);
        pool
    }

    fn reason(&self) -> Reason {
        self.recorder.take().last().expect("a decision").reason
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
    let routing_core::Next::Route(next) = route.failed(Failure::Unreachable, &caller) else {
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
    assert_eq!(cluster.run(SELECT, &caller), "primary");
}

#[test]
fn a_standby_of_another_history_serves_no_one_who_requires() {
    let mut cluster = Cluster::new(|_| {});
    let (_writer, caller) = session();
    cluster.run(INSERT, &caller);
    cluster.written_to(0x1000);
    cluster.answers(1, Some("replica 7 2 0/5000 16777216"));
    cluster.answers(2, Some("replica 8 1 0/5000 16777216"));
    assert_eq!(cluster.run(SELECT, &caller), "primary");
    let (_other, other) = session();
    assert_ne!(cluster.run(SELECT, &other), "primary");
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
    cluster.monitors[0].report(ticket, answer);
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
    assert_eq!(behind.time, Some(Duration::from_secs(60)));
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
