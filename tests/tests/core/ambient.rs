//! Sessions and scopes end with what runs in them.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use futures_util::{FutureExt, StreamExt, stream};
use routing_core::{
    Context, PinReason, RoutingError, Rules, Scope, Session, StatementKind, in_current_session,
};
use routing_tests::runtime::run;

use crate::support::Fixture;

fn where_reads_go(fixture: &Fixture) -> &'static str {
    fixture
        .route(StatementKind::Select, &Context::default())
        .expect("a read")
}

#[test]
fn guards_nest_and_restore() {
    let fixture = Fixture::new(Rules::default());
    let session = Session::new();
    assert_eq!(where_reads_go(&fixture), "primary", "no session");
    let entered = session.enter();
    let replica = where_reads_go(&fixture);
    assert_ne!(replica, "primary");
    {
        let _scope = Scope::primary().enter();
        assert_eq!(where_reads_go(&fixture), "primary");
        {
            let _scope = Scope::node("replica-2").enter();
            assert_eq!(where_reads_go(&fixture), "replica-2");
        }
        assert_eq!(where_reads_go(&fixture), "primary");
    }
    assert_eq!(where_reads_go(&fixture), replica);
    drop(entered);
    assert!(Session::current().is_none());
}

#[test]
fn errors_and_panics_restore() {
    let fixture = Fixture::new(Rules::default());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        Session::new().call(|| Scope::node("replica-1").call(|| panic!("in the scope")))
    }));
    panicked.expect_err("it panicked");
    assert!(Session::current().is_none());
    assert_eq!(where_reads_go(&fixture), "primary");

    // A poll that panics leaves nothing on the thread either.
    let mut future = Box::pin(Session::new().run(async {
        if Session::current().is_some() {
            panic!("in the poll");
        }
    }));
    let polled = catch_unwind(AssertUnwindSafe(|| {
        future
            .as_mut()
            .poll(&mut TaskContext::from_waker(Waker::noop()))
    }));
    polled.expect_err("it panicked");
    assert!(Session::current().is_none());
}

#[test]
fn a_pending_or_dropped_future_leaves_nothing_on_the_thread() {
    let fixture = Fixture::new(Rules::default());
    let mut future = Box::pin(Session::new().run(Scope::primary().run(pending::<()>())));
    assert!(future.as_mut().now_or_never().is_none());
    assert!(Session::current().is_none());
    drop(future);
    assert_eq!(where_reads_go(&fixture), "primary");
}

#[test]
fn a_scope_is_captured_when_it_is_entered_and_not_when_it_is_made() {
    // Made inside one scope and run outside of it: only its own is left.
    let fixture = Fixture::new(Rules::default());
    let session = Session::new();
    let made_inside = Scope::node("replica-1")
        .call(|| Scope::ambiguous_to_replica().run(async { where_reads_go(&fixture) }));
    let node = session.run(made_inside).now_or_never().expect("ready");
    let here = session.call(|| where_reads_go(&fixture));
    assert_eq!(node, here, "the session's own replica");

    // Polled in one scope and then in another, it follows.
    let mut steps = 0;
    let future = Scope::frozen().run(std::future::poll_fn(|_| {
        steps += 1;
        let node = where_reads_go(&fixture);
        if steps == 2 {
            Poll::Ready(node)
        } else {
            Poll::Pending
        }
    }));
    let mut future = pin!(future);
    let mut poll = || {
        future
            .as_mut()
            .poll(&mut TaskContext::from_waker(Waker::noop()))
    };
    assert!(Scope::node("replica-1").call(&mut poll).is_pending());
    assert_eq!(
        Scope::node("replica-2").call(&mut poll),
        Poll::Ready("replica-2")
    );
}

#[test]
fn tasks_keep_their_sessions_apart() {
    run(async {
        let tasks: Vec<_> = (0..64)
            .map(|number: usize| {
                tokio::spawn(Session::new().run(async move {
                    let mine = Session::current().expect("a session");
                    if number.is_multiple_of(2) {
                        mine.pin("default").expect("a pin");
                    }
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                        let now = Session::current().expect("a session");
                        assert_eq!(now.is_pinned("default"), number.is_multiple_of(2));
                    }
                    let child = tokio::spawn(in_current_session(async {
                        Session::current().expect("handed on").is_pinned("default")
                    }));
                    assert_eq!(child.await.expect("no panic"), number.is_multiple_of(2));
                }))
            })
            .collect();
        for task in tasks {
            task.await.expect("no assertion failed");
        }
    });
}

#[test]
fn a_stream_polled_elsewhere_keeps_its_session() {
    let session = Session::new();
    let stream = session.run(stream::repeat_with(|| Session::current().is_some()).take(3));
    let inside: Vec<_> = stream.collect().now_or_never().expect("ready");
    assert_eq!(inside, [true, true, true]);
}

#[test]
fn pins_say_why_and_since_when() {
    let clock = std::sync::Arc::new(routing_core::ManualClock::new());
    let session = Session::with_clock(clock.clone());
    clock.advance(std::time::Duration::from_secs(7));
    session.carry_pin("carried", None);
    clock.advance(std::time::Duration::from_secs(1));
    session.pin("declared").expect("a pin");
    let carried = session.pinned("carried").expect("a pin");
    assert_eq!(
        (carried.reason, carried.is_new()),
        (PinReason::Carried, false)
    );
    assert_eq!(carried.since.as_nanos(), 7_000_000_000);
    let declared = session.pinned("declared").expect("a pin");
    assert_eq!(
        (declared.reason, declared.is_new()),
        (PinReason::Declared, true)
    );
    assert_eq!(session.pins().len(), 2);
    session.unpin_all();
    assert!(session.pins().is_empty());
}

#[test]
fn frozen_covers_the_sets_it_names() {
    let session = Session::new();
    let frozen = Scope::frozen().on(["orders"]);
    frozen.call(|| {
        session.pin("default").expect("not covered");
        let refused = session.pin("orders").expect_err("covered");
        assert!(matches!(refused, RoutingError::Frozen { kind: None, .. }));
    });
}

#[test]
fn an_observer_may_use_sessions_and_scopes() {
    struct Curious;
    impl routing_core::Observer for Curious {
        fn decided(&self, _: &routing_core::Decision<'_>) {
            assert!(Session::current().is_some());
            Scope::primary().call(|| assert!(Session::current().is_some()));
        }
    }
    let set = crate::support::set_of("default", Rules::default(), &["replica-1"]);
    let router = routing_core::Router::builder([set.build().expect("a set")])
        .observer(std::sync::Arc::new(Curious))
        .build()
        .expect("a router");
    Session::new().call(|| {
        router
            .route(
                router.default_set(),
                StatementKind::Select,
                &Context::default(),
            )
            .expect("a read")
            .start()
            .1
            .succeeded(&Context::default());
    });
}

#[test]
fn long_lists_are_dropped_without_recursion() {
    let session = Session::new();
    for set in 0..10_000 {
        session.carry_pin(format!("set {set}"), None);
    }
    let mut context = Context::default();
    for depth in 0..200_000 {
        let scope = if depth % 2 == 0 {
            Scope::primary()
        } else {
            Scope::replica()
        };
        context = context.with_scope(scope);
    }
    drop(context);
    drop(session);
}
