//! A configuration that is replaced while the router is in use.

use std::cell::RefCell;
use std::sync::Arc;

use routing_core::sql::Dialect;
use routing_core::{
    BackgroundTasks, NodeConfig, Pool, ReplicaSet, Role, Routed, RoutedBuilder, Router,
    RoutingConfig, RoutingConfigBuilder, RoutingError, SetBuilder,
};

/// A pool of nothing.
#[derive(Debug)]
struct Nothing;

type Hook = Box<dyn FnOnce()>;

thread_local! {
    /// What happens while the next pool is made.
    static MEANWHILE: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

impl BackgroundTasks for Nothing {
    fn start_monitors(_: &Router<Self>, _: &Arc<ReplicaSet<Self>>) {}

    fn start_catalog(_: &Arc<ReplicaSet<Self>>) {}
}

impl Pool for Nothing {
    type Given = Self;

    fn configured(_: &NodeConfig, _: Role) -> Result<Self, String> {
        if let Some(hook) = MEANWHILE.take() {
            hook();
        }
        Ok(Self)
    }

    fn given(given: Self) -> Result<Self, String> {
        Ok(given)
    }

    fn is_of(&self, _: &NodeConfig) -> bool {
        true
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::Sqlite)
    }

    fn can_be_probed(&self) -> bool {
        false
    }

    fn retire(&self) {}
}

#[derive(Clone)]
struct Handle(Arc<Router<Nothing>>);

impl Routed for Handle {
    type Pool = Nothing;

    fn over(router: Arc<Router<Nothing>>) -> Self {
        Self(router)
    }
}

impl Handle {
    fn nodes(&self) -> Vec<String> {
        let sets = self.0.sets().iter();
        let nodes =
            sets.flat_map(|set| set.nodes().into_iter().map(|node| node.name().to_string()));
        nodes.collect()
    }
}

fn two_sets(replicas: &[&str]) -> RoutingConfigBuilder {
    let mut first = RoutingConfig::builder().primary("sqlite:one");
    let mut second = SetBuilder::new().primary("sqlite:two");
    for replica in replicas {
        let node = |set: &str| {
            routing_core::NodeBuilder::url(format!("sqlite:{set}-{replica}")).name(*replica)
        };
        first = first.replica(node("one"));
        second = second.replica(node("two"));
    }
    first.set("second", second)
}

#[test]
fn what_fails_in_one_set_changes_no_other() {
    let config = two_sets(&["a"]).build().expect("a configuration");
    let handle: Handle = RoutedBuilder::from_config(&config)
        .build()
        .expect("a handle");
    assert_eq!(handle.nodes(), ["primary", "a", "primary", "a"]);
    let more = two_sets(&["a", "b"]).build().expect("a configuration");

    // Another thread adds a node of this name to the second set, after the router has looked: while it
    // makes the second new pool.
    let meanwhile = handle.clone();
    MEANWHILE.set(Some(Box::new(move || {
        let hook: Hook = Box::new(move || {
            let set = meanwhile.0.set("second").expect("a set");
            set.add_replica("b", 1, Nothing).expect("a replica");
        });
        MEANWHILE.set(Some(hook));
    })));
    let error = handle.0.reconfigure(&more).expect_err("a mistake");
    let RoutingError::Config(problems) = error else {
        panic!("{error}");
    };
    assert_eq!(problems[0].path, "sets.second.b");
    assert_eq!(handle.nodes(), ["primary", "a", "primary", "a", "b"]);
}
