//! Generated programs that leave state in connections: each read has to see it as the database defines it.
//!
//! A read asks the server itself whether all of the state is there, so that one without is found wherever it
//! ran. `PROPTEST_CASES` says how many programs there are for each adapter, database and release of pins.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use routing_core::{Mode, PinRelease, RoutingConfig, Scope, Session};
use routing_tests::adapter::{Adapter, Begin, End, Outcome, Ports, Shop, Step, until_seen};
use routing_tests::wait::LIMIT;
use routing_tests::world::{Backend, World, patient, patient_probes};

conformance!(@adapter seaorm, SeaOrm, no_read_runs_without_its_sessions_state,);
conformance!(@adapter diesel, Diesel, no_read_runs_without_its_sessions_state,);
conformance!(@adapter diesel_async, DieselAsync, no_read_runs_without_its_sessions_state,);

/// How many programs there are if nobody says otherwise.
const PROGRAMS: u32 = 40;

#[derive(Debug, Clone)]
enum Planned {
    Check,
    Insert,
    Set(Variable, usize),
    SetLocal(Variable, usize),
    HideCakes,
    Scoped(usize, Vec<Self>),
    Transaction(Begin, Vec<Self>, End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    Tenant,
    Path,
    Role,
}

fn programs() -> impl Strategy<Value = Vec<Planned>> {
    let variable = || {
        prop_oneof![
            Just(Variable::Tenant),
            Just(Variable::Path),
            Just(Variable::Role)
        ]
    };
    let leaf = prop_oneof![
        6 => Just(Planned::Check),
        1 => Just(Planned::Insert),
        2 => (variable(), 0..3_usize).prop_map(|(variable, value)| Planned::Set(variable, value)),
        1 => (variable(), 0..3_usize).prop_map(|(variable, value)| Planned::SetLocal(variable, value)),
        1 => Just(Planned::HideCakes),
    ];
    let step = leaf.prop_recursive(3, 16, 5, |step| {
        let steps = || prop::collection::vec(step.clone(), 1..5);
        let end = prop_oneof![Just(End::Commit), Just(End::Rollback)];
        prop_oneof![
            1 => (0..4_usize, steps()).prop_map(|(scope, steps)| Planned::Scoped(scope, steps)),
            2 => (steps(), end.clone())
                .prop_map(|(steps, end)| Planned::Transaction(Begin::Plain, steps, end)),
            1 => (steps(), end)
                .prop_map(|(steps, end)| Planned::Transaction(Begin::ReadOnly, steps, end)),
        ]
    });
    prop::collection::vec(step, 3..9)
}

/// What a connection has, as the databases' manuals say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    tenant: usize,
    path: usize,
    role: usize,
    hidden: bool,
}

impl State {
    const fn of(&mut self, variable: Variable) -> &mut usize {
        match variable {
            Variable::Tenant => &mut self.tenant,
            Variable::Path => &mut self.path,
            Variable::Role => &mut self.role,
        }
    }

    /// A read that counts 1 where all of it is there, and 0 elsewhere.
    fn check(&self, backend: Backend, only_reads: bool) -> String {
        let Self {
            tenant, path, role, ..
        } = self;
        let hidden = i32::from(self.hidden);
        let cakes = "(SELECT count(*) FROM cake WHERE name = 'temporary') AS hidden";
        match backend {
            Backend::Postgres => format!(
                "SELECT CAST(count(*) AS bigint) FROM (SELECT \
                 coalesce(nullif(current_setting('shop.tenant', true), ''), '0') AS tenant, \
                 (SELECT owner FROM menu) AS path, \
                 current_user <> session_user AS role, {cakes}) state \
                 WHERE tenant = '{tenant}' AND path = {path} AND role = {} AND hidden = {hidden}",
                *role > 0
            ),
            Backend::MySql if only_reads => format!(
                "SELECT CAST(count(*) AS signed) FROM (SELECT {cakes}) state WHERE hidden = {hidden}"
            ),
            Backend::MySql => format!(
                "SELECT CAST(count(*) AS signed) FROM (SELECT coalesce(@tenant, 0) AS tenant, {cakes}) state \
                 WHERE tenant = {tenant} AND hidden = {hidden}"
            ),
            Backend::Sqlite => format!(
                "SELECT CAST(count(*) AS bigint) FROM (SELECT {cakes}) state WHERE hidden = {hidden}"
            ),
        }
    }
}

/// Writes a program's steps, and knows by then what state each finds.
struct Writer {
    backend: Backend,
    inserted: u32,
    /// What the connection has now, and what it has when the transaction ends.
    now: State,
    after: State,
    depth: usize,
    is_read_only: bool,
}

impl Writer {
    fn write(&mut self, planned: &[Planned]) -> Vec<Step> {
        planned.iter().flat_map(|step| self.step(step)).collect()
    }

    fn step(&mut self, planned: &Planned) -> Vec<Step> {
        match planned {
            // MySQL's variables are not asked for where only reads may run.
            Planned::Check => vec![Step::Number(
                self.now.check(self.backend, self.is_read_only),
            )],
            Planned::Insert if !self.is_read_only => {
                self.inserted += 1;
                vec![Step::Insert(format!("cake {}", self.inserted))]
            }
            Planned::Set(variable, value) if !self.is_read_only => {
                let Some(sql) = set(self.backend, *variable, *value, "") else {
                    return Vec::new();
                };
                *self.now.of(*variable) = *value;
                *self.after.of(*variable) = *value;
                vec![Step::Execute(sql)]
            }
            Planned::SetLocal(variable, value) if self.depth > 0 => {
                let sql = match self.backend {
                    Backend::Postgres => set(self.backend, *variable, *value, "LOCAL "),
                    Backend::MySql | Backend::Sqlite => None,
                };
                let Some(sql) = sql else { return Vec::new() };
                *self.now.of(*variable) = *value;
                vec![Step::Execute(sql)]
            }
            Planned::HideCakes if !self.is_read_only && !self.now.hidden => {
                (self.now.hidden, self.after.hidden) = (true, true);
                hide(self.backend)
                    .map(|sql| Step::Execute(sql.to_owned()))
                    .into()
            }
            // Not in this place, or not twice.
            Planned::Insert | Planned::Set(..) | Planned::SetLocal(..) | Planned::HideCakes => {
                Vec::new()
            }
            // Diesel has no scopes inside a read-only transaction's closure.
            Planned::Scoped(_, steps) if self.is_read_only => self.write(steps),
            Planned::Scoped(number, steps) => vec![Step::Scoped(scope(*number), self.write(steps))],
            // It has no read-only savepoints either.
            Planned::Transaction(Begin::ReadOnly, steps, _) if self.depth > 0 => self.write(steps),
            // In the adapters a read-only transaction's closure has room for one savepoint.
            Planned::Transaction(_, steps, _) if self.is_read_only && self.depth > 1 => {
                self.write(steps)
            }
            Planned::Transaction(begin, steps, end) => {
                let before = (self.now, self.after);
                let was_read_only = self.is_read_only;
                self.depth += 1;
                self.is_read_only |= *begin == Begin::ReadOnly;
                let steps = self.write(steps);
                self.is_read_only = was_read_only;
                self.depth -= 1;
                match end {
                    // MariaDB's variables and tables of this kind know no transactions.
                    End::Rollback | End::Drop if self.backend != Backend::MySql => {
                        (self.now, self.after) = before;
                    }
                    _ if self.depth == 0 => self.now = self.after,
                    _ => {}
                }
                vec![Step::Transaction(*begin, steps, *end)]
            }
        }
    }
}

fn scope(number: usize) -> Scope {
    match number {
        0 => Scope::primary(),
        1 => Scope::replica(),
        2 => Scope::prefer_primary(),
        _ => Scope::migration(),
    }
}

/// A statement that sets a variable, where the database has such a one.
fn set(backend: Backend, variable: Variable, value: usize, local: &str) -> Option<String> {
    match (backend, variable) {
        (Backend::Postgres, Variable::Tenant) => {
            Some(format!("SET {local}shop.tenant = '{value}'"))
        }
        (Backend::Postgres, Variable::Path) => {
            let first = ["public", "shop_1", "shop_2"][value];
            Some(format!("SET {local}search_path TO {first}, public"))
        }
        (Backend::Postgres, Variable::Role) => {
            let role = ["NONE", "shop_clerk", "shop_clerk"][value];
            Some(format!("SET {local}ROLE {role}"))
        }
        (Backend::MySql, Variable::Tenant) => Some(format!("SET @tenant = {value}")),
        (Backend::MySql | Backend::Sqlite, _) => None,
    }
}

/// Puts a temporary table before the cakes.
const fn hide(backend: Backend) -> [&'static str; 2] {
    match backend {
        Backend::Postgres => [
            "CREATE TEMP TABLE cake (LIKE public.cake INCLUDING ALL)",
            "DO $$ BEGIN GRANT ALL ON pg_temp.cake TO PUBLIC; \
             INSERT INTO pg_temp.cake (name) VALUES ('temporary'); END $$",
        ],
        Backend::MySql => [
            "CREATE TEMPORARY TABLE cake (id int AUTO_INCREMENT PRIMARY KEY, name varchar(255)) \
             ENGINE = MyISAM",
            "INSERT INTO cake (name) VALUES ('temporary')",
        ],
        Backend::Sqlite => [
            "CREATE TEMP TABLE cake (id integer PRIMARY KEY, name text)",
            "INSERT INTO temp.cake (name) VALUES ('temporary')",
        ],
    }
}

/// What programs need, once.
const fn schema(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => {
            "DO $$ BEGIN CREATE ROLE shop_clerk; EXCEPTION WHEN OTHERS THEN NULL; END $$;
             CREATE TABLE menu AS SELECT 0 AS owner;
             CREATE SCHEMA shop_1; CREATE TABLE shop_1.menu AS SELECT 1 AS owner;
             CREATE SCHEMA shop_2; CREATE TABLE shop_2.menu AS SELECT 2 AS owner;
             GRANT USAGE ON SCHEMA public, shop_1, shop_2 TO shop_clerk;
             GRANT ALL ON ALL TABLES IN SCHEMA public, shop_1, shop_2 TO shop_clerk;
             GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO shop_clerk;"
        }
        Backend::MySql | Backend::Sqlite => "SELECT 1",
    }
}

/// Takes away what the last program has left in the connection, which its pool hands on.
const fn clean(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Postgres => &["RESET ROLE", "RESET ALL", "DISCARD TEMP"],
        Backend::MySql => &["SET @tenant = NULL", "DROP TEMPORARY TABLE IF EXISTS cake"],
        Backend::Sqlite => &["DROP TABLE IF EXISTS temp.cake"],
    }
}

/// One connection to the primary, so that SeaORM's session finds there what it has left.
fn config(world: &World, release: PinRelease) -> RoutingConfig {
    let [primary, replica] = world.primary_and_replica();
    let config = RoutingConfig::builder()
        .mode(Mode::Greedy)
        .pin_release(release)
        .catch_up_wait(LIMIT)
        .time_pin(LIMIT)
        .probe(patient_probes())
        .primary(patient(primary).max_connections(1))
        .replica(patient(replica));
    config.build().expect("a right configuration")
}

async fn no_read_runs_without_its_sessions_state<A: Adapter>(backend: Backend) {
    let world = World::new(backend, false).await;
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.map_or(PROGRAMS, |cases| cases.parse().expect("a number"));
    for (run, release) in [PinRelease::SessionEnd, PinRelease::CaughtUp]
        .into_iter()
        .enumerate()
    {
        let db = A::open(&config(&world, release), Ports::default()).expect("a handle");
        let direct = db.scoped(Scope::primary());
        if release == PinRelease::SessionEnd {
            direct.execute(schema(backend)).await.expect("a schema");
            world.catch_up().await;
        }
        until_seen(&db).await;
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[run as u8; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut reads = 0;
        for number in 0..cases {
            for statement in clean(backend) {
                direct.execute(statement).await.expect("nothing is left");
            }
            let tree = programs().new_tree(&mut runner).expect("a program");
            let program = tree.current();
            let mut writer = Writer {
                backend,
                inserted: number * 1_000 + run as u32 * 100_000_000,
                now: State::default(),
                after: State::default(),
                depth: 0,
                is_read_only: false,
            };
            let steps = writer.write(&program);
            let outcomes = db.with_session(&Session::new()).run(steps.clone()).await;
            for outcome in &outcomes {
                match outcome {
                    Outcome::Count(1) => reads += 1,
                    Outcome::Done => {}
                    _ => panic!("{release:?}, program {number}: {steps:#?}\n{outcomes:#?}"),
                }
            }
        }
        assert!(reads > cases, "{reads} reads are too few to say anything");
    }
}
