//! Every mistake at once, each with its path.

use std::time::Duration;

use routing_core::{
    Balance, Mode, NoReplica, NodeBuilder, PoolMode, RoutingConfig, RoutingConfigBuilder,
    RoutingError, SetBuilder,
};

fn problems(builder: RoutingConfigBuilder) -> Vec<(String, String)> {
    match builder.build().expect_err("mistakes") {
        RoutingError::Config(problems) => problems
            .into_iter()
            .map(|problem| (problem.path, problem.message))
            .collect(),
        other => panic!("{other}"),
    }
}

fn paths(builder: RoutingConfigBuilder) -> Vec<String> {
    problems(builder)
        .into_iter()
        .map(|(path, _)| path)
        .collect()
}

const EVERYTHING: &str = r#"
enabled = true
mode = "strict"
no_replica = "error"
late_pin = "warn"
anonymous_reads = "replica"
balance = "random"
affinity = false
primary_read_weight = 2

[replica_breaker]
failures = 3
back_off = "500ms"
max_back_off = 10

[primary]
url = "postgres://app:secret@db-1:6432/shop?sslmode=require"
max_connections = 20
idle_timeout = "10m"

[[replicas]]
host = "db-2"
name = "near"
weight = 3

[[replicas]]
url = "postgres://report@db-3/shop"
password = "other"
max_connections = 5
acquire_timeout = 0.25

[sets.orders]
mode = "greedy"
primary = "mysql://root@orders-1/orders"
replicas = ["mysql://orders-2", "mysql://orders-3:3307"]
"#;

#[test]
fn toml_with_everything() {
    let config: RoutingConfig = toml::from_str(EVERYTHING).expect("a right configuration");
    let set = config.default_set();
    let rules = set.rules();
    assert_eq!(rules.mode, Mode::Strict);
    assert_eq!(rules.no_replica, NoReplica::Error);
    assert_eq!(rules.balance, Balance::Random);
    assert!(!rules.affinity);
    assert_eq!(rules.primary_read_weight, 2);
    assert_eq!(rules.replica_breaker.failures, 3);
    assert_eq!(rules.replica_breaker.back_off, Duration::from_millis(500));
    assert_eq!(rules.replica_breaker.max_back_off, Duration::from_secs(10));

    let [near, report] = set.replicas() else {
        panic!("two replicas")
    };
    assert_eq!(near.name().as_str(), "near");
    assert_eq!(near.weight(), 3);
    assert_eq!(
        near.url(),
        "postgres://app:secret@db-2:6432/shop?sslmode=require"
    );
    assert_eq!(near.pool().max_connections, Some(20));
    assert_eq!(near.pool().idle_timeout, Some(Duration::from_secs(600)));
    assert_eq!(near.pool().acquire_timeout, Duration::from_secs(1));
    assert_eq!(set.primary().pool().acquire_timeout, Duration::from_secs(5));
    // A user of its own does not get the primary's password.
    assert_eq!(report.name().as_str(), "replica-2");
    assert_eq!(
        report.url(),
        "postgres://report:other@db-3/shop?sslmode=require"
    );
    assert_eq!(report.pool().max_connections, Some(5));
    assert_eq!(report.pool().acquire_timeout, Duration::from_millis(250));

    // … and none at all if it gives none.
    let other_user = RoutingConfig::builder()
        .primary("postgres://app:secret@db-1/shop")
        .replica("postgres://report@db-2")
        .replica("postgres://app@db-3")
        .build()
        .expect("right");
    let urls: Vec<_> = other_user
        .default_set()
        .replicas()
        .iter()
        .map(|n| n.url())
        .collect();
    assert_eq!(
        urls,
        [
            "postgres://report@db-2/shop",
            "postgres://app:secret@db-3/shop"
        ]
    );

    // Another set takes over the rules where it has none of its own, and no nodes.
    let orders = &config.sets()[1];
    assert_eq!(orders.name().as_str(), "orders");
    assert_eq!(orders.rules().mode, Mode::Greedy);
    assert_eq!(orders.rules().no_replica, NoReplica::Error);
    assert_eq!(
        orders.replicas()[1].url(),
        "mysql://root@orders-3:3307/orders"
    );
}

#[test]
fn json_says_the_same() {
    let value: toml::Value = toml::from_str(EVERYTHING).expect("TOML");
    let json = serde_json::to_string(&value).expect("JSON");
    let from_json: RoutingConfig = serde_json::from_str(&json).expect("a right configuration");
    assert_eq!(
        from_json,
        toml::from_str(EVERYTHING).expect("a right configuration")
    );
}

#[test]
fn all_mistakes_are_reported_together() {
    let text = r#"
        enabled = "perhaps"
        mode = "gready"
        afinity = true
        late_pin = 7

        [primary_breaker]
        failures = 0
        back_off = "soon"

        [primary]
        url = "postgres://app@db-1/shop"
        max_connections = 0
        max_conections = 5
        idle_timeout = 0
        max_lifetime = "0s"
        weight = 2

        [[replicas]]
        url = "postgres://db-1:5432/shop"
        weight = 0

        [[replicas]]
        url = "mysql://db-2/shop"
        name = "replica-1"

        [[replicas]]
        url = "not a URL"

        [[replicas]]
        weight = -1

        [[replicas]]
        url = "oracle://db-2/shop"
        acquire_timeout = 0
        port = 70000

        [sets.orders]
        replicas = 3
        primary = { host = "db-9" }

        [sets.audit]
        unmanaged = true
        primary = "sqlite://audit.db"
        replicas = ["sqlite://copy.db"]
    "#;
    let builder: RoutingConfigBuilder = toml::from_str(text).expect("it is TOML");
    let mut found = paths(builder);
    found.sort();
    let mut expected = [
        "enabled",
        "mode",
        "afinity",
        "late_pin",
        "primary_breaker.failures",
        "primary_breaker.back_off",
        "primary.max_connections",
        "primary.max_conections",
        "primary.idle_timeout",
        "primary.max_lifetime",
        "primary.weight",
        "replicas[0].url",
        "replicas[0].weight",
        "replicas[1].url",
        "replicas[1].name",
        "replicas[2].url",
        "replicas[3].weight",
        "replicas[3].url",
        "replicas[4].url",
        "replicas[4].acquire_timeout",
        "replicas[4].port",
        "sets.orders.replicas",
        "sets.orders.primary.url",
        "sets.audit.replicas",
    ]
    .map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);

    // Where the application embeds it, serde's error holds the same text.
    let error = toml::from_str::<RoutingConfig>(text).expect_err("mistakes");
    assert!(
        error
            .to_string()
            .contains("sets.orders.replicas: must be a list"),
        "{error}"
    );
}

#[test]
fn single_mistakes_say_what_would_be_right() {
    let url = "postgres://db-1/shop";
    let tells = NodeBuilder::url(url).on_connect(["SET statement_timeout = 1"]);
    let behind_pooler = NodeBuilder::url("postgres://db-2/shop").pool_mode(PoolMode::Transaction);
    let cases: [(RoutingConfigBuilder, &str, &str); 10] = [
        (
            RoutingConfig::builder()
                .primary(tells)
                .replica(behind_pooler),
            "replicas[0].on_connect",
            "`on_connect = []`",
        ),
        (
            RoutingConfig::builder().primary(
                NodeBuilder::url(url)
                    .pool_mode(PoolMode::Transaction)
                    .on_connect(["SET statement_timeout = 1"]),
            ),
            "primary.on_connect",
            "connect_query",
        ),
        (RoutingConfig::builder(), "primary", "needs a primary"),
        (
            RoutingConfig::builder().primary("db-1"),
            "primary.url",
            "postgres://user",
        ),
        (
            RoutingConfig::builder().primary(url).replica(url),
            "replicas[0].url",
            "same database as `primary`",
        ),
        (
            RoutingConfig::builder()
                .primary(url)
                .replica("sqlite://x.db"),
            "replicas[0].url",
            "another kind of database",
        ),
        (
            RoutingConfig::builder()
                .primary(url)
                .replica(NodeBuilder::new().host("db-2").name("primary")),
            "replicas[0].name",
            "`primary`",
        ),
        (
            RoutingConfig::builder()
                .primary(url)
                .replica(NodeBuilder::new()),
            "replicas[0].url",
            "a `host`",
        ),
        (
            RoutingConfig::builder()
                .primary("sqlite://x.db")
                .replica(NodeBuilder::new().host("db-2")),
            "replicas[0]",
            "give its `url`",
        ),
        (
            RoutingConfig::builder()
                .primary(url)
                .set("default", SetBuilder::new().primary("postgres://db-2/x")),
            "sets.default",
            "name of its own",
        ),
    ];
    for (builder, path, message) in cases {
        let problems = problems(builder);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].0, path);
        assert!(problems[0].1.contains(message), "{problems:?}");
    }
}

#[test]
fn zero_replicas_and_many_are_fine_and_too_many_are_not() {
    let many = |count: usize| {
        (0..count).fold(
            RoutingConfig::builder().primary("postgres://db/shop"),
            |builder, i| builder.replica(NodeBuilder::new().host(format!("replica-{i}"))),
        )
    };
    for count in [0, 1, 63] {
        assert_eq!(
            many(count)
                .build()
                .expect("fine")
                .default_set()
                .replicas()
                .len(),
            count
        );
    }
    assert_eq!(paths(many(64)), ["replicas"]);
}

#[test]
fn the_environment() {
    let build = |pairs: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        RoutingConfig::builder()
            .mode(Mode::Strict)
            .replica("postgres://from-code")
            .env_from(move |wanted| {
                let (_, value) = pairs.iter().find(|(name, _)| name == wanted)?;
                Some(value.into())
            })
    };
    let config = build(&[
        ("DATABASE_URL", "postgres://app:pw@db-1/shop"),
        (
            "DATABASE_REPLICA_URLS",
            "postgres://db-2, postgres://db-3\n",
        ),
        ("ROUTING_ENABLED", "Off"),
        ("ROUTING_MODE", "greedy"),
    ])
    .build()
    .expect("a right environment");
    assert!(!config.is_enabled());
    assert_eq!(config.default_set().rules().mode, Mode::Greedy);
    let urls: Vec<_> = config
        .default_set()
        .replicas()
        .iter()
        .map(|n| n.url())
        .collect();
    assert_eq!(
        urls,
        ["postgres://app:pw@db-2/shop", "postgres://app:pw@db-3/shop"]
    );

    // Unset is as the code has it; set but empty is none.
    let config = build(&[("DATABASE_URL", "postgres://db-1/shop")])
        .build()
        .expect("right");
    assert_eq!(config.default_set().replicas().len(), 1);
    assert_eq!(config.default_set().rules().mode, Mode::Strict);
    let config = build(&[
        ("DATABASE_URL", "postgres://db-1/shop"),
        ("DATABASE_REPLICA_URLS", ""),
    ])
    .build()
    .expect("right");
    assert!(config.default_set().replicas().is_empty());

    let found = paths(build(&[
        ("ROUTING_ENABLED", "maybe"),
        ("ROUTING_MODE", "x"),
    ]));
    assert_eq!(found[..2], ["ROUTING_ENABLED", "ROUTING_MODE"]);
}

#[test]
fn passwords_are_not_printed() {
    let config = RoutingConfig::builder()
        .primary("postgres://app:secret@db-1/shop")
        .replica("postgres://db-2")
        .build()
        .expect("right");
    let text = format!("{config:?}");
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains("db-2"), "{text}");
}

#[test]
fn secrets_are_in_no_message() {
    let texts = [
        "replicas = \"postgres://app:secret@db-2/shop\"\n[primary]\nurl = \"postgres://db-1/shop\"",
        "primary_breaker = \"postgres://a:secret@h\"\nprimary = \"postgres://db-1/shop\"",
        "[primary]\nurl = \"postgres://db-1/shop\"\npassword = 8675309",
    ];
    for text in texts {
        let builder: RoutingConfigBuilder = toml::from_str(text).expect("it is TOML");
        let printed = format!("{builder:?}");
        let error = builder.build().expect_err("a mistake").to_string();
        for text in [printed, error] {
            assert!(
                !text.contains("secret") && !text.contains("8675309"),
                "{text}"
            );
        }
    }
    let config = RoutingConfig::builder()
        .primary("postgres://db-1/shop?user=app&password=secret")
        .build()
        .expect("right");
    assert!(!format!("{config:?}").contains("secret"), "{config:?}");
    let node = NodeBuilder::url("postgres://db-1/shop").password("secret");
    assert!(!format!("{node:?}").contains("secret"), "{node:?}");
}

/// The URLs of the nodes, in order.
fn urls(builder: RoutingConfigBuilder) -> Vec<String> {
    let config = builder.build().expect("a right configuration");
    let set = &config.sets()[0];
    let nodes = std::iter::once(set.primary()).chain(set.replicas());
    nodes.map(|node| node.url().to_owned()).collect()
}

#[test]
fn parameters_are_inherited_as_they_are_written() {
    let builder = RoutingConfig::builder()
        .primary("postgres://app:pw@db-1/shop?options=-c%20statement_timeout%3D5s&sslmode=require")
        .replica("postgres://db-2?sslmode=disable");
    assert_eq!(
        urls(builder)[1],
        "postgres://app:pw@db-2/shop?sslmode=disable&options=-c%20statement_timeout%3D5s"
    );
    let by_parameter = "postgres://db-1/shop?user=app&password=a%20b";
    let builder = RoutingConfig::builder()
        .primary(by_parameter)
        .replica("postgres://db-2")
        .replica("postgres://other:pw@db-3");
    assert_eq!(
        urls(builder)[1..],
        [
            "postgres://db-2/shop?user=app&password=a%20b",
            "postgres://other:pw@db-3/shop"
        ]
    );
}

#[test]
fn urls_of_libpq_are_understood() {
    let builder = RoutingConfig::builder()
        .primary("postgres://app:pw@/shop?host=/cloudsql/a:b&sslmode=disable")
        .replica(NodeBuilder::new().host("::1"));
    assert_eq!(
        urls(builder),
        [
            "postgres://app:pw@%2Fcloudsql%2Fa%3Ab/shop?sslmode=disable",
            "postgres://app:pw@[::1]/shop?sslmode=disable"
        ]
    );
    let twice = RoutingConfig::builder()
        .primary("postgres://db-1/shop")
        .replica("postgres://db-1/shop/");
    assert_eq!(paths(twice), ["replicas[0].url"]);
    // A list of URLs was cut at the comma of a password.
    let comma = RoutingConfig::builder()
        .primary("postgres://db-1/shop")
        .replica("w@db-2/shop");
    let error = comma.build().expect_err("no URL").to_string();
    assert!(error.contains("a comma is `%2C`"), "{error}");
}

#[test]
fn what_names_the_node_is_not_inherited_and_fits_into_the_url() {
    let config = RoutingConfig::builder()
        .primary("postgres://app:pw@db-1/shop?host=10.0.0.1&user=admin&application_name=x")
        .replica("postgres://reader:rpw@db-2")
        .replica(NodeBuilder::url("postgres://db-3").user("reader"))
        .replica(NodeBuilder::url("postgres://db-4").password("50%41off"))
        .build()
        .expect("right");
    let urls: Vec<_> = config
        .default_set()
        .replicas()
        .iter()
        .map(|n| n.url())
        .collect();
    assert_eq!(
        urls,
        [
            "postgres://reader:rpw@db-2/shop?application_name=x",
            "postgres://reader@db-3/shop?application_name=x",
            "postgres://app:50%2541off@db-4/shop?user=admin&application_name=x",
        ]
    );

    let url = "postgres://db-1/shop";
    let wrong: [(NodeBuilder, &str); 6] = [
        (NodeBuilder::new().host("db-2:99"), "replicas[0].host"),
        (NodeBuilder::new().host(""), "replicas[0].host"),
        (NodeBuilder::new().database(".."), "replicas[0].database"),
        (NodeBuilder::url("postgres:shop"), "replicas[0].url"),
        (
            NodeBuilder::url("postgres://DB-1:5432/shop"),
            "replicas[0].url",
        ),
        (
            NodeBuilder::new()
                .host("db-2")
                .acquire_timeout(Duration::from_secs(u64::MAX)),
            "replicas[0].acquire_timeout",
        ),
    ];
    for (node, path) in wrong {
        let found = paths(RoutingConfig::builder().primary(url).replica(node));
        assert_eq!(found, [path]);
    }
    let found = paths(
        RoutingConfig::builder()
            .primary("sqlite://shop.db")
            .replica("sqlite:shop.db?mode=ro"),
    );
    assert_eq!(found, ["replicas[0].url"]);
}

#[test]
fn what_the_docs_configure_is_right() {
    let text = include_str!("../../../docs/when-things-break.md");
    let blocks = text.split("```toml\n").skip(1);
    let mut count = 0;
    for block in blocks.filter_map(|rest| rest.split("```").next()) {
        let primary = "[primary]\nurl = 'postgres://app@db-1/shop'\n";
        let given = if block.contains("[primary]") {
            ""
        } else {
            primary
        };
        let config = toml::from_str::<RoutingConfigBuilder>(&format!("{block}{given}"));
        let built = config.expect("it is read").build();
        built.unwrap_or_else(|error| panic!("{block}: {error}"));
        count += 1;
    }
    assert!(count >= 2, "{count}");
}
