//! When a node is asked where it is.
//!
//! The obvious monitor asks every node at a fixed rate. Slow, it makes each session that has
//! written wait for the next round; fast, it asks for nothing most of the time. Here a node is
//! asked at a slow heartbeat while nobody waits, at once when somebody does, and then again at
//! intervals that grow with the time that was waited in vain; never more often than
//! [`ProbeRules::fastest`](crate::ProbeRules), however many wait.
//!
//! A [`Monitor`] is of one node, and only says what is due; the adapter runs one for each, as a task
//! or a thread, so that a node that does not answer delays no other. It ends with the router.

pub(crate) mod report;
pub(crate) mod ticket;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use event_listener::{EventListener, Listener};

use crate::cluster::breaker::Admission;
use crate::cluster::events::{compare_replicas, hurry_of};
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::ProbeRules;
use crate::monitor::report::Report;
use crate::monitor::ticket::{Answer, Ask, ProbeTicket};
use crate::observe::decision::Role;
use crate::observe::exclusion::Exclusion;
use crate::observe::failure::Failure;
use crate::random::SplitMix64;
use crate::time::clock::Timestamp;
use crate::time::sequence;
use crate::time::timer::Timer;

/// Decides when one node is probed.
pub struct Monitor<P> {
    set: Weak<ReplicaSet<P>>,
    node: Arc<Node<P>>,
    /// When the last probe was sent.
    last: Option<Timestamp>,
    random: SplitMix64,
    /// How many probes have failed, one after the other.
    failures: u32,
    /// When the node was first found to be no member any more.
    removed: Option<Timestamp>,
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

/// Until when, unless somebody is in a hurry.
#[derive(Debug)]
#[must_use = "wait for it"]
pub struct Pause {
    hurried: EventListener,
    lasts: Duration,
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
    pub(crate) fn of_set(set: &Arc<ReplicaSet<P>>) -> Vec<Self> {
        let nodes = set.nodes().into_iter();
        let unmonitored: Vec<_> = nodes.filter(|node| node.set_monitored(true)).collect();
        if set.has_rules() && set.nodes().len() > 1 && set.primary().sighting().is_none() {
            set.begin_survey();
        }
        let monitor = |node: &Arc<Node<P>>| {
            if set.role_of(node) == Role::Replica {
                if node.sighting().is_none() {
                    node.exclusions.set(Exclusion::Unseen, true);
                }
                // Nobody has looked for a while.
                node.lose_track();
            }
            Self {
                set: Arc::downgrade(set),
                node: Arc::clone(node),
                last: None,
                random: SplitMix64::from_seed(set.random.next()),
                failures: 0,
                removed: None,
                unheard: 0,
            }
        };
        unmonitored.into_iter().map(monitor).collect()
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
                    let asking = line.ask(&ticket);
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
        let now = set.ports.clock.now();
        if set.is_closed() || self.is_done(&set, now) {
            return Turn::End;
        }
        // A clock that has gone back says nothing of how long ago it was.
        self.last = self.last.map(|last| last.min(now));
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
        if role == Role::Replica {
            compare_replicas(&set, now);
        }
        let asked = hurry.take();
        let trial = match node.breaker.admit_if_down(now) {
            Some(Admission::Trial(trial)) => Some(trial),
            _ => None,
        };
        Turn::Probe(ProbeTicket {
            set: Weak::clone(&self.set),
            role,
            query: set.rules().probe_query.clone(),
            timeout: set.rules().probe.timeout,
            number: sequence::next(),
            asked,
            trial,
            node,
        })
    }

    /// Whether the node is no member any more, and nobody waits for an answer of it.
    fn is_done(&mut self, set: &ReplicaSet<P>, now: Timestamp) -> bool {
        if !self.node.is_removed() {
            return false;
        }
        let since = *self.removed.get_or_insert(now);
        // Who has been sent there is not watched from the first moment on.
        let grace = set.rules().probe.suspect_after.saturating_mul(2);
        now.since(since) > grace && !self.node.is_attended()
    }

    /// From the last probe to the next.
    fn interval(&mut self, set: &ReplicaSet<P>, role: Role, now: Timestamp) -> Duration {
        let ProbeRules {
            heartbeat, fastest, ..
        } = set.rules().probe;
        let slowest = heartbeat.max(fastest);
        if self.removed.is_some() {
            return WHILE_DOWN.clamp(fastest, slowest);
        }
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
        // One of the others may become the primary at any moment, while there is none.
        let most = if set.lacks_primary() {
            WITHOUT_PRIMARY.clamp(fastest, slowest)
        } else {
            slowest
        };
        if let Some(since) = awaited {
            return (now.since(since) / 4).clamp(fastest, most);
        }
        if most < slowest {
            return most;
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
        let report = Report {
            set: &set,
            node: &self.node,
            ticket: &ticket,
            was_failing: self.failures != 0,
        };
        self.unheard = match answer {
            Answer::Observed(_) => 0,
            Answer::Failed(_) | Answer::Unintelligible => self.unheard.saturating_add(1),
        };
        self.failures = match answer {
            Answer::Failed(failure) if failure.blames_node() => self.failures.saturating_add(1),
            _ => 0,
        };
        if self.unheard > 0 && ticket.asked {
            // Who waits, waits on.
            hurry_of(&set, &self.node).ask();
        }
        report.take(answer, trial);
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
