//! Users who write and read back, by strategy: what is stale, what replicas take, what it costs.
//!
//! The oracle is what a router would reach that knows at each moment what each replica has replayed,
//! and exactly what the read must not miss: the replicas are asked every millisecond beside the run,
//! and each read is compared with that afterwards. It never waits; a router that waits may be above.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use routing_core::{Clock, SystemClock, Timestamp};
use routing_seaorm::{RoutedConnection, RoutingConfig};
use routing_tests::postgres::Cluster;
use routing_tests::staleness::{self, Outcome, Plan, Read, Strategy};
use sea_orm::sqlx::{self, PgPool};
use sea_orm::{ConnectionTrait, Database};

const USERS: usize = 16;
const THINK: Duration = Duration::from_millis(10);
const RATIOS: [usize; 3] = [4, 20, 100];
const LAGS: [Lag; 4] = [
    Lag::Millis(1),
    Lag::Millis(20),
    Lag::Millis(200),
    Lag::OnePaused,
];
const STRATEGIES: [Strategy; 6] = [
    Strategy::PrimaryOnly,
    Strategy::TimePin,
    Strategy::SessionPin,
    Strategy::Positions(Duration::ZERO),
    Strategy::Positions(Duration::from_millis(10)),
    Strategy::Positions(Duration::from_millis(50)),
];

#[derive(Clone, Copy)]
enum Lag {
    /// Of both replicas.
    Millis(u32),
    /// One stands still, the other is 20 ms behind.
    OnePaused,
}

/// What one replica showed, and when it was seen first.
type Shown = Vec<(Timestamp, Vec<i64>)>;

/// Prints the table of `docs/reading-your-writes.md`.
pub(crate) async fn table(effort: f64) {
    let cluster = Cluster::start().await;
    println!(
        "| lag | reads per write | strategy | stale | on replicas | of the oracle's | \
         read p50 / p99 ms | write p50 / p99 ms |\n|---|---|---|---|---|---|---|---|"
    );
    // A quick run looks only whether it runs.
    let is_quick = effort < 1.0;
    let lags = if is_quick { &LAGS[1..2] } else { &LAGS[..] };
    let ratios = if is_quick { &RATIOS[..1] } else { &RATIOS[..] };
    for lag in lags {
        for reads_per_write in ratios {
            for strategy in STRATEGIES {
                let operations = (8_000.0 * effort) as usize;
                let writes = (operations / USERS / (reads_per_write + 1)).max(2);
                let plan = Plan {
                    users: USERS,
                    writes,
                    reads_per_write: *reads_per_write,
                    think: THINK,
                    strategy,
                    is_tenant: false,
                };
                let (outcome, oracle) = measure(&cluster, *lag, &plan).await;
                row(*lag, &plan, &outcome, oracle);
            }
        }
    }
}

async fn measure(cluster: &Cluster, lag: Lag, plan: &Plan) -> (Outcome, f64) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("freshness_{number}");
    for replica in cluster.replicas() {
        replica.set("recovery_min_apply_delay", "0").await;
        replica.resume().await;
    }
    cluster.create_database(&name).await;
    let primary = Database::connect(cluster.primary().url(&name))
        .await
        .expect("the primary");
    staleness::prepare(&primary, plan.users)
        .await
        .expect("a table");
    primary
        .execute_unprepared("CHECKPOINT")
        .await
        .expect("a checkpoint");
    cluster.catch_up().await;
    let [one, two] = cluster.replicas() else {
        panic!("there are two replicas");
    };
    let millis = match lag {
        Lag::Millis(millis) => millis,
        Lag::OnePaused => 20,
    };
    for replica in [one, two] {
        replica
            .set("recovery_min_apply_delay", &format!("{millis}ms"))
            .await;
    }
    if let Lag::OnePaused = lag {
        one.pause().await;
    }
    let config = RoutingConfig::builder()
        .primary(cluster.primary().url(&name))
        .replica(one.url(&name))
        .replica(two.url(&name));
    let config = plan
        .strategy
        .settings(config)
        .build()
        .expect("a configuration");
    let db = RoutedConnection::new(&config).expect("a connection");
    let over = Arc::new(AtomicBool::new(false));
    let watching = [one, two].map(|replica| {
        let pool = PgPool::connect_lazy(&replica.url(&name)).expect("a URL");
        tokio::spawn(watch(pool, Arc::clone(&over)))
    });
    let outcome = staleness::run(&db, plan).await;
    over.store(true, Ordering::Relaxed);
    let mut shown = Vec::new();
    for watching in watching {
        shown.push(watching.await.expect("no panic"));
    }
    let oracle = share_of_oracle(&outcome.reads, &shown, plan.users);
    (outcome, oracle)
}

/// Asks a replica for all registers, about once a millisecond.
async fn watch(pool: PgPool, over: Arc<AtomicBool>) -> Shown {
    let mut shown = Shown::new();
    while !over.load(Ordering::Relaxed) {
        let asked = SystemClock.now();
        let numbers = sqlx::query_scalar("SELECT number FROM register ORDER BY id");
        let numbers: Vec<i64> = numbers.fetch_all(&pool).await.expect("the registers");
        if shown.last().is_none_or(|(_, last)| *last != numbers) {
            shown.push((asked, numbers));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    shown
}

/// The share of the reads for which some replica had, when they began, what they must not miss.
fn share_of_oracle(reads: &[Read], replicas: &[Shown], users: usize) -> f64 {
    let served = reads.iter().filter(|read| {
        replicas.iter().any(|shown| {
            let before = shown.partition_point(|(at, _)| *at <= read.at);
            let Some((_, numbers)) = before.checked_sub(1).map(|last| &shown[last]) else {
                return false;
            };
            numbers[read.user] >= read.own && numbers[(read.user + 1) % users] >= read.neighbour
        })
    });
    served.count() as f64 / reads.len().max(1) as f64
}

fn row(lag: Lag, plan: &Plan, outcome: &Outcome, oracle: f64) {
    let lag = match lag {
        Lag::Millis(millis) => format!("{millis} ms"),
        Lag::OnePaused => "20 ms, one paused".to_owned(),
    };
    let strategy = match plan.strategy {
        Strategy::PrimaryOnly => "primary only".to_owned(),
        Strategy::TimePin => "15 s time pin".to_owned(),
        Strategy::SessionPin => "session pin".to_owned(),
        Strategy::Positions(wait) if wait.is_zero() => "positions, no wait".to_owned(),
        Strategy::Positions(wait) => format!("positions, {wait:?}"),
        Strategy::Unfenced => "no fence".to_owned(),
    };
    let stale = outcome.stale + outcome.backwards;
    let of_oracle = match plan.strategy {
        Strategy::Positions(_) if oracle > 0.0 => format!("{:.2}", outcome.share() / oracle),
        _ => String::new(),
    };
    let reads = outcome.reads.iter().map(|read| read.took).collect();
    println!(
        "| {lag} | {} | {strategy} | {stale} of {} | {:.1} % (oracle {:.1} %) | {of_oracle} | {} | {} |",
        plan.reads_per_write,
        outcome.reads.len(),
        100.0 * outcome.share(),
        100.0 * oracle,
        percentiles(reads),
        percentiles(outcome.writes.clone()),
    );
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        let time = times.get(index.min(times.len().saturating_sub(1)));
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    format!("{:.2} / {:.1}", at(0.5), at(0.99))
}
