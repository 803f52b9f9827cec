//! The shop over SeaORM.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use routing_examples::lagging_files::LaggingFiles;
use routing_examples::seaorm_shop::{browse, buy};
use routing_examples::tally::{SCHEMA, Tally};
use routing_seaorm::{
    Access, Decision, Mode, NodeBuilder, Observer, Role, RoutedConnection, RoutingConfig,
    RoutingErrExt, Session,
};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use tokio::task::JoinSet;

use crate::{CONNECTIONS, CUSTOMERS, LAG, ORDERS, Run, VISITS};

/// (a) One pool for writing and one per replica for reading, chosen by hand at each call.
pub(crate) async fn hand_split() -> Result<Run, Box<dyn Error>> {
    async fn connect(url: String) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(CONNECTIONS).sqlx_logging(false);
        Database::connect(options).await
    }

    let files = LaggingFiles::create(SCHEMA, "orders", LAG).await?;
    let primary = connect(files.primary()).await?;
    let mut replicas = Vec::new();
    for url in files.replicas() {
        replicas.push(connect(url).await?);
    }
    let tally = Arc::new(Tally::default());
    let mut customers = JoinSet::new();
    for customer in 0..CUSTOMERS {
        let (primary, tally) = (primary.clone(), Arc::clone(&tally));
        let replica = replicas[customer as usize % replicas.len()].clone();
        customers.spawn(async move {
            let name = format!("customer {customer}");
            for _ in 0..ORDERS {
                buy(&replica, &primary, &name, &tally).await?;
                for _ in 0..VISITS {
                    browse(&replica, &tally).await?;
                }
            }
            Ok::<_, DbErr>(())
        });
    }
    finish(customers).await?;
    // The code has no other connection to read from.
    let reads_on_replicas = tally.reads.load(Ordering::Relaxed);
    Ok(Run {
        tally,
        reads_on_replicas,
    })
}

/// (b) One routed connection; each order and each visit is a session.
pub(crate) async fn greedy() -> Result<Run, Box<dyn Error>> {
    let files = LaggingFiles::create(SCHEMA, "orders", LAG).await?;
    let counter = Arc::new(ReplicaReads::default());
    let db = RoutedConnection::builder(&config(&files, Mode::Greedy)?)
        .observer(Arc::clone(&counter) as _)
        .build()?;
    let tally = Arc::new(Tally::default());
    let mut customers = JoinSet::new();
    for customer in 0..CUSTOMERS {
        let (db, tally) = (db.clone(), Arc::clone(&tally));
        customers.spawn(async move {
            let name = format!("customer {customer}");
            for _ in 0..ORDERS {
                let session = Session::new();
                session.run(buy(&db, &db, &name, &tally)).await?;
                for _ in 0..VISITS {
                    let session = Session::new();
                    session.run(browse(&db, &tally)).await?;
                }
            }
            Ok::<_, DbErr>(())
        });
    }
    finish(customers).await?;
    Ok(Run {
        tally,
        reads_on_replicas: counter.0.load(Ordering::Relaxed),
    })
}

/// What strict mode says to a write that nobody announced.
pub(crate) async fn strict() -> Result<String, Box<dyn Error>> {
    let files = LaggingFiles::create(SCHEMA, "orders", LAG).await?;
    let db = RoutedConnection::new(&config(&files, Mode::Strict)?)?;
    let db = db.with_session(&Session::new());
    match buy(&db, &db, "customer", &Tally::default()).await {
        Ok(()) => Err("the write was taken".into()),
        Err(error) => match error.routing() {
            Some(refusal) => Ok(refusal.to_string()),
            None => Err(error.into()),
        },
    }
}

pub(crate) fn config(files: &LaggingFiles, mode: Mode) -> Result<RoutingConfig, Box<dyn Error>> {
    let [one, two] = files.replicas();
    let primary = NodeBuilder::url(files.primary()).max_connections(CONNECTIONS);
    Ok(RoutingConfig::builder()
        .mode(mode)
        .primary(primary)
        .replica(one)
        .replica(two)
        .build()?)
}

/// Counts the reads that a replica is given.
#[derive(Default)]
pub(crate) struct ReplicaReads(pub(crate) AtomicU32);

impl Observer for ReplicaReads {
    fn decided(&self, decision: &Decision<'_>) {
        if decision.role == Role::Replica && decision.access() == Access::Read {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn finish(mut tasks: JoinSet<Result<(), DbErr>>) -> Result<(), Box<dyn Error>> {
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}
