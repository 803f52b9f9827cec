//! MySQL's sets of GTIDs, with the tags that they may have from 8.3 on
//! (<https://dev.mysql.com/doc/refman/9.5/en/replication-gtids-concepts.html>).

use super::reach::Reach;

/// By source, in the order of their identifiers: the transactions, as intervals that neither
/// overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct GtidSet(Vec<Source>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) uuid: u128,
    /// In lower case; empty for those without one.
    pub(super) tag: Box<str>,
    /// First and last, both of them in it.
    pub(super) intervals: Vec<(u64, u64)>,
}

impl GtidSet {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for source in text.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let (uuid, intervals) = source.split_once(':')?;
            let uuid = parse_uuid(uuid)?;
            let mut tag = String::new();
            // A tag stands before its intervals, and has at least one.
            let mut is_tag_last = false;
            for interval in intervals.split(':').map(str::trim) {
                if is_tag(interval) {
                    if is_tag_last {
                        return None;
                    }
                    tag = interval.to_ascii_lowercase();
                    is_tag_last = true;
                    continue;
                }
                is_tag_last = false;
                let (first, last) = interval.split_once('-').unwrap_or((interval, interval));
                let (first, last) = (number(first)?, number(last)?);
                if first == 0 || last < first {
                    return None;
                }
                set.add(uuid, &tag, first, last);
            }
            if is_tag_last {
                return None;
            }
        }
        Some(set)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn sources(&self) -> &[Source] {
        &self.0
    }

    fn find(&self, uuid: u128, tag: &str) -> Result<usize, usize> {
        let wanted = (uuid, tag);
        self.0
            .binary_search_by(|source| (source.uuid, &*source.tag).cmp(&wanted))
    }

    pub(super) fn add(&mut self, uuid: u128, tag: &str, first: u64, last: u64) {
        let at = self.find(uuid, tag).unwrap_or_else(|at| {
            let (tag, intervals) = (tag.into(), Vec::new());
            let source = Source {
                uuid,
                tag,
                intervals,
            };
            self.0.insert(at, source);
            at
        });
        let intervals = &mut self.0[at].intervals;
        // Those that overlap the new one or touch it become one with it.
        let from = intervals.partition_point(|(_, end)| end.saturating_add(1) < first);
        let to = intervals.partition_point(|(start, _)| *start <= last.saturating_add(1));
        let (mut first, mut last) = (first, last);
        for (start, end) in &intervals[from..to] {
            first = first.min(*start);
            last = last.max(*end);
        }
        intervals.splice(from..to, [(first, last)]);
    }

    pub(super) fn shares_source(&self, other: &Self) -> bool {
        let has = |uuid| self.0.binary_search_by_key(&uuid, |s| s.uuid).is_ok();
        other.0.iter().any(|source| has(source.uuid))
    }

    fn has(&self, uuid: u128, tag: &str, first: u64, last: u64) -> bool {
        let Ok(at) = self.find(uuid, tag) else {
            return false;
        };
        let intervals = &self.0[at].intervals;
        let within = intervals.partition_point(|(_, end)| *end < first);
        intervals
            .get(within)
            .is_some_and(|(start, end)| *start <= first && last <= *end)
    }

    /// Sets are compared as sets, whoever wrote what: there is nothing unknown.
    pub(super) fn reaches(&self, required: &Self) -> Reach {
        let has_all = required.0.iter().all(|source| {
            let mut intervals = source.intervals.iter();
            intervals.all(|(first, last)| self.has(source.uuid, &source.tag, *first, *last))
        });
        if has_all { Reach::Yes } else { Reach::No }
    }

    pub(super) fn merge(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        for source in &other.0 {
            for (first, last) in &source.intervals {
                merged.add(source.uuid, &source.tag, *first, *last);
            }
        }
        merged
    }
}

/// A letter or an underscore, and at most 31 of these or digits.
pub(super) fn is_tag(text: &str) -> bool {
    let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let goes_on = |byte: u8| begins(byte) || byte.is_ascii_digit();
    text.len() <= 32 && text.bytes().next().is_some_and(begins) && text.bytes().all(goes_on)
}

fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

fn parse_uuid(text: &str) -> Option<u128> {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    if groups != [8, 4, 4, 4, 12] || !text.is_ascii() || text.contains('+') {
        return None;
    }
    u128::from_str_radix(&text.replace('-', ""), 16).ok()
}
