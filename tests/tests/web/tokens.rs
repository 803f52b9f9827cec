//! Tokens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use routing_core::{HandOver, Position, Session, SetName, TokenError, TokenKeys};

const SECRET: &str = "a secret that is long enough for this";
const OTHER: &str = "another secret that is long enough too";

fn keys() -> TokenKeys {
    TokenKeys::new(SECRET).expect("a secret")
}

fn at(set: &'static str, position: &str) -> HandOver {
    let mut told = HandOver::new(set);
    told.position = Some(position.parse().expect("a position"));
    told
}

fn three_sets() -> Vec<HandOver> {
    vec![
        at(
            "default",
            "pg:18446744073709551615/4294967295/FFFFFFFF/FFFFFFFF",
        ),
        at("orders", "pg:7710695643927383485/12/3A/40012F8"),
        at("audit-log", "mariadb:0-1-18446744073709551615,1-2-3"),
    ]
}

#[test]
fn what_is_sealed_is_opened() {
    let mut told = three_sets();
    told[1].pinned_for = Some(Duration::from_secs(5));
    let token = keys().seal_all(&told);
    let opened = keys().open(&token).expect("a token");
    assert_eq!(opened.len(), told.len());
    for (opened, told) in opened.iter().zip(&told) {
        assert_eq!((&opened.set, &opened.position), (&told.set, &told.position));
        let (opened, told) = (opened.pinned_for, told.pinned_for);
        assert_eq!(opened.is_some(), told.is_some());
        assert!(opened <= told);
    }
}

#[test]
fn three_sets_take_two_hundred_bytes_at_the_most() {
    let token = keys().seal_all(&three_sets());
    assert!(token.len() <= 200, "{}", token.len());
    println!("three sets: {} bytes", token.len());
}

#[test]
fn only_ones_own_keys_open_a_token() {
    let token = keys().seal_all(&three_sets());
    let other = TokenKeys::new(OTHER).expect("a secret");
    assert_eq!(other.open(&token), Err(TokenError::NotAuthentic));
    // While keys are rotated, both do, and the first one seals.
    let rotating = other.and_old(SECRET).expect("a secret");
    assert!(rotating.open(&token).is_ok());
    let token = rotating.seal_all(&three_sets());
    assert_eq!(keys().open(&token), Err(TokenError::NotAuthentic));
    assert_eq!(
        (rotating.counts().accepted, rotating.counts().not_authentic),
        (1, 1)
    );
    assert!(TokenKeys::new("too short").is_err());
}

/// Seconds since 1970, by a clock that the test sets.
static NOW: AtomicU64 = AtomicU64::new(1_000_000);

fn wall_clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed))
}

#[test]
fn tokens_expire_and_clocks_may_jump() {
    let keys = keys()
        .wall_clock(wall_clock)
        .max_age(Duration::from_secs(600));
    let mut told = HandOver::new("default");
    told.pinned_for = Some(Duration::from_secs(15));
    let token = keys.seal_all(&[told]);
    let left = |seconds: u64| {
        NOW.store(seconds, Ordering::Relaxed);
        keys.open(&token).map(|told| told[0].pinned_for)
    };
    assert_eq!(left(1_000_005), Ok(Some(Duration::from_secs(10))));
    assert_eq!(left(1_000_015), Ok(None));
    assert_eq!(left(1_000_600), Ok(None));
    assert_eq!(left(1_000_601), Err(TokenError::Expired));
    // Sealed by a machine whose clock is ahead: never for longer than it said.
    assert_eq!(left(0), Ok(Some(Duration::from_secs(15))));
    NOW.store(1_000_000, Ordering::Relaxed);
    // A pin that is as long as a token lives, and not longer.
    let mut told = HandOver::new("default");
    told.pinned_for = Some(Duration::MAX);
    let opened = keys.open(&keys.seal_all(&[told])).expect("a token");
    assert_eq!(opened[0].pinned_for, Some(Duration::from_secs(600)));
}

#[test]
fn a_set_of_many_gaps_is_told_as_a_time() {
    let intervals: Vec<_> = (1..2_000).map(|n| (n * 10).to_string()).collect();
    let gaps = format!(
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:{}",
        intervals.join(":")
    );
    let mut told = HandOver::new("default");
    told.position = Some(Position::mysql(&gaps).expect("a set"));
    let token = keys().seal_all(&[told]);
    assert!(token.len() < 200);
    let opened = keys().open(&token).expect("a token");
    assert_eq!(opened[0].position, None);
    assert!(
        opened[0]
            .pinned_for
            .is_some_and(|lasts| lasts > Duration::from_secs(14))
    );
}

#[test]
fn merging_loses_neither_a_pin_nor_a_position() {
    let session = Session::new();
    session.take_over([at("default", "pg:7/1/0/100"), at("default", "pg:7/1/0/90")]);
    let mut pinned = HandOver::new("default");
    pinned.pinned_for = Some(Duration::from_secs(9));
    session.take_over([pinned]);
    let told = session.hand_over();
    assert_eq!(told[0].position, Some(Position::postgres(7, 1, 0x100)));
    assert!(told[0].pinned_for.is_some());
    // Two histories: no position is that of both.
    session.take_over([at("default", "pg:7/2/0/90")]);
    assert_eq!(session.hand_over()[0].position, None);
}

#[test]
fn a_session_that_has_not_written_has_no_token() {
    let session = keys().resume(Some(&keys().seal_all(&three_sets())));
    assert!(!session.hand_over().is_empty());
    assert_eq!(keys().seal(&session), None);
}

#[test]
fn a_hundred_thousand_mutated_tokens_do_no_harm() {
    let keys = keys();
    let token = keys.seal_all(&three_sets()).into_bytes();
    let config = proptest::test_runner::Config::with_cases(100_000);
    let seed = proptest::test_runner::TestRng::deterministic_rng(
        proptest::test_runner::RngAlgorithm::ChaCha,
    );
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(config, seed);
    let changes = proptest::collection::vec(
        (any::<proptest::sample::Index>(), 0..4_u8, any::<u8>()),
        1..6,
    );
    let outcome = runner.run(&changes, |changes| {
        let mut mutant = token.clone();
        for (index, change, byte) in changes {
            if mutant.is_empty() {
                break;
            }
            let index = index.index(mutant.len());
            match change {
                0 => mutant[index] = byte & 0x7f,
                1 => mutant.truncate(index),
                2 => mutant.insert(index, byte & 0x7f),
                _ => {
                    mutant.remove(index);
                }
            }
        }
        if mutant != token {
            let text = String::from_utf8_lossy(&mutant);
            prop_assert!(keys.open(&text).is_err(), "{text}");
        }
        Ok(())
    });
    outcome.expect("none is accepted");
    assert_eq!(keys.counts().accepted, 0);
}

proptest! {
    /// A secret that got out: what is authentic may still be nonsense.
    #[test]
    fn nonsense_under_the_right_key_does_no_harm(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        use base64::Engine as _;
        use hmac::{KeyInit as _, Mac as _};

        let mut bytes = vec![1];
        bytes.extend(1_u64.to_be_bytes());
        bytes.extend(body);
        let key = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        let mac = key.chain_update(b"routing token 1\0").chain_update(&bytes).finalize();
        bytes.extend(&mac.into_bytes()[..16]);
        let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let keys = keys().max_age(Duration::MAX);
        prop_assert_ne!(keys.open(&token), Err(TokenError::NotAuthentic));
    }

    #[test]
    fn any_text_is_dropped(text in "\\PC*") {
        prop_assert!(keys().open(&text).is_err());
    }

    #[test]
    fn what_names_sets_comes_back(name in "[^\\p{C}]{0,60}") {
        let told = [HandOver::new(SetName::from(name.as_str()))];
        let opened = keys().open(&keys().seal_all(&told)).expect("a token");
        prop_assert_eq!(opened[0].set.as_str(), name);
    }
}

#[test]
fn a_long_name_costs_the_other_sets_nothing() {
    let mut long = HandOver::new("ü".repeat(128));
    long.pinned_for = Some(Duration::from_secs(15));
    let token = keys().seal_all(&[at("default", "pg:7/1/0/1000"), long]);
    assert!(keys().open(&token).is_ok(), "{:?}", keys().open(&token));
}

#[test]
fn many_sets() {
    let mut told = Vec::new();
    for n in 0..150 {
        let mut one = HandOver::new(format!("tenant-number-{n}"));
        one.position = Some("pg:7/1/0/1000".parse().expect("a position"));
        told.push(one);
    }
    let token = keys().seal_all(&told);
    assert!(
        keys().open(&token).is_ok(),
        "{:?} of {} bytes",
        keys().open(&token),
        token.len()
    );
}
