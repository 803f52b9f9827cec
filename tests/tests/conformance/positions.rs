//! Reads that come back to replicas, and what follows a session into the next.

use routing_core::{Mode, PinRelease, Position, Role, Session};
use routing_tests::adapter::{Adapter, Begin, End, Scene, Shop, Step};
use routing_tests::wait::{LIMIT, within};
use routing_tests::world::Backend;

conformance! {
    reads_come_back_to_a_replica_that_has_caught_up,
    a_paused_replica_is_not_read_after_a_write,
    reads_go_to_the_replica_that_has_it,
    a_commit_is_waited_for,
    a_later_session_misses_nothing,
    nobody_waits_for_a_position_of_another_history,
}

async fn reads_come_back_to_a_replica_that_has_caught_up<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::with(backend, |config| config.pin_release(PinRelease::CaughtUp)).await;
    let (db, session) = scene.session();
    for n in 1..=5 {
        db.insert(&format!("cake {n}")).await.expect("an insert");
        scene.recorder.take();
        assert_eq!(db.count().await, n);
        let role = scene.recorder.only().role;
        if backend == Backend::Sqlite {
            assert_eq!(role, Role::Primary, "it has no positions");
        } else {
            assert_eq!(role, Role::Replica);
        }
    }
    assert!(session.is_pinned("default"));
    if backend == Backend::Sqlite {
        // There the time decides; the session's own clock is the machine's.
        return;
    }
    // In strict mode too, for who has pinned itself.
    drop(scene);
    let scene = Scene::<A>::with(backend, |config| {
        config.mode(Mode::Strict).pin_release(PinRelease::CaughtUp)
    })
    .await;
    let (db, _session) = scene.session();
    db.pin().expect("a pin");
    assert_eq!(db.server().await, "primary");
    db.insert("strictly").await.expect("an insert");
    assert!(db.server().await.starts_with("replica-"));
    assert_eq!(db.count().await, 1);
    db.insert("again")
        .await
        .expect("the pin is still one for writes");
    assert_eq!(db.count().await, 2);
}

async fn a_paused_replica_is_not_read_after_a_write<A: Adapter>(backend: Backend) {
    let scene =
        Scene::<A>::lagging_with(backend, |config| config.pin_release(PinRelease::CaughtUp)).await;
    let (db, _session) = scene.session();
    assert!(db.server().await.starts_with("replica-"));
    scene.world.pause().await;
    db.insert("mine").await.expect("an insert");
    for _ in 0..10 {
        assert_eq!(db.server().await, "primary");
        assert_eq!(db.count().await, 1);
    }
    let (other, _session) = scene.session();
    assert_eq!(
        other.count().await,
        0,
        "who has not written reads the replicas"
    );
    scene.world.resume().await;
    scene.world.catch_up().await;
    for _ in 0..10 {
        assert_eq!(db.count().await, 1);
    }
}

async fn reads_go_to_the_replica_that_has_it<A: Adapter>(backend: Backend) {
    if backend == Backend::Sqlite {
        return;
    }
    let scene = Scene::<A>::lagging_with(backend, |config| {
        config
            .pin_release(PinRelease::CaughtUp)
            .catch_up_wait(LIMIT)
    })
    .await;
    for (paused, has_it) in [(0, "replica-2"), (1, "replica-1")] {
        scene.world.pause_one(paused).await;
        for n in 0..4 {
            let (db, _session) = scene.session();
            db.insert(&format!("{n} without {paused}"))
                .await
                .expect("an insert");
            assert_eq!(db.server().await, has_it);
        }
        scene.world.resume_one(paused).await;
        scene.world.catch_up().await;
    }
}

async fn a_commit_is_waited_for<A: Adapter>(backend: Backend) {
    let scene =
        Scene::<A>::lagging_with(backend, |config| config.pin_release(PinRelease::CaughtUp)).await;
    scene.world.pause().await;
    for (end, expected) in [(End::Commit, 1), (End::Rollback, 1)] {
        let (db, _session) = scene.session();
        let insert = Step::Insert(format!("{end:?}"));
        db.transaction(Begin::Plain, vec![insert, Step::Count], end)
            .await;
        assert_eq!(db.count().await, expected, "{end:?}");
        assert_eq!(db.server().await, "primary", "{end:?}");
    }
    scene.world.resume().await;
}

async fn a_later_session_misses_nothing<A: Adapter>(backend: Backend) {
    let scene = Scene::<A>::lagging_with(backend, |config| config).await;
    let (writer, session) = scene.session();
    session.expect_hand_over();
    scene.world.pause().await;
    writer.insert("told").await.expect("an insert");
    session.when_settled().await;
    let told = session.hand_over();
    assert_eq!(told[0].set, *"default");
    assert_eq!(
        told[0].position.is_some(),
        backend != Backend::Sqlite,
        "{told:?}"
    );
    assert_eq!(
        told[0].pinned_for.is_some(),
        backend == Backend::Sqlite,
        "{told:?}"
    );

    let later = Session::new();
    later.take_over(told);
    let reader = scene.db.with_session(&later);
    assert_eq!(reader.server().await, "primary");
    assert_eq!(reader.count().await, 1);
    assert_eq!(scene.db.with_session(&Session::new()).count().await, 0);
    scene.world.resume().await;
    scene.world.catch_up().await;
    for _ in 0..5 {
        assert_eq!(reader.count().await, 1);
    }
}

async fn nobody_waits_for_a_position_of_another_history<A: Adapter>(backend: Backend) {
    // A read that waited for the position would outlast the test's limit.
    let scene = Scene::<A>::with(backend, |config| config.catch_up_wait(10 * LIMIT)).await;
    for position in [
        Position::postgres(1, 1, u64::MAX),
        Position::mariadb("0-4711-18446744073709551615").expect("a list"),
        Position::UNKNOWN,
    ] {
        let session = Session::new();
        session.require("default", &position);
        let db = scene.db.with_session(&session);
        let answer = within("it does not wait for ever", db.server()).await;
        assert_eq!(answer, "primary", "{position}");
    }
}
