//! The same shop over two hand-held pools and over a routed connection, with replicas that lag: with
//! SeaORM, and with Diesel.

mod diesel;
mod seaorm;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use routing_examples::tally::Tally;

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

    let runs = [
        seaorm::hand_split().await?,
        seaorm::greedy().await?,
        diesel::hand_split().await?,
        diesel::greedy().await?,
    ]
    .map(|run| Column::new(&run));
    println!("{:30}{:^32}{:^32}", "", "SeaORM", "Diesel");
    println!(
        "{:30}{:>16}{:>16}{:>16}{:>16}",
        "", "pools by hand", "routed", "pools by hand", "routed"
    );
    row("reads", &runs, |run| run.reads.to_string());
    row("  on replicas", &runs, |run| format!("{:.0} %", run.share));
    row("  stale", &runs, |run| run.stale.to_string());
    row("writes attempted on replicas", &runs, |run| {
        run.writes.to_string()
    });

    println!("\nStrict mode: a write has to be declared, or no server sees it.\n");
    println!("  SeaORM: {}", seaorm::strict().await?);
    println!("  Diesel: {}", diesel::strict().await?);

    let [seaorm_by_hand, seaorm_routed, diesel_by_hand, diesel_routed] = runs;
    println!(
        "\nstale reads: hand-split {}, routed {}",
        seaorm_by_hand.stale + diesel_by_hand.stale,
        seaorm_routed.stale + diesel_routed.stale
    );
    Ok(())
}

/// What one run came to.
#[derive(Default)]
struct Run {
    tally: Arc<Tally>,
    reads_on_replicas: u32,
}

/// A run, as the table shows it.
struct Column {
    reads: u32,
    share: f64,
    stale: u32,
    writes: u32,
}

impl Column {
    fn new(run: &Run) -> Self {
        let reads = run.tally.reads.load(Ordering::Relaxed);
        Self {
            reads,
            share: 100.0 * f64::from(run.reads_on_replicas) / f64::from(reads.max(1)),
            stale: run.tally.stale_reads.load(Ordering::Relaxed),
            writes: run.tally.writes_on_replicas.load(Ordering::Relaxed),
        }
    }
}

fn row(label: &str, runs: &[Column; 4], value: impl Fn(&Column) -> String) {
    let [a, b, c, d] = runs.each_ref().map(value);
    println!("{label:30}{a:>16}{b:>16}{c:>16}{d:>16}");
}
