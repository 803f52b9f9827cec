//! diesel-async's adapter outside of a Tokio runtime.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use futures_util::FutureExt;
use routing_core::{RoutingConfig, Session};
use routing_diesel::{AsyncRoutedConnection, AsyncRoutedPool};
use routing_tests::runtime::run;
use routing_tests::schema::{cake, server};
use routing_tests::wait::until_blocking;
use routing_tests::world::{Backend, World, patient, patient_probes};

use tokio::runtime::Builder;

use crate::support::server_of;

type Pool = AsyncRoutedPool<AsyncPgConnection>;

fn is_seen(pool: &Pool) -> bool {
    let status = pool.status();
    let mut nodes = status.sets[0].nodes.iter();
    nodes.all(|node| node.up && node.left_out.is_empty())
}

#[test]
fn monitors_run_and_pools_are_replaced() {
    let world = run(World::new(Backend::Postgres, false));
    let [primary, replica] = world.primary_and_replica();
    let alone = || {
        let config = RoutingConfig::builder().probe(patient_probes());
        config.primary(patient(primary))
    };
    let both = alone().replica(patient(replica).min_connections(1));
    let pool = Pool::new(&both.build().expect("a configuration")).expect("a pool");
    until_blocking("the nodes are probed", || is_seen(&pool));
    let server = run(async {
        let session = Session::new();
        let mut conn = pool.get_in(&session).await.expect("a connection");
        server_of(&mut conn).await
    });
    assert_ne!(server, "primary");
    // The replica's pool gives way to one that keeps no connections.
    let alone = alone().build().expect("a configuration");
    pool.reconfigure(&alone).expect("the replica goes");
    assert_eq!(pool.status().sets[0].nodes.len(), 1);
}

type Wrapper = AsyncConnectionWrapper<AsyncRoutedConnection<AsyncPgConnection>>;

/// A wrapper brings a runtime that has no timers and runs only while the wrapper waits.
fn write_and_read_back(mut conn: Wrapper, name: &str) {
    let cake = cake::name.eq(name);
    let written =
        conn.transaction(|conn| diesel::insert_into(cake::table).values(cake).execute(conn));
    assert_eq!(written, Ok(1));
    let mine = cake::table.filter(cake).count();
    assert_eq!(mine.get_result(&mut conn), Ok(1));
    let server = server::table
        .select(server::name)
        .first::<String>(&mut conn);
    assert_eq!(server.as_deref(), Ok("primary"));
}

#[test]
fn a_synchronous_wrapper_needs_no_runtime() {
    let world = run(World::new(Backend::Postgres, false));
    let [primary, replica] = world.primary_and_replica();
    let config = RoutingConfig::builder().probe(patient_probes());
    let config = config.primary(patient(primary)).replica(patient(replica));
    let pool = Pool::new(&config.build().expect("a configuration")).expect("a pool");
    until_blocking("the nodes are probed", || is_seen(&pool));
    let made_nowhere = || {
        let session = Session::new();
        let getting = pool.get_in(&session).now_or_never();
        getting.expect("it awaits nothing")
    };
    let made_on_another = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime
            .expect("a runtime")
            .block_on(pool.get_in(&Session::new()))
    };
    thread::scope(|scope| {
        for number in 0..4 {
            let conn = if number % 2 == 0 {
                made_nowhere()
            } else {
                made_on_another()
            };
            let conn = Wrapper::from(conn.expect("a connection"));
            scope.spawn(move || write_and_read_back(conn, &format!("cake {number}")));
        }
    });
    let mut reader = Wrapper::from(made_nowhere().expect("a connection"));
    let server = server::table
        .select(server::name)
        .first::<String>(&mut reader);
    assert_ne!(server.as_deref(), Ok("primary"));
}

/// Runs a future without any runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn whatever_comes_first_needs_no_runtime() {
    let world = run(World::new(Backend::Postgres, false));
    let [primary, replica] = world.primary_and_replica();
    let config = RoutingConfig::builder().probe(patient_probes());
    let config = config.primary(patient(primary)).replica(patient(replica));
    let pool = Pool::new(&config.build().expect("a configuration")).expect("a pool");
    let connected = || block_on(pool.get()).expect("a connection");
    let mut conn = connected();
    let read = conn.read_transaction(async |conn| Ok::<_, Error>(server_of(conn).await));
    let server = block_on(read).expect("a read");
    assert!(
        ["primary", "replica-1"].contains(&server.as_str()),
        "{server}"
    );
    let mut conn = connected();
    assert!(block_on(conn.primary()).is_ok());
    let conn = connected();
    let first = server::table.select(server::name);
    let pipelined = diesel_async::RunQueryDsl::first::<String>(first, &mut &conn);
    assert_eq!(block_on(pipelined).as_deref(), Ok("primary"));
}
