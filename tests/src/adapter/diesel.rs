//! The steps over Diesel.

use std::time::Duration;

use ::diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use ::diesel::mysql::MysqlConnection;
use ::diesel::pg::PgConnection;
use ::diesel::prelude::*;
use ::diesel::result::Error;
use ::diesel::sqlite::SqliteConnection;
use routing_core::sql::Dialect;
use routing_core::{RoutingConfig, RoutingError, Scope, Session, Status};
use routing_diesel::{RoutedConnection, RoutedPool, RoutingErrExt};

use super::{Adapter, Begin, End, Failed, Outcome, Ports, Step};
use crate::schema::{cake, server};

/// Diesel's routed pool, of one of the databases.
#[derive(Debug, Clone)]
pub struct Diesel(Pools);

#[derive(Debug, Clone)]
enum Pools {
    Postgres(RoutedPool<PgConnection>),
    MySql(RoutedPool<MysqlConnection>),
    Sqlite(RoutedPool<SqliteConnection>),
}

/// The same for the pool of each database.
macro_rules! each {
    ($pools:expr, $pool:ident => $then:expr) => {
        match $pools {
            Pools::Postgres($pool) => Pools::Postgres($then),
            Pools::MySql($pool) => Pools::MySql($then),
            Pools::Sqlite($pool) => Pools::Sqlite($then),
        }
    };
}

impl Adapter for Diesel {
    const NAME: &'static str = "Diesel";

    fn open(config: &RoutingConfig, ports: Ports) -> Result<Self, RoutingError> {
        Ok(Self(match config.default_set().dialect() {
            Dialect::Postgres => Pools::Postgres(ports.plug(RoutedPool::builder(config)).build()?),
            Dialect::MySql => Pools::MySql(ports.plug(RoutedPool::builder(config)).build()?),
            _ => Pools::Sqlite(ports.plug(RoutedPool::builder(config)).build()?),
        }))
    }

    fn with_session(&self, session: &Session) -> Self {
        Self(each!(&self.0, pool => pool.with_session(session)))
    }

    fn scoped(&self, scope: Scope) -> Self {
        Self(each!(&self.0, pool => pool.scoped(scope)))
    }

    fn on_set(&self, set: &str) -> Result<Self, Failed> {
        let failed = |error: RoutingError| Failed::new(&error, Some(&error));
        Ok(Self(
            each!(&self.0, pool => pool.on_set(set).map_err(failed)?),
        ))
    }

    fn for_key(&self, key: &str) -> Result<Self, Failed> {
        let failed = |error: RoutingError| Failed::new(&error, Some(&error));
        Ok(Self(
            each!(&self.0, pool => pool.for_key(key).map_err(failed)?),
        ))
    }

    fn status(&self) -> Status {
        match &self.0 {
            Pools::Postgres(pool) => pool.status(),
            Pools::MySql(pool) => pool.status(),
            Pools::Sqlite(pool) => pool.status(),
        }
    }

    fn reconfigure(&self, config: &RoutingConfig) -> Result<(), RoutingError> {
        match &self.0 {
            Pools::Postgres(pool) => pool.reconfigure(config),
            Pools::MySql(pool) => pool.reconfigure(config),
            Pools::Sqlite(pool) => pool.reconfigure(config),
        }
    }

    fn drain(&self, node: &str, is_drained: bool) -> Result<(), RoutingError> {
        match &self.0 {
            Pools::Postgres(pool) => pool.drain(node, is_drained),
            Pools::MySql(pool) => pool.drain(node, is_drained),
            Pools::Sqlite(pool) => pool.drain(node, is_drained),
        }
    }

    async fn catch_up(&self, within: Duration) -> bool {
        tokio::task::block_in_place(|| match &self.0 {
            Pools::Postgres(pool) => pool.catch_up(within),
            Pools::MySql(pool) => pool.catch_up(within),
            Pools::Sqlite(pool) => pool.catch_up(within),
        })
    }

    async fn load_functions(&self) -> Result<(), Failed> {
        let loaded = tokio::task::block_in_place(|| match &self.0 {
            Pools::Postgres(pool) => pool.load_functions(),
            Pools::MySql(pool) => pool.load_functions(),
            Pools::Sqlite(pool) => pool.load_functions(),
        });
        loaded.map_err(|error| Failed::new(&error, error.routing()))
    }

    fn pin(&self) -> Result<(), Failed> {
        match &self.0 {
            Pools::Postgres(pool) => pool.pin(),
            Pools::MySql(pool) => pool.pin(),
            Pools::Sqlite(pool) => pool.pin(),
        }
        .map_err(|error| Failed::new(&error, Some(&error)))
    }

    async fn run(&self, steps: Vec<Step>) -> Vec<Outcome> {
        // A blocking driver in a program that has a runtime, which other tests share.
        tokio::task::block_in_place(|| match &self.0 {
            Pools::Postgres(pool) => postgres::all(pool, steps),
            Pools::MySql(pool) => mysql::all(pool, steps),
            Pools::Sqlite(pool) => sqlite::all(pool, steps),
        })
    }
}

fn failed(error: &Error) -> Outcome {
    Outcome::Failed(Failed::new(error, error.routing()))
}

/// The steps over one database: Diesel's queries are typed by it.
macro_rules! steps {
    ($module:ident, $connection:ty, $lock:expr) => {
        mod $module {
            use super::*;

            type Routed = RoutedConnection<$connection>;

            pub(super) fn all(pool: &RoutedPool<$connection>, steps: Vec<Step>) -> Vec<Outcome> {
                let mut outcomes = Vec::new();
                let mut connection = Some(pool.get().expect("a connection"));
                run(&mut connection, steps, &mut outcomes);
                outcomes
            }

            /// There is no connection any more after it was dropped.
            fn run(on: &mut Option<Routed>, steps: Vec<Step>, outcomes: &mut Vec<Outcome>) {
                for step in steps {
                    match step {
                        Step::Transaction(begin, steps, end) => {
                            transaction(on, begin, steps, end, outcomes);
                        }
                        Step::Scoped(scope, steps) => scope.call(|| run(on, steps, outcomes)),
                        Step::InSession(session, steps) => {
                            session.call(|| run(on, steps, outcomes));
                        }
                        step => {
                            let connection = on.as_mut().expect("a connection");
                            let outcome = statement(connection, step);
                            outcomes.push(outcome.unwrap_or_else(|error| failed(&error)));
                        }
                    }
                }
            }

            fn statement(connection: &mut Routed, step: Step) -> QueryResult<Outcome> {
                Ok(match step {
                    Step::Server => {
                        Outcome::Server(server::table.select(server::name).first(connection)?)
                    }
                    Step::Count => Outcome::Count(cake::table.count().get_result(connection)?),
                    Step::Insert(name) => {
                        ::diesel::insert_into(cake::table)
                            .values(cake::name.eq(name))
                            .execute(connection)?;
                        Outcome::Done
                    }
                    Step::Rename(from, to) => {
                        ::diesel::update(cake::table.filter(cake::name.eq(from)))
                            .set(cake::name.eq(to))
                            .execute(connection)?;
                        Outcome::Done
                    }
                    Step::Delete(name) => {
                        ::diesel::delete(cake::table.filter(cake::name.eq(name)))
                            .execute(connection)?;
                        Outcome::Done
                    }
                    Step::Lock => {
                        let lock: fn(&mut Routed) -> QueryResult<Vec<i32>> = $lock;
                        lock(connection)?;
                        Outcome::Done
                    }
                    Step::Execute(sql) => {
                        connection.batch_execute(&sql)?;
                        Outcome::Done
                    }
                    Step::Rows(sql) => {
                        let rows = ::diesel::dsl::sql::<::diesel::sql_types::Integer>(&sql)
                            .load::<i32>(connection)?;
                        Outcome::Count(i64::try_from(rows.len()).expect("not so many"))
                    }
                    Step::Number(sql) => {
                        let number = ::diesel::dsl::sql::<::diesel::sql_types::BigInt>(&sql)
                            .get_result::<i64>(connection)?;
                        Outcome::Count(number)
                    }
                    Step::Log(log, name) => {
                        let other = log.clone();
                        connection.on_commit(move |committed| {
                            log.add(format!("{name}+{}", committed.set))
                        });
                        connection.on_rollback(move || other.add(format!("{name}-")));
                        Outcome::Done
                    }
                    Step::Way(proxy, way) => {
                        proxy.set(way);
                        Outcome::Done
                    }
                    Step::Scoped(..) | Step::InSession(..) | Step::Transaction(..) => {
                        unreachable!("it is no statement")
                    }
                })
            }

            fn transaction(
                on: &mut Option<Routed>,
                begin: Begin,
                steps: Vec<Step>,
                end: End,
                outcomes: &mut Vec<Outcome>,
            ) {
                let connection = on.as_mut().expect("a connection");
                if begin == Begin::ReadOnly && connection.transaction_node().is_none() {
                    return read_transaction(on, steps, end, outcomes);
                }
                if let Err(error) = AnsiTransactionManager::begin_transaction(connection) {
                    return outcomes.push(failed(&error));
                }
                run(on, steps, outcomes);
                let connection = on.as_mut().expect("a connection");
                let ended = match end {
                    End::Commit => AnsiTransactionManager::commit_transaction(connection),
                    End::Rollback => AnsiTransactionManager::rollback_transaction(connection),
                    End::Drop => {
                        *on = None;
                        Ok(())
                    }
                };
                if let Err(error) = ended {
                    outcomes.push(failed(&error));
                }
            }

            fn read_transaction(
                on: &mut Option<Routed>,
                steps: Vec<Step>,
                end: End,
                outcomes: &mut Vec<Outcome>,
            ) {
                let mut connection = on.take().expect("a connection");
                let ended = connection.read_transaction(|connection| {
                    for step in steps {
                        match step {
                            Step::Transaction(_, steps, end) => {
                                let nested = connection.transaction(|connection| {
                                    for step in steps {
                                        let outcome = statement(connection, step);
                                        outcomes
                                            .push(outcome.unwrap_or_else(|error| failed(&error)));
                                    }
                                    finish(end)
                                });
                                if let Err(error) = ignore_rollback(nested) {
                                    outcomes.push(failed(&error));
                                }
                            }
                            step => {
                                let outcome = statement(connection, step);
                                outcomes.push(outcome.unwrap_or_else(|error| failed(&error)));
                            }
                        }
                    }
                    finish(end)
                });
                if let Err(error) = ignore_rollback(ended) {
                    outcomes.push(failed(&error));
                }
                *on = Some(connection);
            }
        }
    };
}

fn finish(end: End) -> QueryResult<()> {
    match end {
        End::Commit => Ok(()),
        End::Rollback | End::Drop => Err(Error::RollbackTransaction),
    }
}

fn ignore_rollback(ended: QueryResult<()>) -> QueryResult<()> {
    match ended {
        Err(Error::RollbackTransaction) => Ok(()),
        other => other,
    }
}

steps!(postgres, PgConnection, |connection| {
    cake::table.select(cake::id).for_update().load(connection)
});
steps!(mysql, MysqlConnection, |connection| {
    cake::table.select(cake::id).for_update().load(connection)
});
steps!(sqlite, SqliteConnection, |_| Ok(Vec::new()));
