//! One generated program through all three adapters: they decide alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use routing_core::{Balancer, Candidates, LatePin, Mode, RoutingError, Scope, Session};
use routing_tests::adapter::{
    Adapter, Begin, Diesel, DieselAsync, End, Log, Outcome, Ports, SeaOrm, Step,
};
use routing_tests::recorder::Recorded;
use routing_tests::runtime::run;
use routing_tests::world::{Backend, World};

/// Which session runs which steps.
type Program = Vec<(Option<usize>, Vec<Planned>)>;

/// A step before it is known for which adapter: what it inserts must be new each time.
#[derive(Debug, Clone)]
enum Planned {
    Server,
    Count,
    Insert,
    Execute(&'static str),
    Log,
    Scoped(usize, Vec<Self>),
    Transaction(Begin, Vec<Self>, End),
}

fn programs() -> impl Strategy<Value = Program> {
    let leaf = prop_oneof![
        4 => Just(Planned::Server),
        1 => Just(Planned::Count),
        2 => Just(Planned::Insert),
        1 => Just(Planned::Execute("SELECT changes()")),
        1 => Just(Planned::Execute("SELECT name FROM cake")),
        1 => Just(Planned::Log),
    ];
    let steps = leaf.prop_recursive(3, 12, 4, |step| {
        let steps = prop::collection::vec(step, 1..4);
        prop_oneof![
            (0..6_usize, steps.clone()).prop_map(|(scope, steps)| Planned::Scoped(scope, steps)),
            (any::<bool>(), steps, any::<bool>()).prop_map(|(read_only, steps, commits)| {
                let begin = if read_only {
                    Begin::ReadOnly
                } else {
                    Begin::Plain
                };
                let end = if commits { End::Commit } else { End::Rollback };
                // Diesel has no read-only savepoints, nor scopes inside a read-only transaction's
                // closure: the steps of one are plain.
                let steps = match begin {
                    Begin::ReadOnly => steps.into_iter().filter(is_plain).collect(),
                    Begin::Plain => steps.into_iter().map(never_read_only).collect(),
                };
                Planned::Transaction(begin, steps, end)
            }),
        ]
    });
    let unit = (
        prop::option::weighted(0.8, 0..3_usize),
        prop::collection::vec(steps, 1..5),
    );
    prop::collection::vec(unit, 1..8)
}

fn is_plain(step: &Planned) -> bool {
    !matches!(step, Planned::Scoped(..) | Planned::Transaction(..))
}

fn never_read_only(step: Planned) -> Planned {
    match step {
        Planned::Transaction(_, steps, end) => {
            let steps = steps.into_iter().map(never_read_only).collect();
            Planned::Transaction(Begin::Plain, steps, end)
        }
        Planned::Scoped(scope, steps) => {
            Planned::Scoped(scope, steps.into_iter().map(never_read_only).collect())
        }
        other => other,
    }
}

fn scope(number: usize) -> Scope {
    match number {
        0 => Scope::primary(),
        1 => Scope::replica(),
        2 => Scope::node("replica-2"),
        3 => Scope::frozen(),
        4 => Scope::ambiguous_to_replica(),
        _ => Scope::read_only(),
    }
}

struct Writer {
    last: u32,
    log: Log,
}

impl Writer {
    fn steps(&mut self, planned: &[Planned], inside: bool) -> Vec<Step> {
        let steps = planned.iter().map(|step| self.step(step, inside));
        steps.collect()
    }

    fn step(&mut self, planned: &Planned, inside: bool) -> Step {
        match planned {
            Planned::Server => Step::Server,
            Planned::Count => Step::Count,
            Planned::Insert => {
                self.last += 1;
                Step::Insert(format!("cake {}", self.last))
            }
            Planned::Execute(sql) => Step::Execute((*sql).to_owned()),
            Planned::Log if inside => Step::Log(self.log.clone(), "log"),
            // In SeaORM there is nobody to register with outside of a transaction.
            Planned::Log => Step::Count,
            Planned::Scoped(number, steps) => {
                Step::Scoped(scope(*number), self.steps(steps, inside))
            }
            Planned::Transaction(begin, steps, end) => {
                Step::Transaction(*begin, self.steps(steps, true), *end)
            }
        }
    }
}

/// Takes replicas in turn, and begins with the same one each time.
#[derive(Debug, Default)]
struct InTurn(AtomicUsize);

impl Balancer for InTurn {
    fn pick(&self, candidates: Candidates<'_>) -> usize {
        let indices: Vec<_> = candidates.iter().collect();
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        indices[turn % indices.len()]
    }
}

/// What an adapter did: its decisions, its refusals, and what came of the steps.
async fn trace<A: Adapter>(program: &Program, mode: Mode, late: LatePin) -> Trace {
    let world = World::new(Backend::Sqlite, true).await;
    let config = world.config(|config| config.mode(mode).late_pin(late));
    let ports = Ports {
        balancer: Some(Box::new(InTurn::default())),
        ..Ports::default()
    };
    let recorder = Arc::clone(&ports.recorder);
    let db = A::open(&config, ports).expect("a handle");
    let sessions = [(); 3].map(|()| Session::new());
    let mut writer = Writer {
        last: 0,
        log: Log::default(),
    };
    let mut outcomes = Vec::new();
    for (session, planned) in program {
        let db = match session {
            Some(number) => db.with_session(&sessions[*number]),
            None => db.clone(),
        };
        let steps = writer.steps(planned, false);
        let ran = db.run(steps).await;
        outcomes.extend(ran.into_iter().map(|outcome| match outcome {
            // The words around a refusal are each ORM's own.
            Outcome::Failed(failed) => format!("{:?}", failed.routing),
            other => format!("{other:?}"),
        }));
        outcomes.extend(writer.log.take());
    }
    Trace {
        decisions: recorder.take(),
        refusals: recorder.refusals(),
        outcomes,
        pinned: sessions.map(|session| session.is_pinned("default")),
    }
}

#[derive(Debug, PartialEq)]
struct Trace {
    decisions: Vec<Recorded>,
    refusals: Vec<RoutingError>,
    outcomes: Vec<String>,
    pinned: [bool; 3],
}

#[test]
fn all_adapters_decide_alike() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut decisions = 0;
    for number in 0..60 {
        let tree = programs().new_tree(&mut runner).expect("a program");
        let program = tree.current();
        let mode = [Mode::Greedy, Mode::Strict][number % 2];
        let late = [LatePin::Allow, LatePin::Allow, LatePin::Deny][number % 3];
        let [seaorm, diesel, diesel_async] = run(async {
            [
                trace::<SeaOrm>(&program, mode, late).await,
                trace::<Diesel>(&program, mode, late).await,
                trace::<DieselAsync>(&program, mode, late).await,
            ]
        });
        decisions += seaorm.decisions.len();
        assert_eq!(seaorm, diesel, "{mode:?} {program:#?}");
        assert_eq!(diesel, diesel_async, "{mode:?} {program:#?}");
    }
    assert!(decisions > 500, "{decisions} are too few to say anything");
}
