//! Positions in as few bytes as will do, for tokens.

use std::sync::Arc;

use super::gtid_list::{Gtid, GtidList};
use super::gtid_set::{GtidSet, is_tag};
use super::{Inner, Position};

const UNKNOWN: u8 = 0;
const POSTGRES: u8 = 1;
const MARIADB: u8 = 2;
const MYSQL: u8 = 3;

impl Position {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Inner::Unknown => out.push(UNKNOWN),
            Inner::Postgres(at) => {
                out.push(POSTGRES);
                out.extend(at.system_identifier.to_be_bytes());
                put(u64::from(at.timeline), out);
                put(at.lsn, out);
            }
            Inner::MariaDb(list) => {
                out.push(MARIADB);
                put(list.gtids().len() as u64, out);
                for gtid in list.gtids() {
                    put(u64::from(gtid.domain), out);
                    put(u64::from(gtid.server), out);
                    put(gtid.sequence, out);
                }
            }
            Inner::MySql(set) => {
                out.push(MYSQL);
                put(set.sources().len() as u64, out);
                for source in set.sources() {
                    out.extend(source.uuid.to_be_bytes());
                    put(source.tag.len() as u64, out);
                    out.extend(source.tag.as_bytes());
                    put(source.intervals.len() as u64, out);
                    for (first, last) in &source.intervals {
                        put(*first, out);
                        put(last - first, out);
                    }
                }
            }
        }
    }

    /// The position that the bytes begin with, which are then without it.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let known = match take::<1>(bytes)? {
            [UNKNOWN] => return Some(Self::UNKNOWN),
            [POSTGRES] => {
                let system = u64::from_be_bytes(take(bytes)?);
                let timeline = u32::try_from(get(bytes)?).ok()?;
                Self::postgres(system, timeline, get(bytes)?)
            }
            [MARIADB] => {
                let mut gtids = Vec::new();
                for _ in 0..get(bytes)? {
                    gtids.push(Gtid {
                        domain: u32::try_from(get(bytes)?).ok()?,
                        server: u32::try_from(get(bytes)?).ok()?,
                        sequence: get(bytes)?,
                    });
                }
                Self(Inner::MariaDb(Arc::new(GtidList::new(gtids)?)))
            }
            [MYSQL] => {
                let mut set = GtidSet::default();
                for _ in 0..get(bytes)? {
                    let uuid = u128::from_be_bytes(take(bytes)?);
                    let tag = tag(bytes)?;
                    for _ in 0..get(bytes)? {
                        let first = get(bytes)?;
                        let last = first.checked_add(get(bytes)?)?;
                        if first == 0 {
                            return None;
                        }
                        set.add(uuid, tag, first, last);
                    }
                }
                Self(Inner::MySql(Arc::new(set)))
            }
            _ => return None,
        };
        Some(known)
    }
}

fn tag<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::try_from(get(bytes)?).ok()?;
    let (tag, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let tag = std::str::from_utf8(tag).ok()?;
    (tag.is_empty() || is_tag(tag) && !tag.contains(|c: char| c.is_ascii_uppercase()))
        .then_some(tag)
}

/// Seven bits a byte, the low ones first.
pub(crate) fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number as u8) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let [byte] = take(bytes)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for position in [
            Position::UNKNOWN,
            Position::postgres(u64::MAX, u32::MAX, u64::MAX),
            Position::postgres(1, 1, 1),
            Position::mariadb("0-1-100,4294967295-4294967295-18446744073709551615").unwrap(),
            Position::mysql("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:app:1:3-4:web_2:9").unwrap(),
            Position::mysql("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7:9-18446744073709551615")
                .unwrap(),
        ] {
            let mut bytes = Vec::new();
            position.encode(&mut bytes);
            for length in 0..bytes.len() {
                assert_eq!(Position::decode(&mut &bytes[..length]), None, "{position}");
            }
            let mut rest = &bytes[..];
            assert_eq!(Position::decode(&mut rest), Some(position));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_none() {
        let mut too_long: &[u8] = &[0xff; 12];
        assert_eq!(get(&mut too_long), None);
        let mut too_great: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(get(&mut too_great), None);
    }
}
