//! Statements whose server falls silent, in the forms that only Diesel has.

use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SaveChangesDsl};
use futures_util::StreamExt;
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

/// A primary behind a proxy that can fall silent.
struct Silence {
    _cluster: Cluster,
    proxy: Proxy,
    conn: Conn,
}

impl Silence {
    async fn prepare() -> Self {
        let cluster = Cluster::start().await;
        cluster.create_database("fault").await;
        let proxy = Proxy::start(cluster.primary().port()).await;
        let url = format!("postgres://postgres@127.0.0.1:{}/fault", proxy.port());
        let replica = patient(cluster.replicas()[0].url("fault"));
        let config = attentive().primary(patient(url)).replica(replica);
        let config = config.build().expect("a configuration");
        let pool = AsyncRoutedPool::<AsyncPgConnection>::new(&config).expect("a pool");
        let conn = pool.get().await.expect("a connection");
        until("the primary is probed", async || {
            pool.status().sets[0].nodes[0].up
        })
        .await;
        Self {
            _cluster: cluster,
            proxy,
            conn,
        }
    }
}

async fn is_unknown_on_a_silent_server(statement: impl AsyncFn(&mut Conn) -> QueryResult<Cake>) {
    let Silence {
        _cluster,
        proxy,
        mut conn,
    } = Silence::prepare().await;
    let silence = conn.transaction(async |conn| {
        diesel::sql_query("CREATE TABLE cake (id integer PRIMARY KEY, name text NOT NULL)")
            .execute(conn)
            .await?;
        proxy.set(Way::Silent);
        statement(conn).await
    });
    let outcome = within("the statement ends", silence).await;
    let error = outcome.err().expect("silence");
    assert!(is_unknown(&error), "{error:?}");
}

#[test]
fn save_changes_ends_although_its_server_does_not_answer() {
    run(is_unknown_on_a_silent_server(save_changes));
}

#[test]
fn pipelined_statements_end_although_their_server_does_not_answer() {
    run(is_unknown_on_a_silent_server(pipelined));
}

/// More than a connection's buffers hold.
const MANY: &str = "SELECT repeat('x', 1000) AS name FROM generate_series(1, 200000)";

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

/// Reads rows until they break off after the first.
async fn break_off(conn: &mut Conn, proxy: &Proxy) -> QueryResult<()> {
    let mut rows = diesel::sql_query(MANY).load_stream::<Name>(conn).await?;
    let first = rows.next().await.expect("a row")?;
    assert_eq!(first.name.len(), 1000);
    proxy.set(Way::Silent);
    while let Some(row) = rows.next().await {
        let _name = row?;
    }
    Ok(())
}

#[test]
fn the_next_row_of_a_silent_server_is_not_awaited_for_ever() {
    run(async {
        let Silence {
            _cluster,
            proxy,
            mut conn,
        } = Silence::prepare().await;
        let outcome = within("the rows end", break_off(&mut conn, &proxy)).await;
        let error = outcome.expect_err("silence");
        let is_unavailable = error.routing().is_some_and(RoutingError::is_unavailable);
        assert!(is_unavailable, "{error:?}");
    });
}

#[test]
fn in_a_transaction_that_row_makes_its_outcome_unknown() {
    run(async {
        let Silence {
            _cluster,
            proxy,
            mut conn,
        } = Silence::prepare().await;
        let mut seen = None;
        let silence = conn.transaction(async |conn| {
            let outcome = break_off(conn, &proxy).await;
            seen = outcome.as_ref().err().map(is_unknown);
            outcome
        });
        let outcome = within("the transaction ends", silence).await;
        outcome.expect_err("silence");
        assert_eq!(seen, Some(true));
    });
}

fn is_unknown(error: &Error) -> bool {
    let refusal = error.routing();
    refusal.is_some_and(RoutingError::is_outcome_unknown)
}
