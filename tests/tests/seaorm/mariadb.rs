//! Without `RETURNING`, SeaORM reads back what it has written: from the primary.

use routing_core::{Mode, Reason};
use routing_tests::entity::cake;
use routing_tests::stage::{Backend, Stage};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

#[test]
fn what_is_written_is_read_back_from_the_primary() {
    routing_tests::runtime::run(async {
        let stage = Stage::lagging(Backend::MariaDb, Mode::Greedy).await;
        stage.pause().await;
        // In a session, and without one.
        for db in [stage.session().0, stage.db.clone()] {
            let opera = cake::named(format!("Opera {:?}", db.session().is_some()));
            let opera = opera.insert(&db).await.expect("an insert");
            let mut renamed = opera.clone().into_active_model();
            renamed.name = Set(format!("{} II", opera.name));
            let renamed = renamed.update(&db).await.expect("an update");
            assert_eq!(renamed.id, opera.id);
            let found = cake::Entity::find_by_id(opera.id).one(&db).await;
            assert_eq!(found.expect("an answer"), Some(renamed));
        }
        let decisions = stage.recorder.take();
        assert!(decisions.iter().all(|decision| decision.node == "primary"));
        assert!(
            decisions
                .iter()
                .any(|decision| decision.reason == Reason::NoSession)
        );
        stage.resume().await;
    });
}
