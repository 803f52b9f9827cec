//! A future may be dropped at any await.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use routing_core::{Mode, RoutingConfig};
use routing_seaorm::RoutedConnection;
use routing_tests::entity::cake;
use routing_tests::stage::{Backend, Stage, server_of};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, PaginatorTrait, Set};

conformance! {
    work_that_is_dropped_at_any_await_leaves_nothing_behind,
}

/// Polls a future as often as it wakes, and drops it if it is still pending after so many polls.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => {
            polls += 1;
            if polls < times {
                Poll::Pending
            } else {
                Poll::Ready(None)
            }
        }
    })
    .await
}

async fn work(db: &RoutedConnection, name: String) -> Result<(), DbErr> {
    cake::Entity::find().count(db).await?;
    db.transaction_async(async |transaction| {
        let cake = cake::ActiveModel {
            name: Set(name),
            ..Default::default()
        };
        cake.insert(transaction).await?;
        cake::Entity::find().count(transaction).await?;
        Ok::<_, DbErr>(())
    })
    .await
    .map_err(|error| DbErr::Custom(error.to_string()))?;
    cake::Entity::find().count(db).await?;
    Ok(())
}

async fn work_that_is_dropped_at_any_await_leaves_nothing_behind(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let mut finished = 0;
    for times in 1..400 {
        let (db, session) = stage.session();
        let done = poll_times(work(&db, format!("cake {times}")), times).await;
        finished += usize::from(done.is_some());
        if let Some(done) = done {
            done.expect("nothing but the dropping goes wrong");
        }
        // Whatever was open is rolled back, and its connection can be used again: a fresh session
        // writes and reads, and the server says who it is.
        let (fresh, other) = stage.session();
        assert!(!other.is_pinned("default"));
        if times % 20 == 0 {
            server_of(&fresh).await;
            let cake = cake::ActiveModel {
                name: Set(format!("after {times}")),
                ..Default::default()
            };
            cake.insert(&fresh).await.expect("an insert");
        }
        drop(session);
        if finished > 3 {
            break;
        }
    }
    assert!(finished > 0, "some run to their end");
    let mut decisions = stage.recorder.take();
    decisions.retain(|decision| decision.role == routing_core::Role::Replica);
    assert!(!decisions.is_empty());
}

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
        assert_eq!(recorder.down().len(), 1, "the file is not there");

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
        assert_eq!(recorder.up().len(), 1);
    });
}
