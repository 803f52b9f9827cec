//! The string form of positions.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Inner, Position};

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "no position: `pg:SYSTEM/TIMELINE/LSN`, `mariadb:GTID,…`, `mysql:UUID:INTERVAL…` or `unknown`"
)]
#[non_exhaustive]
pub struct InvalidPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Unknown => f.write_str("unknown"),
            Inner::Postgres(at) => {
                let (system, timeline) = (at.system_identifier, at.timeline);
                let (high, low) = (at.lsn >> 32, at.lsn & 0xffff_ffff);
                write!(f, "pg:{system}/{timeline}/{high:X}/{low:X}")
            }
            Inner::MariaDb(list) => {
                f.write_str("mariadb:")?;
                for (i, gtid) in list.gtids().iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    let (domain, server, sequence) = (gtid.domain, gtid.server, gtid.sequence);
                    write!(f, "{comma}{domain}-{server}-{sequence}")?;
                }
                Ok(())
            }
            Inner::MySql(set) => {
                f.write_str("mysql:")?;
                for (i, source) in set.sources().iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    let hex = format!("{:032x}", source.uuid);
                    let groups = [
                        &hex[..8],
                        &hex[8..12],
                        &hex[12..16],
                        &hex[16..20],
                        &hex[20..],
                    ];
                    write!(f, "{comma}{}", groups.join("-"))?;
                    if !source.tag.is_empty() {
                        write!(f, ":{}", source.tag)?;
                    }
                    for (first, last) in &source.intervals {
                        write!(f, ":{first}")?;
                        if first != last {
                            write!(f, "-{last}")?;
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        if text == "unknown" {
            return Ok(Self::UNKNOWN);
        }
        let known = match text.split_once(':').ok_or(InvalidPosition)? {
            ("pg", at) => postgres(at).ok_or(InvalidPosition)?,
            ("mariadb", list) => Self::mariadb(list)?,
            ("mysql", set) => Self::mysql(set)?,
            _ => return Err(InvalidPosition),
        };
        known.is_known().then_some(known).ok_or(InvalidPosition)
    }
}

fn postgres(text: &str) -> Option<Position> {
    let mut parts = text.splitn(3, '/');
    let system = parts.next()?.parse().ok()?;
    let timeline = parts.next()?.parse().ok()?;
    let lsn = parse_lsn(parts.next()?)?;
    Some(Position::postgres(system, timeline, lsn))
}

/// PostgreSQL's own way to write a location, such as `0/40012F8`.
pub(crate) fn parse_lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let half = |text: &str| {
        let is_plain = (1..=8).contains(&text.len()) && !text.starts_with('+');
        is_plain
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
    };
    Some(half(high)? << 32 | half(low)?)
}
