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

use crate::clock::{Clock, Timestamp};
use crate::decision::Role;
use crate::node::{Lag, Node};
use crate::position::{Position, Reach};
use crate::probe::Observation;
use crate::random::SplitMix64;
use crate::replica_set::ReplicaSet;
use crate::router::Router;
use crate::rules::ProbeRules;
use crate::samples::{Hurry, Positions};
use crate::tick;
use crate::timer::Timer;

/// How an adapter asks a node, over a connection that it keeps; the default has none yet.
pub trait Ask<P>: Default + Send {
    /// What the node answers; `None` if it does not, or nothing that is understood.
    fn ask(&mut self, node: &Node<P>) -> impl Future<Output = Option<Observation>> + Send;
}

/// Decides when one node is probed.
pub struct Monitor<P> {
    set: Weak<ReplicaSet<P>>,
    clock: Arc<dyn Clock>,
    index: usize,
    /// When the last probe was sent.
    last: Option<Timestamp>,
    random: SplitMix64,
    /// How many probes have failed, one after the other.
    failures: u32,
}

/// What a monitor is to do.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an adapter has to handle each")]
pub enum Turn<P> {
    /// Ask the node, and [report](Monitor::report) what it says.
    Probe(ProbeTicket<P>),
    /// Wait.
    Wait(Pause),
    /// The router is gone.
    End,
}

/// A probe that is due.
#[derive(Debug)]
#[must_use = "a probe is to be sent now, and reported"]
pub struct ProbeTicket<P> {
    // Not the set itself, which would not end while a server does not answer.
    set: Weak<ReplicaSet<P>>,
    node: Arc<Node<P>>,
    timeout: Duration,
    number: u64,
    /// Whether somebody waits for the answer.
    asked: bool,
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

    /// How long it has to answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl<P> Monitor<P> {
    /// One for each node of a set.
    #[must_use]
    pub fn of_set(router: &Router<P>, set: &Arc<ReplicaSet<P>>) -> Vec<Self> {
        let monitor = |index| Self {
            set: Arc::downgrade(set),
            clock: Arc::clone(router.clock()),
            index,
            last: None,
            random: SplitMix64::from_process(),
            failures: 0,
        };
        (0..set.nodes().len()).map(monitor).collect()
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
                    let asking = line.ask(ticket.node());
                    let answer = T::within(ticket.timeout(), asking).await.flatten();
                    if answer.is_none() {
                        // Half a question may be on it.
                        line = A::default();
                    }
                    self.report(ticket, answer);
                }
            }
        }
    }

    /// The same on a thread. Who asks sees to it that an answer is not awaited for ever.
    pub fn run_blocking(mut self, mut ask: impl FnMut(&Node<P>) -> Option<Observation>) {
        loop {
            match self.turn() {
                Turn::End => return,
                Turn::Wait(Pause { hurried, lasts }) => {
                    let _hurried = hurried.wait_timeout(lasts);
                }
                Turn::Probe(ticket) => {
                    let answer = ask(ticket.node());
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
        let node = &set.nodes()[self.index];
        let hurry = hurry_of(&set, node);
        // Who asks from here on is heard.
        let hurried = hurry.listen();
        if set.is_closed() {
            return Turn::End;
        }
        let now = self.clock.now();
        let due = self
            .last
            .map(|last| last.after(self.interval(&set, node, now)));
        if let Some(due) = due
            && due > now
        {
            let lasts = due.since(now);
            return Turn::Wait(Pause { hurried, lasts });
        }
        self.last = Some(now);
        let asked = hurry.take();
        let number = tick::next();
        Turn::Probe(ProbeTicket {
            set: Weak::clone(&self.set),
            node: Arc::clone(node),
            timeout: set.rules().probe.timeout,
            number,
            asked,
        })
    }

    /// From the last probe to the next.
    fn interval(&mut self, set: &ReplicaSet<P>, node: &Node<P>, now: Timestamp) -> Duration {
        let ProbeRules {
            heartbeat, fastest, ..
        } = set.rules().probe;
        if hurry_of(set, node).is_asked() {
            // Of a node that does not answer, less and less often.
            let back_off = fastest.saturating_mul(1 << self.failures.min(16));
            return back_off.min(heartbeat.max(fastest));
        }
        let awaited = match node.role() {
            Role::Primary => None,
            Role::Replica => set.samples().awaited_since(node.position().as_ref()),
        };
        match awaited {
            Some(since) => (now.since(since) / 4).clamp(fastest, heartbeat.max(fastest)),
            None => self.jittered(heartbeat),
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

    /// What the node has answered; `None` if it has not, or not in time.
    #[expect(clippy::needless_pass_by_value, reason = "a report uses the ticket up")]
    pub fn report(&mut self, ticket: ProbeTicket<P>, answer: Option<Observation>) {
        let Some(set) = ticket.set.upgrade() else {
            return;
        };
        let (set, node) = (&set, ticket.node());
        let was_failing = self.failures != 0;
        let Some(observation) = answer else {
            if !was_failing {
                let (set, node) = (set.name().as_str(), node.name().as_str());
                tracing::warn!(target: "routing", set, node, "a probe was not answered");
            }
            self.failures = self.failures.saturating_add(1);
            if node.role() == Role::Replica {
                node.lose_track();
            }
            if ticket.asked {
                // Who waits, waits on.
                hurry_of(set, node).ask();
            }
            return;
        };
        self.failures = 0;
        if was_failing && node.role() == Role::Replica {
            // It may come back from behind where it was, which nobody remembers.
            node.lose_track();
        }
        match node.role() {
            Role::Primary => self.take_sample(set, &ticket, observation),
            Role::Replica => {
                let was = node.position();
                let goes_on = match (&was, observation.position.is_known()) {
                    (Some(was), true) => observation.position.reaches(was) == Reach::Yes,
                    (Some(_), false) => false,
                    (None, _) => true,
                };
                if !goes_on {
                    node.lose_track();
                }
                node.set_lag(lag_of(set, &observation.position, self.clock.now()));
                let is_news = was.as_ref() != Some(&observation.position);
                node.observe(observation.position);
                if is_news {
                    set.samples().tell();
                }
            }
        }
    }

    fn take_sample(&self, set: &ReplicaSet<P>, ticket: &ProbeTicket<P>, observation: Observation) {
        let node = ticket.node();
        let samples = set.samples();
        if observation.role == Some(Role::Replica) {
            // Demoted, or never one: it says nothing of what was written.
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
            samples.tell();
            return;
        }
        if ticket.asked {
            samples.aim(observation.position.clone(), self.clock.now());
        }
        samples.take(ticket.number, observation.position, self.clock.now());
        if ticket.asked {
            for replica in &set.nodes()[1..] {
                replica.hurry.wake();
            }
        }
    }
}

impl<P> fmt::Debug for Monitor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("index", &self.index)
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

/// The primary's is with its samples, as sessions ask it that know no set.
fn hurry_of<'s, P>(set: &'s ReplicaSet<P>, node: &'s Node<P>) -> &'s Hurry {
    match node.role() {
        Role::Primary => &set.samples().primary,
        Role::Replica => &node.hurry,
    }
}
