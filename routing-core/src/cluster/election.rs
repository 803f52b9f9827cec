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

use crate::observe::decision::Role;
use crate::observe::exclusion::{Exclusion, Exclusions};
use crate::position::{Position, Reach};

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
    /// All that it has, written or replayed.
    pub(crate) holds: Position,
    /// When it was asked, and when it had answered, as sequence numbers.
    pub(crate) asked: u64,
    pub(crate) answered: u64,
    /// Whether it took no writes before, and does now.
    pub(crate) took_over: bool,
}

/// What the rule looks at in a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) sighting: Option<&'a Sighting>,
    pub(crate) is_up: bool,
    /// Whether it may be the server that the primary is, too.
    pub(crate) may_be_primarys: bool,
}

/// What is remembered from one judgement to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct History {
    pub(crate) system: Option<u64>,
    /// The highest that was seen; 0 is none.
    pub(crate) timeline: u32,
    /// How often the primary has changed.
    pub(crate) changes: u32,
    /// Whether it was found out once who of MySQL's and MariaDB's servers is the primary.
    pub(crate) is_elected: bool,
    /// Whether that depends on what some say when they are asked again.
    pub(crate) is_waiting: bool,
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
    let mut primary = current;
    let mut undecided = Vec::new();
    history.is_waiting = false;
    if !history.is_elected {
        match first_election(current, nodes) {
            First::Unknown => {}
            First::Wait(among) => {
                history.is_waiting = true;
                undecided = among;
            }
            First::Primary(index) => {
                // Who has not been seen yet may have a say.
                let all_are_seen = nodes.iter().all(|node| node.sighting.is_some());
                history.is_elected = all_are_seen || index != current;
                primary = index;
            }
            First::Undecided(among) => undecided = among,
        }
    }
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
            let replica = of_replica(sighting, primary_seen, &history);
            let is_primarys = nodes[index].may_be_primarys
                && primary_seen.is_some_and(|primary| is_same_server(sighting, primary));
            if is_primarys { none } else { replica }
        }
    });
    Ruling {
        primary,
        exclusions: exclusions.collect(),
        history,
        is_another_system,
    }
}

/// What the first answers of MySQL's and MariaDB's servers come to.
#[derive(Debug, PartialEq, Eq)]
enum First {
    /// Not all have been asked, or nobody takes writes.
    Unknown,
    /// Of these, all but one are to be asked again.
    Wait(Vec<usize>),
    Primary(usize),
    /// Several take writes, and none of them has all that the others have.
    Undecided(Vec<usize>),
}

fn first_election(current: usize, nodes: &[Seen<'_>]) -> First {
    let up = |index: usize| nodes[index].sighting.filter(|_| nodes[index].is_up);
    let have_all_been_asked = nodes
        .iter()
        .all(|node| node.sighting.is_some() || !node.is_up);
    let has_timelines = nodes
        .iter()
        .any(|node| node.sighting.is_some_and(|seen| seen.timeline.is_some()));
    if !have_all_been_asked || has_timelines {
        return First::Unknown;
    }
    // Somebody else's server is nobody's primary, whatever it takes.
    let reference = up(current);
    let is_ours = |seen: &Sighting| {
        reference
            .is_none_or(|ours| !ours.holds.is_known() || seen.holds.shares_history(&ours.holds))
    };
    let takes_writes = |index: &usize| up(*index).is_some_and(|s| s.takes_writes && is_ours(s));
    let is_primarys = |index: &usize| {
        *index != current
            && nodes[*index].may_be_primarys
            && matches!((up(*index), up(current)), (Some(one), Some(other)) if is_same_server(one, other))
    };
    let mut writable: Vec<_> = (0..nodes.len()).filter(takes_writes).collect();
    writable.retain(|index| !is_primarys(index));
    let has_all = |one: &usize| {
        let mut others = writable.iter().filter(|other| *other != one);
        others.all(|other| match (up(*one), up(*other)) {
            (Some(one), Some(other)) => {
                !other.holds.is_known() || one.holds.reaches(&other.holds) == Reach::Yes
            }
            _ => false,
        })
    };
    if writable.is_empty() {
        return First::Unknown;
    }
    if writable.contains(&current) && has_all(&current) {
        return First::Primary(current);
    }
    let mut ahead = writable.iter().copied().filter(has_all);
    let (Some(one), None) = (ahead.next(), ahead.next()) else {
        return First::Undecided(writable);
    };
    // Whoever writes goes on: only who was asked later, and lacks something still, is behind.
    let is_certain = writable.iter().filter(|other| **other != one).all(|other| {
        let (Some(one), Some(other)) = (up(one), up(*other)) else {
            return false;
        };
        other.asked > one.answered
    });
    if !is_certain {
        First::Wait(writable)
    } else if writable.contains(&current) {
        // It may be a replica that somebody has written to: whom it follows, nobody can tell.
        First::Undecided(writable)
    } else {
        First::Primary(one)
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

/// Whether two answers may be those of one server: MySQL's say so, PostgreSQL's do not contradict it.
fn is_same_server(one: &Sighting, other: &Sighting) -> bool {
    (
        one.role,
        one.takes_writes,
        one.system,
        one.timeline,
        one.server,
    ) == (
        other.role,
        other.takes_writes,
        other.system,
        other.timeline,
        other.server,
    )
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
        } else if history.timeline != 0 && timeline != history.timeline {
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
            holds: Position::UNKNOWN,
            asked: 1,
            answered: 2,
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
            holds: Position::mariadb(list).unwrap(),
            asked: 1,
            answered: 2,
            took_over,
        }
    }

    fn ruling(current: usize, known: History, nodes: &[(Option<&Sighting>, bool)]) -> Ruling {
        let nodes: Vec<_> = nodes
            .iter()
            .map(|&(sighting, is_up)| Seen {
                sighting,
                is_up,
                may_be_primarys: false,
            })
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
        is_elected: false,
        is_waiting: false,
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

    /// A replica whose URL leads to another cluster answers first.
    #[test]
    fn a_foreign_timeline_says_nothing_of_ours() {
        let (ours, theirs) = (pg(Primary, 8, 1), pg(Replica, 7, 3));
        let early = ruling(
            0,
            History::default(),
            &[(None, true), (Some(&theirs), true)],
        );
        assert_eq!(early.history.timeline, 0);
        let nodes = [(Some(&ours), true), (Some(&theirs), true)];
        let known = ruling(0, early.history, &nodes);
        assert_eq!((known.history.system, known.history.timeline), (Some(8), 1));
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
            ..ON_1
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

    /// A server of MySQL's with this GTID set, asked at the first or the second time.
    fn mysql(takes_writes: bool, gtids: &str, time: u64) -> Sighting {
        Sighting {
            asked: time * 10,
            answered: time * 10 + 1,
            holds: Position::mysql(gtids).unwrap(),
            position: Position::mysql(gtids).unwrap(),
            ..maria(takes_writes, false, "")
        }
    }

    /// What the first election of two servers comes to, when each is asked once, and again.
    fn elected(primary: Option<(bool, &str)>, replica: Option<(bool, &str)>) -> [String; 2] {
        [1, 2].map(|times| {
            let seen = |server: Option<(bool, &str)>, time| {
                server.map(|(takes_writes, gtids)| mysql(takes_writes, gtids, time))
            };
            // The one is asked before the other, each time.
            let (primary, replica) = (seen(primary, times), seen(replica, 1));
            let nodes = [primary.as_ref(), replica.as_ref()].map(|sighting| Seen {
                sighting,
                is_up: sighting.is_some(),
                may_be_primarys: false,
            });
            match first_election(0, &nodes) {
                First::Unknown => "unknown".to_owned(),
                First::Wait(_) => "wait".to_owned(),
                First::Primary(index) => ["primary", "replica"][index].to_owned(),
                First::Undecided(among) => format!("undecided {among:?}"),
            }
        })
    }

    #[test]
    fn the_first_answers_elect_whoever_takes_writes_and_has_all() {
        const A: &str = "aaaaaaaa-0000-0000-0000-000000000000:1-10";
        const MORE: &str = "aaaaaaaa-0000-0000-0000-000000000000:1-12";
        const OWN: &str = "aaaaaaaa-0000-0000-0000-000000000000:1-10,\
                           bbbbbbbb-0000-0000-0000-000000000000:1-2";
        const FOREIGN: &str = "cccccccc-0000-0000-0000-000000000000:1-99";
        let (rw, ro) = (|gtids| Some((true, gtids)), |gtids| Some((false, gtids)));
        let both = |one: &str| [one.to_owned(), one.to_owned()];
        let certain = |then: &str| ["wait".to_owned(), then.to_owned()];
        for (primary, replica, expected) in [
            // As configured.
            (rw(A), ro(A), both("primary")),
            (rw(MORE), ro(A), both("primary")),
            (rw(A), None, both("primary")),
            (rw(A), ro(FOREIGN), both("primary")),
            (rw(A), rw(FOREIGN), both("primary")),
            // A replica that is not read-only, as it should be, and follows.
            (rw(A), rw(A), both("primary")),
            (rw(MORE), rw(A), both("primary")),
            // It may have replicated what the primary wrote after it was asked.
            (rw(A), rw(MORE), certain("undecided [0, 1]")),
            (rw(A), rw(OWN), certain("undecided [0, 1]")),
            (rw(MORE), rw(OWN), both("undecided [0, 1]")),
            // After a failover.
            (ro(A), rw(A), both("replica")),
            (ro(A), rw(MORE), both("replica")),
            (ro(MORE), rw(OWN), both("replica")),
            (None, rw(A), both("replica")),
            // Nobody takes writes as yet.
            (ro(A), ro(A), both("unknown")),
            (ro(A), None, both("unknown")),
            (ro(A), rw(FOREIGN), both("unknown")),
            (None, ro(A), both("unknown")),
            (None, None, both("unknown")),
        ] {
            assert_eq!(
                elected(primary, replica),
                expected,
                "{primary:?} {replica:?}"
            );
        }
    }

    #[test]
    fn while_it_is_undecided_nobody_is_used_who_may_be_the_primary() {
        let one = mysql(true, "aaaaaaaa-0000-0000-0000-000000000000:1-12", 1);
        let gtids = "aaaaaaaa-0000-0000-0000-000000000000:1-10,\
                     bbbbbbbb-0000-0000-0000-000000000000:1-2";
        let two = mysql(true, gtids, 1);
        let follows = mysql(false, gtids, 1);
        let nodes = [
            (Some(&one), true),
            (Some(&two), true),
            (Some(&follows), true),
        ];
        let both = ruling(0, History::default(), &nodes);
        assert_eq!((both.primary, both.history.is_elected), (0, false));
        assert_eq!(words(&both), ["undecided", "undecided", ""]);
        // Whoever has not been seen yet may be the primary.
        let early = ruling(0, History::default(), &[(Some(&one), true), (None, false)]);
        assert_eq!((early.primary, early.history.is_elected), (0, false));
        let both = ruling(0, early.history, &[(Some(&one), true), (Some(&two), true)]);
        assert_eq!(words(&both), ["undecided", "undecided"]);
        // Somebody has made one of them read-only.
        let closed = mysql(false, "aaaaaaaa-0000-0000-0000-000000000000:1-12", 2);
        let nodes = [
            (Some(&closed), true),
            (Some(&two), true),
            (Some(&follows), true),
        ];
        let decided = ruling(0, both.history, &nodes);
        assert_eq!((decided.primary, decided.history.is_elected), (1, true));
        assert_eq!(words(&decided), ["", "", ""]);
        // From then on only who takes over replaces the primary.
        let later = mysql(true, "aaaaaaaa-0000-0000-0000-000000000000:1-99", 9);
        let nodes = [
            (Some(&later), true),
            (Some(&two), true),
            (Some(&follows), true),
        ];
        let stays = ruling(1, decided.history, &nodes);
        assert_eq!(stays.primary, 1);
        assert_eq!(words(&stays)[0], "superseded");
    }
}
