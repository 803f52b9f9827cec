//! What a refusal tells whoever reads it.

use routing_core::{ConfigProblem, RoutingError, StatementKind};

#[test]
fn refusals_say_which_set_which_statement_and_what_to_do() {
    let set = || "orders".into();
    let kind = StatementKind::Insert;
    let cases: [(RoutingError, &[&str]); 10] = [
        (
            RoutingError::UnpinnedWrite {
                set: set(),
                kind,
                in_session: true,
            },
            &[
                "`orders`",
                "INSERT",
                "session.pin(\"orders\")",
                "Scope::primary()",
            ],
        ),
        (
            RoutingError::WriteOnReplica {
                set: set(),
                node: "replica-1".into(),
                kind,
            },
            &["`orders`", "INSERT", "`replica-1`", "out of the scope"],
        ),
        (
            RoutingError::WriteInReadOnlyTransaction {
                set: set(),
                node: "replica-1".into(),
                kind,
            },
            &["`orders`", "INSERT", "read-only"],
        ),
        (
            RoutingError::WriteInReadOnlyScope { set: set(), kind },
            &["`orders`", "INSERT", "`ReadOnly`", "take it out"],
        ),
        (
            RoutingError::Frozen {
                set: set(),
                kind: None,
            },
            &["`orders`", "`pin`", "Scope::frozen()"],
        ),
        (
            RoutingError::LatePin {
                set: set(),
                kind: Some(kind),
            },
            &["`orders`", "INSERT", "before the session's first read"],
        ),
        (
            RoutingError::UnknownNode {
                set: set(),
                node: "x".into(),
                known: vec!["primary".into(), "replica-1".into()],
            },
            &["`x`", "`primary`, `replica-1`"],
        ),
        (
            RoutingError::UnknownSet {
                set: set(),
                known: vec!["default".into()],
            },
            &["`orders`", "`default`"],
        ),
        (
            RoutingError::PrimaryUnavailable {
                set: set(),
                node: "primary".into(),
                retry_in: Some(std::time::Duration::from_millis(12_340)),
                cause: Some("connection refused".into()),
            },
            &["`orders`", "`primary`", "12.3 s", "connection refused"],
        ),
        (
            RoutingError::Config(vec![
                ConfigProblem::new("primary.url", "is missing"),
                ConfigProblem::new("mode", "must be so or so"),
            ]),
            &[
                "2 mistakes",
                "\n  primary.url: is missing",
                "\n  mode: must",
            ],
        ),
    ];
    for (error, parts) in cases {
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    }
}
