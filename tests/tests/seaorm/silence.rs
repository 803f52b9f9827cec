//! Streams in a transaction whose server falls silent.

use futures_util::StreamExt;
use routing_core::RoutingError;
use routing_seaorm::{RoutedConnection, RoutingErrExt};
use routing_tests::postgres::Cluster;
use routing_tests::proxy::{Proxy, Way};
use routing_tests::runtime::run;
use routing_tests::wait::{until, within};
use routing_tests::world::{attentive, patient};
use sea_orm::{DbBackend, Statement, StreamTrait, TransactionTrait};

/// More than a connection's buffers hold.
const MANY: &str = "SELECT repeat('x', 1000) FROM generate_series(1, 200000)";

async fn rows_end_although_their_server_does_not_answer(is_begun: bool) {
    let cluster = Cluster::start().await;
    cluster.create_database("fault").await;
    let proxy = Proxy::start(cluster.primary().port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
    let replica = patient(cluster.replicas()[0].url("fault"));
    let config = attentive().primary(patient(url)).replica(replica);
    let config = config.build().expect("a configuration");
    let db = RoutedConnection::new(&config).expect("a connection");
    until("the primary takes transactions", async || {
        db.begin().await.is_ok()
    })
    .await;
    let transaction = db.begin().await.expect("a transaction");
    let statement = Statement::from_string(DbBackend::Postgres, MANY);
    let error = if is_begun {
        let opened = transaction.stream_raw(statement).await;
        let mut rows = opened.expect("a stream");
        rows.next().await.expect("a row").expect("a row");
        proxy.set(Way::Silent);
        let last = async {
            loop {
                match rows.next().await {
                    Some(Ok(_)) => {}
                    last => return last,
                }
            }
        };
        let last = within("the rows end", last).await.expect("an error");
        last.expect_err("the rows break off")
    } else {
        proxy.set(Way::Silent);
        let opened = transaction.stream_raw(statement);
        within("no row comes", opened).await.expect_err("silence")
    };
    let is_unknown = error
        .routing()
        .is_some_and(RoutingError::is_outcome_unknown);
    assert!(is_unknown, "{error:?}");
    let committed = within("the commit ends", transaction.commit()).await;
    committed.expect_err("it is lost");
}

#[test]
fn the_first_row_of_a_silent_server_is_not_awaited_for_ever() {
    run(rows_end_although_their_server_does_not_answer(false));
}

#[test]
fn the_next_row_of_a_silent_server_is_not_awaited_for_ever() {
    run(rows_end_although_their_server_does_not_answer(true));
}
