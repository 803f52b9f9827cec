//! The layer, in axum over real HTTP and as a plain service.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::{Stream, StreamExt, stream};
use routing_core::web::{PinParameter, RouteRule, SessionLayer};
use routing_core::{Mode, RedisStore, Scope, Session, TokenKeys};
use routing_seaorm::{RoutedConnection, RoutingErrExt};
use routing_tests::entity::cake;
use routing_tests::redis::Redis;
use routing_tests::runtime::run;
use routing_tests::stage::{Backend, Stage, server_of};
use routing_tests::wait::{LIMIT, until};
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, Set};
use tower_layer::Layer;
use tower_service::Service;

fn keys() -> TokenKeys {
    TokenKeys::new("a secret that is long enough for this").expect("a secret")
}

/// A layer that waits for stores and positions, however busy the machine is.
fn layer() -> SessionLayer {
    SessionLayer::new(keys())
        .secure(false)
        .settle_wait(LIMIT)
        .store_wait(LIMIT)
}

/// Serves on a free port; the answer is the URL.
pub(crate) async fn listen(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/")
}

/// A client that keeps cookies and follows redirects.
pub(crate) fn browser() -> reqwest::Client {
    reqwest::Client::builder()
        .cookie_store(true)
        .build()
        .expect("a client")
}

/// A client that keeps nothing and goes nowhere by itself.
fn program() -> reqwest::Client {
    let client = reqwest::Client::builder();
    client
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

async fn body(response: reqwest::Response) -> String {
    response.text().await.expect("a body")
}

async fn fetch(client: &reqwest::Client, url: &str) -> String {
    body(client.get(url).send().await.expect("an answer")).await
}

type Db = State<RoutedConnection>;

/// A cake of a name that no other has.
async fn insert(db: &RoutedConnection) -> Result<cake::Model, sea_orm::DbErr> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let new = cake::ActiveModel {
        name: Set(format!("Opera {number}")),
        ..Default::default()
    };
    new.insert(db).await
}

async fn write(State(db): Db) -> Response {
    match insert(&db).await {
        Ok(_) => Redirect::to("/count").into_response(),
        Err(error) => {
            let is_strict = error
                .routing()
                .is_some_and(|error| error.is_unpinned_write());
            let status = if is_strict {
                StatusCode::CONFLICT
            } else {
                StatusCode::BAD_GATEWAY
            };
            (status, error.to_string()).into_response()
        }
    }
}

async fn write_and_fail(State(db): Db) -> StatusCode {
    insert(&db).await.expect("an insert");
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn write_and_panic(State(db): Db) -> StatusCode {
    insert(&db).await.expect("an insert");
    panic!("the handler");
}

async fn write_and_hang(State(db): Db) -> StatusCode {
    insert(&db).await.expect("an insert");
    std::future::pending().await
}

async fn count(State(db): Db) -> String {
    cake::Entity::find()
        .count(&db)
        .await
        .expect("a count")
        .to_string()
}

async fn server(State(db): Db) -> String {
    server_of(&db).await
}

async fn query(Extension(session): Extension<Session>, request: Request) -> String {
    let pinned = session.is_pinned("default");
    format!("{} {pinned}", request.uri())
}

/// Each piece says whether it was made in the request's session.
fn pieces() -> impl Stream<Item = String> + Send {
    stream::iter(0..3).then(|_| async {
        tokio::task::yield_now().await;
        Session::current().is_some().to_string()
    })
}

async fn streamed() -> Body {
    Body::from_stream(pieces().map(Ok::<_, Infallible>))
}

async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(pieces().map(|piece| Ok(Event::default().data(piece))))
}

async fn of_user(State(db): Db, Path(_): Path<u32>) -> String {
    server_of(&db).await
}

async fn app(db: &RoutedConnection, layer: SessionLayer) -> String {
    let app = Router::new()
        .route("/write", post(write).get(write))
        .route("/write_and_fail", post(write_and_fail))
        .route("/write_and_panic", post(write_and_panic))
        .route("/write_and_hang", post(write_and_hang))
        .route("/count", get(count))
        .route("/server", get(server))
        .route("/query", get(query))
        .route("/streamed", get(streamed))
        .route("/events", get(events))
        .route("/users/{id}", get(of_user))
        .route("/reports/{id}", get(of_user))
        .route_layer(layer)
        .with_state(db.clone());
    listen(app).await
}

#[test]
fn a_write_is_told_on_every_status_and_a_read_is_not() {
    run(async {
        let stage = Stage::lagging(Backend::Postgres, Mode::Greedy).await;
        stage.pause().await;
        let at = app(&stage.db, layer()).await;
        let client = program();
        for (path, status) in [("write", 303), ("write_and_fail", 500)] {
            let response = client
                .post(format!("{at}{path}"))
                .send()
                .await
                .expect("an answer");
            assert_eq!(response.status().as_u16(), status);
            let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
            assert_eq!(cookies.len(), 1, "{path}");
            let cookie = cookies[0].to_str().expect("text");
            for attribute in [
                "routing=",
                "HttpOnly",
                "SameSite=Lax",
                "Path=/",
                "Max-Age=600",
            ] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("Secure"));
        }
        let response = client
            .get(format!("{at}count"))
            .send()
            .await
            .expect("an answer");
        assert!(response.headers().get("set-cookie").is_none());
        assert_eq!(
            body(response).await,
            "0",
            "it keeps no cookies, and the replicas are paused"
        );

        let browser = browser();
        let response = browser
            .post(format!("{at}write"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(body(response).await, "3", "after the redirect");
        stage.resume().await;
        stage.catch_up().await;
        // From now on a replica has it.
        until("it has caught up", async || {
            let server = fetch(&browser, &format!("{at}server")).await;
            server.starts_with("replica-")
        })
        .await;
        assert_eq!(fetch(&browser, &format!("{at}count")).await, "3");
    });
}

#[test]
fn the_cookie_is_secure_unless_it_is_told_otherwise() {
    run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Greedy).await;
        let settings = SessionLayer::new(keys()).cookie_name("__Host-shop");
        let at = app(&stage.db, settings).await;
        let response = program()
            .post(format!("{at}write"))
            .send()
            .await
            .expect("an answer");
        let cookie = response.headers()["set-cookie"]
            .to_str()
            .expect("text")
            .to_owned();
        assert!(
            cookie.starts_with("__Host-shop=") && cookie.contains("Secure"),
            "{cookie}"
        );
    });
}

#[test]
fn whatever_a_client_sends_is_answered() {
    run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Greedy).await;
        let at = app(&stage.db, layer()).await;
        for cookie in [
            "routing=",
            "routing=nonsense",
            "routing",
            ";;=;",
            "routing=%ff; routing=b",
        ] {
            let request = program()
                .get(format!("{at}server"))
                .header("cookie", cookie);
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status().as_u16(), 200);
            assert!(body(response).await.starts_with("replica-"), "{cookie}");
        }
        let long = "routing=".to_owned() + &"a".repeat(7_000);
        let request = program().get(format!("{at}server")).header("cookie", long);
        assert_eq!(
            request.send().await.expect("an answer").status().as_u16(),
            200
        );
    });
}

#[test]
fn parameters_methods_and_routes() {
    run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Strict).await;
        let client = program();
        let settings = || {
            layer()
                .pin_parameter(PinParameter::popped("fresh"))
                .pin_parameter(PinParameter::kept("primary"))
        };
        let at = app(&stage.db, settings()).await;
        for (sent, seen) in [
            ("query?a=1&fresh=1&b=2", "/query?a=1&b=2 true"),
            ("query?fresh", "/query true"),
            ("query?primary=x&a", "/query?primary=x&a true"),
            ("query?other=fresh", "/query?other=fresh false"),
        ] {
            assert_eq!(fetch(&client, &format!("{at}{sent}")).await, seen);
        }
        // By the method only if asked; a GET that writes is found then.
        let post = || client.post(format!("{at}write")).send();
        assert_eq!(post().await.expect("an answer").status().as_u16(), 409);
        let at = app(&stage.db, settings().pin_unsafe_methods(true)).await;
        let post = client
            .post(format!("{at}write"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(post.status().as_u16(), 303);
        let get = client
            .get(format!("{at}write"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(get.status().as_u16(), 409);

        let settings = layer()
            .matched_path(|parts| Some(parts.extensions.get::<MatchedPath>()?.as_str()))
            .route("/users/{id}", RouteRule::Pin)
            .expect("a pattern")
            .route("/reports/*", RouteRule::Scope(Scope::node("replica-2")))
            .expect("a pattern");
        let at = app(&stage.db, settings).await;
        assert_eq!(fetch(&client, &format!("{at}users/7")).await, "primary");
        assert_eq!(fetch(&client, &format!("{at}reports/7")).await, "replica-2");
        assert!(
            fetch(&client, &format!("{at}server"))
                .await
                .starts_with("replica-")
        );
    });
}

#[test]
fn bodies_stream_inside_the_session() {
    run(async {
        let stage = Stage::new(Backend::Sqlite, Mode::Greedy).await;
        let at = app(&stage.db, layer()).await;
        assert_eq!(
            fetch(&program(), &format!("{at}streamed")).await,
            "truetruetrue"
        );
        let events = fetch(&program(), &format!("{at}events")).await;
        assert_eq!(events.matches("data: true").count(), 3, "{events}");
    });
}

#[test]
fn panics_and_clients_that_leave_harm_nobody_else() {
    run(async {
        let stage = Stage::new(Backend::Postgres, Mode::Greedy).await;
        let at = app(&stage.db, layer()).await;
        for _ in 0..4 {
            let panicked = program().post(format!("{at}write_and_panic")).send().await;
            panicked.expect_err("the connection is closed");
            let short = Duration::from_millis(200);
            let left = program()
                .post(format!("{at}write_and_hang"))
                .timeout(short)
                .send()
                .await;
            left.expect_err("it takes too long");
        }
        let answer = fetch(&program(), &format!("{at}server")).await;
        assert!(answer.starts_with("replica-"), "{answer}");
    });
}

#[test]
fn a_header_carries_the_token_where_it_is_trusted() {
    run(async {
        let stage = Stage::lagging(Backend::Postgres, Mode::Greedy).await;
        stage.pause().await;
        let name = HeaderName::from_static("x-routing");
        let client = program();
        let at = app(&stage.db, layer().trusted_header(name.clone())).await;
        let response = client
            .post(format!("{at}write"))
            .send()
            .await
            .expect("an answer");
        let token = response.headers()[&name].clone();
        let with = |token| client.get(format!("{at}count")).header(&name, token).send();
        assert_eq!(
            body(with(token.clone()).await.expect("an answer")).await,
            "1"
        );
        let forged = "AQ".to_owned() + token.to_str().expect("text");
        let forged = forged.parse().expect("a value");
        assert_eq!(body(with(forged).await.expect("an answer")).await, "0");
        // By default a header is nothing.
        let at = app(&stage.db, layer()).await;
        let request = client.get(format!("{at}count")).header(&name, token);
        assert_eq!(body(request.send().await.expect("an answer")).await, "0");
        stage.resume().await;
    });
}

#[test]
fn a_store_knows_who_keeps_no_cookies() {
    run(async {
        let stage = Stage::lagging(Backend::Postgres, Mode::Greedy).await;
        stage.pause().await;
        let mut redis = Redis::start();
        let store = RedisStore::new(&redis.url(), "shop")
            .expect("a URL")
            .answer_timeout(LIMIT);
        let settings = layer().store(store, |parts| {
            let users = parts.headers.get_all("x-user").iter();
            users
                .filter_map(|user| Some(user.to_str().ok()?.to_owned()))
                .collect()
        });
        let at = app(&stage.db, settings.clone()).await;
        let ask = |method: reqwest::Method, path: &'static str, users: &'static [&'static str]| {
            let request = program().request(method, format!("{at}{path}"));
            let request = users
                .iter()
                .fold(request, |request, user| request.header("x-user", *user));
            request.send()
        };
        let count = |users| async move {
            body(
                ask(reqwest::Method::GET, "count", users)
                    .await
                    .expect("an answer"),
            )
            .await
        };
        let written = ask(reqwest::Method::POST, "write", &["ann", "team"]).await;
        assert_eq!(written.expect("an answer").status().as_u16(), 303);
        assert_eq!(
            count(&["ann"]).await,
            "1",
            "another client of the same user"
        );
        assert_eq!(count(&["bob"]).await, "0");
        let several = count(&["bob", "team"]).await;
        assert_eq!(
            several,
            "1",
            "one of several: {:?}",
            settings.store_counts()
        );
        assert_eq!(count(&[]).await, "0");
        // Its keys say nothing of whom they are of.
        let keys = redis_keys(&redis).await;
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert!(
            keys.iter()
                .all(|key| key.starts_with("shop:") && !key.contains("ann"))
        );
        // Without it everybody reads from the primary, and nothing fails.
        redis.kill();
        assert_eq!(count(&["bob"]).await, "1");
        let written = ask(reqwest::Method::POST, "write", &["ann"]).await;
        assert_eq!(written.expect("an answer").status().as_u16(), 303);
        assert!(settings.store_counts().failed >= 2);
        stage.resume().await;
    });
}

async fn redis_keys(redis: &Redis) -> Vec<String> {
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut connection)
        .await
        .expect("the keys")
}

#[test]
fn a_plain_service_will_do() {
    run(async {
        let service = tower::service_fn(|request: axum::http::Request<String>| async move {
            let session = Session::current().expect("a session");
            if request.uri().path() == "/pin" {
                session.pin("default").expect("a pin");
            }
            Ok::<_, Infallible>(axum::http::Response::new(
                session.is_pinned("default").to_string(),
            ))
        });
        let mut service = layer().layer(service);
        for (path, pinned) in [("/", "false"), ("/pin", "true"), ("/", "false")] {
            let request = axum::http::Request::get(path)
                .body(String::new())
                .expect("a request");
            let response = service.call(request).await.expect("it cannot fail");
            let body = axum::body::to_bytes(Body::new(response.into_body()), 100).await;
            assert_eq!(body.expect("a body"), pinned);
        }
    });
}

#[test]
fn a_foreign_cookie_in_utf_8_hides_no_token() {
    run(async {
        let mut told = routing_core::HandOver::new("default");
        told.pinned_for = Some(Duration::from_secs(60));
        let token = keys().seal_all(&[told]);
        let service = tower::service_fn(|_: axum::http::Request<String>| async move {
            let session = Session::current().expect("a session");
            Ok::<_, Infallible>(axum::http::Response::new(
                session.is_pinned("default").to_string(),
            ))
        });
        let mut service = layer().layer(service);
        // As browsers send it after `document.cookie = "city=Zürich"`: in one header.
        let header = format!("city=Zürich; routing={token}");
        let request = axum::http::Request::get("/")
            .header(
                "cookie",
                axum::http::HeaderValue::from_bytes(header.as_bytes()).expect("a header"),
            )
            .body(String::new())
            .expect("a request");
        let response = service.call(request).await.expect("it cannot fail");
        let body = axum::body::to_bytes(Body::new(response.into_body()), 100).await;
        assert_eq!(body.expect("a body"), "true");
    });
}

struct Kept(String, std::sync::Arc<std::sync::Mutex<Option<String>>>);

impl routing_core::PinStore for Kept {
    fn load<'a>(
        &'a self,
        keys: &'a [String],
    ) -> routing_core::StoreFuture<'a, Vec<Option<String>>> {
        // The other device has not saved yet.
        Box::pin(async move { Ok(keys.iter().map(|_| None).collect()) })
    }
    fn update<'a>(
        &'a self,
        _: &'a str,
        merge: routing_core::Merge<'a>,
        _: Duration,
    ) -> routing_core::StoreFuture<'a, ()> {
        *self.1.lock().expect("it") = Some(merge(Some(&self.0)));
        Box::pin(async { Ok(()) })
    }
    fn delete<'a>(&'a self, _: &'a str, _: &'a str) -> routing_core::StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn a_store_that_keeps_positions_of_two_histories_loses_none() {
    use routing_core::{
        Context, Position, Probe, ReplicaSet, Role, StatementKind, Turn, sql::Dialect,
    };
    run(async {
        let set = ReplicaSet::builder("default", "primary")
            .replica("replica")
            .positions(true)
            .build()
            .expect("a set");
        let router = routing_core::Router::new([set]).expect("a router");
        let monitors = std::sync::Mutex::new(router.monitors(router.default_set()));
        let both = std::sync::Arc::new((router, monitors));
        let service = tower::service_fn(move |_: axum::http::Request<String>| {
            let both = std::sync::Arc::clone(&both);
            async move {
                let (router, monitors) = &*both;
                let caller = Context::default();
                router
                    .route(router.default_set(), StatementKind::Insert, &caller)
                    .expect("a route")
                    .start()
                    .1
                    .succeeded(&caller);
                let mut monitors = monitors.lock().expect("them");
                let Turn::Probe(ticket) = monitors[0].turn() else {
                    panic!("due")
                };
                let probe = Probe::new(Dialect::Postgres, "").expect("positions");
                let answer = probe.read(Role::Primary, "primary 7 2 0/5000 16777216");
                monitors[0].report(ticket, answer.into());
                Ok::<_, Infallible>(axum::http::Response::new(String::new()))
            }
        });
        // Another device wrote right before the failover.
        let mut told = routing_core::HandOver::new("default");
        told.position = Some(Position::postgres(7, 1, 0x1000));
        let result = std::sync::Arc::default();
        let store = Kept(keys().seal_all(&[told]), std::sync::Arc::clone(&result));
        let mut service = layer()
            .store(store, |_| vec!["ann".to_owned()])
            .layer(service);
        let request = axum::http::Request::get("/")
            .body(String::new())
            .expect("a request");
        service.call(request).await.expect("it cannot fail");
        let kept = result.lock().expect("it").take().expect("it was saved");
        let kept = keys().open(&kept).expect("a token");
        assert!(
            kept.iter()
                .any(|told| told.pinned_for.is_some() || told.position.is_some()),
            "nothing is kept at all: {kept:?}"
        );
    });
}

#[test]
fn a_store_that_hangs_delays_a_response_once() {
    // Its time goes on when everything waits, and by as much as is waited for.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        struct Hangs;
        impl routing_core::PinStore for Hangs {
            fn load<'a>(
                &'a self,
                _: &'a [String],
            ) -> routing_core::StoreFuture<'a, Vec<Option<String>>> {
                Box::pin(std::future::pending())
            }
            fn update<'a>(
                &'a self,
                _: &'a str,
                _: routing_core::Merge<'a>,
                _: Duration,
            ) -> routing_core::StoreFuture<'a, ()> {
                Box::pin(std::future::pending())
            }
            fn delete<'a>(&'a self, _: &'a str, _: &'a str) -> routing_core::StoreFuture<'a, ()> {
                Box::pin(std::future::pending())
            }
        }
        use routing_core::{Context, ReplicaSet, StatementKind};
        let set = ReplicaSet::builder("default", "primary")
            .replica("replica")
            .build()
            .expect("a set");
        let router = std::sync::Arc::new(routing_core::Router::new([set]).expect("a router"));
        let service = tower::service_fn(move |_: axum::http::Request<String>| {
            let router = std::sync::Arc::clone(&router);
            async move {
                let caller = Context::default();
                router
                    .route(router.default_set(), StatementKind::Insert, &caller)
                    .expect("a route")
                    .start()
                    .1
                    .succeeded(&caller);
                Ok::<_, Infallible>(axum::http::Response::new(String::new()))
            }
        });
        let mut service = SessionLayer::new(keys())
            .store(Hangs, |_| (0..100).map(|n| n.to_string()).collect())
            .layer(service);
        let request = axum::http::Request::get("/")
            .body(String::new())
            .expect("a request");
        let begun = tokio::time::Instant::now();
        service.call(request).await.expect("it cannot fail");
        // To load and to save, and not for each of its keys.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn a_stream_in_a_transaction_that_is_rolled_back_was_seen() {
    use sea_orm::{AccessMode, StreamTrait, TransactionTrait};
    run(async {
        let stage = Stage::lagging(Backend::Postgres, Mode::Greedy).await;
        let (db, _session) = stage.session();
        let (other, others) = stage.session();
        others.expect_hand_over();
        let there = db.scoped(Scope::primary());
        let transaction = there
            .begin_with_config(None, Some(AccessMode::ReadOnly))
            .await
            .expect("begun");
        // Somebody writes, so that the primary is asked, and the replicas come along.
        insert(&other).await.expect("an insert");
        others.when_settled().await;
        stage.catch_up().await;
        let later = Session::new();
        later.take_over(others.hand_over());
        let later = stage.db.with_session(&later);
        assert!(later.catch_up(LIMIT).await);
        stage.pause().await;
        insert(&other).await.expect("an insert");
        let mut rows = transaction
            .stream(&sea_orm::QueryTrait::into_query(cake::Entity::find()))
            .await
            .expect("a stream");
        let mut seen = 0;
        while let Some(row) = rows.next().await {
            row.expect("a row");
            seen += 1;
        }
        drop(rows);
        transaction.rollback().await.expect("rolled back");
        let then = count(State(db.clone())).await;
        stage.resume().await;
        assert_eq!(then, seen.to_string(), "a later read of the same session");
    });
}

#[test]
fn a_stream_of_a_write_that_is_dropped_keeps_its_session_on_the_primary() {
    use sea_orm::{ConnectionTrait, StreamTrait};
    run(async {
        let stage = Stage::with(Backend::Postgres, |config| {
            config
                .pin_release(routing_core::PinRelease::CaughtUp)
                .catch_up_wait(LIMIT)
        })
        .await;
        let (db, _session) = stage.session();
        let sql = "INSERT INTO cake (name) SELECT repeat('x', 200) || n FROM generate_series(1, 30000) n RETURNING *";
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
        let mut rows = db.stream_raw(statement).await.expect("a stream");
        rows.next().await.expect("a row").expect("a row");
        drop(rows);
        let statement = || {
            sea_orm::Statement::from_string(
                sea_orm::DbBackend::Postgres,
                "SELECT count(*) FROM cake",
            )
        };
        let mut counts = Vec::new();
        let mut servers = Vec::new();
        for _ in 0..12 {
            let row = db
                .query_one_raw(statement())
                .await
                .expect("an answer")
                .expect("a row");
            counts.push(row.try_get_by_index::<i64>(0).expect("a count"));
            servers.push(server_of(&db).await);
        }
        assert!(
            servers.iter().all(|server| server == "primary"),
            "{counts:?} {servers:?}"
        );
    });
}
