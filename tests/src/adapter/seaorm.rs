//! The steps over SeaORM.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use routing_core::{RoutingConfig, RoutingError, Scope, Session, Status};
use routing_seaorm::{RoutedConnection, RoutedTransaction, RoutingErrExt};
use sea_orm::sea_query::Expr;
use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QuerySelect, TransactionTrait,
};

use super::{Adapter, Begin, End, Failed, Outcome, Ports, Step};
use crate::entity::{cake, server};

/// SeaORM's routed connection.
#[derive(Debug, Clone)]
pub struct SeaOrm(RoutedConnection);

enum On<'a> {
    Connection(&'a RoutedConnection),
    Transaction(&'a RoutedTransaction),
}

impl Adapter for SeaOrm {
    const NAME: &'static str = "SeaORM";

    fn open(config: &RoutingConfig, ports: Ports) -> Result<Self, RoutingError> {
        let builder = RoutedConnection::builder(config);
        ports.plug(builder).build().map(Self)
    }

    fn with_session(&self, session: &Session) -> Self {
        Self(self.0.with_session(session))
    }

    fn scoped(&self, scope: Scope) -> Self {
        Self(self.0.scoped(scope))
    }

    fn on_set(&self, set: &str) -> Result<Self, Failed> {
        self.0.on_set(set).map(Self).map_err(|error| failed(&error))
    }

    fn for_key(&self, key: &str) -> Result<Self, Failed> {
        self.0
            .for_key(key)
            .map(Self)
            .map_err(|error| failed(&error))
    }

    fn status(&self) -> Status {
        self.0.status()
    }

    fn reconfigure(&self, config: &RoutingConfig) -> Result<(), RoutingError> {
        self.0.reconfigure(config)
    }

    fn drain(&self, node: &str, is_drained: bool) -> Result<(), RoutingError> {
        self.0.drain(node, is_drained)
    }

    async fn catch_up(&self, within: Duration) -> bool {
        self.0.catch_up(within).await
    }

    async fn load_functions(&self) -> Result<(), Failed> {
        self.0
            .load_functions()
            .await
            .map_err(|error| failed(&error))
    }

    fn pin(&self) -> Result<(), Failed> {
        self.0.pin().map_err(|error| failed(&error))
    }

    async fn run(&self, steps: Vec<Step>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        run(&On::Connection(&self.0), steps, &mut outcomes).await;
        outcomes
    }
}

fn failed(error: &DbErr) -> Failed {
    Failed::new(error, error.routing())
}

fn run<'a>(on: &'a On<'a>, steps: Vec<Step>, outcomes: &'a mut Vec<Outcome>) -> BoxFuture<'a, ()> {
    async move {
        for step in steps {
            let outcome = match step {
                Step::Transaction(begin, steps, end) => {
                    transaction(on, begin, steps, end, outcomes).await;
                    continue;
                }
                Step::Scoped(scope, steps) => {
                    scope.run(run(on, steps, outcomes)).await;
                    continue;
                }
                Step::InSession(session, steps) => {
                    session.run(run(on, steps, outcomes)).await;
                    continue;
                }
                Step::Log(log, name) => {
                    if let On::Transaction(transaction) = on {
                        let other = log.clone();
                        transaction.on_commit(move |committed| {
                            log.add(format!("{name}+{}", committed.set))
                        });
                        transaction.on_rollback(move || other.add(format!("{name}-")));
                    }
                    Ok(Outcome::Done)
                }
                Step::Way(proxy, way) => {
                    proxy.set(way);
                    Ok(Outcome::Done)
                }
                step => match on {
                    On::Connection(connection) => statement(*connection, step).await,
                    On::Transaction(transaction) => statement(*transaction, step).await,
                },
            };
            outcomes.push(outcome.unwrap_or_else(|error| Outcome::Failed(failed(&error))));
        }
    }
    .boxed()
}

async fn statement<C: ConnectionTrait>(db: &C, step: Step) -> Result<Outcome, DbErr> {
    Ok(match step {
        Step::Server => {
            let server = server::Entity::find().one(db).await?;
            Outcome::Server(server.expect("the server's row").name)
        }
        Step::Count => {
            let count = cake::Entity::find().count(db).await?;
            Outcome::Count(count.try_into().expect("not so many"))
        }
        Step::Insert(name) => {
            cake::Entity::insert(cake::named(name))
                .exec_without_returning(db)
                .await?;
            Outcome::Done
        }
        Step::Rename(from, to) => {
            cake::Entity::update_many()
                .col_expr(cake::Column::Name, Expr::value(to))
                .filter(cake::Column::Name.eq(from))
                .exec(db)
                .await?;
            Outcome::Done
        }
        Step::Delete(name) => {
            cake::Entity::delete_many()
                .filter(cake::Column::Name.eq(name))
                .exec(db)
                .await?;
            Outcome::Done
        }
        Step::Lock => {
            cake::Entity::find().lock_exclusive().all(db).await?;
            Outcome::Done
        }
        Step::Execute(sql) => {
            db.execute_unprepared(&sql).await?;
            Outcome::Done
        }
        Step::Rows(sql) => {
            let sql = sea_orm::Statement::from_string(db.get_database_backend(), sql);
            let rows = db.query_all_raw(sql).await?.len();
            Outcome::Count(i64::try_from(rows).expect("not so many"))
        }
        Step::Number(sql) => {
            let sql = sea_orm::Statement::from_string(db.get_database_backend(), sql);
            let row = db.query_one_raw(sql).await?;
            let row = row.ok_or_else(|| DbErr::RecordNotFound("a number".into()))?;
            Outcome::Count(row.try_get_by_index(0)?)
        }
        Step::Log(..)
        | Step::Way(..)
        | Step::Scoped(..)
        | Step::InSession(..)
        | Step::Transaction(..) => unreachable!("it is no statement"),
    })
}

async fn transaction(
    on: &On<'_>,
    begin: Begin,
    steps: Vec<Step>,
    end: End,
    outcomes: &mut Vec<Outcome>,
) {
    let access = match begin {
        Begin::Plain => None,
        Begin::ReadOnly => Some(AccessMode::ReadOnly),
    };
    let begun = match on {
        On::Connection(connection) => connection.begin_with_config(None, access).await,
        On::Transaction(transaction) => transaction.begin_with_config(None, access).await,
    };
    let transaction = match begun {
        Ok(transaction) => transaction,
        Err(error) => return outcomes.push(Outcome::Failed(failed(&error))),
    };
    run(&On::Transaction(&transaction), steps, outcomes).await;
    let ended = match end {
        End::Commit => transaction.commit().await,
        End::Rollback => transaction.rollback().await,
        End::Drop => {
            drop(transaction);
            Ok(())
        }
    };
    if let Err(error) = ended {
        outcomes.push(Outcome::Failed(failed(&error)));
    }
}
