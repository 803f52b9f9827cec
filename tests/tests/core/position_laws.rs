//! The order of positions.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use routing_core::{Position, Reach};

fn postgres() -> impl Strategy<Value = Position> {
    (1..3_u64, 1..3_u32, 1..6_u64)
        .prop_map(|(system, timeline, lsn)| Position::postgres(system, timeline, lsn))
}

fn mariadb() -> impl Strategy<Value = Position> {
    btree_map(0..3_u32, (1..3_u32, 1..5_u64), 1..4).prop_map(|domains| {
        let gtids = domains
            .iter()
            .map(|(domain, (server, n))| format!("{domain}-{server}-{n}"));
        let list = gtids.collect::<Vec<_>>().join(",");
        Position::mariadb(&list).expect("a list")
    })
}

fn mysql() -> impl Strategy<Value = Position> {
    vec((1..3_u8, 0..3_usize, 1..8_u64, 0..4_u64), 1..5).prop_map(|intervals| {
        let sources = intervals.iter().map(|(uuid, tag, first, more)| {
            let tag = ["", "a:", "b_2:"][*tag];
            format!(
                "00000000-0000-0000-0000-00000000000{uuid}:{tag}{first}-{}",
                first + more
            )
        });
        Position::mysql(&sources.collect::<Vec<_>>().join(",")).expect("a set")
    })
}

fn any_position() -> impl Strategy<Value = Position> {
    prop_oneof![
        1 => Just(Position::UNKNOWN),
        4 => postgres(),
        4 => mariadb(),
        4 => mysql(),
    ]
}

/// Three that are likely to have to do with each other.
fn three() -> impl Strategy<Value = [Position; 3]> {
    prop_oneof![
        [postgres(), postgres(), postgres()],
        [mariadb(), mariadb(), mariadb()],
        [mysql(), mysql(), mysql()],
        [any_position(), any_position(), any_position()],
    ]
}

fn reaches(one: &Position, other: &Position) -> bool {
    one.reaches(other) == Reach::Yes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn it_is_a_partial_order([a, b, c] in three()) {
        prop_assert_eq!(reaches(&a, &a), a.is_known(), "each reaches itself, if it is known");
        if reaches(&a, &b) && reaches(&b, &a) {
            prop_assert_eq!(&a, &b);
        }
        if reaches(&a, &b) && reaches(&b, &c) {
            prop_assert!(reaches(&a, &c));
        }
    }

    #[test]
    fn merging_is_the_least_upper_bound([a, b, c] in three()) {
        let both = a.merge(&b);
        prop_assert_eq!(&both, &b.merge(&a));
        prop_assert_eq!(both.merge(&c), a.merge(&b.merge(&c)));
        if both.is_known() {
            prop_assert!(reaches(&both, &a) && reaches(&both, &b));
        }
        // Whatever reaches both reaches it, so nothing does if there is no such.
        if reaches(&c, &a) && reaches(&c, &b) {
            prop_assert!(reaches(&c, &both), "{c} reaches {a} and {b}, and not {both}");
        }
        if a.is_known() {
            prop_assert_eq!(a.merge(&a), a);
        }
    }

    #[test]
    fn what_is_unknown_has_no_place(a in any_position()) {
        prop_assert_eq!(a.reaches(&Position::UNKNOWN), Reach::Unknown);
        prop_assert_eq!(Position::UNKNOWN.reaches(&a), Reach::Unknown);
        prop_assert_eq!(a.merge(&Position::UNKNOWN), Position::UNKNOWN);
    }

    #[test]
    fn the_string_form_is_read_again(a in any_position()) {
        let text = a.to_string();
        prop_assert_eq!(text.parse(), Ok(a), "{}", text);
    }

    #[test]
    fn any_text_is_a_position_or_an_error(text in "(pg|mariadb|mysql)?:?[0-9a-fA-F:,/+ -]{0,40}") {
        if let Ok(position) = text.parse::<Position>() {
            prop_assert_eq!(position.to_string().parse::<Position>(), Ok(position));
        }
    }
}

#[test]
fn locations_of_nothing_are_unknown() {
    assert!(!Position::postgres(7, 1, 0).is_known());
    assert!(!Position::mariadb("").expect("a list").is_known());
    assert!(!Position::mysql(" ").expect("a set").is_known());
    for wrong in [
        "",
        "pg:",
        "pg:1/1/0/0",
        "pg:1/1/+1/0",
        "mariadb:",
        "mariadb:0-1",
        "mysql:",
        "zero",
        "mariadb:0-1-2,0-1-3",
        "mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:5-1",
        "mysql:3e11fa4771ca11e19e33c80aa9429562:1",
        "mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:tag",
        "mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:other:1",
        "mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:1:2tag:1",
    ] {
        assert!(wrong.parse::<Position>().is_err(), "{wrong}");
    }
}

/// As the manual has it: intervals that touch are one.
#[test]
fn gtid_sets_are_normal() {
    let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    let set = |intervals: &str| Position::mysql(&format!("{uuid}:{intervals}")).expect("a set");
    assert_eq!(set("1-3:4-5:9"), set("9:1-5"));
    assert_eq!(set("5:1-9"), set("1-9"));
    assert_eq!(set("1-9").reaches(&set("2-4:7")), Reach::Yes);
    assert_eq!(set("1-4:7").reaches(&set("3-7")), Reach::No);
}
