//! A transaction stays on its node.

use futures_util::{FutureExt, TryStreamExt};
use routing_core::{Access, Mode, Reason, RoutingError};
use routing_seaorm::{RoutingErrExt, Scope};
use routing_tests::entity::cake;
use routing_tests::stage::{Backend, Stage, server_of};
use sea_orm::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DbErr, EntityTrait,
    IsolationLevel, PaginatorTrait, TransactionError, TransactionTrait,
};

conformance! {
    everything_in_a_transaction_runs_on_its_connection,
    closures_commit_and_roll_back,
    a_read_only_transaction_uses_a_replica,
    a_savepoint_in_a_read_only_transaction_never_writes,
    a_commit_with_an_open_savepoint_is_refused,
}

async fn cakes<C: ConnectionTrait>(db: &C) -> u64 {
    cake::Entity::find().count(db).await.expect("a count")
}

async fn everything_in_a_transaction_runs_on_its_connection(backend: Backend) {
    let stage = Stage::lagging(backend, Mode::Greedy).await;
    stage.pause().await;
    let (db, session) = stage.session();
    let transaction = db.begin().await.expect("a transaction");
    assert!(session.is_pinned("default"));
    cake::named("uncommitted")
        .insert(&transaction)
        .await
        .expect("an insert");
    assert_eq!(cakes(&transaction).await, 1, "its own uncommitted row");
    // No scope gets a statement out of its transaction.
    for scope in [Scope::replica(), Scope::node("replica-1"), Scope::frozen()] {
        assert_eq!(scope.run(cakes(&transaction)).await, 1);
    }
    let streamed: Vec<_> = cake::Entity::find()
        .stream(&transaction)
        .await
        .expect("a stream")
        .try_collect()
        .await
        .expect("cakes");
    assert_eq!(streamed.len(), 1);
    transaction.commit().await.expect("a commit");
    let decisions = stage.recorder.take();
    assert!(
        decisions[1..]
            .iter()
            .all(|d| d.reason == Reason::Transaction)
    );
    assert_eq!(cakes(&db).await, 1);
    stage.resume().await;
}

async fn closures_commit_and_roll_back(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, _session) = stage.session();
    let inserted = db
        .transaction(|transaction| {
            async move { cake::named("boxed").insert(transaction).await }.boxed()
        })
        .await
        .expect("a commit");
    assert_eq!(inserted.name, "boxed");
    let inserted = db
        .transaction_async(async |transaction| cake::named("async").insert(transaction).await)
        .await
        .expect("a commit");
    assert_eq!(inserted.name, "async");
    let failed = db
        .transaction_async(async |transaction| {
            cake::named("rolled back").insert(transaction).await?;
            Err::<(), _>(DbErr::Custom("enough".into()))
        })
        .await
        .expect_err("the closure's error");
    assert!(matches!(
        failed,
        TransactionError::Transaction(DbErr::Custom(_))
    ));
    assert_eq!(cakes(&db).await, 2);
}

async fn a_read_only_transaction_uses_a_replica(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, session) = stage.session();
    let transaction = db
        .begin_with_config(None, Some(AccessMode::ReadOnly))
        .await
        .expect("a transaction");
    assert_eq!(transaction.access(), Access::Read);
    let server = server_of(&transaction).await;
    assert!(server.starts_with("replica-"), "{server}");
    assert_eq!(transaction.node().as_str(), server);
    let nested = transaction.begin().await.expect("a savepoint");
    assert_eq!(server_of(&nested).await, server);
    nested.commit().await.expect("a release");
    transaction.commit().await.expect("a commit");
    assert!(!session.is_pinned("default"));

    // No standby has the level.
    let serializable = Some(IsolationLevel::Serializable);
    let transaction = db
        .begin_with_config(serializable, Some(AccessMode::ReadOnly))
        .await
        .expect("a transaction");
    let server = server_of(&transaction).await;
    assert_eq!(
        server == "primary",
        backend == Backend::Postgres,
        "{server}"
    );
    assert_eq!(transaction.access(), Access::Read);
    transaction.commit().await.expect("a commit");
    assert!(!session.is_pinned("default"));

    // Without a session it is the primary's, and read-only all the same.
    let transaction = stage
        .db
        .begin_with_config(None, Some(AccessMode::ReadOnly))
        .await
        .expect("a transaction");
    assert_eq!(server_of(&transaction).await, "primary");
    assert_eq!(transaction.access(), Access::Read);
    transaction.rollback().await.expect("a rollback");
}

async fn a_savepoint_in_a_read_only_transaction_never_writes(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, _session) = stage.session();
    let declared = db.scoped(Scope::ambiguous_to_replica());
    let transaction = declared.begin().await.expect("a transaction");
    let nested = transaction
        .begin_with_config(None, Some(AccessMode::ReadWrite))
        .await
        .expect("a savepoint");
    assert_eq!(nested.access(), Access::Read);
    let error = cake::named("x")
        .insert(&nested)
        .await
        .expect_err("a refusal");
    assert!(
        matches!(
            error.routing(),
            Some(RoutingError::WriteInReadOnlyTransaction { .. })
        ),
        "{error}"
    );
    drop(nested);
    // Nothing is checked on the bare connection, but the replica itself refuses.
    let executor = DatabaseExecutor::from(&transaction);
    let write = "INSERT INTO cake (name) VALUES ('x')";
    executor
        .execute_unprepared(write)
        .await
        .expect_err("it is read-only");
}

async fn a_commit_with_an_open_savepoint_is_refused(backend: Backend) {
    let stage = Stage::new(backend, Mode::Greedy).await;
    let (db, _session) = stage.session();
    let transaction = db.begin().await.expect("a transaction");
    cake::named("x")
        .insert(&transaction)
        .await
        .expect("an insert");
    let inner = transaction.begin().await.expect("a savepoint");
    let error = transaction.commit().await.expect_err("a refusal");
    assert!(
        matches!(error.routing(), Some(RoutingError::OpenSavepoint { .. })),
        "{error}"
    );
    drop(inner);
    assert_eq!(cakes(&db).await, 0);
}
