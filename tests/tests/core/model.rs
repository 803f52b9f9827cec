//! The rule against a naive model of it, over generated programs.
//!
//! The model is written from the rule's text and shares no code with it: it keeps plain sets and
//! decides by asking one question after the other.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use routing_core::{
    Access, AnonymousReads, Context, Failure, LatePin, Mode, NoReplica, Role, RoutingError, Rules,
    Scope, Session, StatementKind,
};

use crate::support::{Fixture, set_of};

#[derive(Debug, Clone)]
enum Step {
    /// A statement through a handle: of which session, in which scopes, of which kind.
    Run(Option<usize>, Vec<Open>, StatementKind),
    Pin(usize),
    UnpinAll(usize),
    Fail(usize),
    Mend,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Primary,
    Preferred,
    Replica,
    Node(usize),
    Frozen,
    Ambiguous,
    OfAnotherSet,
    ReadOnly,
}

const NODES: [&str; 4] = ["primary", "replica-1", "replica-2", "nobody"];

fn scope(open: Open) -> Scope {
    match open {
        Open::Primary => Scope::primary(),
        Open::Preferred => Scope::prefer_primary(),
        Open::Replica => Scope::replica(),
        Open::Node(node) => Scope::node(NODES[node]),
        Open::Frozen => Scope::frozen(),
        Open::Ambiguous => Scope::ambiguous_to_replica(),
        Open::OfAnotherSet => Scope::primary().on(["other"]),
        Open::ReadOnly => Scope::read_only(),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let open = prop_oneof![
        Just(Open::Primary),
        Just(Open::Preferred),
        Just(Open::Replica),
        (0..4_usize).prop_map(Open::Node),
        Just(Open::Frozen),
        Just(Open::Ambiguous),
        Just(Open::OfAnotherSet),
        Just(Open::ReadOnly),
    ];
    let kind = prop_oneof![
        4 => Just(StatementKind::Select),
        1 => Just(StatementKind::BeginReadOnly),
        2 => Just(StatementKind::Insert),
        1 => Just(StatementKind::Unknown),
        1 => Just(StatementKind::Transaction),
        1 => Just(StatementKind::LockingSelect),
        1 => Just(StatementKind::SessionState),
        1 => Just(StatementKind::TransactionEnd),
    ];
    let run = (
        proptest::option::weighted(0.85, 0..3_usize),
        vec(open, 0..3),
        kind,
    )
        .prop_map(|(session, scopes, kind)| Step::Run(session, scopes, kind));
    let step = prop_oneof![
        12 => run,
        1 => (0..3_usize).prop_map(Step::Pin),
        1 => (0..3_usize).prop_map(Step::UnpinAll),
        1 => (1..3_usize).prop_map(Step::Fail),
        1 => Just(Step::Mend),
    ];
    vec(step, 1..40)
}

fn rules() -> impl Strategy<Value = Rules> {
    (any::<[bool; 4]>(), 0..3_u8).prop_map(|([strict, error, anonymous, affinity], late)| {
        let mut rules = Rules::default();
        rules.mode = if strict { Mode::Strict } else { Mode::Greedy };
        rules.no_replica = if error {
            NoReplica::Error
        } else {
            NoReplica::Primary
        };
        rules.anonymous_reads = if anonymous {
            AnonymousReads::Replica
        } else {
            AnonymousReads::Primary
        };
        rules.affinity = affinity;
        rules.late_pin = [LatePin::Allow, LatePin::Warn, LatePin::Deny][usize::from(late)];
        rules
    })
}

#[derive(Debug, Clone, Default)]
struct Remembered {
    pinned: bool,
    read_from_replica: bool,
    stays_on: Option<&'static str>,
    /// Whether it has left state in a connection to the primary.
    has_state: bool,
}

/// What a statement may come to.
#[derive(Debug, PartialEq)]
enum Allowed {
    Nodes(BTreeSet<&'static str>),
    Refused(&'static str),
}

struct Model {
    rules: Rules,
    sessions: [Remembered; 3],
    down: BTreeSet<&'static str>,
}

impl Model {
    fn expect(&self, session: Option<usize>, scopes: &[Open], kind: StatementKind) -> Allowed {
        let only = |node| Allowed::Nodes(BTreeSet::from([node]));
        let me = session.map(|session| &self.sessions[session]);
        let pinned = me.is_some_and(|me| me.pinned);
        let has_state = me.is_some_and(|me| me.has_state);
        let inside_out: Vec<_> = scopes.iter().rev().copied().collect();
        let has = |open| scopes.contains(&open);

        if has(Open::ReadOnly) && kind.access() == Access::Write {
            return Allowed::Refused("WriteInReadOnlyScope");
        }
        let declared_read =
            has(Open::Ambiguous) && !has(Open::Primary) && !has(Open::Preferred) && !pinned;
        let nobody_knows = matches!(kind, StatementKind::Unknown | StatementKind::Transaction);
        let writes = kind.access() == Access::Write && !(nobody_knows && declared_read);

        let forced = inside_out.iter().find(|open| match open {
            Open::Primary | Open::Node(_) => true,
            Open::Replica | Open::Preferred => !writes,
            Open::Frozen | Open::Ambiguous | Open::OfAnotherSet | Open::ReadOnly => false,
        });
        if let Some(Open::Node(node)) = forced {
            let name = NODES[*node];
            return match name {
                "nobody" => Allowed::Refused("UnknownNode"),
                "primary" => only("primary"),
                _ if writes => Allowed::Refused("WriteOnReplica"),
                _ if has_state => Allowed::Refused("StateElsewhere"),
                _ if self.down.contains(name) => Allowed::Refused("NodeUnavailable"),
                _ => only(name),
            };
        }
        if forced == Some(&Open::Primary) {
            return only("primary");
        }
        if writes {
            let late = me.is_some_and(|me| me.read_from_replica);
            return if pinned {
                only("primary")
            } else if self.rules.mode == Mode::Strict {
                Allowed::Refused("UnpinnedWrite")
            } else if session.is_some() && has(Open::Frozen) {
                Allowed::Refused("Frozen")
            } else if late && self.rules.late_pin == LatePin::Deny {
                Allowed::Refused("LatePin")
            } else {
                only("primary")
            };
        }
        if has_state || forced == Some(&Open::Preferred) {
            return only("primary");
        }
        let to_a_replica = forced == Some(&Open::Replica)
            || (session.is_some() && !pinned)
            || (session.is_none() && self.rules.anonymous_reads == AnonymousReads::Replica);
        if !to_a_replica {
            return only("primary");
        }
        let asked_for_a_replica = forced == Some(&Open::Replica);
        if let Some(node) = me.and_then(|me| me.stays_on)
            && !self.down.contains(node)
            && !(asked_for_a_replica && node == "primary")
        {
            return only(node);
        }
        let up: BTreeSet<_> = NODES[1..3]
            .iter()
            .copied()
            .filter(|node| !self.down.contains(node))
            .collect();
        if !up.is_empty() {
            Allowed::Nodes(up)
        } else if self.rules.no_replica == NoReplica::Primary {
            only("primary")
        } else {
            Allowed::Refused("NoReplica")
        }
    }

    /// Learns from where a statement went.
    fn went(
        &mut self,
        session: Option<usize>,
        scopes: &[Open],
        kind: StatementKind,
        node: &'static str,
    ) {
        let Some(session) = session else { return };
        let innermost = scopes.iter().rev().find(|open| {
            use Open::{Node, Preferred, Primary, Replica};
            matches!(open, Primary | Preferred | Replica | Node(_))
        });
        let me = &mut self.sessions[session];
        let declared_read = scopes.contains(&Open::Ambiguous)
            && !scopes.contains(&Open::Primary)
            && !scopes.contains(&Open::Preferred)
            && !me.pinned;
        let nobody_knows = matches!(kind, StatementKind::Unknown | StatementKind::Transaction);
        let writes = kind.access() == Access::Write && !(nobody_knows && declared_read);
        if writes {
            let forced = scopes
                .iter()
                .any(|open| matches!(open, Open::Primary | Open::Node(_)));
            me.pinned |= !forced;
            let overrides = |open: &&Open| matches!(open, Open::Primary | Open::Node(_));
            let is_in_primary = scopes.iter().rev().find(overrides) == Some(&Open::Primary);
            me.has_state |=
                kind == StatementKind::SessionState || kind.leaves_state() && !is_in_primary;
            return;
        }
        if me.has_state {
            return;
        }
        let balanced = match innermost {
            Some(Open::Primary | Open::Preferred | Open::Node(_)) => false,
            Some(Open::Replica) => true,
            _ => !me.pinned,
        };
        if balanced {
            me.read_from_replica |= node != "primary";
            // Who asks for a replica says nothing about where the session is to stay, if that is
            // the primary, or if there is no replica.
            let asked_for_a_replica = innermost == Some(&Open::Replica);
            let keeps =
                asked_for_a_replica && (me.stays_on == Some("primary") || node == "primary");
            if self.rules.affinity && !keeps {
                me.stays_on = Some(node);
            }
        }
    }
}

fn name(error: &RoutingError) -> &'static str {
    match error {
        RoutingError::UnpinnedWrite { .. } => "UnpinnedWrite",
        RoutingError::WriteOnReplica { .. } => "WriteOnReplica",
        RoutingError::StateElsewhere { .. } => "StateElsewhere",
        RoutingError::UnknownNode { .. } => "UnknownNode",
        RoutingError::NodeUnavailable { .. } => "NodeUnavailable",
        RoutingError::NoReplica { .. } => "NoReplica",
        RoutingError::Frozen { .. } => "Frozen",
        RoutingError::WriteInReadOnlyScope { .. } => "WriteInReadOnlyScope",
        RoutingError::LatePin { .. } => "LatePin",
        _ => "another",
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_rule_agrees_with_the_model(rules in rules(), steps in steps()) {
        let fixture = Fixture::over(vec![
            set_of("default", rules.clone(), &["replica-1", "replica-2"]),
        ]);
        let sessions = [(); 3].map(|()| Session::new());
        let mut model = Model { rules, sessions: Default::default(), down: BTreeSet::new() };
        for step in steps {
            match step {
                Step::Run(session, scopes, kind) => {
                    let mut caller = Context::default();
                    if let Some(session) = session {
                        caller = caller.with_session(&sessions[session]);
                    }
                    let caller = scopes.iter().copied().map(scope).fold(caller, Context::with_scope);
                    let allowed = model.expect(session, &scopes, kind);
                    match fixture.route(kind, &caller) {
                        Ok(node) => {
                            match &allowed {
                                Allowed::Nodes(nodes) => prop_assert!(nodes.contains(node), "{node}: {allowed:?}"),
                                Allowed::Refused(_) => prop_assert!(false, "{node}: {allowed:?}"),
                            }
                            let decision = fixture.recorder.only();
                            // Whatever else: no write on a replica.
                            prop_assert!(
                                decision.role == Role::Primary
                                    || kind.access() == Access::Read
                                    || scopes.contains(&Open::Ambiguous)
                            );
                            model.went(session, &scopes, kind, node);
                        }
                        Err(error) => {
                            prop_assert_eq!(Allowed::Refused(name(&error)), allowed);
                            fixture.recorder.take();
                        }
                    }
                }
                Step::Pin(session) => {
                    let me = &mut model.sessions[session];
                    let denied = me.read_from_replica
                        && !me.pinned
                        && model.rules.late_pin == LatePin::Deny;
                    prop_assert_eq!(sessions[session].pin("default").is_err(), denied);
                    me.pinned |= !denied;
                }
                Step::UnpinAll(session) => {
                    sessions[session].unpin_all();
                    model.sessions[session] = Remembered::default();
                }
                Step::Fail(node) => {
                    let set = fixture.router.default_set();
                    set.report_failure(set.nodes()[node], Failure::Unreachable);
                    model.down.insert(NODES[node]);
                }
                Step::Mend => {
                    fixture.clock.advance(std::time::Duration::from_secs(60));
                    for node in std::mem::take(&mut model.down) {
                        let caller = Context::default().with_scope(Scope::node(node));
                        prop_assert_eq!(fixture.route(StatementKind::Select, &caller), Ok(node));
                    }
                    fixture.recorder.take();
                }
            }
            for (session, remembered) in sessions.iter().zip(&model.sessions) {
                prop_assert_eq!(session.is_pinned("default"), remembered.pinned);
            }
        }
    }
}
