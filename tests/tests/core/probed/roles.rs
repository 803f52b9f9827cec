//! What a node's answers say of its role, and what the router concludes from them.

use std::sync::Arc;
use std::time::Duration;

use routing_core::sql::Dialect;
use routing_core::{Context, Probe, RoutingError, StatementKind};

use super::{LONG, Probed, in_session, postgres, rules};

fn told() -> Probed {
    let mut rules = rules();
    let query: Arc<str> = "SELECT told()".into();
    rules.probe_query = Some(Arc::clone(&query));
    Probed::new(postgres().asked_by(Some(query)), None, rules)
}

const TICK: Duration = Duration::from_secs(10);

/// After a split both nodes answer `primary`, and one of them has the session's write.
#[test]
fn a_second_primary_is_not_read() {
    let mut probed = told();
    probed.says(LONG, 0, Some("primary 10"));
    probed.says(LONG, 1, Some("replica 10"));
    probed.says(TICK, 0, Some("primary 10"));
    let session = in_session();
    let read = |probed: &Probed, caller: &Context| probed.run(StatementKind::Select, caller);
    assert_eq!(read(&probed, &in_session()), Ok("replica-1"));
    assert_eq!(probed.run(StatementKind::Insert, &session), Ok("primary"));
    probed.says(TICK, 0, Some("primary 11"));
    probed.says(TICK, 1, Some("primary 12"));
    for caller in [&session, &in_session()] {
        assert_eq!(read(&probed, caller), Ok("primary"));
    }
}

/// DNS or a proxy leads from the primary's address to a replica, or an operator has restored an earlier state.
#[test]
fn a_stand_in_for_the_primary_is_not_read() {
    let mysql = || {
        let probe = Probe::new(Dialect::MySql, "8.4.0").expect("it has positions");
        Probed::new(probe, None, rules())
    };
    let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    let [of_primary, of_replica, of_stand_in, of_same] =
        [(0, 10, 1), (1, 6, 2), (1, 6, 3), (1, 5, 1)].map(|(read_only, last, server)| {
            let gtids = format!("{uuid}:1-{last}");
            format!("{read_only}|{gtids}|{gtids}|{server}")
        });
    for (mut probed, primary, replica, later) in [
        (told(), "primary 10", "replica 6", "replica 5"),
        (told(), "primary 10", "replica 6", "replica 10"),
        (
            Probed::postgres(),
            "primary 7 1 0/1000 16777216",
            "replica 7 1 0/600 16777216",
            "replica 7 1 0/500 16777216",
        ),
        (
            Probed::mariadb(),
            "0|0-1-10||1|0-1-10",
            "1|0-1-6|0-1-6|2|0-1-6",
            "1|0-1-5|0-1-5|3|0-1-5",
        ),
        // It has the last sample, and may lack the write after that.
        (
            Probed::mariadb(),
            "0|0-1-6||1|0-1-6",
            "1|0-1-6|0-1-6|2|0-1-6",
            "1|0-1-6|0-1-6|3|0-1-6",
        ),
        (
            Probed::mariadb(),
            "0|0-1-10||1|0-1-10",
            "1|0-1-6|0-1-6|2|0-1-6",
            "1|0-1-5|0-1-5|1|0-1-5",
        ),
        (mysql(), &of_primary, &of_replica, &of_stand_in),
        (mysql(), &of_primary, &of_replica, &of_same),
    ] {
        probed.says(LONG, 0, Some(primary));
        probed.says(LONG, 1, Some(replica));
        let session = in_session();
        assert_eq!(probed.run(StatementKind::Insert, &session), Ok("primary"));
        // At the second probe it is the same server as before.
        for _ in 0..2 {
            probed.says(TICK, 0, Some(later));
            probed.says(TICK, 1, Some(replica));
            let refused = probed.run(StatementKind::Select, &session);
            assert!(
                matches!(refused, Err(RoutingError::PrimaryUnavailable { .. })),
                "{later}: {refused:?}"
            );
        }
        // The primary answers again.
        probed.says(TICK, 0, Some(primary));
        assert_eq!(
            probed.run(StatementKind::Insert, &in_session()),
            Ok("primary")
        );
    }
}

/// A primary that is read-only for maintenance has all that it has acknowledged.
#[test]
fn a_primary_that_takes_no_writes_for_a_while_is_read() {
    let mut probed = Probed::mariadb();
    probed.says(LONG, 0, Some("0|0-1-10||1|0-1-10"));
    probed.says(LONG, 1, Some("1|0-1-6|0-1-6|2|0-1-6"));
    let session = in_session();
    assert_eq!(probed.run(StatementKind::Insert, &session), Ok("primary"));
    probed.says(TICK, 0, Some("1|0-1-11||1|0-1-11"));
    assert_eq!(probed.run(StatementKind::Select, &session), Ok("primary"));
}

/// The unit of a number is unknown, so a replica's lag is limited by time alone.
#[test]
fn numbers_are_not_bytes() {
    let mut probed = told();
    for number in 1..=30 {
        probed.says(TICK, 0, Some(&format!("primary {}", 10 * number)));
        probed.says(Duration::ZERO, 1, Some("replica 10"));
    }
    let status = probed.router.status();
    let node = status.node("default", "replica-1").expect("a member");
    assert_eq!(node.left_out, ["lagging"]);
    assert_eq!(node.lag_bytes, None);
    let read = probed.run(StatementKind::Select, &in_session());
    assert_eq!(read, Ok("primary"));
}

#[test]
fn a_replica_without_a_role_is_not_read() {
    let mut probed = told();
    probed.says(LONG, 0, Some("primary 10"));
    probed.says(LONG, 1, Some("writer 1"));
    let read = probed.run(StatementKind::Select, &in_session());
    assert_eq!(read, Ok("primary"));
    let status = probed.router.status();
    let node = status.node("default", "replica-1").expect("a member");
    assert_eq!(node.left_out, ["unseen"]);
    let error = node.probe_error.as_deref().expect("what is wrong");
    assert!(error.contains("probe_query"), "{error}");
}

/// The configuration alone says which node is the primary.
#[test]
fn a_primary_without_a_role_takes_writes() {
    let mut probed = told();
    probed.says(LONG, 0, Some("writer 1"));
    probed.says(LONG, 1, Some("replica 10"));
    let session = in_session();
    for kind in [StatementKind::Insert, StatementKind::Select] {
        assert_eq!(probed.run(kind, &session), Ok("primary"));
    }
    let status = probed.router.status();
    let node = status.node("default", "primary").expect("a member");
    assert!(node.probe_error.is_some());
}
