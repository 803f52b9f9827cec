//! MariaDB's lists of GTIDs.

use super::reach::Reach;

/// The last GTID of each replication domain, in the order of the domains.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GtidList(Box<[Gtid]>);

/// Within a domain the sequence numbers grow, as long as one server writes. Of two servers' numbers
/// nobody can tell whether one has seen the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Gtid {
    pub(super) domain: u32,
    pub(super) server: u32,
    pub(super) sequence: u64,
}

impl GtidList {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self(Box::default()));
        }
        let gtids = text.split(',').map(|gtid| {
            let mut parts = gtid.trim().split('-');
            let gtid = Gtid {
                domain: parts.next()?.parse().ok()?,
                server: parts.next()?.parse().ok()?,
                sequence: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(gtid)
        });
        Self::new(gtids.collect::<Option<_>>()?)
    }

    /// `None` if a domain is there twice.
    pub(super) fn new(mut gtids: Vec<Gtid>) -> Option<Self> {
        gtids.sort_by_key(|gtid| gtid.domain);
        let is_single = gtids
            .windows(2)
            .all(|pair| pair[0].domain != pair[1].domain);
        is_single.then(|| Self(gtids.into()))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) const fn gtids(&self) -> &[Gtid] {
        &self.0
    }

    fn of_domain(&self, domain: u32) -> Option<&Gtid> {
        self.0.iter().find(|gtid| gtid.domain == domain)
    }

    pub(super) fn shares_domain(&self, other: &Self) -> bool {
        let mut theirs = other.0.iter();
        theirs.any(|gtid| self.of_domain(gtid.domain).is_some())
    }

    /// `No` goes before `Unknown`: whatever the one domain says, the other is behind.
    pub(super) fn reaches(&self, required: &Self) -> Reach {
        let mut reach = Reach::Yes;
        for there in &required.0 {
            match self.of_domain(there.domain) {
                None => return Reach::No,
                Some(here) if here.server != there.server => reach = Reach::Unknown,
                Some(here) if here.sequence < there.sequence => return Reach::No,
                Some(_) => {}
            }
        }
        reach
    }

    pub(super) fn merge(&self, other: &Self) -> Option<Self> {
        let mut merged = self.0.to_vec();
        for there in &other.0 {
            match merged.iter_mut().find(|here| here.domain == there.domain) {
                None => merged.push(*there),
                Some(here) if here.server != there.server => return None,
                Some(here) => here.sequence = here.sequence.max(there.sequence),
            }
        }
        Self::new(merged)
    }
}
