//! Everything that many users read, checked, while replicas are paused, resumed and switched.
//!
//! `ROUTING_CHECKED_OPERATIONS` is how many operations there are for each database; **30,000**.

use std::time::Duration;

use routing_core::{BreakerRules, RoutingConfigBuilder};
use routing_seaorm::RoutedConnection;
use routing_tests::runtime::run;
use routing_tests::staleness::{self, Outcome, Plan, Strategy, while_going_on};
use routing_tests::world::{Backend, World};
use sea_orm::Database;

const USERS: usize = 12;
const READS_PER_WRITE: usize = 4;

/// Until there was enough of what comes more or less often as the machine is more or less busy.
const MOST_ROUNDS: usize = 100;

/// Reads on replicas, for each way to wait for them.
const ENOUGH_ON_REPLICAS: usize = 2_000;

fn operations() -> usize {
    let asked = std::env::var("ROUTING_CHECKED_OPERATIONS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(30_000)
}

fn settings(config: RoutingConfigBuilder) -> RoutingConfigBuilder {
    // A replica whose connections were cut is tried again soon.
    let mut soon = BreakerRules::REPLICA;
    soon.back_off = Duration::from_millis(20);
    soon.max_back_off = Duration::from_millis(20);
    config.replica_breaker(soon)
}

async fn world(backend: Backend, commit: &str) -> (World, String) {
    let world = World::new(backend, true).await;
    let [primary, _] = world.primary_and_replica();
    let primary = primary.to_owned();
    let db = Database::connect(&primary).await.expect("the primary");
    staleness::prepare(&db, USERS).await.expect("a table");
    if backend == Backend::Postgres {
        use sea_orm::ConnectionTrait;
        let database = primary.rsplit('/').next().expect("a name").to_owned();
        let set = format!("ALTER DATABASE \"{database}\" SET synchronous_commit = {commit}");
        db.execute_unprepared(&set).await.expect("a setting");
    }
    db.close().await.expect("it closes");
    world.catch_up().await;
    (world, primary)
}

/// Replicas stop and go on, and lose their connections, so that sessions have to move.
async fn checked(world: &World, strategy: Strategy, operations: usize) -> Outcome {
    let config = world.config(|config| strategy.settings(settings(config)));
    let db = RoutedConnection::new(&config).expect("a connection");
    let plan = Plan {
        users: USERS,
        writes: operations / USERS / (READS_PER_WRITE + 1),
        reads_per_write: READS_PER_WRITE,
        think: Duration::ZERO,
        strategy,
        is_tenant: true,
    };
    let outcome = while_going_on(staleness::run(&db, &plan), |turn| async move {
        let replica = turn % 2;
        let short = Duration::from_millis(5 + (turn as u64 * 7) % 60);
        match turn % 3 {
            0 | 1 => {
                world.pause_one(replica).await;
                tokio::time::sleep(short).await;
                world.resume_one(replica).await;
            }
            _ => world.cut_one(replica).await,
        }
        tokio::time::sleep(short).await;
    })
    .await;
    world.resume().await;
    println!(
        "{:?} {strategy:?}: {} operations, {:.1} % of the reads on replicas, {} stale, {} backwards",
        world.backend(),
        outcome.operations(),
        100.0 * outcome.share(),
        outcome.stale,
        outcome.backwards
    );
    outcome
}

async fn nothing_is_missed(backend: Backend, commit: &str) {
    let (world, _) = world(backend, commit).await;
    // Reads that wait, and reads that do not.
    let strategies = [Duration::from_millis(10), Duration::ZERO].map(Strategy::Positions);
    // With asynchronous commit replicas are a fifth of a second behind, and these users do not pause.
    let enough = if commit == "off" {
        0
    } else {
        ENOUGH_ON_REPLICAS
    };
    for strategy in strategies {
        let (mut rounds, mut on_replicas, mut by_setting) = (0, 0, 0);
        while rounds == 0 || on_replicas < enough {
            let outcome = checked(&world, strategy, operations() / 2).await;
            assert!(outcome.operations() >= operations() / 2 * 9 / 10);
            assert_eq!((outcome.stale, outcome.backwards), (0, 0));
            on_replicas += outcome.on_replicas();
            by_setting += outcome.by_setting;
            rounds += 1;
            assert!(rounds < MOST_ROUNDS, "replicas were read: {on_replicas}");
        }
        assert!(by_setting > 0 || enough == 0 || backend != Backend::Postgres);
    }
}

#[test]
fn with_synchronous_commit_nothing_is_missed() {
    run(nothing_is_missed(Backend::Postgres, "on"));
}

#[test]
fn with_asynchronous_commit_nothing_is_missed() {
    run(nothing_is_missed(Backend::Postgres, "off"));
}

#[test]
fn on_mysql_nothing_is_missed() {
    run(nothing_is_missed(Backend::MySql, ""));
}

/// The same check, over reads that do not look at positions. How many are stale is up to how busy the
/// machine is.
#[test]
fn without_the_fence_the_check_finds_it() {
    run(async {
        for (backend, commit) in [(Backend::Postgres, "on"), (Backend::MySql, "")] {
            let (world, _) = world(backend, commit).await;
            let mut stale = 0;
            for _ in 0..MOST_ROUNDS {
                stale += checked(&world, Strategy::Unfenced, 3_000).await.stale;
                if stale > 100 {
                    break;
                }
            }
            assert!(stale > 100, "{backend:?}: {stale}");
        }
    });
}
