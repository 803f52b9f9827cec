//! When a node is asked where it is, and what becomes of the answer.
//!
//! The obvious monitor asks every node at a fixed rate. Slow, it makes each session that has
//! written wait for the next round; fast, it asks for nothing most of the time. Here a node is
//! asked at a slow heartbeat while nobody waits, at once when somebody does, and then again at
//! intervals that grow with the time that was waited in vain; never more often than
//! [`ProbeRules::fastest`](crate::ProbeRules), however many wait.
//!
//! A [`Monitor`] is of one node, and only says what is due; the adapter runs one for each, as a task
//! or a thread, so that a node that does not answer delays no other. It ends with the router.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use event_listener::{EventListener, Listener};

use crate::breaker::{Admission, Change, Trial};
use crate::clock::Timestamp;
use crate::decision::Role;
use crate::exclusion::Exclusion;
use crate::failure::Failure;
use crate::node::{Lag, Node};
use crate::notice::{announce_change, announce_exclusion, count_failure, hurry_of};
use crate::ports::Ports;
use crate::position::{Position, Reach};
use crate::probe::Observation;
use crate::random::SplitMix64;
use crate::replica_set::ReplicaSet;
use crate::router::Router;
use crate::rules::ProbeRules;
use crate::samples::Positions;
use crate::tick;
use crate::timer::Timer;
use crate::topology::Sighting;

/// How an adapter asks a node, over a connection that it keeps; the default has none yet.
pub trait Ask<P>: Default + Send {
    /// What the node answers to a probe; `role` is what it is in its set.
    fn ask(&mut self, node: &Node<P>, role: Role) -> impl Future<Output = Answer> + Send;
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a monitor has to handle each")]
pub enum Answer {
    /// The node said where it is.
    Observed(Observation),
    /// It answered, but nothing that is understood: an error, or another database's words.
    Unintelligible,
    /// It did not answer, or could not be asked.
    Failed(Failure),
}

impl From<Option<Observation>> for Answer {
    fn from(read: Option<Observation>) -> Self {
        read.map_or(Self::Unintelligible, Self::Observed)
    }
}

/// Decides when one node is probed.
pub struct Monitor<P> {
    set: Weak<ReplicaSet<P>>,
    node: Arc<Node<P>>,
    ports: Ports,
    /// When the last probe was sent.
    last: Option<Timestamp>,
    random: SplitMix64,
    /// How many probes have failed, one after the other.
    failures: u32,
    /// How many have told nothing, one after the other, for whatever reason.
    unheard: u32,
}

/// What a monitor is to do.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an adapter has to handle each")]
pub enum Turn<P> {
    /// Ask the node, and [report](Monitor::report) what it says.
    Probe(ProbeTicket<P>),
    /// Wait.
    Wait(Pause),
    /// The router is gone, or the node no member any more.
    End,
}

/// A probe that is due.
#[derive(Debug)]
#[must_use = "a probe is to be sent now, and reported"]
pub struct ProbeTicket<P> {
    // Not the set itself, which would not end while a server does not answer.
    set: Weak<ReplicaSet<P>>,
    node: Arc<Node<P>>,
    role: Role,
    timeout: Duration,
    number: u64,
    /// Whether somebody waits for the answer.
    asked: bool,
    trial: Option<Trial>,
}

/// Whoever will not know the answer makes room for another trial.
impl<P> Drop for ProbeTicket<P> {
    fn drop(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.node.breaker.gave_up(trial);
        }
    }
}

/// Until when, unless somebody is in a hurry.
#[derive(Debug)]
#[must_use = "wait for it"]
pub struct Pause {
    hurried: EventListener,
    lasts: Duration,
}

impl<P> ProbeTicket<P> {
    /// The node to ask.
    #[must_use]
    pub const fn node(&self) -> &Arc<Node<P>> {
        &self.node
    }

    /// What it is in its set.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// How long it has to answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Pause {
    /// How long, at most.
    #[must_use]
    pub const fn lasts(&self) -> Duration {
        self.lasts
    }
}

impl<P> Monitor<P> {
    /// One for each node of a set that has none yet. Nodes that are monitored are used when they
    /// have been observed, and not before.
    #[must_use]
    pub fn of_set(router: &Router<P>, set: &Arc<ReplicaSet<P>>) -> Vec<Self> {
        let nodes = set.nodes().into_iter();
        let unmonitored = nodes.filter(|node| node.set_monitored(true));
        let monitor = |node: &Arc<Node<P>>| {
            if node.sighting().is_none() && set.role_of(node) == Role::Replica {
                node.exclusions.set(Exclusion::Unseen, true);
            }
            Self {
                set: Arc::downgrade(set),
                node: Arc::clone(node),
                ports: router.ports.clone(),
                last: None,
                random: SplitMix64::from_seed(set.random.next()),
                failures: 0,
                unheard: 0,
            }
        };
        unmonitored.map(monitor).collect()
    }

    /// Monitors the node until the router is gone; each answer is awaited for a limited time.
    pub async fn run<A: Ask<P>, T: Timer>(mut self)
    where
        P: Send + Sync,
    {
        let mut line = A::default();
        loop {
            match self.turn() {
                Turn::End => return,
                Turn::Wait(Pause { hurried, lasts }) => {
                    let _hurried = T::within(lasts, hurried).await;
                }
                Turn::Probe(ticket) => {
                    let asking = line.ask(ticket.node(), ticket.role());
                    let answer = T::within(ticket.timeout(), asking).await;
                    let answer = answer.unwrap_or(Answer::Failed(Failure::Silent));
                    if !matches!(answer, Answer::Observed(_)) {
                        // Half a question may be on it.
                        line = A::default();
                    }
                    self.report(ticket, answer);
                }
            }
        }
    }

    /// The same on a thread. Who asks sees to it that an answer is not awaited for longer than the
    /// ticket's [timeout](ProbeTicket::timeout).
    pub fn run_blocking(mut self, mut ask: impl FnMut(&ProbeTicket<P>) -> Answer) {
        loop {
            match self.turn() {
                Turn::End => return,
                Turn::Wait(Pause { hurried, lasts }) => {
                    let _hurried = hurried.wait_timeout(lasts);
                }
                Turn::Probe(ticket) => {
                    let answer = ask(&ticket);
                    self.report(ticket, answer);
                }
            }
        }
    }

    /// What is to be done now.
    #[must_use]
    pub fn turn(&mut self) -> Turn<P> {
        let Some(set) = self.set.upgrade() else {
            return Turn::End;
        };
        let node = Arc::clone(&self.node);
        let role = set.role_of(&node);
        let hurry = hurry_of(&set, &node);
        // Who asks from here on is heard.
        let hurried = hurry.listen();
        if set.is_closed() || node.is_removed() {
            return Turn::End;
        }
        let now = self.ports.clock.now();
        let due = self
            .last
            .map(|last| last.after(self.interval(&set, role, now)));
        if let Some(due) = due
            && due > now
        {
            let lasts = due.since(now);
            return Turn::Wait(Pause { hurried, lasts });
        }
        self.last = Some(now);
        let asked = hurry.take();
        let trial = match node.breaker.admit_if_down(now) {
            Some(Admission::Trial(trial)) => Some(trial),
            _ => None,
        };
        Turn::Probe(ProbeTicket {
            set: Weak::clone(&self.set),
            role,
            timeout: set.rules().probe.timeout,
            number: tick::next(),
            asked,
            trial,
            node,
        })
    }

    /// From the last probe to the next.
    fn interval(&mut self, set: &ReplicaSet<P>, role: Role, now: Timestamp) -> Duration {
        let ProbeRules {
            heartbeat, fastest, ..
        } = set.rules().probe;
        let slowest = heartbeat.max(fastest);
        // Of a node that tells nothing, less and less often, whoever asks.
        let back_off = fastest.saturating_mul(1 << self.unheard.min(16));
        let back_off = back_off.min(WHILE_DOWN.clamp(fastest, slowest));
        if self.failures > 0 || hurry_of(set, &self.node).is_asked() {
            return back_off;
        }
        let awaited = match role {
            Role::Primary => None,
            Role::Replica => set.samples().awaited_since(self.node.position().as_ref()),
        };
        if let Some(since) = awaited {
            return (now.since(since) / 4).clamp(fastest, slowest);
        }
        if set.lacks_primary() {
            // One of the others may become it at any moment.
            return WITHOUT_PRIMARY.clamp(fastest, slowest);
        }
        let interval = self.jittered(heartbeat);
        match self.node.breaker.refuses_for(now) {
            // It answers, but statements fail on it: it is tried when its time is over.
            Some(left) => interval.min(left.max(fastest)),
            None => interval,
        }
    }

    /// A tenth more or less, so that programs that started together do not ask together.
    fn jittered(&mut self, heartbeat: Duration) -> Duration {
        let tenth = heartbeat / 10;
        let spread = u64::try_from(tenth.as_nanos() * 2)
            .unwrap_or(u64::MAX)
            .max(1);
        heartbeat - tenth + Duration::from_nanos(self.random.next() % spread)
    }

    /// What the node has answered.
    pub fn report(&mut self, mut ticket: ProbeTicket<P>, answer: Answer) {
        let Some(set) = ticket.set.upgrade() else {
            return;
        };
        let trial = ticket.trial.take();
        let (set, node) = (&*set, &*self.node);
        let was_failing = self.failures != 0;
        self.unheard = match answer {
            Answer::Observed(_) => 0,
            Answer::Failed(_) | Answer::Unintelligible => self.unheard.saturating_add(1),
        };
        if self.unheard > 0 && ticket.asked {
            // Who waits, waits on.
            hurry_of(set, node).ask();
        }
        match answer {
            Answer::Failed(failure) if failure.blames_node() => {
                self.failures = self.failures.saturating_add(1);
                self.unanswered(set, &ticket, trial, failure);
            }
            Answer::Failed(_) | Answer::Unintelligible => {
                if let Answer::Failed(failure) = answer {
                    tracing::debug!(target: "routing", node = node.name().as_str(), ?failure, "a probe failed");
                }
                self.failures = 0;
                self.is_well(set, &ticket, trial, was_failing);
                if node.exclusions.set(Exclusion::Unseen, false) {
                    announce_exclusion(&self.ports, set, node, Exclusion::Unseen, false);
                }
                if set.role_of(node) == Role::Replica {
                    node.lose_track();
                }
            }
            Answer::Observed(observation) => {
                self.failures = 0;
                if was_failing && set.role_of(node) == Role::Replica {
                    // It may come back from behind where it was, which nobody remembers.
                    node.lose_track();
                }
                self.is_well(set, &ticket, trial, was_failing);
                self.observed(set, &ticket, observation);
            }
        }
        set.samples().tell();
    }

    fn unanswered(
        &self,
        set: &ReplicaSet<P>,
        ticket: &ProbeTicket<P>,
        trial: Option<Trial>,
        failure: Failure,
    ) {
        let node = &*self.node;
        if self.failures == 1 {
            let (set, node) = (set.name().as_str(), node.name().as_str());
            tracing::warn!(target: "routing", set, node, ?failure, "a probe was not answered");
        }
        // Who refuses a connection, or begins anew, answers nothing that was sent before.
        node.left_unanswered(ticket.number);
        let was_up = node.breaker.is_up();
        count_failure(&self.ports, set, node, trial, failure);
        if was_up && !node.breaker.is_up() && failure == Failure::Silent {
            // What waits for an answer there keeps its connection; nobody else is to have it.
            node.renew();
        }
        node.tell_trouble();
        set.judge(&self.ports);
    }

    fn is_well(
        &self,
        set: &ReplicaSet<P>,
        ticket: &ProbeTicket<P>,
        trial: Option<Trial>,
        was_failing: bool,
    ) {
        let node = &*self.node;
        node.has_answered(ticket.number);
        let change = match trial {
            // It has been seen down, and is back.
            None if was_failing => node.breaker.proved(),
            None => Change::None,
            trial => node.breaker.succeeded(trial),
        };
        announce_change(&self.ports, set, node, change);
    }

    fn observed(&self, set: &ReplicaSet<P>, ticket: &ProbeTicket<P>, observation: Observation) {
        let node = &*self.node;
        let before = node.sighting();
        let before = before.as_deref();
        let is_another = before.is_some_and(|before| {
            (before.system, before.server) != (observation.system, observation.server)
        });
        if is_another {
            // Somebody else answers at its address.
            node.lose_track();
            node.renew();
        }
        let took_no_writes = |before: &Sighting| !before.takes_writes || before.took_over;
        node.see(Sighting {
            role: observation.role,
            takes_writes: observation.takes_writes,
            system: observation.system,
            timeline: observation.timeline,
            server: observation.server,
            took_over: observation.takes_writes
                && !is_another
                && before.is_some_and(took_no_writes),
            position: observation.position.clone(),
        });
        if node.exclusions.set(Exclusion::Unseen, false) {
            announce_exclusion(&self.ports, set, node, Exclusion::Unseen, false);
        }
        set.judge(&self.ports);
        match set.role_of(node) {
            Role::Primary => self.take_sample(set, ticket, observation),
            // By what it says as a replica, if it was asked as one.
            Role::Replica if ticket.role == Role::Replica => {
                self.take_position(set, observation.position);
            }
            Role::Replica => {}
        }
    }

    fn take_position(&self, set: &ReplicaSet<P>, position: Position) {
        let node = &*self.node;
        let was = node.position();
        let goes_on = match (&was, position.is_known()) {
            (Some(was), true) => position.reaches(was) == Reach::Yes,
            (Some(_), false) => false,
            (None, _) => true,
        };
        if !goes_on {
            node.lose_track();
        }
        let lag = lag_of(set, &position, self.ports.clock.now());
        node.set_lag(lag);
        node.observe(position);
        set.limit_lag(&self.ports, node, lag);
    }

    fn take_sample(&self, set: &ReplicaSet<P>, ticket: &ProbeTicket<P>, observation: Observation) {
        let node = &*self.node;
        let samples = set.samples();
        let is_fenced_off = node.exclusions.get().first_of(Exclusion::OF_ALL).is_some();
        if is_fenced_off || ticket.role != Role::Primary && observation.role.is_none() {
            // Demoted, or never one: it says nothing of what was written. What was asked as a
            // replica's position is none of a primary's.
            return;
        }
        let positions = if observation.position.is_known() {
            Positions::Asked
        } else {
            Positions::None
        };
        if samples.set_positions(positions) {
            let (set, node) = (set.name().as_str(), node.name().as_str());
            if positions == Positions::None {
                tracing::warn!(
                    target: "routing",
                    set,
                    node,
                    "the primary has no positions: what was written is kept on it by time"
                );
            } else {
                tracing::info!(target: "routing", set, node, "the primary has positions");
            }
        }
        if !observation.position.is_known() {
            return;
        }
        if ticket.asked {
            samples.aim(observation.position.clone(), self.ports.clock.now());
        }
        samples.take(ticket.number, observation.position, self.ports.clock.now());
        if ticket.asked {
            for replica in &set.nodes()[1..] {
                replica.hurry.wake();
            }
        }
    }
}

/// From one probe to the next while a node does not answer, at most.
const WHILE_DOWN: Duration = Duration::from_secs(1);
/// From one probe of a replica to the next while there is no primary.
const WITHOUT_PRIMARY: Duration = Duration::from_millis(200);

/// Another may take over.
impl<P> Drop for Monitor<P> {
    fn drop(&mut self) {
        self.node.set_monitored(false);
    }
}

impl<P> fmt::Debug for Monitor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("node", self.node.name())
            .finish_non_exhaustive()
    }
}

fn lag_of<P>(set: &ReplicaSet<P>, position: &Position, now: Timestamp) -> Lag {
    let latest = set.samples().latest();
    Lag {
        bytes: latest.and_then(|latest| position.bytes_behind(&latest)),
        time: set.samples().time_behind(position, now),
    }
}
