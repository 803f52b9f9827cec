//! The steps of the conformance suite over the toy ORM.

use std::time::Duration;

use routing_core::{Committed, RoutedBuilder, RoutingConfig, RoutingError, Scope, Session, Status};
use routing_tests::adapter::{Adapter, Begin, End, Failed, Outcome, Ports, Step};

use super::error::Error;
use super::routed::{RoutedConnection, RoutedFiles};

/// The toy ORM's routed database.
#[derive(Debug, Clone)]
pub(crate) struct Toy(RoutedFiles);

fn refused(error: &RoutingError) -> Failed {
    Failed::new(error, Some(error))
}

impl Adapter for Toy {
    const NAME: &'static str = "toy";

    fn open(config: &RoutingConfig, ports: Ports) -> Result<Self, RoutingError> {
        let builder = RoutedBuilder::<RoutedFiles>::from_config(config);
        ports.plug(builder).build().map(Self)
    }

    fn with_session(&self, session: &Session) -> Self {
        Self(self.0.with_session(session))
    }

    fn scoped(&self, scope: Scope) -> Self {
        Self(self.0.scoped(scope))
    }

    fn on_set(&self, set: &str) -> Result<Self, Failed> {
        self.0
            .on_set(set)
            .map(Self)
            .map_err(|error| refused(&error))
    }

    fn for_key(&self, key: &str) -> Result<Self, Failed> {
        self.0
            .for_key(key)
            .map(Self)
            .map_err(|error| refused(&error))
    }

    fn pin(&self) -> Result<(), Failed> {
        self.0.pin().map_err(|error| refused(&error))
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
        self.0.catch_up(within)
    }

    async fn load_functions(&self) -> Result<(), Failed> {
        Ok(())
    }

    async fn run(&self, steps: Vec<Step>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut on = Some(self.0.connection());
        tokio::task::block_in_place(|| run(&mut on, steps, &mut outcomes));
        outcomes
    }
}

fn failed(error: &Error) -> Outcome {
    let routing = match error {
        Error::Routing(error) => Some(error),
        Error::Driver(_) => None,
    };
    Outcome::Failed(Failed::new(error, routing))
}

fn run(on: &mut Option<RoutedConnection>, steps: Vec<Step>, outcomes: &mut Vec<Outcome>) {
    for step in steps {
        match step {
            Step::Transaction(begin, steps, end) => transaction(on, begin, steps, end, outcomes),
            Step::Scoped(scope, steps) => scope.call(|| run(on, steps, outcomes)),
            Step::InSession(session, steps) => session.call(|| run(on, steps, outcomes)),
            step => {
                let outcome = statement(on.as_mut().expect("a connection"), step);
                outcomes.push(outcome.unwrap_or_else(|error| failed(&error)));
            }
        }
    }
}

fn transaction(
    on: &mut Option<RoutedConnection>,
    begin: Begin,
    steps: Vec<Step>,
    end: End,
    outcomes: &mut Vec<Outcome>,
) {
    let connection = on.as_mut().expect("a connection");
    if let Err(error) = connection.begin(begin == Begin::ReadOnly) {
        return outcomes.push(failed(&error));
    }
    run(on, steps, outcomes);
    if end == End::Drop {
        *on = None;
        return;
    }
    let connection = on.as_mut().expect("a connection");
    if let Err(error) = connection.end(end == End::Commit) {
        outcomes.push(failed(&error));
    }
}

fn statement(on: &mut RoutedConnection, step: Step) -> Result<Outcome, Error> {
    let mut execute = |sql: &str, values: &[String]| {
        on.run(sql, |connection| connection.execute(sql, values))
            .map(|_| Outcome::Done)
    };
    match step {
        Step::Insert(name) => execute("INSERT INTO cake (name) VALUES (?)", &[name]),
        Step::Rename(from, to) => execute("UPDATE cake SET name = ?2 WHERE name = ?1", &[from, to]),
        Step::Delete(name) => execute("DELETE FROM cake WHERE name = ?", &[name]),
        Step::Server => {
            let sql = "SELECT name FROM server";
            on.run(sql, |connection| connection.text(sql))
                .map(Outcome::Server)
        }
        Step::Count => {
            let sql = "SELECT count(*) FROM cake";
            on.run(sql, |connection| connection.number(sql))
                .map(Outcome::Count)
        }
        Step::Number(sql) => {
            let sql = format!("SELECT {sql}");
            on.run(&sql, |connection| connection.number(&sql))
                .map(Outcome::Count)
        }
        Step::Rows(sql) => {
            let rows = on.run(&sql, |connection| connection.numbers(&sql))?;
            Ok(Outcome::Count(
                i64::try_from(rows.len()).expect("not so many"),
            ))
        }
        Step::Execute(sql) => on
            .run(&sql, |connection| connection.batch(&sql))
            .map(|()| Outcome::Done),
        Step::Log(log, name) => {
            let other = log.clone();
            let committed =
                move |committed: &Committed| log.add(format!("{name}+{}", committed.set));
            match on.callbacks() {
                Some(callbacks) => {
                    callbacks.on_commit(committed);
                    callbacks.on_rollback(move || other.add(format!("{name}-")));
                }
                None => committed(&Committed::new("default".into())),
            }
            Ok(Outcome::Done)
        }
        Step::Way(proxy, way) => {
            proxy.set(way);
            Ok(Outcome::Done)
        }
        // SQLite has no locks of rows.
        Step::Lock => Ok(Outcome::Done),
        Step::Scoped(..) | Step::InSession(..) | Step::Transaction(..) => {
            unreachable!("it is no statement")
        }
    }
}
