//! Diesel over PostgreSQL.

use diesel::connection::{Connection, SimpleConnection};
use diesel::pg::{PgConnection, PgRowByRowLoadingMode};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::BigInt;
use routing_core::{Reason, RoutingError, Scope, Session};
use routing_diesel::{RoutedConnection, RoutingErrExt};
use routing_tests::runtime::run;
use routing_tests::schema::{cake, server};

use crate::support::{Mood, Spot, TYPES, blocking, guest, postgres};

type Conn = RoutedConnection<PgConnection>;

fn server_of(conn: &mut Conn) -> String {
    server::table
        .select(server::name)
        .first(conn)
        .expect("a name")
}

#[test]
fn custom_types_go_both_ways_on_both_sides() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let mut conn = on.pool.get_in(&Session::new()).expect("a connection");
            conn.batch_execute(TYPES).expect("the types");
            let spot = Spot {
                x: 7,
                mood: Mood::Sad,
            };
            diesel::insert_into(guest::table)
                .values((
                    guest::mood.eq(Mood::Glad),
                    guest::moods.eq(vec![Mood::Glad, Mood::Sad]),
                    guest::spot.eq(spot),
                ))
                .execute(&mut conn)
                .expect("an insert");
        });
        on.world.catch_up().await;
        blocking(|| {
            let mut conn = on.pool.get_in(&Session::new()).expect("a connection");
            let found: (Vec<Mood>, Spot) = guest::table
                .filter(guest::mood.eq_any([Mood::Glad]))
                .select((guest::moods, guest::spot))
                .first(&mut conn)
                .expect("a row of a replica's");
            let spot = Spot {
                x: 7,
                mood: Mood::Sad,
            };
            assert_eq!(found, (vec![Mood::Glad, Mood::Sad], spot));
            assert!(server_of(&mut conn).starts_with("replica-"));
        });
    });
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = cake)]
struct Cake {
    id: i32,
    name: String,
}

#[test]
fn copy_from_goes_to_the_primary() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            let row = |id, name| (cake::id.eq(id), cake::name.eq(name));
            let rows = vec![row(1, "a"), row(2, "b")];
            let copied = diesel::copy_from(cake::table)
                .from_insertable(rows)
                .execute(&mut conn);
            assert_eq!(copied, Ok(2));
            assert!(session.is_pinned("default"));
            let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
            assert_eq!(count, 2);

            // What Diesel lets no other connection do.
            let primary = conn.primary().expect("the primary");
            let mut copy = diesel::copy_to(cake::table)
                .load::<Cake, _>(primary)
                .expect("rows");
            let first = copy.next().expect("a row").expect("a cake");
            assert_eq!((first.id, first.name.as_str()), (1, "a"));
        });
    });
}

#[test]
fn transactions_with_options_go_where_they_may() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            let server = conn
                .build_transaction()
                .read_only()
                .repeatable_read()
                .run(|conn| {
                    let refused = diesel::delete(cake::table).execute(conn);
                    let refused = refused.expect_err("a refusal");
                    // As the server's own refusal, for programs that match on that.
                    assert!(matches!(
                        refused,
                        Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)
                    ));
                    let refused = refused.routing();
                    assert!(matches!(
                        refused,
                        Some(RoutingError::WriteInReadOnlyTransaction { .. })
                    ));
                    let nested = conn.transaction(|conn| Ok::<_, Error>(server_of(conn)))?;
                    assert_eq!(nested, server_of(conn));
                    Ok::<_, Error>(nested)
                })
                .expect("a commit");
            assert!(server.starts_with("replica-"));
            assert!(!session.is_pinned("default"));
            let server = conn
                .build_transaction()
                .serializable()
                .run(|conn| Ok::<_, Error>(server_of(conn)))
                .expect("a commit");
            assert_eq!(server, "primary");
            assert!(session.is_pinned("default"));
            // No standby has it; the primary's is read-only all the same, and pins nobody.
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            let mut builder = conn.build_transaction().read_only().serializable();
            let server = builder.run(|conn| Ok::<_, Error>(server_of(conn)));
            assert_eq!(server, Ok("primary".to_owned()));
            assert!(!session.is_pinned("default"));
        });
    });
}

#[test]
fn rows_one_by_one() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let mut conn = on.pool.get_in(&Session::new()).expect("a connection");
            let names: Vec<String> = server::table
                .select(server::name)
                .load_iter::<String, PgRowByRowLoadingMode>(&mut conn)
                .expect("rows")
                .collect::<QueryResult<_>>()
                .expect("rows");
            assert!(names[0].starts_with("replica-"));
        });
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
        let on = postgres().await;
        blocking(|| {
            for node in ["replica-1", "primary"] {
                let pool = on.pool.scoped(Scope::node(node));
                let mut conn = pool.get().expect("a connection");
                for _ in 0..5 {
                    assert_eq!(server_of(&mut conn), node);
                    // One whose type does not stand for its text.
                    let boxed = cake::table.filter(cake::id.gt(0)).into_boxed();
                    let _: i64 = boxed.count().get_result(&mut conn).expect("a count");
                }
                let prepared: Prepared = diesel::sql_query(
                    "SELECT count(*) FROM pg_prepared_statements \
                     WHERE statement ~ 'FROM .(server|cake)'",
                )
                .get_result(&mut conn)
                .expect("a count");
                assert_eq!(prepared.count, 2, "{node}");
            }
        });
    });
}

#[test]
fn a_test_transaction_stays_open_and_is_never_committed() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let mut conn = on.pool.get().expect("a connection");
            conn.begin_test_transaction().expect("a transaction");
            for round in 1..=3 {
                conn.transaction(|conn| {
                    diesel::insert_into(cake::table)
                        .values(cake::name.eq(format!("cake {round}")))
                        .execute(conn)
                })
                .expect("a savepoint");
                let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
                assert_eq!(count, round);
            }
            conn.test_transaction(|conn| diesel::delete(cake::table).execute(conn));
            let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
            assert_eq!(count, 3);
            // It goes back to the pool in its transaction, as it does without a router.
            drop(conn);
            let other = on.world.config(|config| config);
            let other = routing_diesel::RoutedPool::<PgConnection>::new(&other).expect("a pool");
            let mut conn = other.get().expect("a connection");
            let count: i64 = cake::table.count().get_result(&mut conn).expect("a count");
            assert_eq!(count, 0);
        });
        let reasons: Vec<_> = on.recorder.take().iter().map(|d| d.reason).collect();
        assert_eq!(reasons[0], Reason::Write);
        assert!(
            reasons[1..]
                .iter()
                .all(|reason| *reason == Reason::Transaction)
        );
    });
}

#[test]
fn the_way_around_is_the_primary_and_pins_nobody() {
    run(async {
        let on = postgres().await;
        blocking(|| {
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            let primary = conn.primary().expect("the primary");
            primary
                .batch_execute("INSERT INTO cake (name) VALUES ('beside')")
                .expect("an insert");
            assert!(!session.is_pinned("default"));
            assert!(server_of(&mut conn).starts_with("replica-"));

            // In a transaction it is the transaction's connection.
            conn.transaction(|conn| {
                diesel::insert_into(cake::table)
                    .values(cake::name.eq("uncommitted"))
                    .execute(conn)?;
                let count: i64 = cake::table.count().get_result(conn.primary()?)?;
                assert_eq!(count, 2);
                Ok::<_, Error>(())
            })
            .expect("a commit");
        });
    });
}

/// The kinds of queries are kept by type, and asked for again when more is known.
#[test]
fn a_query_whose_type_was_a_write_is_looked_at_again() {
    #[diesel::declare_sql_function]
    extern "SQL" {
        fn price() -> BigInt;
    }

    run(async {
        let on = postgres().await;
        let create = "CREATE FUNCTION price() RETURNS bigint LANGUAGE sql";
        let change = |sql: String| {
            let mut conn = on.pool.get().expect("a connection");
            conn.batch_execute(&sql).expect("a function");
            on.pool.load_functions().expect("the catalog");
        };
        let is_read = || {
            let session = Session::new();
            let mut conn = on.pool.get_in(&session).expect("a connection");
            let seven: i64 = diesel::select(price())
                .get_result(&mut conn)
                .expect("seven");
            assert_eq!(seven, 7);
            !session.is_pinned("default")
        };
        blocking(|| {
            change(format!("{create} VOLATILE AS 'SELECT 7'"));
            assert!(!is_read());
            change("ALTER FUNCTION price() STABLE".to_owned());
        });
        on.world.catch_up().await;
        blocking(|| {
            assert!(is_read());
            change("ALTER FUNCTION price() VOLATILE".to_owned());
            assert!(!is_read());
        });
    });
}
