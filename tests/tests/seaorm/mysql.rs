//! What MySQL and MariaDB do that PostgreSQL does not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use routing_core::{AnonymousReads, Mode, PinRelease, Reason, RoutingError, Scope, Session};
use routing_seaorm::{RoutedConnection, RoutingErrExt};
use routing_tests::entity::cake;
use routing_tests::mysql::Flavor;
use routing_tests::runtime::run;
use routing_tests::stage::{Backend, Stage};
use routing_tests::wait::LIMIT;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, IntoActiveModel,
    PaginatorTrait, TransactionTrait,
};
use tokio::sync::Barrier;

/// Without `RETURNING`, SeaORM reads back what it has written.
#[test]
fn what_is_written_is_read_back_from_the_primary() {
    run(async {
        let stage = Stage::lagging(Backend::MySql, Mode::Greedy).await;
        stage.pause().await;
        // In a session, and without one.
        for db in [stage.session().0, stage.db.clone()] {
            let opera = cake::named(format!("Opera {:?}", db.session().is_some()));
            let opera = opera.insert(&db).await.expect("an insert");
            let mut renamed = opera.clone().into_active_model();
            renamed.name = Set(format!("{} II", opera.name));
            let renamed = renamed.update(&db).await.expect("an update");
            assert_eq!(renamed.id, opera.id);
            let found = cake::Entity::find_by_id(opera.id).one(&db).await;
            assert_eq!(found.expect("an answer"), Some(renamed));
        }
        let decisions = stage.recorder.take();
        assert!(decisions.iter().all(|decision| decision.node == "primary"));
        assert!(
            decisions
                .iter()
                .any(|decision| decision.reason == Reason::NoSession)
        );
        stage.resume().await;
    });
}

/// The read-back is a part of the write, also where reads go to a replica that may be behind.
#[test]
fn what_is_written_is_read_back_though_reads_may_be_stale() {
    run(async {
        let stage = Stage::lagging_with(Backend::MySql, |config| {
            let config = config.mode(Mode::Greedy);
            config.anonymous_reads(AnonymousReads::Replica)
        })
        .await;
        stage.pause().await;
        let scoped = |db: RoutedConnection| db.scoped(Scope::replica());
        let handles = [
            scoped(stage.session().0),
            scoped(stage.db.clone()),
            stage.db.clone(),
        ];
        for (number, db) in handles.into_iter().enumerate() {
            let name = format!("Opera {number}");
            let opera = cake::named(name.clone())
                .insert(&db)
                .await
                .expect("an insert");
            let mut renamed = opera.clone().into_active_model();
            renamed.name = Set(format!("{name} II"));
            let renamed = renamed.update(&db).await.expect("an update");
            assert_eq!((renamed.id, renamed.name), (opera.id, format!("{name} II")));
            // Reads that are nobody's read-back do not notice.
            let found = cake::Entity::find_by_id(opera.id).one(&db).await;
            assert_eq!(found.expect("an answer"), None);
        }
        stage.resume().await;
    });
}

/// MariaDB rolls back as for a deadlock's victim (`innodb_snapshot_isolation`, on since 11.6.2). MySQL has no such
/// setting, and updates the row as it is.
#[test]
fn a_transaction_whose_snapshot_has_changed_writes_nothing_outside_of_itself() {
    if Flavor::current() == Flavor::MySql {
        return;
    }
    run(async {
        let stage = Stage::new(Backend::MySql, Mode::Greedy).await;
        let one = "INSERT INTO cake (id, name) VALUES (1, 'a')";
        stage.db.execute_unprepared(one).await.expect("a cake");
        let transaction = stage.db.begin().await.expect("a transaction");
        let setting = "SET SESSION innodb_snapshot_isolation = ON";
        let set = transaction.execute_unprepared(setting).await;
        set.expect("a setting");
        let seen = cake::Entity::find().count(&transaction).await;
        assert_eq!(seen.expect("a count"), 1);
        let renamed = "UPDATE cake SET name = 'b'";
        let other = stage.db.execute_unprepared(renamed).await;
        other.expect("an update");
        let changed = transaction
            .execute_unprepared("UPDATE cake SET name = 'c'")
            .await;
        let error = changed.expect_err("the row has changed");
        assert!(error.to_string().contains("1020"), "{error}");
        let inserted = cake::named("outside").insert(&transaction).await;
        let committed = transaction.commit().await;
        for outcome in [inserted.map(drop), committed] {
            let error = outcome.as_ref().err().and_then(RoutingErrExt::routing);
            let is_lost = matches!(error, Some(RoutingError::TransactionLost { .. }));
            assert!(is_lost, "{outcome:?}");
        }
    });
}

/// A procedure may commit, and go on when nobody waits for it any more.
#[test]
fn a_call_that_was_dropped_keeps_its_session_on_the_primary() {
    run(async {
        let released = |config: routing_core::RoutingConfigBuilder| {
            let config = config.mode(Mode::Greedy).pin_release(PinRelease::CaughtUp);
            config.catch_up_wait(LIMIT)
        };
        let stage = Stage::with(Backend::MySql, released).await;
        let slow = "CREATE PROCEDURE slow() BEGIN DO sleep(10); COMMIT; END";
        stage
            .db
            .execute_unprepared(slow)
            .await
            .expect("a procedure");
        let (db, _session) = stage.session();
        let transaction = db.begin().await.expect("a transaction");
        cake::named("in it")
            .insert(&transaction)
            .await
            .expect("an insert");
        let calling = transaction.execute_unprepared("CALL slow()");
        let called = tokio::time::timeout(Duration::from_millis(1), calling).await;
        called.expect_err("it takes longer");
        drop(transaction);
        stage.recorder.take();
        let count = cake::Entity::find().count(&db).await;
        count.expect("a count");
        assert_eq!(stage.recorder.only().node, "primary");
    });
}

#[test]
fn a_deadlocks_victim_writes_nothing_outside_of_its_transaction() {
    run(async {
        let stage = Stage::new(Backend::MySql, Mode::Greedy).await;
        let two = "INSERT INTO cake (id, name) VALUES (1, 'a'), (2, 'b')";
        stage.db.execute_unprepared(two).await.expect("two cakes");
        let barrier = Arc::new(Barrier::new(2));
        let log = Arc::new(Mutex::new(Vec::new()));
        let bakers = [(1, 2), (2, 1)].map(|(first, second)| {
            let (db, barrier, log) = (stage.db.clone(), Arc::clone(&barrier), Arc::clone(&log));
            tokio::spawn(async move {
                let transaction = db.begin().await.expect("a transaction");
                let (committed, rolled_back) = (Arc::clone(&log), log);
                let add = |log: &Mutex<Vec<_>>, what| log.lock().expect("no panic").push(what);
                transaction.on_commit(move |_| add(&committed, "commit"));
                transaction.on_rollback(move || add(&rolled_back, "rollback"));
                let lock = |id| format!("UPDATE cake SET name = name WHERE id = {id}");
                let locked = transaction.execute_unprepared(&lock(first)).await;
                locked.expect("a lock");
                barrier.wait().await;
                let locked = transaction.execute_unprepared(&lock(second)).await;
                // A program that ignores the error would write this for good.
                let after = cake::named(format!("after {first}"));
                let inserted = after.insert(&transaction).await;
                let committed = transaction.commit().await;
                let is_victim = locked.is_err();
                for outcome in [inserted.map(drop), committed] {
                    let error = outcome.as_ref().err().and_then(RoutingErrExt::routing);
                    let is_lost = matches!(error, Some(RoutingError::TransactionLost { .. }));
                    assert_eq!(is_lost, is_victim, "{outcome:?}");
                    assert_eq!(outcome.is_err(), is_victim);
                }
                is_victim
            })
        });
        let mut victims = 0;
        for baker in bakers {
            victims += usize::from(baker.await.expect("no panic"));
        }
        assert_eq!(victims, 1);
        let mut called = log.lock().expect("no panic").clone();
        called.sort_unstable();
        assert_eq!(called, ["commit", "rollback"]);
        assert_eq!(cake::Entity::find().count(&stage.db).await, Ok(3));
    });
}

#[test]
fn a_transaction_that_ddl_has_committed_was_written_by_its_session() {
    run(async {
        let stage = Stage::lagging(Backend::MySql, Mode::Greedy).await;
        let (db, session) = stage.session();
        session.expect_hand_over();
        stage.pause().await;
        let called = Arc::new(Mutex::new(0));
        let transaction = db.begin().await.expect("a transaction");
        for _ in 0..2 {
            let (one, other) = (Arc::clone(&called), Arc::clone(&called));
            transaction.on_commit(move |_| *one.lock().expect("no panic") += 1);
            transaction.on_rollback(move || *other.lock().expect("no panic") += 1);
        }
        let before = cake::named("before").insert(&transaction).await;
        before.expect("an insert");
        let create = "CREATE TABLE of_ddl (id int)";
        transaction
            .execute_unprepared(create)
            .await
            .expect("a table");
        let after = cake::named("after").insert(&transaction).await;
        after.expect("an insert");
        drop(transaction);
        assert_eq!(
            *called.lock().expect("no panic"),
            0,
            "its outcome is not known"
        );

        session.when_settled().await;
        let next = Session::new();
        next.take_over(session.hand_over());
        let db = stage.db.with_session(&next);
        let seen = cake::Entity::find().count(&db);
        assert_eq!(seen.await, Ok(2), "the next session of the same user");
        stage.resume().await;
    });
}

/// A session that wrote in a transaction, and what a later session of the same user counts.
async fn seen_after_a_rollback(statements: &[&str]) -> (Vec<&'static str>, u64) {
    let stage = Stage::lagging(Backend::MySql, Mode::Greedy).await;
    let procedure = "CREATE PROCEDURE settle() COMMIT";
    stage
        .db
        .execute_unprepared(procedure)
        .await
        .expect("a procedure");
    let (db, session) = stage.session();
    session.expect_hand_over();
    stage.pause().await;
    let called = Arc::new(Mutex::new(Vec::new()));
    let add = |what| {
        let called = Arc::clone(&called);
        move || called.lock().expect("no panic").push(what)
    };
    let transaction = db.begin().await.expect("a transaction");
    let (committed, rolled_back) = (add("commit"), add("rollback"));
    transaction.on_commit(move |_| committed());
    transaction.on_rollback(rolled_back);
    let cake = cake::named("Opera").insert(&transaction).await;
    cake.expect("an insert");
    for sql in statements {
        let done = transaction.execute_unprepared(sql).await;
        done.expect("a statement");
    }
    transaction.rollback().await.expect("a rollback");
    session.when_settled().await;
    let next = Session::new();
    next.take_over(session.hand_over());
    let db = stage.db.with_session(&next);
    let seen = cake::Entity::find().count(&db).await.expect("a count");
    stage.resume().await;
    let called = called.lock().expect("no panic").clone();
    (called, seen)
}

#[test]
fn what_may_commit_a_transaction_counts_as_its_commit() {
    run(async {
        let on = ["SET autocommit = 0", "SET autocommit = 1"];
        for statements in [&["CALL settle()"][..], &on] {
            let (called, seen) = seen_after_a_rollback(statements).await;
            assert_eq!(called, [""; 0], "{statements:?}: its outcome is not known");
            assert_eq!(seen, 1, "{statements:?}: it has committed");
        }
    });
}

#[test]
fn temporary_tables_do_not_end_a_transaction() {
    run(async {
        let create = "CREATE TEMPORARY TABLE draft (id int)";
        let drop = "DROP TEMPORARY TABLE draft";
        let (called, seen) = seen_after_a_rollback(&[create, drop]).await;
        assert_eq!(called, ["rollback"]);
        assert_eq!(seen, 0);
    });
}
