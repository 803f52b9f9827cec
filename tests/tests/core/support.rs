//! A router whose pools are names.

use std::sync::Arc;

use routing_core::{
    Context, Failure, ManualClock, Next, ReplicaSet, ReplicaSetBuilder, Router, RoutingError,
    Rules, StatementKind,
};
use routing_tests::recorder::Recorder;

pub(crate) struct Fixture {
    pub(crate) router: Router<&'static str>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) clock: Arc<ManualClock>,
}

/// A set with replicas of these names.
pub(crate) fn set_of(
    name: &'static str,
    rules: Rules,
    replicas: &[&'static str],
) -> ReplicaSetBuilder<&'static str> {
    replicas.iter().fold(
        ReplicaSet::builder(name, "primary").rules(rules),
        |set, replica| set.named_replica(*replica, 1, *replica),
    )
}

impl Fixture {
    /// One set with two replicas.
    pub(crate) fn new(rules: Rules) -> Self {
        Self::over(vec![set_of("default", rules, &["replica-1", "replica-2"])])
    }

    pub(crate) fn over(sets: Vec<ReplicaSetBuilder<&'static str>>) -> Self {
        let recorder = Arc::new(Recorder::default());
        let clock = Arc::new(ManualClock::new());
        let sets = sets
            .into_iter()
            .map(|set| set.build().expect("a right set"));
        let router = Router::builder(sets)
            .clock(Arc::clone(&clock) as _)
            .observer(Arc::clone(&recorder) as _)
            .build()
            .expect("right sets");
        Self {
            router,
            recorder,
            clock,
        }
    }

    /// Routes a statement whose node answers.
    pub(crate) fn route(
        &self,
        kind: StatementKind,
        caller: &Context,
    ) -> Result<&'static str, RoutingError> {
        let route = self.router.route(self.router.default_set(), kind, caller)?;
        let pool = *route.node().pool();
        route.start().1.succeeded(caller);
        Ok(pool)
    }

    /// Routes a statement while the nodes of these names fail; `None` is the driver's own error.
    pub(crate) fn route_past(
        &self,
        kind: StatementKind,
        caller: &Context,
        failing: &[&str],
        failure: Failure,
    ) -> Result<Option<&'static str>, RoutingError> {
        let mut route = self.router.route(self.router.default_set(), kind, caller)?;
        loop {
            let pool = *route.node().pool();
            if !failing.contains(&pool) {
                route.start().1.succeeded(caller);
                return Ok(Some(pool));
            }
            route = match route.start().1.failed(failure, caller) {
                Next::Route(next) => next,
                Next::Refused(error) => return Err(error),
                Next::Unchanged => return Ok(None),
            };
        }
    }
}
