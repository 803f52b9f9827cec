//! What servers make of the corpus: what one refuses as a write must not have been called a read.

use routing_core::sql::{CATALOG_QUERY, CatalogFunction, Dialect, Functions, Statement};
use routing_core::{Access, Failure};
use routing_tests::corpus::{MYSQL_WORDS, POSTGRES_WORDS, others, reads};
use routing_tests::mysql::Flavor;
use routing_tests::runtime::run;
use routing_tests::world::{Backend, World};
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::sqlx::{self, Connection, Executor, MySqlConnection, PgConnection, Row};
use sea_orm::{ConnectionTrait, Database};

/// What a server makes of a statement.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Runs,
    /// It is a write, and this server takes none.
    Refused,
    /// It is a mistake.
    Fails(String),
}

/// What came of all statements.
#[derive(Debug, Default)]
struct Tally {
    /// Called reads, and refused as writes.
    wrong: Vec<String>,
    /// Called writes, and refused as writes.
    refused: usize,
    /// Plain reads that run, and those of them that were called reads.
    plain: usize,
    plain_reads: usize,
    /// Plain reads that do not run.
    broken: Vec<String>,
}

impl Tally {
    fn add(&mut self, sql: &str, is_plain: bool, access: Access, answer: Answer) {
        match (access, answer) {
            (Access::Read, Answer::Refused) => self.wrong.push(sql.to_owned()),
            (Access::Write, Answer::Refused) => self.refused += 1,
            (access, Answer::Runs) if is_plain => {
                self.plain += 1;
                self.plain_reads += usize::from(access == Access::Read);
            }
            (_, Answer::Fails(why)) if is_plain => self.broken.push(format!("{why}: {sql}")),
            _ => {}
        }
    }

    /// So many were refused, or the corpus asks nothing.
    fn check(&self, refused: usize) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert!(
            self.refused >= refused,
            "only {} were refused",
            self.refused
        );
        let plain = self.plain + self.broken.len();
        assert!(
            self.plain * 10 > plain * 8,
            "{}: {:#?}",
            self.plain,
            self.broken
        );
        assert!(self.plain_reads * 100 >= self.plain * 99, "{self:#?}");
        println!(
            "{} plain reads ran, {} of them called reads; {} writes refused, none called a read",
            self.plain, self.plain_reads, self.refused
        );
    }
}

/// The corpus, and whether a statement is a plain read.
fn corpus(dialect: Dialect) -> impl Iterator<Item = (String, bool)> {
    let plain = reads(dialect).into_iter().map(|sql| (sql, true));
    plain.chain(others(dialect).into_iter().map(|sql| (sql, false)))
}

/// Makes functions that write, called as words of the grammar are; not all can be.
async fn make_words(url: &str, words: &[&str], create: impl Fn(&str) -> String) {
    let db = Database::connect(url).await.expect("the primary");
    let mut made = 0;
    for word in words {
        made += usize::from(db.execute_unprepared(&create(word)).await.is_ok());
    }
    assert!(made * 4 > words.len() * 3, "only {made} of {}", words.len());
    db.close().await.expect("it closes");
}

/// Makes what writes, or does not, without a word in the text.
async fn prepare(url: &str, statements: &[&str]) {
    let db = Database::connect(url).await.expect("the primary");
    for statement in statements {
        db.execute_unprepared(statement).await.expect("it is made");
    }
    db.close().await.expect("it closes");
}

async fn ask_postgres(connection: &mut PgConnection, sql: &str) -> Answer {
    match connection
        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())))
        .await
    {
        Ok(_) => Answer::Runs,
        Err(error) => match error
            .as_database_error()
            .and_then(|error| error.code())
            .as_deref()
        {
            // The log's position, and LISTEN, are refused in words of their own.
            Some("25006" | "55000" | "0A000") => Answer::Refused,
            _ => Answer::Fails(error.to_string()),
        },
    }
}

#[test]
fn a_hot_standby_refuses_nothing_that_is_called_a_read() {
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let [primary, standby] = world.primary_and_replica();
        prepare(
            primary,
            &["CREATE FUNCTION bake() RETURNS int LANGUAGE sql AS \
               $$ INSERT INTO cake (name) VALUES ('hidden') RETURNING id $$"],
        )
        .await;
        make_words(primary, POSTGRES_WORDS, |word| {
            let body = "$$ INSERT INTO cake (name) VALUES ('hidden') RETURNING id $$";
            format!("CREATE FUNCTION \"{word}\"() RETURNS int LANGUAGE sql AS {body}")
        })
        .await;
        world.catch_up().await;
        let connect = || async { PgConnection::connect(standby).await.expect("the standby") };
        let mut connection = connect().await;
        let mut tally = Tally::default();
        for (sql, is_plain) in corpus(Dialect::Postgres) {
            let access = Statement::new(&sql, Dialect::Postgres).access();
            let answer = ask_postgres(&mut connection, &sql).await;
            // It may have changed the connection.
            if access == Access::Write && answer == Answer::Runs {
                connection = connect().await;
            }
            tally.add(&sql, is_plain, access, answer);
        }
        tally.check(1_000);
    });
}

async fn ask_mysql(connection: &mut MySqlConnection, sql: &str) -> Answer {
    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
    let Err(error) = connection.execute(sql).await else {
        return Answer::Runs;
    };
    let said = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .and_then(|error| Failure::from_mysql_error(error.number(), error.message()));
    match said {
        Some(Failure::ReadOnly) => Answer::Refused,
        _ => Answer::Fails(error.to_string()),
    }
}

#[test]
fn a_mysql_replica_refuses_nothing_that_is_called_a_read() {
    run(async {
        let world = World::new(Backend::MySql, false).await;
        let [primary, replica] = world.primary_and_replica();
        let bake = "CREATE FUNCTION bake() RETURNS int MODIFIES SQL DATA \
                    BEGIN INSERT INTO cake (name) VALUES ('hidden'); RETURN 1; END";
        prepare(primary, &[bake]).await;
        // MySQL has no sequences.
        if Flavor::current() == Flavor::MariaDb {
            prepare(primary, &["CREATE SEQUENCE seq"]).await;
        }
        make_words(primary, MYSQL_WORDS, |word| {
            let body = "BEGIN INSERT INTO cake (name) VALUES ('hidden'); RETURN 1; END";
            format!("CREATE FUNCTION `{word}`() RETURNS int MODIFIES SQL DATA {body}")
        })
        .await;
        world.catch_up().await;
        let connect = || async {
            MySqlConnection::connect(replica)
                .await
                .expect("the replica")
        };
        let mut connection = connect().await;
        let mut tally = Tally::default();
        for (sql, is_plain) in corpus(Dialect::MySql) {
            let access = Statement::new(&sql, Dialect::MySql).access();
            // Of several statements the first ones would run.
            if sql.starts_with("SELECT 1;") {
                continue;
            }
            let answer = ask_mysql(&mut connection, &sql).await;
            if access == Access::Write && answer != Answer::Refused {
                connection = connect().await;
            }
            tally.add(&sql, is_plain, access, answer);
        }
        tally.check(400);
    });
}

#[test]
fn sqlite_calls_nothing_a_write_that_is_called_a_read() {
    let db = rusqlite::Connection::open_in_memory().expect("a database");
    db.execute_batch(
        "CREATE TABLE cake (id integer PRIMARY KEY, name text); \
         CREATE TABLE fruit (id integer PRIMARY KEY, name text, cake_id integer)",
    )
    .expect("tables");
    let mut tally = Tally::default();
    for (sql, is_plain) in corpus(Dialect::Sqlite) {
        let access = Statement::new(&sql, Dialect::Sqlite).access();
        // It takes one statement, and says where the next begins.
        let answer = match db.prepare(&sql) {
            Ok(statement) if statement.readonly() => Answer::Runs,
            Ok(_) => Answer::Refused,
            Err(error) => Answer::Fails(error.to_string()),
        };
        tally.add(&sql, is_plain, access, answer);
    }
    tally.check(200);
}

/// With the catalog, any function that is not volatile is a read; and the built-in table is no
/// bolder than the catalog of the server at hand.
#[test]
fn the_table_of_functions_agrees_with_the_catalog() {
    run(async {
        let world = World::new(Backend::Postgres, false).await;
        let [primary, _] = world.primary_and_replica();
        prepare(
            primary,
            &["CREATE FUNCTION price(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'"],
        )
        .await;
        let mut connection = PgConnection::connect(primary).await.expect("the primary");
        let rows = sqlx::raw_sql(CATALOG_QUERY)
            .fetch_all(&mut connection)
            .await;
        let catalog: Vec<_> = rows
            .expect("the catalog")
            .iter()
            .map(|row| CatalogFunction {
                schema: row.get(0),
                name: row.get(1),
                is_volatile: row.get(2),
            })
            .collect();
        let functions = Functions::default().with_catalog(catalog.iter().cloned());
        let mut volatile_reads = Vec::new();
        for function in catalog.iter().filter(|function| !function.is_volatile) {
            let sql = format!("SELECT \"{}\".\"{}\"()", function.schema, function.name);
            let known = Statement::with_functions(&sql, Dialect::Postgres, &functions);
            // These the catalog misjudges: see the table's own words.
            let stable_but_writes = [
                "pg_current_xact_id",
                "pg_listening_channels",
                "pg_replication_origin_oid",
                "pg_walfile_name",
                "pg_walfile_name_offset",
                "txid_current",
            ]
            .contains(&function.name.as_str());
            let is_read = known.access() == Access::Read;
            assert_eq!(is_read, !stable_but_writes, "{sql}: {known}");
        }
        for function in catalog.iter().filter(|function| function.is_volatile) {
            let sql = format!("SELECT {}.{}()", function.schema, function.name);
            if Statement::new(&sql, Dialect::Postgres).access() == Access::Read {
                volatile_reads.push(function.name.as_str());
            }
        }
        // Those that were judged by hand, and no others.
        volatile_reads.sort_unstable();
        // PostgreSQL 18 has 40 of them.
        assert!(volatile_reads.len() <= 40, "{volatile_reads:?}");
        assert!(volatile_reads.contains(&"random") && !volatile_reads.contains(&"nextval"));
    });
}
