//! What becomes of a probe's answer.

use crate::cluster::breaker::{Change, Trial};
use crate::cluster::election::seen::Sighting;
use crate::cluster::events::{announce_change, count_failure, leave_out};
use crate::cluster::node::{Lag, Node};
use crate::cluster::probe::Observation;
use crate::cluster::replica_set::ReplicaSet;
use crate::monitor::ticket::{Answer, ProbeTicket};
use crate::observe::decision::Role;
use crate::observe::exclusion::Exclusion;
use crate::observe::failure::Failure;
use crate::position::log::{Behind, Positions};
use crate::position::{Position, Reach};
use crate::time::clock::Timestamp;
use crate::time::sequence;

/// Of a probe that was answered, or was not.
pub(crate) struct Report<'a, P> {
    pub(crate) set: &'a ReplicaSet<P>,
    pub(crate) node: &'a Node<P>,
    pub(crate) ticket: &'a ProbeTicket<P>,
    /// Whether the probe before it failed.
    pub(crate) was_failing: bool,
}

impl<P> Report<'_, P> {
    /// Takes note of it, for all who decide or wait.
    pub(crate) fn take(&self, answer: Answer, trial: Option<Trial>) {
        let Self { set, node, .. } = *self;
        let is_replica = || set.role_of(node) == Role::Replica;
        match answer {
            Answer::Failed(failure) if failure.blames_node() => self.unanswered(trial, failure),
            Answer::Failed(_) | Answer::Unintelligible => {
                if let Answer::Failed(failure) = answer {
                    tracing::debug!(target: "routing", node = node.name().as_str(), ?failure, "a probe failed");
                }
                self.is_well(trial);
                // A node that is full has said nothing of what it is; neither has a standby whose sessions
                // are serializable by default, and cannot read.
                if answer == Answer::Unintelligible {
                    // The application's query is the only source of the node's role.
                    if set.rules().probe_query.is_some() {
                        node.probe_failed("the answer to `probe_query` is not understood");
                    } else {
                        self.is_seen();
                    }
                }
                if is_replica() {
                    node.lose_track();
                }
            }
            Answer::Observed(observation) => {
                if self.was_failing && is_replica() {
                    // It may come back from behind where it was, which nobody remembers.
                    node.lose_track();
                }
                node.probe_succeeded();
                // What it is counts before that it is there.
                self.observed(observation);
                node.has_been_observed(self.ticket.number);
                self.is_well(trial);
                set.judge(None);
            }
        }
        set.survey();
        set.samples().tell();
    }

    fn unanswered(&self, trial: Option<Trial>, failure: Failure) {
        let Self { set, node, .. } = *self;
        // The server may have ended the monitor's own connection, and be well: the next probe, over a new
        // one, tells.
        let is_only_ended = failure.is_of_connection() && !self.was_failing && trial.is_none();
        if !self.was_failing && !is_only_ended {
            let (set, node) = (set.name().as_str(), node.name().as_str());
            tracing::warn!(target: "routing", set, node, ?failure, "a probe was not answered");
        }
        if failure == Failure::Silent {
            node.probe_failed(format_args!("no answer within {:?}", self.ticket.timeout()));
        }
        // Who refuses a connection, or begins anew, answers nothing that was sent before.
        node.left_unanswered(self.ticket.number);
        let was_up = node.breaker.is_up();
        if !is_only_ended {
            count_failure(set, node, trial, failure);
        } else if set.role_of(node) == Role::Replica {
            node.lose_track();
        }
        if was_up && !node.breaker.is_up() && failure == Failure::Silent {
            // What waits for an answer there keeps its connection; nobody else is to have it.
            node.renew();
        }
        node.tell_trouble();
        set.judge(None);
    }

    fn is_well(&self, trial: Option<Trial>) {
        let Self { set, node, .. } = *self;
        node.has_answered(self.ticket.number);
        let change = match trial {
            // It has been seen down, and is back.
            None if self.was_failing => node.breaker.proved(),
            // Of the primary nobody's statement need be the trial: who answers is there, also if each
            // connection broke that there was, or one statement lasts and lasts.
            None if set.role_of(node) == Role::Primary
                && node.was_down_before(self.ticket.number) =>
            {
                node.breaker.proved()
            }
            None => Change::None,
            trial => node.breaker.succeeded(trial),
        };
        announce_change(set, node, change);
    }

    fn observed(&self, observation: Observation) {
        let Self { set, node, .. } = *self;
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
        let observation = if is_another || self.was_failing {
            observation
        } else {
            observation.on_timeline_of(before)
        };
        let took_over = match before {
            Some(before) if observation.takes_writes && !is_another => {
                if !before.takes_writes {
                    node.turned();
                }
                !before.takes_writes || before.took_over
            }
            _ => false,
        };
        let stands_in = self.stands_in(&observation, before, is_another);
        node.see(Sighting {
            role: observation.role,
            takes_writes: observation.takes_writes,
            system: observation.system,
            timeline: observation.timeline,
            server: observation.server,
            is_told: observation.is_told,
            stands_in,
            took_over,
            position: observation.position.clone(),
            holds: observation.holds.clone(),
            asked: self.ticket.number,
            answered: sequence::now(),
        });
        if observation.takes_writes && set.role_of(node) == Role::Primary {
            set.reject_claims(self.ticket.number);
        }
        set.judge(Some(node.id()));
        match set.role_of(node) {
            Role::Primary => self.take_sample(observation),
            // By what it says as a replica, if it was asked as one.
            Role::Replica if self.ticket.role == Role::Replica => {
                let is_primarys = set.rules().allow_same_server && observation.takes_writes;
                // MySQL's replay nothing of what they have written themselves.
                let position = if is_primarys && observation.holds.is_known() {
                    observation.holds
                } else {
                    observation.position
                };
                self.take_position(position);
            }
            Role::Replica => {}
        }
        self.is_seen();
    }

    /// Whether a read-only MariaDB or MySQL server answers at the primary's address, and may lack acknowledged writes.
    ///
    /// DNS or a proxy has led to another server, or an operator has restored an earlier state.
    fn stands_in(
        &self,
        observation: &Observation,
        before: Option<&Sighting>,
        is_another: bool,
    ) -> bool {
        let Self { set, node, .. } = *self;
        if observation.takes_writes
            || observation.timeline.is_some()
            || set.role_of(node) != Role::Primary
        {
            return false;
        }
        let lacks = |shown: Position| observation.position.reaches(&shown) != Reach::Yes;
        is_another
            || before.is_some_and(|before| before.stands_in)
            || set.samples().latest().is_some_and(lacks)
    }

    fn is_seen(&self) {
        let Self { set, node, .. } = *self;
        leave_out(set, node, Exclusion::Unseen, false);
    }

    fn take_position(&self, position: Position) {
        let Self { set, node, .. } = *self;
        let was = node.position();
        let goes_on = match (&was, position.is_known()) {
            (Some(was), true) => position.reaches(was) == Reach::Yes,
            (Some(_), false) => false,
            // What it has shown while nobody knew where it was counts no more.
            (None, true) => false,
            (None, false) => true,
        };
        if !goes_on {
            node.lose_track();
        }
        let now = set.ports.clock.now();
        let lag = lag_of(set, &position, now);
        if lag.at_least.is_some() {
            set.samples().aim_at_last(now);
        }
        node.set_lag(lag);
        node.observe(position);
        set.limit_lag(node, lag);
    }

    fn take_sample(&self, observation: Observation) {
        let Self {
            set, node, ticket, ..
        } = *self;
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
            samples.aim(observation.position.clone(), set.ports.clock.now());
        }
        let is_first = match samples.latest() {
            // A restored primary begins anew.
            Some(latest) if observation.position.reaches(&latest) == Reach::No => {
                samples.clear();
                true
            }
            latest => latest.is_none(),
        };
        samples.take(ticket.number, observation.position, set.ports.clock.now());
        for replica in &set.nodes()[1..] {
            if is_first {
                // A replica that answered before the primary has an unknown lag.
                replica.hurry().ask();
            } else if ticket.asked {
                replica.hurry().wake();
            }
        }
    }
}

fn lag_of<P>(set: &ReplicaSet<P>, position: &Position, now: Timestamp) -> Lag {
    let latest = set.samples().latest();
    let (time, at_least) = match set.samples().time_behind(position, now) {
        Some(Behind::For(time)) => (Some(time), None),
        Some(Behind::AtLeast(time)) => (None, Some(time)),
        None => (None, None),
    };
    Lag {
        bytes: latest.and_then(|latest| position.bytes_behind(&latest)),
        time,
        at_least,
    }
}
