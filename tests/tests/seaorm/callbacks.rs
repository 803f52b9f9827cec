//! What a transaction calls when it has ended.

use std::sync::{Arc, Mutex};

use routing_core::Mode;
use routing_seaorm::RoutedTransaction;
use routing_tests::entity::cake;
use routing_tests::stage::{Backend, Stage};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseExecutor, TransactionTrait};

conformance! {
    a_commit_calls_back_in_order_after_the_acknowledgement,
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
    let _committed = transaction.commit().await;
    assert_eq!(log.take(), [""; 0]);

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
        Backend::MySql | Backend::Sqlite => "y+default",
    };
    assert_eq!(log.take(), [expected]);
}
