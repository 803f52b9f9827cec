//! The same shop over two hand-held pools and over a routed connection, with replicas that lag.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use routing_examples::lagging_files::LaggingFiles;
use routing_examples::shop::{SCHEMA, Tally, browse, buy};
use routing_seaorm::{
    Access, Decision, Mode, NodeBuilder, Observer, Role, RoutedConnection, RoutingConfig,
    RoutingErrExt, Session,
};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use tokio::task::JoinSet;

const LAG: Duration = Duration::from_millis(100);
const CUSTOMERS: u32 = 8;
const ORDERS: u32 = 10;
const VISITS: u32 = 4;
const CONNECTIONS: u32 = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("A shop with one primary and two replicas, which are copied every {LAG:?}.");
    println!(
        "{CUSTOMERS} customers at once place {ORDERS} orders each: create, read back, list, pay, \
         read back, ship;\nafter each order, {VISITS} visitors browse. Each order and each visit \
         is one session.\n\nBy hand, each call names the pool to use. Routed, a session reads \
         from a replica until it writes.\n"
    );

    let by_hand = Columns::new(&hand_split().await?);
    let routed = Columns::new(&greedy().await?);
    println!(
        "{:32}{:>20}{:>20}",
        "", "two pools by hand", "greedy routing"
    );
    for (label, by_hand, routed) in [
        ("reads", &by_hand.reads, &routed.reads),
        ("  on replicas", &by_hand.share, &routed.share),
        ("  stale", &by_hand.stale, &routed.stale),
        (
            "writes attempted on replicas",
            &by_hand.writes,
            &routed.writes,
        ),
    ] {
        println!("{label:32}{by_hand:>20}{routed:>20}");
    }

    println!("\nStrict mode: a write has to be declared, or no server sees it.\n");
    println!("  {}", strict().await?);

    println!(
        "\nstale reads: hand-split {}, routed {}",
        by_hand.stale, routed.stale
    );
    Ok(())
}

/// What one run came to.
#[derive(Default)]
struct Run {
    tally: Arc<Tally>,
    reads_on_replicas: u32,
}

/// (a) One pool for writing and one per replica for reading, chosen by hand at each call.
async fn hand_split() -> Result<Run, Box<dyn Error>> {
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
async fn greedy() -> Result<Run, Box<dyn Error>> {
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
async fn strict() -> Result<String, Box<dyn Error>> {
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

fn config(files: &LaggingFiles, mode: Mode) -> Result<RoutingConfig, Box<dyn Error>> {
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
struct ReplicaReads(AtomicU32);

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

/// A run, as the table shows it.
struct Columns {
    reads: String,
    share: String,
    stale: String,
    writes: String,
}

impl Columns {
    fn new(run: &Run) -> Self {
        let reads = run.tally.reads.load(Ordering::Relaxed);
        let share = 100.0 * f64::from(run.reads_on_replicas) / f64::from(reads.max(1));
        Self {
            reads: reads.to_string(),
            share: format!("{share:.0} %"),
            stale: run.tally.stale_reads.load(Ordering::Relaxed).to_string(),
            writes: run
                .tally
                .writes_on_replicas
                .load(Ordering::Relaxed)
                .to_string(),
        }
    }
}
