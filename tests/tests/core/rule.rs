//! The rule, as a table: each row is one line of it.

use std::time::Duration;

use routing_core::{
    Access, AnonymousReads, BreakerRules, Context, Failure, LatePin, Mode, Next, NoReplica,
    Position, Reason, Role, RoutingError, Rules, Scope, Session, StatementKind,
};

use crate::support::{Fixture, set_of};

const SELECT: StatementKind = StatementKind::Select;
const INSERT: StatementKind = StatementKind::Insert;
const UNKNOWN: StatementKind = StatementKind::Unknown;
const BEGIN: StatementKind = StatementKind::Transaction;
const BEGIN_READ_ONLY: StatementKind = StatementKind::BeginReadOnly;

/// The state of the session that a row is about.
#[derive(Debug, Clone, Copy)]
enum Who {
    Nobody,
    New,
    Pinned,
}

/// What is expected: a role and a reason, and whether the session is pinned afterwards; or which
/// refusal.
#[derive(Debug)]
enum Then {
    To(Role, Reason),
    ToAndPinned(Role, Reason),
    Refused(fn(&RoutingError) -> bool),
}

use Then::{Refused, To, ToAndPinned};
use Who::{New, Nobody, Pinned};

fn unpinned(error: &RoutingError) -> bool {
    error.is_unpinned_write()
}

fn frozen(error: &RoutingError) -> bool {
    matches!(error, RoutingError::Frozen { kind: Some(_), .. })
}

fn read_only(error: &RoutingError) -> bool {
    matches!(error, RoutingError::WriteInReadOnlyScope { .. })
}

fn on_replica(error: &RoutingError) -> bool {
    matches!(error, RoutingError::WriteOnReplica { node, .. } if *node == "replica-1")
}

fn unknown_node(error: &RoutingError) -> bool {
    matches!(error, RoutingError::UnknownNode { known, .. } if known.len() == 3)
}

type Row = (Mode, Who, Vec<Scope>, StatementKind, Then);

/// Outermost scope first.
fn table() -> Vec<Row> {
    use Mode::{Greedy, Strict};
    use Reason::{Balanced, Forced, Named, NoSession, Pinned as IsPinned, Write};
    use Role::{Primary, Replica};

    let none = Vec::new;
    let primary = || vec![Scope::primary()];
    let replica = || vec![Scope::replica()];
    let node = |name: &str| vec![Scope::node(name)];
    let ambiguous = || vec![Scope::ambiguous_to_replica()];
    // Nothing inside lifts it.
    let only_reads = || {
        let weaker = [Scope::frozen(), Scope::ambiguous_to_replica()];
        [vec![Scope::read_only()], weaker.into()].concat()
    };
    let freeze = || vec![Scope::frozen()];

    let mut rows: Vec<Row> = Vec::new();
    for mode in [Greedy, Strict] {
        rows.extend([
            // 3. A named node.
            (mode, New, node("replica-1"), SELECT, To(Replica, Named)),
            (mode, Pinned, node("replica-1"), SELECT, To(Replica, Named)),
            (mode, Nobody, node("primary"), SELECT, To(Primary, Named)),
            (mode, New, node("primary"), INSERT, To(Primary, Named)),
            (mode, Pinned, node("replica-1"), INSERT, Refused(on_replica)),
            (mode, New, node("replica-1"), BEGIN, Refused(on_replica)),
            (
                mode,
                New,
                node("replica-1"),
                BEGIN_READ_ONLY,
                To(Replica, Named),
            ),
            (mode, New, node("replica-9"), SELECT, Refused(unknown_node)),
            (mode, New, node("replica-9"), INSERT, Refused(unknown_node)),
            // 4. Writes that both modes treat alike.
            (mode, New, primary(), INSERT, To(Primary, Forced)),
            (mode, Nobody, primary(), INSERT, To(Primary, Forced)),
            (mode, New, primary(), BEGIN, To(Primary, Forced)),
            (mode, Pinned, none(), INSERT, To(Primary, IsPinned)),
            (mode, Pinned, replica(), INSERT, To(Primary, IsPinned)),
            (mode, Pinned, freeze(), INSERT, To(Primary, IsPinned)),
            (mode, Pinned, ambiguous(), UNKNOWN, To(Primary, IsPinned)),
            (mode, New, ambiguous(), UNKNOWN, To(Replica, Balanced)),
            (mode, New, ambiguous(), BEGIN, To(Replica, Balanced)),
            (mode, Nobody, ambiguous(), UNKNOWN, To(Primary, NoSession)),
            (
                mode,
                New,
                vec![Scope::primary(), Scope::ambiguous_to_replica()],
                UNKNOWN,
                To(Primary, Forced),
            ),
            // 5. Reads.
            (mode, New, none(), SELECT, To(Replica, Balanced)),
            (mode, New, none(), BEGIN_READ_ONLY, To(Replica, Balanced)),
            (mode, New, freeze(), SELECT, To(Replica, Balanced)),
            (mode, Pinned, none(), SELECT, To(Primary, IsPinned)),
            (mode, Nobody, none(), SELECT, To(Primary, NoSession)),
            (mode, New, primary(), SELECT, To(Primary, Forced)),
            (mode, Pinned, replica(), SELECT, To(Replica, Forced)),
            (mode, Nobody, replica(), SELECT, To(Replica, Forced)),
            // The innermost scope that applies.
            (
                mode,
                Pinned,
                vec![Scope::primary(), Scope::replica()],
                SELECT,
                To(Replica, Forced),
            ),
            (
                mode,
                New,
                vec![Scope::replica(), Scope::primary()],
                SELECT,
                To(Primary, Forced),
            ),
            (
                mode,
                New,
                vec![Scope::primary(), Scope::replica()],
                INSERT,
                To(Primary, Forced),
            ),
            (
                mode,
                New,
                vec![Scope::primary(), Scope::node("replica-1")],
                INSERT,
                Refused(on_replica),
            ),
            (
                mode,
                New,
                vec![Scope::node("replica-1"), Scope::primary().on(["other"])],
                SELECT,
                To(Replica, Named),
            ),
        ]);
    }
    rows.extend([
        (Greedy, New, none(), INSERT, ToAndPinned(Primary, Write)),
        (Greedy, New, none(), UNKNOWN, ToAndPinned(Primary, Write)),
        (Greedy, New, none(), BEGIN, ToAndPinned(Primary, Write)),
        (Greedy, New, replica(), INSERT, ToAndPinned(Primary, Write)),
        (
            Greedy,
            New,
            ambiguous(),
            INSERT,
            ToAndPinned(Primary, Write),
        ),
        (Greedy, Nobody, none(), INSERT, To(Primary, Write)),
        (Greedy, Nobody, freeze(), INSERT, To(Primary, Write)),
        (Greedy, New, freeze(), INSERT, Refused(frozen)),
        (Strict, New, none(), INSERT, Refused(unpinned)),
        (Strict, New, none(), UNKNOWN, Refused(unpinned)),
        (Strict, New, none(), BEGIN, Refused(unpinned)),
        (Strict, New, replica(), INSERT, Refused(unpinned)),
        (Strict, New, freeze(), INSERT, Refused(unpinned)),
        (Strict, Nobody, none(), INSERT, Refused(unpinned)),
        (Greedy, Nobody, only_reads(), INSERT, Refused(read_only)),
        (Greedy, New, only_reads(), UNKNOWN, Refused(read_only)),
        (Greedy, Pinned, only_reads(), BEGIN, Refused(read_only)),
        (Greedy, New, only_reads(), SELECT, To(Replica, Balanced)),
        (Greedy, Pinned, only_reads(), SELECT, To(Primary, IsPinned)),
    ]);
    rows
}

#[test]
fn the_table() {
    for (mode, who, scopes, kind, then) in table() {
        let row = format!("{mode:?}, {who:?}, {scopes:?}, {kind}: {then:?}");
        let mut rules = Rules::default();
        rules.mode = mode;
        let fixture = Fixture::new(rules);
        let session = Session::new();
        let mut caller = Context::default();
        match who {
            Nobody => {}
            New => caller = caller.with_session(&session),
            Pinned => {
                session.pin("default").expect("a pin");
                caller = caller.with_session(&session);
            }
        }
        let caller = scopes.into_iter().fold(caller, Context::with_scope);
        let routed = fixture.route(kind, &caller);
        let pinned = matches!(who, Pinned);
        match then {
            Refused(is_it) => {
                let error = routed.expect_err(&row);
                assert!(is_it(&error), "{row}: {error}");
                assert_eq!(fixture.recorder.refusals(), [error], "{row}");
                assert!(fixture.recorder.take().is_empty(), "{row}");
                assert_eq!(session.is_pinned("default"), pinned, "{row}");
            }
            To(role, reason) | ToAndPinned(role, reason) => {
                let node = routed.expect(&row);
                let decision = fixture.recorder.only();
                assert_eq!((decision.role, decision.reason), (role, reason), "{row}");
                assert_eq!(decision.node, node, "{row}");
                assert_eq!(decision.kind, kind, "{row}");
                let pinned = pinned || matches!(then, ToAndPinned(..));
                assert_eq!(session.is_pinned("default"), pinned, "{row}");
            }
        }
    }
}

#[test]
fn a_set_without_rules_takes_everything() {
    let mut strict = Rules::default();
    strict.mode = Mode::Strict;
    let disabled = set_of("default", strict.clone(), &["replica-1"]).enabled(false);
    let unmanaged = set_of("default", strict, &[]).managed(false);
    for (set, reason) in [(disabled, Reason::Disabled), (unmanaged, Reason::Unmanaged)] {
        let fixture = Fixture::over(vec![set]);
        let session = Session::new();
        for scope in [Scope::replica(), Scope::node("nobody"), Scope::frozen()] {
            let caller = Context::default().with_session(&session).with_scope(scope);
            for kind in [SELECT, INSERT, BEGIN, UNKNOWN] {
                assert_eq!(fixture.route(kind, &caller).expect("no rule"), "primary");
                assert_eq!(fixture.recorder.only().reason, reason);
                // Its failures are the driver's business alone.
                let failed = fixture.route_past(kind, &caller, &["primary"], Failure::Unreachable);
                assert_eq!(failed.expect("no rule"), None);
                fixture.recorder.take();
            }
        }
        assert!(fixture.recorder.down().is_empty());
        assert!(session.pins().is_empty());
    }
}

#[test]
fn a_transaction_keeps_its_statements() {
    let fixture = Fixture::new(Rules::default());
    let set = fixture.router.default_set();
    let replica = set.nodes()[1];
    let session = Session::new();
    let check = |transaction, kind, scope| {
        let caller = Context::default().with_session(&session).with_scope(scope);
        let node = match transaction {
            Access::Read => replica,
            Access::Write => set.primary(),
        };
        set.check_in_transaction(node, transaction, kind, &caller)
    };
    for scope in [Scope::primary(), Scope::node("nobody")] {
        for kind in [SELECT, INSERT, UNKNOWN, BEGIN] {
            check(Access::Write, kind, scope.clone()).expect("a transaction that writes");
            assert_eq!(fixture.recorder.only().reason, Reason::Transaction);
            let read = check(Access::Read, kind, scope.clone());
            if kind.access() == Access::Read {
                read.expect("a read");
                fixture.recorder.take();
            } else {
                let error = read.expect_err("a write");
                assert!(
                    matches!(&error, RoutingError::WriteInReadOnlyTransaction { node, .. }
                        if *node == "replica-1"),
                    "{error}"
                );
            }
        }
    }
    let ambiguous = Scope::ambiguous_to_replica;
    check(Access::Read, UNKNOWN, ambiguous()).expect("declared a read");
    check(Access::Read, INSERT, ambiguous()).expect_err("a real write");
    assert!(session.pins().is_empty());

    // A session that writes in a transaction which it did not begin is pinned by that.
    let frozen = check(Access::Write, INSERT, Scope::frozen());
    assert!(matches!(frozen, Err(RoutingError::Frozen { .. })));
    check(Access::Write, SELECT, Scope::replica()).expect("a read");
    assert!(session.pins().is_empty());
    check(Access::Write, INSERT, Scope::replica()).expect("a write");
    assert!(session.is_pinned("default"));
    check(Access::Write, INSERT, Scope::frozen()).expect("nothing new");
}

#[test]
fn a_replica_scope_never_means_the_primary_while_a_replica_is_up() {
    let mut rules = Rules::default();
    rules.primary_read_weight = 100;
    let fixture = Fixture::new(rules);
    let session = Session::new();
    let caller = Context::default().with_session(&session);
    let forced = caller.clone().with_scope(Scope::replica());
    let all = ["replica-1", "replica-2"];
    fixture
        .route_past(SELECT, &caller, &all, Failure::Unreachable)
        .expect("the primary");
    fixture.clock.advance(Duration::from_secs(60));
    assert_ne!(fixture.route(SELECT, &forced), Ok("primary"));
    // And the session stays where it was.
    assert_eq!(fixture.route(SELECT, &caller), Ok("primary"));
}

#[test]
fn a_read_that_prefers_the_primary_goes_to_a_replica_without_it() {
    let fixture = Fixture::new(Rules::default());
    let session = Session::new();
    let preferring = |session: Option<&Session>| {
        let caller = Context::default().with_scope(Scope::prefer_primary());
        session.map_or(caller.clone(), |session| caller.with_session(session))
    };
    let reader = preferring(Some(&session));
    assert_eq!(fixture.route(SELECT, &reader), Ok("primary"));
    assert_eq!(fixture.route(SELECT, &preferring(None)), Ok("primary"));
    // One statement finds that it is gone, and is answered all the same.
    let failed = fixture.route_past(SELECT, &reader, &["primary"], Failure::Unreachable);
    assert!(
        failed
            .expect("a replica")
            .is_some_and(|node| node != "primary")
    );
    for _ in 0..4 {
        let set = fixture.router.default_set();
        let route = fixture.router.route(set, INSERT, &Context::default());
        let _told = route
            .expect("it is up")
            .start()
            .1
            .failed(Failure::Unreachable, &reader);
    }
    for caller in [&reader, &preferring(None)] {
        let node = fixture.route(SELECT, caller).expect("a replica");
        assert_ne!(node, "primary");
    }
    // A primary that was asked for says why it is not there.
    let mut rules = Rules::default();
    rules.retry.attempts = 1;
    rules.no_replica = NoReplica::Error;
    let alone = Fixture::new(rules);
    let failed = alone.route_past(SELECT, &reader, &["primary"], Failure::Unreachable);
    assert!(
        failed
            .expect("a replica")
            .is_some_and(|node| node != "primary")
    );
    // What nobody knows is a write there.
    let declared = Context::default()
        .with_session(&Session::new())
        .with_scope(Scope::ambiguous_to_replica())
        .with_scope(Scope::prefer_primary());
    let set = alone.router.default_set();
    let route = alone
        .router
        .route(set, UNKNOWN, &declared)
        .expect("it is up");
    assert_eq!(route.access(), Access::Write);
    drop(route);
    // What the session has written no replica is known to have; what no standby runs, none runs.
    let pinned = Session::new();
    pinned.pin("default").expect("a pin");
    fixture
        .route(SELECT, &preferring(Some(&pinned)))
        .expect_err("the primary is down");
    fixture
        .route(StatementKind::BeginSerializable, &reader)
        .expect_err("the primary is down");
}

/// The connection to the primary was ended long ago, and the replicas are gone just now: the primary is well.
#[test]
fn a_read_that_has_failed_everywhere_is_tried_once_more() {
    let fixture = Fixture::new(Rules::default());
    let set = fixture.router.default_set();
    let caller = Context::default()
        .with_session(&Session::new())
        .with_scope(Scope::prefer_primary());
    let route = fixture
        .router
        .route(set, SELECT, &caller)
        .expect("it is up");
    assert_eq!(*route.node().pool(), "primary");
    let mut next = route.start().1.failed_blocking(Failure::Lost, &caller);
    for _ in 0..2 {
        let Next::Route(route) = next else {
            panic!("a replica is next");
        };
        assert_ne!(*route.node().pool(), "primary");
        next = route
            .start()
            .1
            .failed_blocking(Failure::Unreachable, &caller);
    }
    let Next::Route(route) = next else {
        panic!("the primary is next: {next:?}");
    };
    assert_eq!(*route.node().pool(), "primary");
    route.start().1.succeeded(&caller);
}

/// The primary would let it write.
#[test]
fn what_nobody_knows_is_a_write_where_a_standby_does_not_run_it() {
    let fixture = Fixture::new(Rules::default());
    let set = fixture.router.default_set();
    let session = Session::new();
    let caller = Context::default()
        .with_session(&session)
        .with_scope(Scope::ambiguous_to_replica());
    let route = fixture
        .router
        .route(set, StatementKind::FunctionCall, &caller);
    let running = route.expect("a replica").start().1;
    running.refused_by_standby("SELECT bake()");
    let Next::Route(next) = running.failed(Failure::NotOnStandby, &caller) else {
        panic!("the primary is next");
    };
    assert_eq!(*next.node().pool(), "primary");
    assert_eq!(next.access(), Access::Write);
    assert!(session.is_pinned("default"));
}

#[test]
fn what_may_have_written_is_not_run_again() {
    let caller = Context::default()
        .with_session(&Session::new())
        .with_scope(Scope::ambiguous_to_replica());
    let all = ["replica-1", "replica-2"];
    for (failure, again) in [(Failure::Lost, false), (Failure::Unreachable, true)] {
        let fixture = Fixture::new(Rules::default());
        let failed = fixture.route_past(UNKNOWN, &caller, &all, failure);
        assert_eq!(failed, Ok(again.then_some("primary")), "{failure:?}");
    }
}

/// When a server restarts, each statement that it has ended says so; a busy machine hears of some only when
/// the server is well again.
#[test]
fn failures_that_are_told_late_take_no_node_down() {
    let fixture = Fixture::new(Rules::default());
    let caller = Context::default();
    let run = || {
        let set = fixture.router.default_set();
        let route = fixture.router.route(set, INSERT, &caller);
        route.map(|route| route.start().1)
    };
    let fail = || {
        run()
            .expect("it is up")
            .failed(Failure::Unreachable, &caller)
    };
    let late: Vec<_> = (0..9).map(|_| run().expect("it is up")).collect();
    for _ in 0..5 {
        let _told = fail();
    }
    run().expect_err("it is down");
    fixture.clock.advance(Duration::from_secs(31));
    run().expect("the trial").succeeded(&caller);
    for running in late {
        let _told = running.failed(Failure::Lost, &caller);
    }
    // What begins now counts.
    for _ in 0..5 {
        let _told = fail();
    }
    run().expect_err("it is down");
}

#[test]
fn what_a_node_refuses_as_a_write_is_decided_anew_once() {
    let fixture = Fixture::new(Rules::default());
    let set = fixture.router.default_set();
    let sql = "SELECT id FROM view";
    let session = Session::new();
    let caller = Context::default().with_session(&session);
    let route = fixture.router.route(set, StatementKind::Select, &caller);
    let route = route.expect("a replica");
    assert!(route.may_move());
    let Next::Route(next) = route.start().1.refused_as_write(sql, &caller) else {
        panic!("the primary is next");
    };
    assert_eq!(*next.node().pool(), "primary");
    assert!(session.is_pinned("default"));
    // The primary refuses it as well: that is the driver's to say.
    assert!(matches!(
        next.start().1.refused_as_write(sql, &caller),
        Next::Unchanged
    ));

    // A read of the primary's that it refuses changes nothing, and pins nobody.
    let nobody = Context::default();
    let mut rules = Rules::default();
    rules.mode = Mode::Strict;
    let strict = Fixture::new(rules);
    for fixture in [&fixture, &strict] {
        let set = fixture.router.default_set();
        fixture.recorder.take();
        let route = fixture.router.route(set, StatementKind::Select, &nobody);
        let route = route.expect("the primary");
        assert!(matches!(
            route.start().1.refused_as_write(sql, &nobody),
            Next::Unchanged
        ));
        assert_eq!(fixture.recorder.take().len(), 1);
        // Where only reads may run, it is a mistake.
        let reader = nobody.clone().with_scope(Scope::read_only());
        let route = fixture.router.route(set, StatementKind::Select, &reader);
        let next = route
            .expect("the primary")
            .start()
            .1
            .refused_as_write(sql, &reader);
        assert!(matches!(
            next,
            Next::Refused(RoutingError::WriteInReadOnlyScope { .. })
        ));
    }
}

#[test]
fn a_handles_pin_is_the_sessions_and_is_counted() {
    let fixture = Fixture::new(Rules::default());
    let set = fixture.router.default_set();
    let nobody = set.pin(&Context::default());
    assert!(matches!(nobody, Err(RoutingError::NoSession { .. })));
    let session = Session::new();
    let caller = Context::default().with_session(&session);
    let frozen = caller.clone().with_scope(Scope::frozen());
    assert!(matches!(set.pin(&frozen), Err(RoutingError::Frozen { .. })));
    fixture.route(SELECT, &caller).expect("a read");
    set.pin(&caller).expect("late, and allowed");
    assert!(session.is_pinned("default"));
    assert_eq!(fixture.recorder.late_pins(), 1);
}

#[test]
fn late_pins() {
    for (late_pin, allowed) in [
        (LatePin::Allow, true),
        (LatePin::Warn, true),
        (LatePin::Deny, false),
    ] {
        let mut rules = Rules::default();
        rules.late_pin = late_pin;
        let fixture = Fixture::new(rules);
        let session = Session::new();
        let caller = Context::default().with_session(&session);
        fixture.route(SELECT, &caller).expect("a read");
        assert_eq!(
            fixture.route(INSERT, &caller).is_ok(),
            allowed,
            "{late_pin:?}"
        );
        assert_eq!(fixture.recorder.late_pins(), u32::from(allowed));
        assert_eq!(session.is_pinned("default"), allowed);

        // A carried pin is nobody's mistake, and a pin that is in time is not late.
        let session = Session::new();
        let caller = Context::default().with_session(&session);
        fixture.route(SELECT, &caller).expect("a read");
        session.carry_pin("default", None);
        fixture.route(INSERT, &caller).expect("a write");
        let session = Session::new();
        session.pin("default").expect("in time");
        fixture
            .route(INSERT, &Context::default().with_session(&session))
            .expect("a write");
        assert_eq!(fixture.recorder.late_pins(), u32::from(allowed));
    }
}

#[test]
fn a_read_tries_every_replica_then_the_primary() {
    let fixture = Fixture::new(Rules::default());
    let caller = Context::default().with_session(&Session::new());
    let all = ["replica-1", "replica-2"];
    let past =
        |failing: &[&str]| fixture.route_past(SELECT, &caller, failing, Failure::Unreachable);
    assert_eq!(past(&all).expect("an answer"), Some("primary"));
    let reasons: Vec<_> = fixture.recorder.take().iter().map(|d| d.reason).collect();
    assert_eq!(
        reasons,
        [Reason::Balanced, Reason::Failover, Reason::NoReplica]
    );
    assert_eq!(fixture.recorder.down().len(), 2);

    // The session has seen the primary: it stays there when the replicas are back.
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(
        fixture.route(SELECT, &caller).expect("an answer"),
        "primary"
    );
    assert_eq!(fixture.recorder.only().reason, Reason::Affine);
    // A new one does not.
    let caller = Context::default().with_session(&Session::new());
    assert_ne!(
        fixture.route(SELECT, &caller).expect("an answer"),
        "primary"
    );

    let mut rules = Rules::default();
    rules.no_replica = NoReplica::Error;
    let fixture = Fixture::new(rules);
    let refused = fixture.route_past(SELECT, &caller, &all, Failure::Lost);
    assert!(matches!(refused, Err(RoutingError::NoReplica { .. })));
}

#[test]
fn a_write_is_never_run_again() {
    for failure in [Failure::Unreachable, Failure::Lost, Failure::Busy] {
        let fixture = Fixture::new(Rules::default());
        let caller = Context::default().with_session(&Session::new());
        for kind in [INSERT, BEGIN, UNKNOWN] {
            let failed = fixture.route_past(kind, &caller, &["primary"], failure);
            match failure {
                // Certainly not sent: that much can be said.
                Failure::Unreachable => {
                    assert!(matches!(
                        failed,
                        Err(RoutingError::PrimaryUnavailable { .. })
                    ));
                }
                _ => assert_eq!(failed, Ok(None)),
            }
            assert_eq!(fixture.recorder.take().len(), 1, "one attempt");
        }
    }
}

#[test]
fn an_exhausted_pool_is_not_the_nodes_fault() {
    let fixture = Fixture::new(Rules::default());
    let caller = Context::default().with_session(&Session::new());
    let all = ["primary", "replica-1", "replica-2"];
    let failed = fixture.route_past(SELECT, &caller, &all, Failure::Busy);
    assert_eq!(failed, Ok(None), "the driver's own error");
    assert_eq!(fixture.recorder.take().len(), 3, "each was asked");
    assert!(fixture.recorder.down().is_empty());
}

#[test]
fn a_primary_that_is_down_refuses_at_once_and_pins_nobody() {
    let mut rules = Rules::default();
    rules.primary_breaker = BreakerRules::PRIMARY;
    let fixture = Fixture::new(rules);
    let session = Session::new();
    let caller = Context::default().with_session(&session);
    for _ in 0..5 {
        fixture
            .route_past(
                INSERT,
                &Context::default(),
                &["primary"],
                Failure::Unreachable,
            )
            .expect_err("it is down");
    }
    assert_eq!(fixture.recorder.down().len(), 1);
    fixture.recorder.take();
    match fixture.route(INSERT, &caller) {
        Err(RoutingError::PrimaryUnavailable { retry_in, .. }) => {
            assert_eq!(retry_in, Some(Duration::from_secs(30)));
        }
        other => panic!("{other:?}"),
    }
    assert!(!session.is_pinned("default"));
    assert_ne!(fixture.route(SELECT, &caller), Ok("primary"));

    // After its time exactly one is let through; it reports, and all are.
    fixture.clock.advance(Duration::from_secs(30));
    let set = fixture.router.default_set();
    let trial = fixture
        .router
        .route(set, INSERT, &caller)
        .expect("the trial");
    fixture
        .route(INSERT, &Context::default())
        .expect_err("there is one trial");
    trial.start().1.succeeded(&caller);
    fixture
        .route(INSERT, &Context::default())
        .expect("it is up");
}

#[test]
fn a_required_position_keeps_reads_off_replicas_that_may_not_have_it() {
    let fixture = Fixture::new(Rules::default());
    let session = Session::new();
    let caller = Context::default().with_session(&session);
    let nodes = fixture.router.default_set().nodes();
    session.require("default", &Position::postgres(7, 1, 100));
    session.require("default", &Position::postgres(7, 1, 90));

    assert_eq!(
        fixture.route(SELECT, &caller),
        Ok("primary"),
        "nothing is known"
    );
    assert_eq!(fixture.recorder.only().reason, Reason::NotCaughtUp);
    session.unpin_all();
    session.require("default", &Position::postgres(7, 1, 100));
    nodes[1].observe(Position::postgres(7, 1, 99));
    nodes[2].observe(Position::postgres(7, 2, 200));
    assert_eq!(
        fixture.route(SELECT, &caller),
        Ok("primary"),
        "behind, and of another history"
    );
    session.unpin_all();
    session.require("default", &Position::postgres(7, 1, 100));
    nodes[2].observe(Position::postgres(7, 1, 100));
    for _ in 0..4 {
        assert_eq!(fixture.route(SELECT, &caller), Ok("replica-2"));
    }
    // Whoever asks for a replica gets any.
    let relaxed = Context::default()
        .with_session(&session)
        .with_scope(Scope::node("replica-1"));
    assert_eq!(fixture.route(SELECT, &relaxed), Ok("replica-1"));
    // Two histories at once are nobody's.
    session.require("default", &Position::postgres(7, 2, 1));
    assert_eq!(fixture.route(SELECT, &caller), Ok("primary"));
}

#[test]
fn reads_without_a_session_can_be_balanced() {
    let mut rules = Rules::default();
    rules.anonymous_reads = AnonymousReads::Replica;
    let fixture = Fixture::new(rules);
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            fixture
                .route(SELECT, &Context::default())
                .expect("a replica")
        })
        .collect();
    assert_eq!(nodes[0], nodes[2]);
    assert_ne!(nodes[0], nodes[1]);
}

#[test]
fn without_affinity_each_read_is_balanced() {
    let mut rules = Rules::default();
    rules.affinity = false;
    let fixture = Fixture::new(rules);
    let caller = Context::default().with_session(&Session::new());
    let nodes: Vec<_> = (0..2)
        .map(|_| fixture.route(SELECT, &caller).expect("a replica"))
        .collect();
    assert_ne!(nodes[0], nodes[1]);
}

#[test]
fn without_replicas_everything_runs_on_the_primary() {
    let fixture = Fixture::over(vec![set_of("default", Rules::default(), &[])]);
    let caller = Context::default().with_session(&Session::new());
    assert_eq!(fixture.route(SELECT, &caller), Ok("primary"));
    let forced = caller.with_scope(Scope::replica());
    assert_eq!(fixture.route(SELECT, &forced), Ok("primary"));
}
