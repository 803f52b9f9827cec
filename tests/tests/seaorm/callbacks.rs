//! What a transaction calls when it has ended.

use std::sync::{Arc, Mutex};

use routing_core::Mode;
use routing_seaorm::RoutedTransaction;
use routing_tests::entity::cake;
use routing_tests::stage::{Backend, Stage};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseExecutor, TransactionTrait};

conformance! {
    a_commit_calls_back_in_order_after_the_acknowledgement,
    a_rollback_or_a_drop_calls_back,
    savepoints_take_their_own_with_them,
    a_commit_that_the_server_turns_into_a_rollback_is_one,
    what_is_not_known_here_calls_nobody,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn register(&self, transaction: &RoutedTransaction, name: &'static str) {
        let (commit, rollback) = (self.clone(), self.clone());
        transaction.on_commit(move |committed| commit.add(format!("{name}+{}", committed.set)));
        transaction.on_rollback(move || rollback.add(format!("{name}-")));
    }

    fn add(&self, entry: String) {
        self.0.lock().expect("no panic inside").push(entry);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic inside"))
    }
}

async fn a_commit_calls_back_in_order_after_the_acknowledgement(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let transaction = stage.db.begin().await.expect("a transaction");
    log.register(&transaction, "one");
    transaction.on_commit(|_| panic!("a mistake in a callback"));
    log.register(&transaction, "two");
    cake::named("x")
        .insert(&transaction)
        .await
        .expect("an insert");
    assert!(log.take().is_empty());
    transaction.commit().await.expect("a commit");
    assert_eq!(log.take(), ["one+default", "two+default"]);
}

async fn a_rollback_or_a_drop_calls_back(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let transaction = stage.db.begin().await.expect("a transaction");
    log.register(&transaction, "one");
    transaction.rollback().await.expect("a rollback");
    assert_eq!(log.take(), ["one-"]);
    let transaction = stage.db.begin().await.expect("a transaction");
    log.register(&transaction, "two");
    drop(transaction);
    assert_eq!(log.take(), ["two-"]);
}

async fn savepoints_take_their_own_with_them(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let outer = stage.db.begin().await.expect("a transaction");
    log.register(&outer, "outer");
    let inner = outer.begin().await.expect("a savepoint");
    log.register(&inner, "gone");
    inner.rollback().await.expect("a rollback");
    assert_eq!(log.take(), ["gone-"]);
    let inner = outer.begin().await.expect("a savepoint");
    log.register(&inner, "kept");
    inner.commit().await.expect("a release");
    assert!(log.take().is_empty());
    outer.commit().await.expect("a commit");
    assert_eq!(log.take(), ["outer+default", "kept+default"]);
}

async fn a_commit_that_the_server_turns_into_a_rollback_is_one(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let transaction = stage.db.begin().await.expect("a transaction");
    log.register(&transaction, "x");
    cake::named("twice")
        .insert(&transaction)
        .await
        .expect("an insert");
    cake::named("twice")
        .insert(&transaction)
        .await
        .expect_err("the name is taken");
    // PostgreSQL answers this with a rollback and no error; SQLite commits the first insert.
    transaction.commit().await.expect("no error");
    let expected = match backend {
        Backend::Postgres => "x-",
        Backend::MariaDb | Backend::Sqlite => "x+default",
    };
    assert_eq!(log.take(), [expected]);

    // A savepoint that takes the failure with it saves the rest.
    let transaction = stage.db.begin().await.expect("a transaction");
    log.register(&transaction, "y");
    let inner = transaction.begin().await.expect("a savepoint");
    inner
        .execute_unprepared("no such statement")
        .await
        .expect_err("an error");
    inner.rollback().await.expect("a rollback");
    transaction.commit().await.expect("a commit");
    assert_eq!(log.take(), ["y+default"]);
}

async fn what_is_not_known_here_calls_nobody(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let log = Log::default();
    let transaction = stage.db.begin().await.expect("a transaction");
    log.register(&transaction, "x");
    transaction
        .execute_unprepared("ROLLBACK")
        .await
        .expect("a rollback");
    // Whether the driver calls that an error depends on the server.
    let committed = transaction.commit().await;
    let expected: &[&str] = if committed.is_ok() { &[] } else { &["x-"] };
    assert_eq!(log.take(), expected);

    // A failure that somebody else had on the transaction's connection.
    let transaction = stage.db.begin().await.expect("a transaction");
    log.register(&transaction, "y");
    let executor = DatabaseExecutor::from(&transaction);
    executor
        .execute_unprepared("no such statement")
        .await
        .expect_err("an error");
    transaction.commit().await.expect("no error");
    let expected = match backend {
        Backend::Postgres => "y-",
        Backend::MariaDb | Backend::Sqlite => "y+default",
    };
    assert_eq!(log.take(), [expected]);
}
