//! The lines of the failure tables that a server can be brought to say.

use routing_core::{ERROR_NUMBERS, Failure, Role, SQLSTATES};
use routing_tests::runtime::run;
use routing_tests::wait::until;
use routing_tests::{mysql, postgres};
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::sqlx::postgres::{PgDatabaseError, PgSeverity};
use sea_orm::sqlx::{self, Connection, Executor, MySqlConnection, PgConnection};

async fn postgres(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("a connection")
}

/// What an error's code says, and the code.
fn of_postgres<T>(outcome: Result<T, sqlx::Error>, role: Role) -> (String, Option<Failure>) {
    match outcome {
        Err(sqlx::Error::Database(error)) => {
            let code = error.code().expect("a code").into_owned();
            let severity = error.downcast_ref::<PgDatabaseError>().severity();
            let is_fatal = matches!(severity, PgSeverity::Fatal | PgSeverity::Panic);
            let failure = Failure::from_sqlstate(&code, is_fatal, error.message(), role);
            (code, failure)
        }
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it is refused"),
    }
}

/// Has the server end a connection, and says with what it meets its next statement.
async fn ended(
    server: &postgres::Server,
    statements: &[&'static str],
) -> (String, Option<Failure>) {
    let mut connection = postgres(&server.url("postgres")).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut connection)
        .await
        .expect("a process");
    for statement in statements {
        connection.execute(*statement).await.expect(statement);
    }
    let gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
    until("it is gone", async || {
        let gone = sqlx::query_scalar::<_, bool>(gone).bind(pid);
        gone.fetch_one(server.admin()).await.expect("an answer")
    })
    .await;
    of_postgres(connection.execute("SELECT 1").await, Role::Primary)
}

#[test]
fn what_postgres_says_is_in_the_table() {
    run(async {
        let cluster = postgres::Cluster::start().await;
        let (primary, replica) = (cluster.primary(), &cluster.replicas()[0]);
        let mut seen = Vec::new();

        let mut standby = postgres(&replica.url("postgres")).await;
        let refused = standby.execute("CREATE TABLE here (n int)").await;
        seen.push(of_postgres(refused, Role::Replica));

        seen.push(ended(primary, &["SET idle_session_timeout = 20"]).await);
        let in_transaction = ["SET idle_in_transaction_session_timeout = 20", "BEGIN"];
        seen.push(ended(primary, &in_transaction).await);

        let mut admin = postgres(&primary.url("postgres")).await;
        let role = "CREATE ROLE narrow LOGIN CONNECTION LIMIT 1";
        admin.execute(role).await.expect("a role");
        let narrow = primary.url("postgres").replace("postgres@", "narrow@");
        let mut only = postgres(&narrow).await;
        seen.push(of_postgres(
            PgConnection::connect(&narrow).await,
            Role::Primary,
        ));

        // It waits for who is connected, and takes nobody else.
        cluster.begin_to_shut_down(primary);
        let refused = loop {
            match PgConnection::connect(&primary.url("postgres")).await {
                Ok(connection) => drop(connection),
                refused => break refused,
            }
        };
        seen.push(of_postgres(refused, Role::Primary));
        // And then it waits no longer.
        cluster.shut_down(primary);
        seen.push(of_postgres(only.execute("SELECT 1").await, Role::Primary));

        let codes = ["25006", "57P05", "25P03", "53300", "57P03", "57P01"];
        for ((code, failure), expected) in seen.iter().zip(codes) {
            assert_eq!(code, expected);
            let mut listed = SQLSTATES.iter().filter(|(listed, _)| listed == code);
            assert_eq!(
                *failure,
                listed.next().map(|(_, failure)| *failure),
                "{code}"
            );
            assert!(failure.is_some());
        }
    });
}

async fn mysql(url: &str) -> MySqlConnection {
    MySqlConnection::connect(url).await.expect("a connection")
}

fn of_mysql<T>(outcome: Result<T, sqlx::Error>) -> (u16, Option<Failure>) {
    match outcome {
        Err(sqlx::Error::Database(error)) => {
            let error = error.downcast_ref::<MySqlDatabaseError>();
            let number = error.number();
            (number, Failure::from_mysql_error(number, error.message()))
        }
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it is refused"),
    }
}

/// A connection that it ends it closes without a word, be it for `KILL` or for its own end.
#[test]
fn what_mysql_says_is_in_the_table() {
    run(async {
        let cluster = mysql::Cluster::start().await;
        cluster.create_database("failures").await;
        let (primary, replica) = (cluster.primary(), &cluster.replicas()[0]);
        let mut seen = Vec::new();

        let write = "CREATE TABLE here (n int)";
        let mut connection = mysql(&replica.url("failures")).await;
        let refused = connection.execute(write).await;
        let (option, read_only) = of_mysql(refused);
        // Any option that does not let a statement run has this number.
        assert_eq!((option, read_only), (1290, Some(Failure::ReadOnly)));

        let mut connection = mysql(&primary.url("failures")).await;
        let only_read = "SET SESSION TRANSACTION READ ONLY";
        connection.execute(only_read).await.expect(only_read);
        seen.push(of_mysql(connection.execute(write).await));

        let user = "CREATE USER narrow@'%' WITH MAX_USER_CONNECTIONS 1";
        sqlx::raw_sql(user)
            .execute(primary.admin())
            .await
            .expect(user);
        let narrow = primary.url("").replace("app@", "narrow@");
        let only = mysql(&narrow).await;
        seen.push(of_mysql(MySqlConnection::connect(&narrow).await));
        drop(only);

        let few = "SET GLOBAL max_connections = 10";
        sqlx::raw_sql(few)
            .execute(primary.admin())
            .await
            .expect(few);
        let mut taken = Vec::new();
        let refused = loop {
            match MySqlConnection::connect(&primary.url("failures")).await {
                Ok(connection) => taken.push(connection),
                refused => break refused,
            }
        };
        seen.push(of_mysql(refused));

        let numbers = [1792, 1226, 1040];
        for ((number, failure), expected) in seen.iter().zip(numbers) {
            assert_eq!(*number, expected);
            let mut listed = ERROR_NUMBERS.iter().filter(|(listed, _)| listed == number);
            assert_eq!(
                *failure,
                listed.next().map(|(_, failure)| *failure),
                "{number}"
            );
            assert!(failure.is_some());
        }
    });
}
