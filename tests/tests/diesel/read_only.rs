//! A connection that only reads, by its type.

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use diesel_async::AsyncPgConnection;
use futures_util::TryStreamExt;
use routing_core::{RoutingError, Session};
use routing_diesel::{AsyncRoutedConnection, ReadOnly, RoutedConnection, RoutingErrExt};
use routing_tests::runtime::run;
use routing_tests::schema::{cake, fruit, server};

use crate::support::{blocking, postgres_async, sqlite};

#[test]
fn every_form_of_an_unlocked_select_is_taken() {
    fn handler(
        reader: &mut ReadOnly<RoutedConnection<SqliteConnection>>,
    ) -> QueryResult<Vec<String>> {
        let _: Vec<(i32, String)> = reader.load(cake::table)?;
        let _: Vec<(i32, String)> = reader.get_results(cake::table.find(1))?;
        let _: Option<i32> = reader.first(cake::table.select(cake::id)).optional()?;
        let _: i64 = reader.get_result(cake::table.count())?;
        let joined = cake::table.inner_join(fruit::table);
        let _: Vec<(String, String)> = reader.load(joined.select((cake::name, fruit::name)))?;
        let left = cake::table.left_join(fruit::table);
        let _: Vec<Option<i32>> = reader.load(left.select(fruit::id.nullable()))?;
        let grouped = cake::table.group_by(cake::name);
        let _: Vec<(String, i64)> = reader.load(grouped.select((cake::name, count_star())))?;
        let _: Vec<i32> = reader.load(cake::table.select(cake::id).distinct().limit(3))?;
        let boxed = cake::table.filter(cake::id.gt(0)).into_boxed();
        let _: Vec<(i32, String)> = reader.load(boxed)?;
        let ids = cake::table.select(cake::id);
        let _: Vec<i32> = reader.load(ids.union(fruit::table.select(fruit::id)))?;
        let _: Vec<i32> = reader.load(ids.except(fruit::table.select(fruit::id)))?;
        let exists = diesel::dsl::exists(cake::table.filter(cake::id.gt(0)));
        let _: bool = reader.get_result(diesel::select(exists))?;
        reader.load(server::table.select(server::name))
    }

    run(async {
        let on = sqlite().await;
        blocking(|| {
            let session = Session::new();
            let mut reader = on
                .pool
                .with_session(&session)
                .get_read_only()
                .expect("a reader");
            let names = handler(&mut reader).expect("reads");
            assert!(names[0].starts_with("replica-"));
            session.pin("default").expect("a pin");
            assert_eq!(handler(&mut reader).expect("reads"), ["primary"]);
            // The types say nothing about functions.
            let error = reader
                .get_result::<i64, _, _>(diesel::select(sql::<BigInt>("last_insert_rowid()")))
                .expect_err("a refusal");
            let refused = error.routing();
            assert!(matches!(
                refused,
                Some(RoutingError::WriteInReadOnlyScope { .. })
            ));
        });
    });
}

#[test]
fn the_same_without_blocking() {
    async fn handler(
        reader: &mut ReadOnly<AsyncRoutedConnection<AsyncPgConnection>>,
    ) -> QueryResult<Vec<String>> {
        let _: Vec<(i32, String)> = reader.load(cake::table).await?;
        let _: Option<i32> = reader
            .first(cake::table.select(cake::id))
            .await
            .optional()?;
        let _: i64 = reader.get_result(cake::table.count()).await?;
        let ids = cake::table.select(cake::id);
        let _: Vec<i32> = reader
            .load(ids.union(fruit::table.select(fruit::id)))
            .await?;
        let boxed = cake::table.filter(cake::id.gt(0)).into_boxed();
        let _: Vec<(i32, String)> = reader.get_results(boxed).await?;
        let names = server::table.select(server::name);
        let names = reader.load_stream(names).await?;
        names.try_collect().await
    }

    run(async {
        let on = postgres_async().await;
        let pool = on.pool.with_session(&Session::new());
        let mut reader = pool.get_read_only().await.expect("a reader");
        let spawned = tokio::spawn(async move {
            let names = handler(&mut reader).await;
            let refused = reader
                .get_result::<i64, _, _>(diesel::select(sql::<BigInt>("nextval('cake_id_seq')")))
                .await;
            (names, refused)
        });
        let (names, refused) = spawned.await.expect("no panic");
        assert!(names.expect("reads")[0].starts_with("replica-"));
        {
            // Held by reference at once, it is not what diesel-async's own `load` takes.
            #[expect(
                unused_imports,
                reason = "that it is in scope, and not used, is the point"
            )]
            use diesel_async::RunQueryDsl as _;
            let reader = &mut on.pool.get_read_only().await.expect("a reader");
            let count = reader.get_result::<i64, _, _>(cake::table.count()).await;
            assert_eq!(count, Ok(0));
        }
        let error = refused.expect_err("a refusal");
        let refused = error.routing();
        assert!(matches!(
            refused,
            Some(RoutingError::WriteInReadOnlyScope { .. })
        ));
    });
}
