//! Statements of a transaction whose server falls silent, in the forms that only Diesel has.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SaveChangesDsl};
use routing_core::RoutingError;
use routing_diesel::{AsyncRoutedConnection, AsyncRoutedPool, RoutingErrExt};
use routing_tests::postgres::Cluster;
use routing_tests::proxy::{Proxy, Way};
use routing_tests::runtime::run;
use routing_tests::schema::cake;
use routing_tests::wait::{until, within};
use routing_tests::world::{attentive, patient};

type Conn = AsyncRoutedConnection<AsyncPgConnection>;

#[derive(Queryable, Identifiable, AsChangeset)]
#[diesel(table_name = cake)]
struct Cake {
    id: i32,
    name: String,
}

async fn save_changes(conn: &mut Conn) -> QueryResult<Cake> {
    let cake = Cake {
        id: 1,
        name: "Opera".to_owned(),
    };
    cake.save_changes(conn).await
}

async fn pipelined(conn: &mut Conn) -> QueryResult<Cake> {
    let one = cake::table
        .select((cake::id, cake::name))
        .first(&mut &*conn);
    one.await
}

async fn is_unknown_on_a_silent_server(statement: impl AsyncFn(&mut Conn) -> QueryResult<Cake>) {
    let cluster = Cluster::start().await;
    cluster.create_database("fault").await;
    let proxy = Proxy::start(cluster.primary().port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
    let replica = patient(cluster.replicas()[0].url("fault"));
    let config = attentive().primary(patient(url)).replica(replica);
    let config = config.build().expect("a configuration");
    let pool = AsyncRoutedPool::<AsyncPgConnection>::new(&config).expect("a pool");
    let mut conn = pool.get().await.expect("a connection");
    until("the primary is probed", async || {
        pool.status().sets[0].nodes[0].up
    })
    .await;
    let silence = conn.transaction(async |conn| {
        diesel::sql_query("CREATE TABLE cake (id integer PRIMARY KEY, name text NOT NULL)")
            .execute(conn)
            .await?;
        proxy.set(Way::Silent);
        statement(conn).await
    });
    let outcome = within("the statement ends", silence).await;
    let error = outcome.err().expect("silence");
    let is_unknown = error
        .routing()
        .is_some_and(RoutingError::is_outcome_unknown);
    assert!(is_unknown, "{error:?}");
}

#[test]
fn save_changes_ends_although_its_server_does_not_answer() {
    run(is_unknown_on_a_silent_server(save_changes));
}

#[test]
fn pipelined_statements_end_although_their_server_does_not_answer() {
    run(is_unknown_on_a_silent_server(pipelined));
}
