//! How many connections a pool has, and for how long.

use routing_core::PoolConfig;

/// The most that r2d2 and bb8 have if nobody says how many.
const MOST: u32 = 10;

/// The size of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// The most connections, if that is not the driver's default.
    pub(crate) most: Option<u32>,
    /// The least that are kept open; never more than the most, which the drivers' pools panic at.
    pub(crate) least: u32,
    /// Whether a connection is kept whatever its age.
    pub(crate) is_for_ever: bool,
}

impl Size {
    pub(crate) fn of(config: &PoolConfig, is_in_memory: bool) -> Self {
        let least = config.min_connections.unwrap_or(0);
        // More connections would be more databases, and a new one would be empty.
        let is_for_ever = is_in_memory && config.max_connections.is_none();
        let most = match config.max_connections {
            None if is_in_memory => Some(1),
            None if least > MOST => Some(least),
            most => most,
        };
        Self {
            most,
            least: least.min(most.unwrap_or(MOST)),
            is_for_ever,
        }
    }
}

#[cfg(test)]
mod tests {
    use routing_core::RoutingConfig;

    use super::*;

    fn size(least: u32, most: Option<u32>, is_in_memory: bool) -> (Option<u32>, u32) {
        let config = RoutingConfig::builder().primary("sqlite://x.db").build();
        let config = config.expect("a configuration");
        let mut pool = config.sets()[0].primary().pool().clone();
        pool.min_connections = Some(least);
        pool.max_connections = most;
        let Size { most, least, .. } = Size::of(&pool, is_in_memory);
        (most, least)
    }

    #[test]
    fn the_least_is_never_more_than_the_most() {
        assert_eq!(size(0, None, false), (None, 0));
        assert_eq!(size(11, None, false), (Some(11), 11));
        assert_eq!(size(2, None, true), (Some(1), 1));
        assert_eq!(size(2, Some(3), true), (Some(3), 2));
    }
}
