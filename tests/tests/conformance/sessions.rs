//! Whose pin it is, and what it does.

use std::collections::BTreeSet;

use routing_core::{
    AnonymousReads, LatePin, Mode, PinReason, Reason, Role, RoutingError, Scope, Session,
    in_current_session,
};
use routing_tests::adapter::{Adapter, Scene, Shop, Step};
use routing_tests::world::Backend;

conformance! {
    reads_go_to_replicas_and_writes_to_the_primary,
    a_session_reads_its_own_writes_whatever_the_replicas_do,
    every_kind_of_write_goes_to_the_primary,
    strict_mode_refuses_before_any_server_sees_the_statement,
    strict_mode_takes_writes_of_a_pinned_session,
    ambient_sessions_are_found_by_handles_without_one,
    pins_never_leak_between_concurrent_sessions,
    one_session_spans_two_sets,
    late_pins_are_denied_when_asked,
    anonymous_reads_can_go_to_replicas,
    unpin_all_makes_a_session_new,
    a_primary_can_take_its_share_of_reads,
    routing_can_be_switched_off,
}

async fn reads_go_to_replicas_and_writes_to_the_primary<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    assert!(db.server().await.starts_with("replica-"));
    assert!(!session.is_pinned("default"));
    db.insert("Opera").await.expect("an insert");
    assert!(session.is_pinned("default"));
    assert_eq!(db.server().await, "primary");
    // Without a session, reads are the primary's.
    assert_eq!(scene.db.server().await, "primary");
    let reasons: Vec<_> = scene.recorder.take().iter().map(|d| d.reason).collect();
    let expected = [
        Reason::Balanced,
        Reason::Write,
        Reason::Pinned,
        Reason::NoSession,
    ];
    assert_eq!(reasons, expected);
}

async fn a_session_reads_its_own_writes_whatever_the_replicas_do<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::lagging(backend, Mode::Greedy).await;
    scene.world.pause().await;
    let (writer, _session) = scene.session();
    let (reader, _other) = scene.session();
    assert_eq!(writer.count().await, 0);
    writer.insert("mine").await.expect("an insert");
    assert_eq!(writer.count().await, 1);
    assert_eq!(reader.count().await, 0, "the replicas are paused");
    scene.world.resume().await;
    scene.world.catch_up().await;
    assert_eq!(reader.count().await, 1);
}

async fn every_kind_of_write_goes_to_the_primary<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    scene.db.insert("Opera").await.expect("an insert");
    scene.world.catch_up().await;
    let mut writes = vec![
        Step::Insert("Sacher".into()),
        Step::Rename("Opera".into(), "Esterházy".into()),
        Step::Delete("Sacher".into()),
        Step::Execute("INSERT INTO cake (name) VALUES ('by text')".into()),
        Step::Execute("SELECT no_such_function_here()".into()),
    ];
    if backend != Backend::Sqlite {
        writes.push(Step::Lock);
        writes.push(Step::Execute("SELECT id FROM cake FOR UPDATE".into()));
    }
    for write in writes {
        let (db, session) = scene.session();
        scene.recorder.take();
        // One of them fails on the server; what counts is which one was asked.
        let _ = db.attempt(write.clone()).await;
        let decision = scene.recorder.only();
        assert_eq!(
            (decision.role, decision.reason),
            (Role::Primary, Reason::Write),
            "{write:?}"
        );
        assert!(session.is_pinned("default"), "{write:?}");
    }
    let (db, _session) = scene.session();
    scene.world.catch_up().await;
    assert_eq!(db.count().await, 2);
}

async fn strict_mode_refuses_before_any_server_sees_the_statement<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Strict).await;
    let (in_session, session) = scene.session();
    for db in [&in_session, &scene.db] {
        let error = db.insert("refused").await.expect_err("a refusal");
        let refusal = error.routing.expect("a routing error");
        assert!(refusal.is_unpinned_write(), "{refusal}");
        assert!(
            error.text.contains("session.pin(\"default\")"),
            "{}",
            error.text
        );
        assert!(error.text.contains("INSERT"), "{}", error.text);
    }
    assert!(!session.is_pinned("default"));
    assert!(scene.recorder.take().is_empty(), "nothing went anywhere");
    assert_eq!(scene.recorder.refusals().len(), 2);
    assert_eq!(scene.db.scoped(Scope::primary()).count().await, 0);
    // The refusal leaves the session as it was: it still reads from a replica.
    assert!(in_session.server().await.starts_with("replica-"));
}

async fn strict_mode_takes_writes_of_a_pinned_session<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Strict).await;
    let (db, session) = scene.session();
    session.pin("other").expect("a pin");
    let error = db.insert("x").await.expect_err("another set's pin");
    assert!(error.routing.is_some_and(|error| error.is_unpinned_write()));

    db.pin().expect("a pin");
    let pin = session.pinned("default").expect("a pin");
    assert_eq!(pin.reason, PinReason::Declared);
    assert!(pin.is_new());
    db.insert("taken").await.expect("an insert");
    assert_eq!(db.server().await, "primary");
}

async fn ambient_sessions_are_found_by_handles_without_one<A: Adapter>(backend: Backend) {
    async fn handler<A: Adapter>(db: &A) -> (String, String) {
        let before = db.server().await;
        db.insert("ambient").await.expect("an insert");
        (before, db.server().await)
    }

    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let session = Session::new();
    let (before, after) = session.run(handler(&scene.db)).await;
    assert!(before.starts_with("replica-"));
    assert_eq!(after, "primary");
    assert!(session.is_pinned("default"));
    assert!(Session::current().is_none());

    // A spawned task is outside, unless it is given the session.
    let session = Session::new();
    session
        .run(async {
            let db = scene.db.clone();
            let outside = tokio::spawn(async move { db.server().await });
            assert_eq!(outside.await.expect("no panic"), "primary");
            let db = scene.db.clone();
            let inside = tokio::spawn(in_current_session(async move { db.server().await }));
            assert!(inside.await.expect("no panic").starts_with("replica-"));
        })
        .await;

    // A handle's own session goes first.
    let (own, _session) = scene.session();
    let pinned = Session::new();
    pinned.pin("default").expect("a pin");
    assert!(pinned.run(own.server()).await.starts_with("replica-"));
}

async fn pins_never_leak_between_concurrent_sessions<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let tasks: Vec<_> = (0..24)
        .map(|number| {
            let db = scene.db.clone();
            tokio::spawn(Session::new().run(async move {
                let writes = number % 3 == 0;
                let session = Session::current().expect("a session");
                for round in 0..4 {
                    let before = db.server().await;
                    let expected = if writes && round > 0 {
                        "primary"
                    } else {
                        "replica-"
                    };
                    assert!(before.starts_with(expected), "{number}/{round}: {before}");
                    if writes {
                        db.insert(&format!("{number} {round}"))
                            .await
                            .expect("an insert");
                    }
                    tokio::task::yield_now().await;
                }
                assert_eq!(session.is_pinned("default"), writes);
            }))
        })
        .collect();
    for task in tasks {
        task.await.expect("no assertion failed");
    }
}

async fn one_session_spans_two_sets<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    let other = db.on_set("other").expect("the set is there");

    other.insert("there").await.expect("an insert");
    assert!(session.is_pinned("other"));
    assert!(!session.is_pinned("default"));
    assert!(db.server().await.starts_with("replica-"));
    assert_eq!((db.count().await, other.count().await), (0, 1));

    db.insert("here").await.expect("an insert");
    let mut pins: Vec<_> = session.pins().into_iter().map(|(set, _)| set).collect();
    pins.sort();
    assert_eq!(pins, ["default", "other"]);

    let Err(error) = db.on_set("ohter") else {
        panic!("there is no such set");
    };
    match error.routing {
        Some(RoutingError::UnknownSet { set, known }) => {
            assert_eq!(set.as_str(), "ohter");
            assert_eq!(known.len(), 2);
        }
        other => panic!("{other:?}"),
    }
}

async fn late_pins_are_denied_when_asked<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::with(backend, |config| config.late_pin(LatePin::Deny)).await;
    let (db, session) = scene.session();
    db.count().await;
    let error = db.insert("late").await.expect_err("a refusal");
    assert!(
        matches!(error.routing, Some(RoutingError::LatePin { .. })),
        "{error:?}"
    );
    assert!(matches!(
        session.pin("default"),
        Err(RoutingError::LatePin { .. })
    ));

    // In time: the pin comes first, and the order of later reads and writes does not matter.
    let (db, _session) = scene.session();
    db.pin().expect("a pin");
    db.count().await;
    db.insert("in time").await.expect("an insert");

    // A log line does not count.
    let (db, _session) = scene.session();
    db.count().await;
    db.scoped(Scope::primary())
        .insert("log")
        .await
        .expect("an insert");

    let scene = Scene::<A>::with(backend, |config| config.late_pin(LatePin::Warn)).await;
    let (db, _session) = scene.session();
    db.count().await;
    db.insert("late").await.expect("an insert");
    assert_eq!(scene.recorder.late_pins(), 1);
}

async fn anonymous_reads_can_go_to_replicas<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::with(backend, |config| {
        config.anonymous_reads(AnonymousReads::Replica)
    })
    .await;
    // On one connection as well as on several. A slow replica takes less than its share.
    for reads_per_connection in [4, 1] {
        let mut servers = BTreeSet::new();
        for _ in 0..100 {
            for outcome in scene.db.run(vec![Step::Server; reads_per_connection]).await {
                servers.insert(format!("{outcome:?}"));
            }
            if servers.len() > 1 {
                break;
            }
        }
        assert_eq!(servers.len(), 2, "{servers:?}");
        assert!(servers.iter().all(|server| server.contains("replica-")));
    }
}

async fn unpin_all_makes_a_session_new<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::new(backend, Mode::Greedy).await;
    let (db, session) = scene.session();
    db.insert("one").await.expect("an insert");
    session.unpin_all();
    assert!(session.pins().is_empty());
    assert!(db.server().await.starts_with("replica-"));
    let last = scene.recorder.take().last().map(|decision| decision.reason);
    assert_eq!(last, Some(Reason::Balanced));
}

async fn a_primary_can_take_its_share_of_reads<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::with(backend, |config| config.primary_read_weight(2)).await;
    // Of each, as many as it takes: a replica that is slow just now takes less than its share.
    let mut sessions = [0, 0];
    while sessions.iter().any(|&count| count < 4) {
        let (db, session) = scene.session();
        let first = db.server().await;
        assert_eq!(
            db.server().await,
            first,
            "affinity holds for the primary too"
        );
        assert!(!session.is_pinned("default"));
        sessions[usize::from(first == "primary")] += 1;
        assert!(sessions.iter().sum::<u32>() < 200, "{sessions:?}");
    }
}

async fn routing_can_be_switched_off<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::with(backend, |config| config.mode(Mode::Strict).enabled(false)).await;
    let (db, session) = scene.session();
    assert_eq!(db.server().await, "primary");
    db.insert("unpinned").await.expect("an insert");
    assert!(!session.is_pinned("default"));
    assert_eq!(db.count().await, 1);
    let reasons: Vec<_> = scene.recorder.take().iter().map(|d| d.reason).collect();
    assert_eq!(reasons, [Reason::Disabled; 3]);
    let error = db.scoped(Scope::read_only()).insert("x").await;
    let error = error.expect_err("a capability, which nothing lifts");
    assert!(matches!(
        error.routing,
        Some(RoutingError::WriteInReadOnlyScope { .. })
    ));
}
