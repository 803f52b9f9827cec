//! diesel-async over PostgreSQL.

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl, SaveChangesDsl, SimpleAsyncConnection};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use routing_core::{RoutingError, Scope, Session};
use routing_diesel::RoutingErrExt;
use routing_tests::runtime::run;
use routing_tests::schema::{cake, server};

use crate::support::{Mood, Spot, TYPES, guest, postgres_async, server_of};

#[test]
fn custom_types_go_both_ways_on_both_sides() {
    run(async {
        let on = postgres_async().await;
        let spot = Spot {
            x: 7,
            mood: Mood::Sad,
        };
        let mut conn = on.pool.get_in(&Session::new()).await.expect("a connection");
        conn.batch_execute(TYPES).await.expect("the types");
        // By a connection that has never heard of them.
        for _ in 0..2 {
            let mut conn = on.pool.get_in(&Session::new()).await.expect("a connection");
            diesel::insert_into(guest::table)
                .values((
                    guest::mood.eq(Mood::Glad),
                    guest::moods.eq(vec![Mood::Glad, Mood::Sad]),
                    guest::spot.eq(spot),
                ))
                .execute(&mut conn)
                .await
                .expect("an insert");
        }
        on.world.catch_up().await;
        let mut conn = on.pool.get_in(&Session::new()).await.expect("a connection");
        for _ in 0..2 {
            let found: Vec<(Vec<Mood>, Spot)> = guest::table
                .filter(guest::mood.eq_any(vec![Mood::Glad]))
                .filter(guest::spot.eq(spot))
                .filter(guest::moods.eq(vec![Mood::Glad, Mood::Sad]))
                .select((guest::moods, guest::spot))
                .load(&mut conn)
                .await
                .expect("rows of a replica's");
            assert_eq!(found.len(), 2);
            assert_eq!(found[0], (vec![Mood::Glad, Mood::Sad], spot));
        }
        assert!(server_of(&mut conn).await.starts_with("replica-"));
    });
}

#[derive(QueryableByName)]
struct Prepared {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[test]
fn a_statement_is_prepared_once_per_connection() {
    run(async {
        let on = postgres_async().await;
        for node in ["replica-1", "primary"] {
            let pool = on.pool.scoped(Scope::node(node));
            let mut conn = pool.get().await.expect("a connection");
            for _ in 0..5 {
                assert_eq!(server_of(&mut conn).await, node);
                let boxed = cake::table.filter(cake::id.gt(0)).into_boxed();
                let _: i64 = boxed.count().get_result(&mut conn).await.expect("a count");
            }
            let prepared: Prepared = diesel::sql_query(
                "SELECT count(*) FROM pg_prepared_statements \
                 WHERE statement ~ 'FROM .(server|cake)'",
            )
            .get_result(&mut conn)
            .await
            .expect("a count");
            assert_eq!(prepared.count, 2, "{node}");
        }
    });
}

#[test]
fn pipelined_statements_share_one_connection() {
    run(async {
        let on = postgres_async().await;
        let session = Session::new();
        let conn = on.pool.get_in(&session).await.expect("a connection");
        let names = try_join_all((0..20).map(|_| async {
            server::table
                .select(server::name)
                .first::<String>(&mut &conn)
                .await
        }))
        .await
        .expect("names");
        assert!(names[0].starts_with("replica-"));
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        let pids = try_join_all((0..5).map(|_| async {
            diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>(
                "pg_backend_pid()",
            ))
            .get_result::<i32>(&mut &conn)
            .await
        }))
        .await
        .expect("numbers");
        assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");

        // Writes too, and the first pins.
        try_join_all((0..5).map(|number| {
            let conn = &conn;
            async move {
                diesel::insert_into(cake::table)
                    .values(cake::name.eq(format!("cake {number}")))
                    .execute(&mut &*conn)
                    .await
            }
        }))
        .await
        .expect("inserts");
        assert!(session.is_pinned("default"));
        let count: i64 = cake::table
            .count()
            .get_result(&mut &conn)
            .await
            .expect("a count");
        assert_eq!(count, 5);
        let error = (&conn)
            .batch_execute("BEGIN")
            .await
            .expect_err("not among others");
        assert!(error.to_string().contains("pipelined"), "{error}");
    });
}

#[test]
fn transactions_with_options_go_where_they_may() {
    run(async {
        let on = postgres_async().await;
        let session = Session::new();
        let mut conn = on.pool.get_in(&session).await.expect("a connection");
        let server = conn
            .build_transaction()
            .read_only()
            .repeatable_read()
            .run(async |conn| {
                let refused = diesel::delete(cake::table).execute(conn).await;
                let refused = refused.expect_err("a refusal");
                let refused = refused.routing();
                assert!(matches!(
                    refused,
                    Some(RoutingError::WriteInReadOnlyTransaction { .. })
                ));
                Ok::<_, Error>(server_of(conn).await)
            })
            .await
            .expect("a commit");
        assert!(server.starts_with("replica-"));
        assert!(!session.is_pinned("default"));
        // A future that can be spawned.
        let spawned = tokio::spawn(async move {
            let server = conn
                .build_transaction()
                .serializable()
                .run(async |conn| Ok::<_, Error>(server_of(conn).await))
                .await;
            let nested = conn
                .transaction(async |conn| {
                    conn.transaction(async |conn| Ok::<_, Error>(server_of(conn).await))
                        .await
                })
                .await;
            (server, nested)
        });
        let (server, nested) = spawned.await.expect("no panic");
        assert_eq!(server, Ok("primary".to_owned()));
        assert_eq!(nested, Ok("primary".to_owned()));
        assert!(session.is_pinned("default"));
        // No standby has it; the primary's is read-only all the same, and pins nobody.
        let session = Session::new();
        let mut conn = on.pool.get_in(&session).await.expect("a connection");
        let mut builder = conn.build_transaction().read_only().serializable();
        let read = async |conn: &mut _| Ok::<_, Error>(server_of(conn).await);
        let server = builder.run(read).await;
        assert_eq!(server, Ok("primary".to_owned()));
        assert!(!session.is_pinned("default"));
    });
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Identifiable, AsChangeset)]
#[diesel(table_name = cake)]
struct Cake {
    id: i32,
    name: String,
}

#[test]
fn the_way_around_is_the_transactions_connection() {
    run(async {
        let on = postgres_async().await;
        let mut conn = on.pool.get().await.expect("a connection");
        let counted = conn
            .transaction(async |conn| {
                diesel::insert_into(cake::table)
                    .values(cake::name.eq("uncommitted"))
                    .execute(conn)
                    .await?;
                let primary = conn.primary().await?;
                cake::table.count().get_result::<i64>(primary).await
            })
            .await;
        assert_eq!(counted, Ok(1));
    });
}

#[test]
fn save_changes_and_streams() {
    run(async {
        let on = postgres_async().await;
        let session = Session::new();
        let mut conn = on.pool.get_in(&session).await.expect("a connection");
        let inserted: Cake = diesel::insert_into(cake::table)
            .values(cake::name.eq("Opera"))
            .get_result(&mut conn)
            .await
            .expect("an insert");
        let name = "Sacher".to_owned();
        let changed = Cake { name, ..inserted };
        let saved: Cake = (&changed).save_changes(&mut conn).await.expect("an update");
        assert_eq!(saved, changed);
        on.world.catch_up().await;
        let mut conn = on.pool.get_in(&Session::new()).await.expect("a connection");
        let stream = cake::table
            .load_stream::<Cake>(&mut conn)
            .await
            .expect("a stream");
        let cakes: Vec<_> = stream.try_collect().await.expect("rows");
        assert_eq!(cakes, [changed]);
    });
}
