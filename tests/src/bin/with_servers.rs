//! Runs a command with a primary and a replica: `with_servers postgres|mysql COMMAND [ARGUMENT…]`.
//!
//! The command finds `DATABASE_URL`, without a database's name, and `REPLICA_PORT`. A standby of PostgreSQL's applies
//! each commit before the primary acknowledges it.

use std::process::{Command, ExitCode};

use routing_tests::runtime::run;
use routing_tests::{mysql, postgres};

/// What is stopped at its end.
enum Servers {
    Postgres(postgres::Cluster),
    MySql(mysql::Cluster),
}

impl Servers {
    /// The URL of the primary and the port of a replica.
    fn places(&self) -> (String, u16) {
        match self {
            Self::Postgres(cluster) => (cluster.primary().url(""), cluster.replicas()[0].port()),
            Self::MySql(cluster) => (cluster.primary().url(""), cluster.replicas()[0].port()),
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let kind = arguments.next().and_then(|kind| kind.into_string().ok());
    let servers = match kind.as_deref() {
        Some("postgres") => run(async {
            let cluster = postgres::Cluster::start().await;
            cluster.apply_before_acknowledging().await;
            Some(Servers::Postgres(cluster))
        }),
        Some("mysql") => run(async { Some(Servers::MySql(mysql::Cluster::start().await)) }),
        _ => None,
    };
    let (Some(servers), Some(program)) = (servers, arguments.next()) else {
        eprintln!("usage: with_servers postgres|mysql COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let (primary, replica) = servers.places();
    let status = Command::new(program)
        .args(arguments)
        .env("DATABASE_URL", primary.trim_end_matches('/'))
        .env("REPLICA_PORT", replica.to_string())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("with_servers: {error}");
            ExitCode::FAILURE
        }
    }
}
