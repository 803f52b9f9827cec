//! What jobs read.

use std::time::Duration;

use routing_core::{Consistency, PinRelease, TokenKeys};
use routing_tests::adapter::{Adapter, Diesel, DieselAsync, Scene, SeaOrm, Shop};
use routing_tests::runtime::run;
use routing_tests::wait::LIMIT;
use routing_tests::world::Backend;

async fn a_job_reads_what_was_written_before_it<A: Adapter>(backend: Backend) {
    let keys = TokenKeys::new("a secret that is long enough for this").expect("a secret");
    let scene =
        Scene::<A>::lagging_with(backend, |config| config.pin_release(PinRelease::CaughtUp)).await;
    scene.world.pause().await;
    let session = keys.resume(None);
    let writer = scene.db.with_session(&session);
    writer.insert("before").await.expect("an insert");
    session.when_settled().await;
    let token = keys.seal(&session).expect("it has written");
    let job = |consistency: Consistency, token: Option<&str>| {
        scene.db.with_session(&consistency.session(&keys, token))
    };

    // The replicas are paused: all of them read from the primary.
    for consistency in [
        Consistency::Always,
        Consistency::Sticky,
        Consistency::Delayed,
    ] {
        for token in [Some(token.as_str()), None, Some("nonsense")] {
            let db = job(consistency, token);
            if consistency == Consistency::Sticky {
                assert_eq!(db.count().await, 1);
            }
            assert_eq!(db.server().await, "primary", "{consistency:?} {token:?}");
        }
    }
    let db = job(Consistency::Delayed, Some(&token));
    assert!(!db.catch_up(Duration::from_millis(50)).await);

    // They go on while a job waits.
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { db.catch_up(LIMIT).await }
    });
    scene.world.resume().await;
    assert!(waiting.await.expect("no panic"));
    assert_eq!(db.count().await, 1);
    assert!(db.server().await.starts_with("replica-"));
    scene.world.catch_up().await;
    let sticky = job(Consistency::Sticky, Some(&token));
    assert!(sticky.catch_up(LIMIT).await);
    assert!(sticky.server().await.starts_with("replica-"));
    assert_eq!(
        job(Consistency::Always, Some(&token)).server().await,
        "primary"
    );
    assert_eq!(job(Consistency::Sticky, None).server().await, "primary");
}

#[test]
fn over_seaorm_on_postgres() {
    run(a_job_reads_what_was_written_before_it::<SeaOrm>(
        Backend::Postgres,
    ));
}

#[test]
fn over_diesel_on_postgres() {
    run(a_job_reads_what_was_written_before_it::<Diesel>(
        Backend::Postgres,
    ));
}

#[test]
fn over_diesel_async_on_postgres() {
    run(a_job_reads_what_was_written_before_it::<DieselAsync>(
        Backend::Postgres,
    ));
}

#[test]
fn over_seaorm_on_mysql() {
    run(a_job_reads_what_was_written_before_it::<SeaOrm>(
        Backend::MySql,
    ));
}
