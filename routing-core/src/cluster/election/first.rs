//! The first election of MySQL's and MariaDB's servers, when the configuration may be that of before a failover.

use super::seen::{Seen, Sighting, is_same_server};
use crate::position::Reach;

/// What the first answers of MySQL's and MariaDB's servers come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The monitors have not asked all nodes yet, or no node takes writes.
    Unknown,
    /// One seems to be ahead of the others, which are to be asked again.
    Wait {
        ahead: usize,
        among: Vec<usize>,
    },
    Primary(usize),
    /// Several take writes, and none of them has all that the others have.
    Undecided(Vec<usize>),
}

pub(super) fn first_election(current: usize, nodes: &[Seen<'_>]) -> First {
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
    // A server of another history is not the set's primary, even if it takes writes.
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
    let is_told_primary = |index: &usize| {
        up(*index).is_some_and(Sighting::is_told_primary) && !nodes[*index].may_be_primarys
    };
    if writable.len() > 1 && writable.iter().any(is_told_primary) {
        return First::Undecided(writable);
    }
    if writable.contains(&current) && has_all(&current) {
        return First::Primary(current);
    }
    let mut ahead = writable.iter().copied().filter(has_all);
    let (Some(one), None) = (ahead.next(), ahead.next()) else {
        return First::Undecided(writable);
    };
    // A primary goes on writing: a server is certainly behind only if it still lacks something when the
    // monitor asks it later.
    let is_certain = writable.iter().filter(|other| **other != one).all(|other| {
        let (Some(one), Some(other)) = (up(one), up(*other)) else {
            return false;
        };
        other.asked > one.answered
    });
    if !is_certain {
        First::Wait {
            ahead: one,
            among: writable,
        }
    } else if writable.contains(&current) {
        // The server that is ahead may be a replica that an application has written to: the router cannot ask
        // which server it follows.
        First::Undecided(writable)
    } else {
        First::Primary(one)
    }
}

#[cfg(test)]
mod tests {
    use super::super::History;
    use super::super::tests::{maria, ruling, words};
    use super::*;
    use crate::position::Position;

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
                First::Wait { .. } => "wait".to_owned(),
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
    fn the_primary_under_another_address_is_left_out() {
        let with = |server: u64, last: u32, time: u64| Sighting {
            server: Some(server),
            ..mysql(
                true,
                &format!("aaaaaaaa-0000-0000-0000-000000000000:1-{last}"),
                time,
            )
        };
        // It was asked later, and so shows more: the other is asked again.
        let (early, alias, later) = (with(1, 10, 1), with(1, 12, 1), with(1, 13, 2));
        let first = ruling(
            0,
            History::default(),
            &[(Some(&early), true), (Some(&alias), true)],
        );
        assert!(!first.history.is_elected);
        let then = ruling(
            0,
            first.history,
            &[(Some(&later), true), (Some(&alias), true)],
        );
        assert_eq!((then.primary, then.history.is_elected), (0, true));
        assert_eq!(words(&then), ["", "same server"]);
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
        let later = ruling(0, early.history, &[(Some(&one), true), (Some(&two), true)]);
        assert_eq!(words(&later), ["undecided", "undecided"]);
        // But nobody replaces the primary that is in use because it is down for a while.
        let nodes = [(Some(&one), false), (Some(&two), true), (None, false)];
        let fallen = ruling(0, early.history, &nodes);
        assert_eq!(
            (fallen.primary, words(&fallen)),
            (0, vec![String::new(); 3])
        );
        let nodes = [(Some(&one), false), (Some(&two), true)];
        assert_eq!(ruling(0, early.history, &nodes).primary, 0);
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
