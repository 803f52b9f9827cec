//! What a set makes of what its nodes say: who is the primary, and who is left out.

use std::sync::PoisonError;
use std::time::Duration;

use crate::cluster::election::seen::{Seen, Sighting};
use crate::cluster::election::{self, Ruling};
use crate::cluster::events::{
    announce_another_system, announce_exclusion, announce_primary, hurry_of, leave_out,
};
use crate::cluster::members::Members;
use crate::cluster::node::{Lag, Node};
use crate::cluster::replica_set::ReplicaSet;
use crate::config::rules::LagLimits;
use crate::names::NodeId;
use crate::observe::exclusion::{Exclusion, Exclusions};

impl<P> ReplicaSet<P> {
    /// Whether nobody is known to take writes.
    pub(crate) fn lacks_primary(&self) -> bool {
        let primary = self.primary();
        !primary.breaker.is_up() || primary.exclusions.get().has(Exclusion::ReadOnly)
    }

    /// The primary takes writes, as it has said in answer to the probe of this number: who had begun to
    /// take some before has not taken its place.
    pub(crate) fn reject_claims(&self, number: u64) {
        for node in self.nodes() {
            if let Some(sighting) = node.sighting()
                && sighting.took_over
                && node.has_turned_before(number)
            {
                node.see(Sighting {
                    took_over: false,
                    ..Sighting::clone(&sighting)
                });
            }
        }
    }

    /// Applies the [rule](election) to what is known now; who has just answered is up.
    pub(crate) fn judge(&self, answered: Option<NodeId>) {
        if !self.has_rules() {
            return;
        }
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let members = self.members();
        let nodes = || (0..members.all().len()).map(|index| self.node(members, index));
        let sightings: Vec<_> = nodes().map(|node| node.sighting()).collect();
        let seen: Vec<_> = nodes()
            .zip(&sightings)
            .map(|(node, sighting)| Seen {
                sighting: sighting.as_deref(),
                is_up: node.breaker.is_up() || answered == Some(node.id()),
                may_be_primarys: self.rules.allow_same_server,
            })
            .collect();
        let Ruling {
            primary,
            history: after,
            exclusions,
            is_another_system,
        } = election::judge(members.primary(), *history, &seen);
        *history = after;
        if let Some(ahead) = after.waits_for {
            // Asked again, it would be ahead again.
            let others = nodes().enumerate().filter(|(index, _)| *index != ahead);
            others.for_each(|(_, node)| hurry_of(self, node).ask());
        }
        let changes = primary != members.primary();
        let mut news = Vec::new();
        for (node, now) in nodes().zip(exclusions) {
            let before = node.exclusions.replace(now);
            if before != now {
                node.tell_trouble();
                news.push((node, before, now));
            }
        }
        if changes {
            let (old, new) = (
                self.node(members, members.primary()),
                self.node(members, primary),
            );
            let weight = self.rules.primary_read_weight;
            self.set_members(Members::new(members.all().to_vec(), primary, weight));
            // What was opened to the one as a replica refuses writes, and to the other as the
            // primary does not. Their roles are known before.
            old.renew();
            new.renew();
            self.samples().clear();
        }
        if is_another_system {
            // What was known of positions is of the old one's.
            self.samples().clear();
            for node in nodes() {
                node.lose_track();
                node.renew();
            }
        }
        // Whoever is told may look at the status, which needs it.
        drop(history);
        if is_another_system {
            announce_another_system(self);
        }
        if changes {
            let (old, new) = (
                self.node(members, members.primary()),
                self.node(members, primary),
            );
            announce_primary(self, old, new);
            new.forget_lag();
            for passed in [Exclusion::Lagging, Exclusion::Unseen] {
                leave_out(self, new, passed, false);
            }
            self.hurry_all();
        }
        for (node, before, now) in news {
            announce_news(self, node, before, now);
        }
    }

    /// Leaves a replica out that is too far behind, and takes it back when it has caught up.
    pub(crate) fn limit_lag(&self, node: &Node<P>, lag: Lag) {
        let limits = **self.lag_limits.load();
        let is_out = node.exclusions.get().has(Exclusion::Lagging);
        let is = is_too_far(lag, limits, is_out);
        leave_out(self, node, Exclusion::Lagging, is);
    }

    pub(crate) fn limit_all(&self, limits: LagLimits) {
        self.lag_limits.store(limits.into());
        for node in self.nodes() {
            if let Some(lag) = node.lag() {
                let is = is_too_far(lag, limits, false);
                leave_out(self, node, Exclusion::Lagging, is);
            }
        }
        self.samples().tell();
    }

    /// How far behind its replicas may be just now.
    #[must_use]
    pub fn lag_limits(&self) -> LagLimits {
        **self.lag_limits.load()
    }

    /// Whether no writes are possible just now: the primary is down, or read-only, and none has taken
    /// its place.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.has_rules() && self.lacks_primary()
    }
}

/// Over both limits, as far as both are known; who is out comes back at half of either. Unknown is never
/// fresh: who is behind all that was seen of the primary is out by its bytes, and without those until it has
/// reached something.
fn is_too_far(lag: Lag, limits: LagLimits, is_out: bool) -> bool {
    let part = if is_out { 2 } else { 1 };
    let by_time = match lag.time {
        Some(time) => Some(time > limits.time / part),
        // Its lag may be under the limit, or not.
        None => lag
            .at_least
            .filter(|least| *least > limits.time)
            .map(|_| true),
    };
    let by_bytes = lag
        .bytes
        .map(|bytes| bytes > limits.bytes / u64::from(part));
    match (by_time, by_bytes) {
        (Some(by_time), Some(by_bytes)) => by_time && by_bytes,
        (Some(by_one), None) | (None, Some(by_one)) => by_one,
        (None, None) => is_out || lag.at_least.is_some() && limits.time < Duration::MAX,
    }
}

fn announce_news<P>(set: &ReplicaSet<P>, node: &Node<P>, before: Exclusions, now: Exclusions) {
    for gone in before.iter().filter(|why| !now.has(*why)) {
        announce_exclusion(set, node, gone, false);
    }
    for new in now.iter().filter(|why| !before.has(*why)) {
        announce_exclusion(set, node, new, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_over_both_limits_and_under_half_of_one() {
        let limits = LagLimits::DEFAULT;
        let lag = |seconds: Option<u64>, megabytes: Option<u64>| Lag {
            time: seconds.map(Duration::from_secs),
            bytes: megabytes.map(|megabytes| megabytes << 20),
            at_least: None,
        };
        for (lag, while_in, while_out) in [
            (lag(Some(0), Some(0)), false, false),
            (lag(Some(61), Some(0)), false, false),
            (lag(Some(1), Some(9)), false, false),
            (lag(Some(61), Some(9)), true, true),
            (lag(Some(31), Some(5)), false, true),
            (lag(Some(29), Some(5)), false, false),
            (lag(Some(61), None), true, true),
            (lag(None, Some(9)), true, true),
            (lag(None, None), false, true),
        ] {
            assert_eq!(is_too_far(lag, limits, false), while_in, "{lag:?}");
            assert_eq!(is_too_far(lag, limits, true), while_out, "{lag:?}");
        }
        let behind_all = |least: u64, megabytes: Option<u64>| Lag {
            at_least: Some(Duration::from_secs(least)),
            ..lag(None, megabytes)
        };
        for (lag, while_in, while_out) in [
            (behind_all(0, Some(9)), true, true),
            (behind_all(0, Some(1)), false, false),
            (behind_all(61, Some(1)), false, false),
            (behind_all(61, Some(9)), true, true),
            (behind_all(0, None), true, true),
        ] {
            assert_eq!(is_too_far(lag, limits, false), while_in, "{lag:?}");
            assert_eq!(is_too_far(lag, limits, true), while_out, "{lag:?}");
            assert!(!is_too_far(lag, LagLimits::NONE, false), "{lag:?}");
        }
        let none = lag(Some(1_000_000), Some(1_000_000));
        assert!(!is_too_far(none, LagLimits::NONE, true));
    }
}
