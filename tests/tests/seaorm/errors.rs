//! Routing errors, and the way back to them.

use routing_core::{Mode, RoutingError};
use routing_seaorm::RoutingErrExt;
use routing_tests::entity::cake;
use routing_tests::stage::{Backend, Stage};
use sea_orm::{ActiveModelTrait, DbErr};

/// Typed errors survive the way through SeaORM's, the transaction's and the application's.
#[test]
fn typed_errors_come_back() {
    routing_tests::runtime::run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Strict).await;
        let (db, _session) = stage.session();

        let error = db
            .transaction_async(async |_| Ok::<_, DbErr>(()))
            .await
            .expect_err("a refusal");
        assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));

        #[derive(Debug)]
        struct Wrapped(DbErr);
        impl std::fmt::Display for Wrapped {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the order was not placed")
            }
        }
        impl std::error::Error for Wrapped {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = cake::named("x").insert(&db).await.expect_err("a refusal");
        let error: Box<dyn std::error::Error + Send + Sync> = Box::new(Wrapped(error));
        assert!(error.routing().is_some_and(RoutingError::is_unpinned_write));
    });
}
