//! A future may be dropped at any await.

use std::future::Future;
use std::task::{Context, Waker};

use routing_core::RoutingConfig;
use routing_seaorm::RoutedConnection;

/// A read that is the one trial of a node that is down, and is dropped, makes room for another.
#[test]
fn a_trial_that_is_dropped_does_not_keep_its_node_down() {
    routing_tests::runtime::run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| format!("sqlite://{}/{name}.db", directory.path().display());
        let config = RoutingConfig::builder()
            .primary(format!("{}?mode=rwc", file("primary")))
            .replica(format!("{}?mode=rw", file("replica")))
            .build()
            .expect("a configuration");
        let clock = std::sync::Arc::new(routing_core::ManualClock::new());
        let recorder = std::sync::Arc::new(routing_tests::recorder::Recorder::default());
        let db = RoutedConnection::builder(&config)
            .clock(clock.clone())
            .observer(recorder.clone())
            .build()
            .expect("a connection");
        for _ in 0..2 {
            let session = routing_core::Session::new();
            let db = db.with_session(&session);
            sea_orm::ConnectionTrait::execute_unprepared(&db, "SELECT 1")
                .await
                .expect("the primary answers");
        }
        assert_eq!(recorder.until_down().len(), 1, "the file is not there");

        // The file appears, and the first to try gives up.
        std::fs::write(directory.path().join("replica.db"), "").expect("an empty database");
        clock.advance(std::time::Duration::from_secs(1));
        let session = routing_core::Session::new();
        let handle = db.with_session(&session);
        let mut trial = Box::pin(sea_orm::ConnectionTrait::execute_unprepared(
            &handle, "SELECT 1",
        ));
        let polled = trial.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        drop(trial);
        assert!(recorder.up().is_empty());

        sea_orm::ConnectionTrait::execute_unprepared(&handle, "SELECT 1")
            .await
            .expect("an answer");
        assert_eq!(recorder.until_up().len(), 1);
    });
}
