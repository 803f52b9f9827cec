//! Answers, and what follows.

use super::*;
use crate::position::Position;
use Role::{Primary, Replica};

fn pg(role: Role, system: u64, timeline: u32) -> Sighting {
    Sighting {
        role: Some(role),
        takes_writes: role == Primary,
        system: Some(system),
        timeline: Some(timeline),
        server: None,
        is_told: false,
        stands_in: false,
        position: Position::postgres(system, timeline, 100),
        holds: Position::UNKNOWN,
        asked: 1,
        answered: 2,
        took_over: false,
    }
}

pub(super) fn maria(takes_writes: bool, took_over: bool, list: &str) -> Sighting {
    Sighting {
        role: (!takes_writes).then_some(Replica),
        takes_writes,
        system: None,
        timeline: None,
        server: None,
        is_told: false,
        stands_in: false,
        position: Position::mariadb(list).unwrap(),
        holds: Position::mariadb(list).unwrap(),
        asked: 1,
        answered: 2,
        took_over,
    }
}

pub(super) fn ruling(
    current: usize,
    known: History,
    nodes: &[(Option<&Sighting>, bool)],
) -> Ruling {
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

pub(super) fn words(ruling: &Ruling) -> Vec<String> {
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
    is_provisional: false,
    waits_for: None,
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
        assert_eq!(words(&both)[1 - current], "same server");
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
    let stand_in = Sighting {
        stands_in: true,
        ..maria(false, false, "0-1-9")
    };
    let lacking = ruling(0, none, &[(Some(&stand_in), true), (Some(&replica), true)]);
    assert_eq!(words(&lacking), ["demoted+read-only", ""]);
}

fn told(role: Role, number: u64) -> Sighting {
    Sighting {
        role: Some(role),
        takes_writes: role == Primary,
        position: Position::number(number),
        holds: Position::UNKNOWN,
        is_told: true,
        ..maria(false, false, "")
    }
}

#[test]
fn the_applications_query_tells_a_role_and_no_history() {
    let elected = History {
        is_elected: true,
        is_provisional: true,
        ..History::default()
    };
    let (a, b) = (told(Primary, 10), told(Primary, 12));
    let took_over = Sighting {
        took_over: true,
        ..b.clone()
    };
    let (behind, silent) = (told(Replica, 9), told(Replica, 0));
    for (known, one, other, primary, expected) in [
        (elected, &a, &behind, 0, ["", ""]),
        // The query tells no position of the replica.
        (elected, &a, &silent, 0, ["", ""]),
        (elected, &a, &b, 0, ["", "superseded"]),
        (elected, &a, &took_over, 0, ["", "superseded"]),
        (elected, &behind, &took_over, 1, ["", ""]),
        (elected, &behind, &silent, 0, ["demoted+read-only", ""]),
        (History::default(), &a, &behind, 0, ["", ""]),
        (History::default(), &behind, &b, 1, ["", ""]),
        (History::default(), &a, &b, 0, ["undecided", "undecided"]),
    ] {
        let ruling = ruling(0, known, &[(Some(one), true), (Some(other), true)]);
        assert_eq!(
            (ruling.primary, words(&ruling)),
            (primary, expected.map(String::from).to_vec()),
            "{one:?} {other:?}"
        );
    }
    // The operator allows both to be one server.
    let nodes = [&a, &b].map(|sighting| Seen {
        sighting: Some(sighting),
        is_up: true,
        may_be_primarys: true,
    });
    for known in [elected, History::default()] {
        let both = judge(0, known, &nodes);
        assert_eq!((both.primary, words(&both)), (0, vec![String::new(); 2]));
    }
}
