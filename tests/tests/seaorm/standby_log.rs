//! What the standbys themselves have seen, from their logs.

use routing_core::Mode;
use routing_seaorm::{RoutedConnection, RoutingConfig, Session};
use routing_tests::entity::cake;
use routing_tests::migration::Migrator;
use routing_tests::postgres::Cluster;
use routing_tests::runtime::run;
use routing_tests::world::{patient, patient_probes};
use sea_orm::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, Set, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

/// No write reaches a standby, however it is disguised, and strict mode's refusals reach nobody.
#[test]
fn no_write_ever_reaches_a_standby() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.create_database("log").await;
        cluster.log_statements("log").await;
        let connect = |mode| {
            let config = RoutingConfig::builder()
                .mode(mode)
                .probe(patient_probes())
                .primary(patient(cluster.primary().url("log")))
                .replica(patient(cluster.replicas()[0].url("log")))
                .replica(patient(cluster.replicas()[1].url("log")))
                .build()
                .expect("a configuration");
            RoutedConnection::new(&config).expect("a connection")
        };
        let db = connect(Mode::Greedy);
        Migrator::up(&db, None).await.expect("a schema");
        cluster.catch_up().await;
        let tasks: Vec<_> = (0..40)
            .map(|number| {
                let db = db.clone();
                tokio::spawn(Session::new().run(async move { workload(&db, number).await }))
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic").expect("no error");
        }
        let strict = connect(Mode::Strict);
        for number in 0..10 {
            let strict = strict.with_session(&Session::new());
            cake::Entity::find().all(&strict).await.expect("a read");
            let refused = cake::ActiveModel {
                name: Set(format!("refused {number}")),
                ..Default::default()
            };
            refused.insert(&strict).await.expect_err("a refusal");
        }

        let mut reads = 0;
        for replica in cluster.replicas() {
            let log = replica.log();
            assert!(
                !log.contains("read-only transaction"),
                "a standby refused a write"
            );
            reads += log.matches("FROM \"cake\"").count();
            for line in log.lines().filter(|line| line.contains("LOG:  execute")) {
                let (_, sql) = line.split_once(": ").expect("a statement");
                let sql = sql.rsplit("LOG:  execute").next().expect("a statement");
                for verb in [
                    "INSERT",
                    "UPDATE",
                    "DELETE",
                    "CREATE",
                    "FOR UPDATE",
                    "nextval",
                ] {
                    assert!(!sql.contains(verb), "{}: {line}", replica.name());
                }
            }
        }
        assert!(reads >= 50, "the standbys did serve reads: {reads}");
        let primary = cluster.primary().log();
        assert!(primary.contains("INSERT INTO \"cake\""));
        assert!(
            !primary.contains("refused"),
            "nobody saw the refused writes"
        );
    });
}

async fn workload(db: &RoutedConnection, number: usize) -> Result<(), DbErr> {
    cake::Entity::find().all(db).await?;
    let named = |name: String| cake::ActiveModel {
        name: Set(name),
        ..Default::default()
    };
    let raw = |sql| db.execute_unprepared(sql);
    match number % 8 {
        0 => {
            named(format!("{number}")).insert(db).await?;
        }
        1 => {
            let cake = named(format!("{number}")).insert(db).await?;
            let mut cake = cake.into_active_model();
            cake.name = Set(format!("{number} changed"));
            cake.update(db).await?;
        }
        2 => {
            raw("DELETE FROM cake WHERE name = 'x'").await?;
        }
        3 => {
            raw("SELECT * FROM cake FOR UPDATE").await?;
        }
        4 => {
            raw("SELECT nextval('cake_id_seq')").await?;
        }
        5 => {
            raw("WITH d AS (DELETE FROM cake WHERE name = 'x' RETURNING *) SELECT * FROM d")
                .await?;
        }
        6 => {
            let transaction = db.begin().await?;
            named(format!("{number}")).insert(&transaction).await?;
            transaction.commit().await?;
        }
        _ => {
            let transaction = db
                .begin_with_config(None, Some(AccessMode::ReadOnly))
                .await?;
            cake::Entity::find().all(&transaction).await?;
            transaction.commit().await?;
        }
    }
    cake::Entity::find().count(db).await?;
    Ok(())
}
