//! The recipe for row-level security: a tenant sees its own rows, from replicas.

use std::sync::Arc;

use diesel::pg::PgConnection;
use diesel_async::AsyncPgConnection;
use routing_core::{Mode, Observer, Role, RoutingConfig, Session};
use routing_diesel::{AsyncRoutedPool, RoutedPool};
use routing_examples::tenants::{SCHEMA, with_diesel, with_diesel_async, with_seaorm};
use routing_seaorm::RoutedConnection;
use routing_tests::recorder::Recorder;
use routing_tests::runtime::run;
use routing_tests::wait::LIMIT;
use routing_tests::world::{Backend, World, patient, patient_probes};
use sea_orm::{ConnectionTrait, Database};

/// The tables, and a configuration of a user who is under the policy.
async fn servers() -> (World, RoutingConfig) {
    let world = World::new(Backend::Postgres, false).await;
    let [primary, replica] = world.primary_and_replica();
    let owner = Database::connect(primary).await.expect("a connection");
    let user = "DO $$ BEGIN CREATE ROLE tenant_app LOGIN; EXCEPTION WHEN OTHERS THEN NULL; END $$";
    let grant = "GRANT ALL ON ALL TABLES IN SCHEMA public TO tenant_app";
    let sequences = "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO tenant_app";
    for sql in [SCHEMA, user, grant, sequences] {
        owner.execute_unprepared(sql).await.expect("a schema");
    }
    // A replica without the role refuses the pool's connections, and its breaker opens.
    world.catch_up().await;
    let of_tenants = |url: &str| patient(url.replace("postgres@", "tenant_app@"));
    let config = RoutingConfig::builder()
        .mode(Mode::Greedy)
        .catch_up_wait(LIMIT)
        .probe(patient_probes())
        .primary(of_tenants(primary))
        .replica(of_tenants(replica));
    (world, config.build().expect("a configuration"))
}

/// Writes for two tenants, and reads as each of them in sessions that have not written.
macro_rules! tenants {
    ($name:ident, $open:expr, $memos:expr, $write:expr) => {
        #[test]
        fn $name() {
            run(async {
                let (world, config) = servers().await;
                let recorder = Arc::new(Recorder::default());
                let observer: Arc<dyn Observer> = Arc::clone(&recorder) as _;
                let pool = $open(&config, observer);
                for tenant in ["a", "b"] {
                    for number in 0..2 {
                        let text = format!("{tenant} {number}");
                        $write(&pool, &Session::new(), tenant, &text).await;
                    }
                }
                world.catch_up().await;
                $memos(&pool, &Session::new(), "a").await;
                recorder.take();
                for _ in 0..20 {
                    for tenant in ["a", "b"] {
                        let memos: Vec<String> = $memos(&pool, &Session::new(), tenant).await;
                        assert_eq!(memos, [format!("{tenant} 0"), format!("{tenant} 1")]);
                    }
                }
                let decisions = recorder.take();
                let on_replicas = decisions
                    .iter()
                    .filter(|decision| decision.role == Role::Replica);
                assert_eq!(on_replicas.count(), decisions.len(), "{decisions:#?}");
                // A session that writes sees what it has written.
                let session = Session::new();
                $write(&pool, &session, "a", "a 2").await;
                let memos: Vec<String> = $memos(&pool, &session, "a").await;
                assert_eq!(memos.last().map(String::as_str), Some("a 2"));
            });
        }
    };
}

tenants!(
    seaorm,
    |config: &RoutingConfig, recorder| {
        let builder = RoutedConnection::builder(config).observer(recorder);
        builder.build().expect("a connection")
    },
    async |db: &RoutedConnection, session: &Session, tenant: &str| {
        let memos = with_seaorm::memos(&db.with_session(session), tenant).await;
        memos.expect("memos")
    },
    async |db: &RoutedConnection, session: &Session, tenant: &str, text: &str| {
        let written = with_seaorm::write_memo(&db.with_session(session), tenant, text).await;
        written.expect("it is written");
    }
);

tenants!(
    diesel,
    |config: &RoutingConfig, recorder| {
        let builder = RoutedPool::<PgConnection>::builder(config).observer(recorder);
        builder.build().expect("a pool")
    },
    async |pool: &RoutedPool<PgConnection>, session: &Session, tenant: &str| {
        tokio::task::block_in_place(|| {
            let mut connection = pool.get_in(session).expect("a connection");
            with_diesel::memos(&mut connection, tenant).expect("memos")
        })
    },
    async |pool: &RoutedPool<PgConnection>, session: &Session, tenant: &str, text: &str| {
        tokio::task::block_in_place(|| {
            let mut connection = pool.get_in(session).expect("a connection");
            with_diesel::write_memo(&mut connection, tenant, text).expect("it is written");
        });
    }
);

tenants!(
    diesel_async,
    |config: &RoutingConfig, recorder| {
        let builder = AsyncRoutedPool::<AsyncPgConnection>::builder(config).observer(recorder);
        builder.build().expect("a pool")
    },
    async |pool: &AsyncRoutedPool<AsyncPgConnection>, session: &Session, tenant: &str| {
        let mut connection = pool.get_in(session).await.expect("a connection");
        let memos = with_diesel_async::memos(&mut connection, tenant).await;
        memos.expect("memos")
    },
    async |pool: &AsyncRoutedPool<AsyncPgConnection>,
           session: &Session,
           tenant: &str,
           text: &str| {
        let mut connection = pool.get_in(session).await.expect("a connection");
        let written = with_diesel_async::write_memo(&mut connection, tenant, text).await;
        written.expect("it is written");
    }
);
