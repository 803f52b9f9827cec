//! The steps over diesel-async.

use std::time::Duration;

use ::diesel::prelude::*;
use ::diesel::result::Error;
use ::diesel::sqlite::SqliteConnection;
use ::diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use ::diesel_async::{
    AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, TransactionManager,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::sql::Dialect;
use routing_core::{RoutingConfig, RoutingError, Scope, Session, Status};
use routing_diesel::{
    AsyncRoutedConnection, AsyncRoutedPool, RoutedTransactionManager, RoutingErrExt,
};

use super::{Adapter, Begin, End, Failed, Outcome, Ports, Step};
use crate::schema::{cake, server};

/// diesel-async's routed pool, of one of the databases.
#[derive(Debug, Clone)]
pub struct DieselAsync(Pools);

type AsyncSqliteConnection = SyncConnectionWrapper<SqliteConnection>;

#[derive(Debug, Clone)]
enum Pools {
    Postgres(AsyncRoutedPool<AsyncPgConnection>),
    MySql(AsyncRoutedPool<AsyncMysqlConnection>),
    Sqlite(AsyncRoutedPool<AsyncSqliteConnection>),
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

impl Adapter for DieselAsync {
    const NAME: &'static str = "diesel-async";

    fn open(config: &RoutingConfig, ports: Ports) -> Result<Self, RoutingError> {
        Ok(Self(match config.default_set().dialect() {
            Dialect::Postgres => {
                Pools::Postgres(ports.plug(AsyncRoutedPool::builder(config)).build()?)
            }
            Dialect::MySql => Pools::MySql(ports.plug(AsyncRoutedPool::builder(config)).build()?),
            _ => Pools::Sqlite(ports.plug(AsyncRoutedPool::builder(config)).build()?),
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
        match &self.0 {
            Pools::Postgres(pool) => pool.catch_up(within).await,
            Pools::MySql(pool) => pool.catch_up(within).await,
            Pools::Sqlite(pool) => pool.catch_up(within).await,
        }
    }

    async fn load_functions(&self) -> Result<(), Failed> {
        let loaded = match &self.0 {
            Pools::Postgres(pool) => pool.load_functions().await,
            Pools::MySql(pool) => pool.load_functions().await,
            Pools::Sqlite(pool) => pool.load_functions().await,
        };
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
        match &self.0 {
            Pools::Postgres(pool) => postgres::all(pool, steps).await,
            Pools::MySql(pool) => mysql::all(pool, steps).await,
            Pools::Sqlite(pool) => sqlite::all(pool, steps).await,
        }
    }
}

fn failed(error: &Error) -> Outcome {
    Outcome::Failed(Failed::new(error, error.routing()))
}

/// The steps over one database: Diesel's queries are typed by it.
macro_rules! steps {
    ($module:ident, $connection:ty, |$on:ident| $lock:expr) => {
        mod $module {
            use super::*;

            type Routed = AsyncRoutedConnection<$connection>;

            pub(super) async fn all(
                pool: &AsyncRoutedPool<$connection>,
                steps: Vec<Step>,
            ) -> Vec<Outcome> {
                let mut outcomes = Vec::new();
                let mut connection = Some(pool.get().await.expect("a connection"));
                run(&mut connection, steps, &mut outcomes).await;
                outcomes
            }

            /// There is no connection any more after it was dropped.
            fn run<'a>(
                on: &'a mut Option<Routed>,
                steps: Vec<Step>,
                outcomes: &'a mut Vec<Outcome>,
            ) -> BoxFuture<'a, ()> {
                async move {
                    for step in steps {
                        match step {
                            Step::Transaction(begin, steps, end) => {
                                transaction(on, begin, steps, end, outcomes).await;
                            }
                            Step::Scoped(scope, steps) => {
                                scope.run(run(on, steps, outcomes)).await;
                            }
                            Step::InSession(session, steps) => {
                                session.run(run(on, steps, outcomes)).await;
                            }
                            step => {
                                let connection = on.as_mut().expect("a connection");
                                let outcome = statement(connection, step).await;
                                outcomes.push(outcome.unwrap_or_else(|error| failed(&error)));
                            }
                        }
                    }
                }
                .boxed()
            }

            async fn statement($on: &mut Routed, step: Step) -> QueryResult<Outcome> {
                Ok(match step {
                    Step::Server => {
                        Outcome::Server(server::table.select(server::name).first($on).await?)
                    }
                    Step::Count => Outcome::Count(cake::table.count().get_result($on).await?),
                    Step::Insert(name) => {
                        ::diesel::insert_into(cake::table)
                            .values(cake::name.eq(name))
                            .execute($on)
                            .await?;
                        Outcome::Done
                    }
                    Step::Rename(from, to) => {
                        ::diesel::update(cake::table.filter(cake::name.eq(from)))
                            .set(cake::name.eq(to))
                            .execute($on)
                            .await?;
                        Outcome::Done
                    }
                    Step::Delete(name) => {
                        ::diesel::delete(cake::table.filter(cake::name.eq(name)))
                            .execute($on)
                            .await?;
                        Outcome::Done
                    }
                    Step::Lock => {
                        $lock;
                        Outcome::Done
                    }
                    Step::Execute(sql) => {
                        $on.batch_execute(&sql).await?;
                        Outcome::Done
                    }
                    Step::Rows(sql) => {
                        let rows = ::diesel::dsl::sql::<::diesel::sql_types::Integer>(&sql);
                        let rows = rows.load::<i32>($on).await?;
                        Outcome::Count(i64::try_from(rows.len()).expect("not so many"))
                    }
                    Step::Number(sql) => {
                        let number = ::diesel::dsl::sql::<::diesel::sql_types::BigInt>(&sql);
                        Outcome::Count(number.get_result::<i64>($on).await?)
                    }
                    Step::Log(log, name) => {
                        let other = log.clone();
                        $on.on_commit(move |committed| {
                            log.add(format!("{name}+{}", committed.set))
                        });
                        $on.on_rollback(move || other.add(format!("{name}-")));
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

            async fn transaction(
                on: &mut Option<Routed>,
                begin: Begin,
                steps: Vec<Step>,
                end: End,
                outcomes: &mut Vec<Outcome>,
            ) {
                let connection = on.as_mut().expect("a connection");
                if begin == Begin::ReadOnly && connection.transaction_node().is_none() {
                    return read_transaction(connection, steps, end, outcomes).await;
                }
                if let Err(error) = RoutedTransactionManager::begin_transaction(connection).await {
                    return outcomes.push(failed(&error));
                }
                run(on, steps, outcomes).await;
                let connection = on.as_mut().expect("a connection");
                let ended = match end {
                    End::Commit => RoutedTransactionManager::commit_transaction(connection).await,
                    End::Rollback => {
                        RoutedTransactionManager::rollback_transaction(connection).await
                    }
                    End::Drop => {
                        *on = None;
                        Ok(())
                    }
                };
                if let Err(error) = ended {
                    outcomes.push(failed(&error));
                }
            }

            async fn read_transaction(
                connection: &mut Routed,
                steps: Vec<Step>,
                end: End,
                outcomes: &mut Vec<Outcome>,
            ) {
                let ended = connection
                    .read_transaction(async |connection| {
                        for step in steps {
                            match step {
                                Step::Transaction(_, steps, end) => {
                                    let mut nested = Vec::new();
                                    let ended = connection
                                        .transaction::<(), Error, _>(async |connection| {
                                            for step in steps {
                                                let outcome = statement(connection, step).await;
                                                nested.push(
                                                    outcome.unwrap_or_else(|error| failed(&error)),
                                                );
                                            }
                                            finish(end)
                                        })
                                        .await;
                                    outcomes.extend(nested);
                                    if let Err(error) = ended {
                                        outcomes.extend(unless_rollback(&error));
                                    }
                                }
                                step => {
                                    let outcome = statement(connection, step).await;
                                    outcomes.push(outcome.unwrap_or_else(|error| failed(&error)));
                                }
                            }
                        }
                        finish(end)
                    })
                    .await;
                if let Err(error) = ended {
                    outcomes.extend(unless_rollback(&error));
                }
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

fn unless_rollback(error: &Error) -> Option<Outcome> {
    (!matches!(error, Error::RollbackTransaction)).then(|| failed(error))
}

steps!(postgres, AsyncPgConnection, |connection| {
    let locked = cake::table.select(cake::id).for_update();
    locked.load::<i32>(connection).await?
});
steps!(mysql, AsyncMysqlConnection, |connection| {
    let locked = cake::table.select(cake::id).for_update();
    locked.load::<i32>(connection).await?
});
steps!(sqlite, AsyncSqliteConnection, |connection| {
    let _: &mut Routed = connection;
});
