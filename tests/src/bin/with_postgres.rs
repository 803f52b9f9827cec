//! Runs a command with a PostgreSQL primary and a standby that applies each commit before the
//! primary acknowledges it: `with_postgres COMMAND [ARGUMENT…]`.
//!
//! The command finds `DATABASE_URL`, without a database's name, and `REPLICA_PORT`.

use std::process::{Command, ExitCode};

use routing_tests::postgres::Cluster;
use routing_tests::runtime::run;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with_postgres COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let cluster = run(async {
        let cluster = Cluster::start().await;
        cluster.apply_before_acknowledging().await;
        cluster
    });
    let status = Command::new(program)
        .args(arguments)
        .env(
            "DATABASE_URL",
            cluster.primary().url("").trim_end_matches('/'),
        )
        .env("REPLICA_PORT", cluster.replicas()[0].port().to_string())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("with_postgres: {error}");
            ExitCode::FAILURE
        }
    }
}
