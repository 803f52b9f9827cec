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
//!   read-only no longer is, and the primary is down or read-only itself.
//! - What has not been observed changes nothing.

use crate::observe::decision::Role;
use crate::observe::exclusion::{Exclusion, Exclusions};
use crate::position::Position;

/// What a node has said of itself when it last answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// What it is, if it can only be that.
    pub(crate) role: Option<Role>,
    pub(crate) takes_writes: bool,
    /// PostgreSQL's system identifier.
    pub(crate) system: Option<u64>,
    /// PostgreSQL's.
    pub(crate) timeline: Option<u32>,
    /// MariaDB's and MySQL's server id.
    pub(crate) server: Option<u64>,
    pub(crate) position: Position,
    /// Whether it took no writes before, and does now.
    pub(crate) took_over: bool,
}

/// What the rule looks at in a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) sighting: Option<&'a Sighting>,
    pub(crate) is_up: bool,
}

/// What is remembered from one judgement to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct History {
    pub(crate) system: Option<u64>,
    /// The highest that was seen; 0 is none.
    pub(crate) timeline: u32,
    /// How often the primary has changed.
    pub(crate) changes: u32,
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
    let is_ours = |sighting: &Sighting| match (history.system, sighting.system) {
        (Some(ours), Some(theirs)) => ours == theirs,
        // Nobody knows yet what is ours.
        (None, Some(_)) => agreed != Agreed::Not || nodes[current].is_up,
        _ => true,
    };
    let timelines = nodes
        .iter()
        .filter_map(|node| node.sighting.filter(|s| is_ours(s))?.timeline);
    history.timeline = timelines.max().unwrap_or(0).max(known.timeline);

    let claims = |index: usize| {
        let sighting = nodes[index].sighting.filter(|s| is_ours(s));
        sighting.is_some_and(|sighting| match sighting.timeline {
            Some(timeline) => sighting.role == Some(Role::Primary) && timeline == history.timeline,
            None => index != current && sighting.took_over && sighting.takes_writes,
        })
    };
    let may_be_replaced = match primary_seen {
        None => !nodes[current].is_up,
        Some(sighting) if sighting.timeline.is_some() => !claims(current),
        Some(sighting) => !sighting.takes_writes || !nodes[current].is_up,
    };
    let mut primary = current;
    if may_be_replaced && let Some(claimant) = (0..nodes.len()).find(|&index| claims(index)) {
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
        if !is_ours(sighting) {
            none.with(Exclusion::Foreign)
        } else if index == primary {
            of_primary(sighting, &history)
        } else {
            of_replica(sighting, primary_seen, &history)
        }
    });
    Ruling {
        primary,
        exclusions: exclusions.collect(),
        history,
        is_another_system,
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
        Some(_) if sighting.role != Some(Role::Primary) => {
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
        } else if timeline != history.timeline {
            none.with(Exclusion::OtherHistory)
        } else {
            none
        };
    }
    if sighting.takes_writes && history.changes > 0 {
        // One of those that were the primary, or want to be.
        return none.with(Exclusion::Superseded);
    }
    let is_stranger = primary.is_some_and(|primary| {
        primary.position.is_known() && !sighting.position.shares_history(&primary.position)
    });
    if is_stranger {
        return none.with(Exclusion::Foreign);
    }
    none
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Primary, Replica};

    fn pg(role: Role, system: u64, timeline: u32) -> Sighting {
        Sighting {
            role: Some(role),
            takes_writes: role == Primary,
            system: Some(system),
            timeline: Some(timeline),
            server: None,
            position: Position::postgres(system, timeline, 100),
            took_over: false,
        }
    }

    fn maria(takes_writes: bool, took_over: bool, list: &str) -> Sighting {
        Sighting {
            role: (!takes_writes).then_some(Replica),
            takes_writes,
            system: None,
            timeline: None,
            server: None,
            position: Position::mariadb(list).unwrap(),
            took_over,
        }
    }

    fn ruling(current: usize, known: History, nodes: &[(Option<&Sighting>, bool)]) -> Ruling {
        let nodes: Vec<_> = nodes
            .iter()
            .map(|&(sighting, is_up)| Seen { sighting, is_up })
            .collect();
        judge(current, known, &nodes)
    }

    fn words(ruling: &Ruling) -> Vec<String> {
        let words = |exclusions: &Exclusions| {
            let words: Vec<_> = exclusions.iter().map(Exclusion::as_str).collect();
            words.join("+")
        };
        ruling.exclusions.iter().map(words).collect()
    }

    const ON_1: History = History {
        system: Some(7),
        timeline: 1,
        changes: 0,
    };

    #[test]
    fn nothing_that_was_not_observed_changes_anything() {
        let nothing = ruling(0, History::default(), &[(None, true), (None, true)]);
        assert_eq!(nothing.primary, 0);
        assert_eq!(nothing.history, History::default());
        assert_eq!(words(&nothing), ["", ""]);
        // A replica alone does not say whose it is, while the primary may still answer.
        let (a, b) = (pg(Replica, 7, 1), pg(Replica, 8, 1));
        let early = ruling(
            0,
            History::default(),
            &[(None, true), (Some(&a), true), (Some(&b), true)],
        );
        assert_eq!(early.history.system, None);
        assert_eq!(words(&early), ["", "", ""]);
        let without = ruling(
            0,
            History::default(),
            &[(None, false), (Some(&a), true), (Some(&b), true)],
        );
        assert_eq!(without.history.system, None, "it may be neither's");
        assert_eq!(words(&without), ["", "foreign", "foreign"]);
        let agreed = ruling(0, History::default(), &[(None, false), (Some(&a), true)]);
        assert_eq!(agreed.history.system, None);
        assert_eq!(words(&agreed), ["", ""]);
        // The primary says it, whoever has answered before.
        let primary = pg(Primary, 8, 1);
        let known = ruling(
            0,
            agreed.history,
            &[(Some(&primary), true), (Some(&a), true)],
        );
        assert_eq!(known.history.system, Some(8));
        assert_eq!(words(&known), ["", "foreign"]);
    }

    #[test]
    fn another_system_is_taken_over_when_all_that_answer_have_it() {
        let (primary, replica) = (pg(Primary, 9, 1), pg(Replica, 9, 1));
        let old = pg(Replica, 7, 3);
        let known = History {
            timeline: 3,
            ..ON_1
        };
        let upgraded = ruling(
            0,
            known,
            &[
                (Some(&primary), true),
                (Some(&replica), true),
                (Some(&old), false),
            ],
        );
        assert!(upgraded.is_another_system);
        assert_eq!(
            (upgraded.history.system, upgraded.history.timeline),
            (Some(9), 1)
        );
        assert_eq!(words(&upgraded), ["", "", "foreign"]);
        for (one, two) in [(&primary, &old), (&old, &replica)] {
            let half = ruling(0, known, &[(Some(one), true), (Some(two), true)]);
            assert!(!half.is_another_system, "not while one has the old one");
            assert_eq!(half.history.system, Some(7));
        }
    }

    #[test]
    fn who_is_promoted_becomes_the_primary_and_who_was_is_fenced_off() {
        let (old, new, other) = (pg(Primary, 7, 1), pg(Primary, 7, 2), pg(Replica, 7, 1));
        for is_up in [true, false] {
            let after = ruling(
                0,
                ON_1,
                &[
                    (Some(&old), is_up),
                    (Some(&new), true),
                    (Some(&other), true),
                ],
            );
            assert_eq!(after.primary, 1);
            assert_eq!((after.history.timeline, after.history.changes), (2, 1));
            assert_eq!(words(&after), ["superseded", "", "other history"]);
        }
        // It stays so, whatever the old one says later.
        let known = History {
            system: Some(7),
            timeline: 2,
            changes: 1,
        };
        let later = ruling(
            1,
            known,
            &[
                (Some(&old), true),
                (Some(&new), false),
                (Some(&other), true),
            ],
        );
        assert_eq!(later.primary, 1);
        assert_eq!(words(&later), ["superseded", "", "other history"]);
        // As a standby of the new one it is one of its replicas.
        let follows = pg(Replica, 7, 2);
        let rejoined = ruling(1, known, &[(Some(&follows), true), (Some(&new), true)]);
        assert_eq!(words(&rejoined), ["", ""]);
    }

    #[test]
    fn two_primaries_on_one_timeline_change_nothing() {
        let (one, two) = (pg(Primary, 7, 1), pg(Primary, 7, 1));
        for current in 0..2 {
            let both = ruling(current, ON_1, &[(Some(&one), true), (Some(&two), true)]);
            assert_eq!(both.primary, current);
            assert_eq!(both.exclusions[current], Exclusions::default());
            assert_eq!(words(&both)[1 - current], "superseded");
        }
    }

    #[test]
    fn a_foreign_primary_is_no_primary_whatever_its_timeline() {
        let (ours, theirs) = (pg(Primary, 7, 1), pg(Primary, 8, 9));
        for is_up in [true, false] {
            let both = ruling(0, ON_1, &[(Some(&ours), is_up), (Some(&theirs), true)]);
            assert_eq!((both.primary, both.history.timeline), (0, 1));
            assert_eq!(words(&both), ["", "foreign"]);
        }
        // Somebody else's server has taken the primary's place.
        let replaced = ruling(
            0,
            ON_1,
            &[(Some(&theirs), true), (Some(&pg(Replica, 7, 1)), true)],
        );
        assert_eq!(replaced.primary, 0);
        assert_eq!(words(&replaced), ["foreign", ""]);
    }

    #[test]
    fn a_primary_whose_timeline_somebody_has_left_behind_gets_no_writes() {
        let (old, follows) = (pg(Primary, 7, 1), pg(Replica, 7, 2));
        let fenced = ruling(0, ON_1, &[(Some(&old), true), (Some(&follows), true)]);
        assert_eq!(fenced.primary, 0);
        assert_eq!(words(&fenced), ["superseded+read-only", ""]);
        let demoted = ruling(0, ON_1, &[(Some(&pg(Replica, 7, 1)), true)]);
        assert_eq!(words(&demoted), ["demoted+read-only"]);
    }

    #[test]
    fn without_timelines_a_read_only_primary_is_replaced_by_who_takes_over() {
        let primary = maria(true, false, "0-1-10");
        let replica = maria(false, false, "0-1-10");
        let taking_over = maria(true, true, "0-1-10");
        let closed = maria(false, false, "0-1-10");
        let none = History::default();
        let stays = [
            ruling(
                0,
                none,
                &[(Some(&primary), true), (Some(&taking_over), true)],
            ),
            ruling(0, none, &[(Some(&primary), false), (Some(&replica), true)]),
        ];
        for ruling in stays {
            assert_eq!(ruling.primary, 0);
        }
        let changes = [
            ruling(
                0,
                none,
                &[(Some(&primary), false), (Some(&taking_over), true)],
            ),
            ruling(
                0,
                none,
                &[(Some(&closed), true), (Some(&taking_over), true)],
            ),
        ];
        for ruling in &changes {
            assert_eq!((ruling.primary, ruling.history.changes), (1, 1));
        }
        assert_eq!(
            words(&changes[0]),
            ["superseded", ""],
            "it still thinks that it is"
        );
        assert_eq!(words(&changes[1]), ["", ""], "it follows");
        let maintained = ruling(0, none, &[(Some(&closed), true), (Some(&replica), true)]);
        assert_eq!(words(&maintained), ["read-only", ""]);
        let stranger = maria(false, false, "5-9-3");
        let strange = ruling(0, none, &[(Some(&primary), true), (Some(&stranger), true)]);
        assert_eq!(words(&strange), ["", "foreign"]);
    }
}
