//! Asking nodes where they are, beside the statements.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use diesel::result::Error;
use routing_core::{
    Answer, BackgroundTasks, Clock, Failure, Node, Observation, Probe, ProbeTicket, ReplicaSet,
    Role, Router, SystemClock,
};

use super::catalog::load_in_background;
use super::node_pool::{Beside, NodePool};
use crate::database::{Database, Routable};
use crate::failure::answer;

impl<C: Routable> BackgroundTasks for NodePool<C> {
    /// Each monitor has a thread of its own.
    #[cold]
    fn start_monitors(router: &Router<Self>, set: &Arc<ReplicaSet<Self>>) {
        for monitor in router.monitors(set) {
            let guard = Guard(Arc::downgrade(set));
            let thread = thread::Builder::new().name("routing-monitor".to_owned());
            let started = thread.spawn(move || {
                let _guard = guard;
                let mut asker = None;
                monitor.run_blocking(|ticket| in_time(ticket, &mut asker));
            });
            if let Err(error) = started {
                let set = set.name().as_str();
                tracing::warn!(target: "routing", set, %error, "no thread for probes");
            }
        }
    }

    fn start_catalog(set: &Arc<ReplicaSet<Self>>) {
        load_in_background(set);
    }
}

/// When a monitor's thread is gone, or has never begun, another may take over.
struct Guard<C: Routable>(Weak<ReplicaSet<NodePool<C>>>);

impl<C: Routable> Drop for Guard<C> {
    fn drop(&mut self) {
        if let Some(set) = self.0.upgrade() {
            set.want_monitor();
        }
    }
}

/// Asks a node on a thread of its own, as a C library waits for an answer for as long as there is
/// none. While one waits, nobody else is asked.
struct Asker {
    questions: SyncSender<Role>,
    answers: Receiver<Answer>,
    /// Whether it has not answered in time; what it says then is of a moment that is over.
    is_late: bool,
}

fn in_time<C: Routable>(ticket: &ProbeTicket<NodePool<C>>, asker: &mut Option<Asker>) -> Answer {
    let current = match asker {
        Some(current) => current,
        None => match Asker::start(ticket) {
            Ok(started) => asker.insert(started),
            Err(error) => {
                tracing::warn!(target: "routing", %error, "no thread for probes");
                return Answer::Failed(Failure::Silent);
            }
        },
    };
    let answer = current.ask(ticket.role(), ticket.timeout());
    if !current.is_late && !matches!(answer, Answer::Observed(_)) {
        *asker = None;
    }
    answer
}

impl Asker {
    fn ask(&mut self, role: Role, timeout: Duration) -> Answer {
        let begun = SystemClock.now();
        if self.is_late {
            match self.answers.recv_timeout(timeout) {
                Err(RecvTimeoutError::Timeout) => return Answer::Failed(Failure::Silent),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => self.is_late = false,
            }
        }
        if self.questions.send(role).is_err() {
            return Answer::Failed(Failure::Lost);
        }
        match self
            .answers
            .recv_timeout(timeout.saturating_sub(SystemClock.now().since(begun)))
        {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.is_late = true;
                Answer::Failed(Failure::Silent)
            }
            Err(RecvTimeoutError::Disconnected) => Answer::Failed(Failure::Lost),
        }
    }

    fn start<C: Routable>(ticket: &ProbeTicket<NodePool<C>>) -> std::io::Result<Self> {
        let (questions, asked) = sync_channel(1);
        let (answering, answers) = sync_channel(1);
        let (node, query) = (Arc::clone(ticket.node()), ticket.query());
        let thread = thread::Builder::new().name(format!("routing-{}-probe", node.name()));
        thread.spawn(move || {
            let mut line = None;
            while let Ok(role) = asked.recv() {
                let answer = ask(&node, role, query.as_ref(), &mut line);
                if node.pool().is_given() {
                    // It is the application's.
                    line = None;
                }
                if answering.send(answer).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            questions,
            answers,
            is_late: false,
        })
    }
}

type Line<C> = Option<(Beside<C>, Probe)>;

fn ask<C: Routable>(
    node: &Node<NodePool<C>>,
    role: Role,
    query: Option<&Arc<str>>,
    line: &mut Line<C>,
) -> Answer {
    if line.is_none() {
        match node.pool().dedicated() {
            Ok(mut connection) => match probe_for(connection.connection(), query) {
                Ok(Some(probe)) => *line = Some((connection, probe)),
                Ok(None) => return Answer::Unintelligible,
                Err(error) => return failed(node, &error, role),
            },
            Err(error) => {
                node.probe_failed(&error);
                let node = node.name().as_str();
                tracing::debug!(target: "routing", node, %error, "a probe could not connect");
                return Answer::Failed(Failure::from_refused_connection(&error.to_string()));
            }
        }
    }
    let Some((connection, probe)) = line else {
        return Answer::Unintelligible;
    };
    match observe(connection.connection(), probe, role) {
        Ok(observation) => observation.into(),
        Err(error) => {
            *line = None;
            failed(node, &error, role)
        }
    }
}

/// The probe has gone wrong over a connection.
fn failed<C: Routable>(node: &Node<NodePool<C>>, error: &Error, role: Role) -> Answer {
    node.probe_failed(error);
    answer(error, C::Backend::DIALECT, role)
}

fn probe_for<C: Routable>(
    connection: &mut C,
    query: Option<&Arc<str>>,
) -> Result<Option<Probe>, Error> {
    let dialect = C::Backend::DIALECT;
    let version = match Probe::version_question(dialect) {
        Some(question) => C::Backend::text(connection, question)?,
        None => String::new(),
    };
    Ok(Probe::new(dialect, &version).map(|probe| probe.asked_by(query.cloned())))
}

fn observe<C: Routable>(
    connection: &mut C,
    probe: &Probe,
    role: Role,
) -> Result<Option<Observation>, Error> {
    let answer = C::Backend::text(connection, probe.question())?;
    Ok(probe.read(role, &answer))
}
