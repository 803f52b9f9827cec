//! TLS of diesel-async's connections, by the words of libpq in the URL.

use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use routing_core::{NodeBuilder, RoutingConfig, RoutingError};
use routing_diesel::{AsyncRoutedPool, RoutingErrExt};
use routing_tests::postgres::Cluster;
use routing_tests::runtime::run;
use routing_tests::world::patient_probes;
use tempfile::TempDir;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    Issuer::self_signed(params, key).expect("a certificate")
}

/// Whether the server says that the connection is encrypted, or why there is none.
async fn is_encrypted(url: String) -> Result<bool, String> {
    let config = RoutingConfig::builder()
        .probe(patient_probes())
        .primary(NodeBuilder::url(url))
        .build()
        .expect("a configuration");
    let pool = AsyncRoutedPool::<AsyncPgConnection>::new(&config);
    let pool = pool.map_err(|error| error.to_string())?;
    let mut conn = pool.get().await.map_err(|error| error.to_string())?;
    let sql = "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())";
    let asked = diesel::select(diesel::dsl::sql::<Bool>(sql));
    asked
        .get_result(&mut conn)
        .await
        .map_err(|error| match error.routing() {
            Some(RoutingError::PrimaryUnavailable {
                cause: Some(cause), ..
            }) => cause.clone(),
            _ => format!("{error:?}"),
        })
}

#[test]
fn connections_are_as_safe_as_the_url_says() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.create_database("vault").await;
        let (ours, another) = (authority(), authority());
        let key = KeyPair::generate().expect("a key");
        let of_server = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let of_server = of_server.signed_by(&key, &ours).expect("a certificate");
        let server = cluster.primary();
        server
            .speak_tls(&of_server.pem(), &key.serialize_pem())
            .await;

        let dir = TempDir::new().expect("a directory");
        let file = |name: &str, content: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).expect("written");
            format!("sslrootcert={}", path.display())
        };
        let ours = file(
            "ours%20of%202026.pem".replace("%20", " ").as_str(),
            ours.pem(),
        );
        let ours = ours.replace(' ', "%20");
        let another = file("another.pem", another.pem());
        let none = file("none.pem", String::new());
        let url = |host: &str, query: &str| {
            let url = server.url("vault").replace("127.0.0.1", host);
            format!("{url}?{query}")
        };
        for (host, query, encrypted) in [
            ("127.0.0.1", String::new(), true),
            ("127.0.0.1", "sslmode=disable".into(), false),
            ("127.0.0.1", "sslmode=prefer".into(), true),
            ("127.0.0.1", "sslmode=require".into(), true),
            ("127.0.0.1", format!("sslmode=verify-ca&{ours}"), true),
            ("localhost", format!("sslmode=verify-full&{ours}"), true),
        ] {
            assert_eq!(
                is_encrypted(url(host, &query)).await,
                Ok(encrypted),
                "{query}"
            );
        }
        for (host, query, why) in [
            (
                "127.0.0.1",
                format!("sslmode=require&{another}"),
                "invalid peer certificate",
            ),
            (
                "127.0.0.1",
                format!("sslmode=verify-ca&{another}"),
                "invalid peer certificate",
            ),
            (
                "127.0.0.1",
                format!("sslmode=verify-full&{ours}"),
                "not valid for name",
            ),
            (
                "localhost",
                format!("sslmode=verify-full&{none}"),
                "has no certificate",
            ),
            (
                "localhost",
                "sslrootcert=/nowhere.pem&sslmode=verify-ca".into(),
                "/nowhere.pem",
            ),
            ("localhost", "sslmode=often".into(), "verify-full"),
        ] {
            let error = is_encrypted(url(host, &query)).await.expect_err(&query);
            assert!(error.contains(why), "{query}: {error}");
        }
    });
}
