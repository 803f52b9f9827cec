//! Every connection is routed: to a primary and a replica, and on SQLite to one file, or memory, in both roles.
//!
//! The suite knows no sessions, so reads without one go to the replica. That they see what was
//! written is the standby's doing on PostgreSQL: the primary waits until it has applied each commit. On MariaDB and
//! MySQL each connection has a session, whose reads wait until the replica has what it has written.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use real::{ConnectOptions, DbBackend, DbErr, TransactionTrait};
use routing_seaorm::{AnonymousReads, Decision, Observer, PinRelease, Role, Rules, Session};

pub use routing_seaorm::{
    RoutedConnection as DatabaseConnection, RoutedTransaction as DatabaseTransaction,
};

pub type DbConn = DatabaseConnection;

#[derive(Debug, Default)]
pub struct Database;

impl Database {
    pub async fn connect<C: Into<ConnectOptions>>(options: C) -> Result<DatabaseConnection, DbErr> {
        let options = options.into();
        let primary = real::Database::connect(options.clone()).await?;
        let replica = replica(&primary, options).await?;
        let mut rules = Rules::default();
        rules.anonymous_reads = AnonymousReads::Replica;
        rules.pin_release = PinRelease::CaughtUp;
        rules.catch_up_wait = Duration::from_secs(1);
        // A busy machine answers late.
        rules.probe.timeout = Duration::from_secs(60);
        rules.probe.suspect_after = Duration::from_secs(60);
        let routed = DatabaseConnection::from_connections(primary, [replica])
            .rules("default", rules)
            .observer(Arc::new(Counter))
            .build()
            .map_err(|error| DbErr::Custom(error.to_string()))?;
        // The router holds statements for the primary until its monitor has observed it, and then lets them
        // go in no order.
        routed.begin().await?.rollback().await?;
        until_idle(routed.primary()).await;
        if routed.get_database_backend() == DbBackend::MySql {
            let session = Session::new();
            return Ok(routed.with_session(&session));
        }
        Ok(routed)
    }
}

/// The pool has its connections back, which sqlx returns in a task.
async fn until_idle(primary: &real::DatabaseConnection) {
    let is_idle = || match primary.get_database_backend() {
        DbBackend::MySql => {
            let pool = primary.get_mysql_connection_pool();
            pool.num_idle() == pool.size() as usize
        }
        DbBackend::Postgres => {
            let pool = primary.get_postgres_connection_pool();
            pool.num_idle() == pool.size() as usize
        }
        _ => true,
    };
    while !is_idle() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn replica(
    primary: &real::DatabaseConnection,
    mut options: ConnectOptions,
) -> Result<real::DatabaseConnection, DbErr> {
    if primary.get_database_backend() == DbBackend::Sqlite {
        return Ok(primary.clone());
    }
    let port = std::env::var("REPLICA_PORT").expect("the replica's port");
    let port = port.parse().expect("a port");
    options.map_sqlx_postgres_opts(move |options| options.port(port));
    options.map_sqlx_mysql_opts(move |options| options.port(port));
    let connecting = async {
        loop {
            // A replica of MySQL's has the database a moment later.
            if let Ok(connection) = real::Database::connect(options.clone()).await {
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let connected = tokio::time::timeout(Duration::from_secs(60), connecting).await;
    connected.map_err(|_| DbErr::Custom("the replica has no such database".to_owned()))
}

/// Writes down each statement that a replica ran, for the script to count.
struct Counter;

impl Observer for Counter {
    fn decided(&self, decision: &Decision<'_>) {
        let Some(file) = std::env::var_os("REPLICA_LOG") else {
            return;
        };
        if decision.role == Role::Replica {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(file)
                .expect("the log");
            writeln!(file, "{}", decision.kind).expect("the log takes a line");
        }
    }
}
