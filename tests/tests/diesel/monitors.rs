//! Threads that ask nodes where they are, and what may become of them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use routing_core::{
    Exclusion, NodeBuilder, NodeName, Observer, PinRelease, ProbeRules, RoutingConfig, Session,
    SetName,
};
use routing_diesel::RoutedPool;
use routing_tests::postgres::Cluster;
use routing_tests::proxy::{Proxy, Way};
use routing_tests::runtime::run;
use routing_tests::schema::{cake, server};
use routing_tests::wait::until_blocking;
use routing_tests::world::{Backend, World};

use crate::support::blocking;

/// Panics the first times, on the thread that has found a node to be there.
#[derive(Default)]
struct Panics(AtomicUsize);

const PANICS: usize = 2;

impl Observer for Panics {
    fn exclusion(&self, _: &SetName, _: &NodeName, _: Exclusion, _: bool) {
        let calls = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(calls >= PANICS, "an observer's");
    }
}

#[test]
fn a_monitor_that_a_panic_ends_is_replaced() {
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let config = world.config(|config| config.pin_release(PinRelease::CaughtUp));
        let observer = Arc::new(Panics::default());
        blocking(|| {
            let pool = RoutedPool::<PgConnection>::builder(&config).observer(observer as _);
            let pool = pool.build().expect("a pool");
            let session = Session::new();
            let mut conn = pool.get_in(&session).expect("a connection");
            let new = cake::name.eq("seen");
            let inserted = diesel::insert_into(cake::table).values(new);
            inserted.execute(&mut conn).expect("an insert");
            // Nobody would know that a replica has it, if nobody asked.
            until_blocking("replicas serve what was written", || {
                let mut conn = pool.get_in(&session).expect("a connection");
                let name = server::table
                    .select(server::name)
                    .first::<String>(&mut conn);
                name.expect("a name").starts_with("replica-")
            });
        });
    });
}

/// Of a thread's name Linux keeps 15 bytes.
fn threads_named(start: &str) -> usize {
    let start = &start[..start.len().min(15)];
    let threads = fs::read_dir("/proc/self/task").expect("the threads");
    let names =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == start).count()
}

#[test]
fn a_silent_node_keeps_one_thread_however_often_it_is_asked() {
    run(async {
        let cluster = Cluster::start().await;
        let proxy = Proxy::start(cluster.replicas()[0].port()).await;
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port());
        let mut probe = ProbeRules::DEFAULT;
        probe.heartbeat = Duration::from_millis(20);
        probe.timeout = Duration::from_secs(1);
        let config = RoutingConfig::builder()
            .probe(probe)
            .primary(cluster.primary().url("postgres"))
            .replica(NodeBuilder::url(url).name("mute"));
        let config = config.build().expect("a configuration");
        proxy.set(Way::Silent);
        blocking(|| {
            let pool = RoutedPool::<PgConnection>::new(&config).expect("a pool");
            let mut conn = pool.get_in(&Session::new()).expect("a connection");
            let answered = diesel::sql_query("SELECT 1").execute(&mut conn);
            answered.expect("it does not wait for who is silent");
            let node = |pool: &RoutedPool<PgConnection>| {
                let status = pool.status();
                let node = status.node("default", "mute").expect("a member");
                (node.up, node.left_out.is_empty())
            };
            until_blocking("it is down", || !node(&pool).0);
            // It is left alone for longer each time that it has been asked again.
            let (mut times, mut last) = (0, 0.0);
            until_blocking("it is asked again", || {
                let status = pool.status();
                let node = status.node("default", "mute").expect("a member");
                let left = node.retry_in.unwrap_or(0.0);
                times += i32::from(left > last);
                last = left;
                // Each thread has one connection, which libpq gives up after a while.
                assert!(threads_named("routing-mute-probe") <= 1);
                times > 2
            });
            // What it says at last is of a moment that is over; the next answer counts.
            proxy.set(Way::Open);
            until_blocking("it is back", || node(&pool) == (true, true));
        });
    });
}

/// Each node has a thread that connects, for as long as its pools last.
#[test]
fn replicas_that_are_gone_leave_no_threads() {
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let [primary, replica] = world.primary_and_replica().map(str::to_owned);
        let config = |number: usize| {
            let url = format!("{replica}?application_name=gone-{number}");
            let replica = NodeBuilder::url(url).name(format!("gone-{number}"));
            RoutingConfig::builder()
                .primary(primary.as_str())
                .replica(replica)
                .build()
                .expect("a configuration")
        };
        let threads = || {
            let tasks = fs::read_dir("/proc/self/task").expect("threads");
            let names =
                tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
            names
                .filter(|name| name.starts_with("routing-gone-"))
                .count()
        };
        blocking(|| {
            let pool = RoutedPool::<PgConnection>::new(&config(0)).expect("a pool");
            for number in 1..=20 {
                let last = format!("gone-{}", number - 1);
                until_blocking("it serves", || {
                    let mut conn = pool.get_in(&Session::new()).expect("a connection");
                    let _found: i64 = cake::table.count().get_result(&mut conn).expect("a count");
                    let status = pool.status();
                    let node = status.node("default", &last).expect("a member");
                    node.left_out.is_empty() && threads() > 0
                });
                pool.reconfigure(&config(number)).expect("it is changed");
            }
            until_blocking("they end", || threads() <= 1);
        });
    });
}
