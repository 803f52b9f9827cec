//! Which node is the primary, from what the nodes say of themselves.
//!
//! The obvious source is the configuration, and after a failover it is wrong: writes fail on a
//! primary that is gone, or worse, succeed on one that has come back and that nobody follows. Here
//! the nodes are asked, and [`judge`] is the whole rule, a pure function of their answers:
//!
//! - **One system.** PostgreSQL's system identifier is that of the primary; who has another is
//!   foreign. While the primary has not been seen, nodes that disagree are all foreign. When the primary and
//!   all that answer have another identifier than before (`pg_upgrade`, a restored backup), that is the
//!   system's from then on. Of MariaDB's and MySQL's servers a replica is foreign that has replicated nothing of
//!   the domains that the primary writes to.
//! - **The highest timeline.** A promotion begins a new timeline ("Continuous Archiving and
//!   Point-in-Time Recovery", PostgreSQL's manual), so that of two primaries the one on the higher
//!   timeline is right, and the other is fenced off, also if it is the one that was configured. A
//!   timeline that anybody in the set has been seen on stays the least that a primary may be on.
//! - **MySQL and MariaDB have no timelines.** There the primary changes when a replica that was
//!   read-only no longer is, and the primary is down or read-only itself. At first, when the configuration
//!   may be that of before a failover, the only one that takes writes is the primary. Of several it is the
//!   configured one, if that has all that the others have; else it is undecided, as who is ahead may be the
//!   new primary, or a replica that somebody has written to. As a replica that is asked later seems to be
//!   ahead, the others are asked again before.
//! - What has not been observed changes nothing.

mod first;
pub(crate) mod seen;

use crate::cluster::election::first::{First, first_election};
use crate::cluster::election::seen::{Seen, Sighting, is_same_server};
use crate::observe::decision::Role;
use crate::observe::exclusion::{Exclusion, Exclusions};

/// What the set remembers from one judgement to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct History {
    pub(crate) system: Option<u64>,
    /// The highest that was seen; 0 is none.
    pub(crate) timeline: u32,
    /// How often the primary has changed.
    pub(crate) changes: u32,
    /// Whether it was found out once who of MySQL's and MariaDB's servers is the primary.
    pub(crate) is_elected: bool,
    /// Whether that was found out while some had not been seen.
    pub(crate) is_provisional: bool,
    /// The index of who seems to be ahead, until the others have been asked again.
    pub(crate) waits_for: Option<usize>,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ruling {
    /// The primary's index.
    pub(crate) primary: usize,
    pub(crate) history: History,
    /// Of each node.
    pub(crate) exclusions: Vec<Exclusions>,
    /// Whether all nodes are of another system than before.
    pub(crate) is_another_system: bool,
}

/// The rule; `current` is the primary's index so far.
pub(crate) fn judge(current: usize, known: History, nodes: &[Seen<'_>]) -> Ruling {
    let mut history = known;
    let primary_seen = nodes[current].sighting;
    let of_primary_seen = primary_seen.and_then(|sighting| sighting.system);
    let agreed = agreed_system(nodes);
    let is_another_system = match (known.system, of_primary_seen, agreed) {
        (Some(known), Some(now), Agreed::On(agreed)) => known != now && now == agreed,
        _ => false,
    };
    if is_another_system {
        history = History::default();
    }
    let known = history;
    history.system = known.system.or(of_primary_seen);
    let system = history.system;
    let is_ours = |sighting: &Sighting| match (system, sighting.system) {
        (Some(ours), Some(theirs)) => ours == theirs,
        // Nobody knows yet what is ours.
        (None, Some(_)) => agreed != Agreed::Not || nodes[current].is_up,
        _ => true,
    };
    let timelines = nodes
        .iter()
        .filter_map(|node| node.sighting.filter(|s| is_ours(s))?.timeline);
    let timeline = timelines.max().unwrap_or(0).max(known.timeline);
    if history.system.is_some() {
        // Of a system that is not known to be ours it says nothing.
        history.timeline = timeline;
    }

    let claims = |index: usize| {
        let sighting = nodes[index].sighting.filter(|s| is_ours(s));
        sighting.is_some_and(|sighting| match sighting.timeline {
            Some(of_this) => sighting.role == Some(Role::Primary) && of_this == timeline,
            None => index != current && sighting.took_over && sighting.takes_writes,
        })
    };
    let may_be_replaced = match primary_seen {
        None => !nodes[current].is_up,
        Some(sighting) if sighting.timeline.is_some() => !claims(current),
        Some(sighting) => !sighting.takes_writes || !nodes[current].is_up,
    };
    let (first, undecided) = elect_first(current, &mut history, nodes);
    let mut primary = first.unwrap_or(current);
    if primary == current
        && may_be_replaced
        && let Some(claimant) = (0..nodes.len()).find(|&index| claims(index))
    {
        primary = claimant;
    }
    if primary != current {
        history.changes += 1;
    }

    let primary_seen = nodes[primary].sighting;
    let exclusions = (0..nodes.len()).map(|index| {
        let none = Exclusions::default();
        let Some(sighting) = nodes[index].sighting else {
            return none;
        };
        if undecided.contains(&index) {
            none.with(Exclusion::Undecided)
        } else if !is_ours(sighting) {
            none.with(Exclusion::Foreign)
        } else if index == primary {
            of_primary(sighting, &history)
        } else {
            match primary_seen.is_some_and(|primary| is_same_server(sighting, primary)) {
                true if nodes[index].may_be_primarys => none,
                // The application's query does not tell which server it is.
                false if sighting.is_told_primary() && nodes[index].may_be_primarys => none,
                true => none.with(Exclusion::SameServer),
                false => of_replica(sighting, primary_seen, &history),
            }
        }
    });
    Ruling {
        primary,
        exclusions: exclusions.collect(),
        history,
        is_another_system,
    }
}

/// Applies the first election, as long as it counts: the primary's index, if it says who that is, and who may
/// be it if that is undecided.
fn elect_first(
    current: usize,
    history: &mut History,
    nodes: &[Seen<'_>],
) -> (Option<usize>, Vec<usize>) {
    history.waits_for = None;
    // Once it is used, the primary is replaced by nobody but who takes over; and whoever is seen for the
    // first time has a say only then.
    let is_first = !history.is_provisional;
    let all_are_seen = nodes.iter().all(|node| node.sighting.is_some());
    if history.is_elected || !(is_first || all_are_seen) {
        return (None, Vec::new());
    }
    match first_election(current, nodes) {
        First::Unknown => (None, Vec::new()),
        First::Wait { ahead, among } => {
            history.waits_for = Some(ahead);
            (None, if is_first { among } else { Vec::new() })
        }
        First::Primary(index) => {
            history.is_elected = all_are_seen || index != current;
            history.is_provisional = true;
            (is_first.then_some(index), Vec::new())
        }
        First::Undecided(among) => (None, among),
    }
}

/// Whether the nodes that answer are of one system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    On(u64),
    Not,
    /// None has said.
    Unknown,
}

fn agreed_system(nodes: &[Seen<'_>]) -> Agreed {
    let answering = nodes.iter().filter(|node| node.is_up);
    let mut systems = answering.filter_map(|node| node.sighting?.system);
    let Some(first) = systems.next() else {
        return Agreed::Unknown;
    };
    if systems.all(|system| system == first) {
        Agreed::On(first)
    } else {
        Agreed::Not
    }
}

fn of_primary(sighting: &Sighting, history: &History) -> Exclusions {
    let none = Exclusions::default();
    // What it shows may lack writes, if somebody is ahead of it, and if it follows somebody.
    match sighting.timeline {
        Some(timeline) if timeline < history.timeline => {
            none.with(Exclusion::ReadOnly).with(Exclusion::Superseded)
        }
        timeline
            if (timeline.is_some() || sighting.is_told) && sighting.role != Some(Role::Primary)
                || sighting.stands_in =>
        {
            none.with(Exclusion::ReadOnly).with(Exclusion::Demoted)
        }
        None if !sighting.takes_writes => none.with(Exclusion::ReadOnly),
        _ => none,
    }
}

fn of_replica(sighting: &Sighting, primary: Option<&Sighting>, history: &History) -> Exclusions {
    let none = Exclusions::default();
    if let Some(timeline) = sighting.timeline {
        return if sighting.role == Some(Role::Primary) {
            none.with(Exclusion::Superseded)
        } else if history.timeline != 0 && timeline != history.timeline {
            none.with(Exclusion::OtherHistory)
        } else {
            none
        };
    }
    // A former or a would-be primary; a replica that is not read-only, unless the application's query tells otherwise.
    if sighting.takes_writes && history.changes > 0 || sighting.is_told_primary() {
        return none.with(Exclusion::Superseded);
    }
    let is_stranger = primary.is_some_and(|primary| {
        // The application's query need not tell a replica's position.
        !sighting.is_told
            && primary.position.is_known()
            && !sighting.position.shares_history(&primary.position)
    });
    if is_stranger {
        return none.with(Exclusion::Foreign);
    }
    none
}

#[cfg(test)]
mod tests;
