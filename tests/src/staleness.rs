//! Users who write and read back over many requests, and a check of everything they read.
//!
//! Each user has a register that only he writes, to the next number each time. So it is known what a
//! read may not miss: his own last number, whatever request wrote it; and in one request nothing may
//! be less than what an earlier read of it has shown, of a neighbour's register too.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use routing_core::{Clock, PinRelease, Scope, Session, SystemClock, Timestamp, TokenKeys};
use routing_seaorm::{RoutedConnection, RoutingConfigBuilder};
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, TransactionTrait,
};

/// How reads after a write are kept from being stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a table has a line for each")]
pub enum Strategy {
    /// Everything runs on the primary.
    PrimaryOnly,
    /// A client that has written reads from the primary for 15 s.
    TimePin,
    /// A request that has written reads from the primary until its end; the next knows nothing.
    SessionPin,
    /// A token with positions follows the client; a pin is released when a replica has caught up,
    /// for which a read waits so long.
    Positions(Duration),
    /// The same, with reads that do not look at it: what the check has to find.
    Unfenced,
}

/// What the users do.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "a test makes one")]
pub struct Plan {
    /// How many there are at once.
    pub users: usize,
    /// How often each writes.
    pub writes: usize,
    /// How often he reads back after each write.
    pub reads_per_write: usize,
    /// From one request of his to the next.
    pub think: Duration,
    /// How his reads are kept from being stale.
    pub strategy: Strategy,
    /// Whether one read of four asks for the row of whoever a setting of its transaction names; PostgreSQL's only.
    pub is_tenant: bool,
}

/// What came of it.
#[derive(Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a test looks at all of it")]
pub struct Outcome {
    /// Reads, each at its time.
    pub reads: Vec<Read>,
    /// How long writes took, with what their requests waited for afterwards.
    pub writes: Vec<Duration>,
    /// Reads that missed the user's own last write.
    pub stale: usize,
    /// Reads that showed less than an earlier one of the same request.
    pub backwards: usize,
    /// Reads on replicas by a setting of their transaction.
    pub by_setting: usize,
}

/// One read.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a test looks at all of it")]
pub struct Read {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whether a replica answered.
    pub on_replica: bool,
    /// Whose it was.
    pub user: usize,
    /// The number that it must not miss.
    pub own: i64,
    /// What the request had seen of the neighbour's.
    pub neighbour: i64,
}

impl Outcome {
    /// Reads and writes.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.reads.len() + self.writes.len()
    }

    /// Reads that a replica answered.
    #[must_use]
    pub fn on_replicas(&self) -> usize {
        self.reads.iter().filter(|read| read.on_replica).count()
    }

    /// Their share.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.on_replicas() as f64 / self.reads.len().max(1) as f64
    }

    fn add(&mut self, other: Self) {
        self.reads.extend(other.reads);
        self.writes.extend(other.writes);
        self.stale += other.stale;
        self.backwards += other.backwards;
        self.by_setting += other.by_setting;
    }
}

impl Strategy {
    /// The settings that it needs.
    pub fn settings(self, config: RoutingConfigBuilder) -> RoutingConfigBuilder {
        match self {
            Self::PrimaryOnly => config.enabled(false),
            Self::TimePin | Self::SessionPin => config,
            Self::Positions(wait) => config.pin_release(PinRelease::CaughtUp).catch_up_wait(wait),
            Self::Unfenced => config.pin_release(PinRelease::CaughtUp),
        }
    }
}

/// The table that users write to, with a row for each; nobody else knows it.
///
/// # Errors
///
/// The database's.
pub async fn prepare(primary: &impl ConnectionTrait, users: usize) -> Result<(), DbErr> {
    primary
        .execute_unprepared("CREATE TABLE register (id int PRIMARY KEY, number bigint NOT NULL)")
        .await?;
    let rows: Vec<_> = (0..users).map(|user| format!("({user}, 0)")).collect();
    let insert = format!("INSERT INTO register VALUES {}", rows.join(", "));
    primary.execute_unprepared(&insert).await.map(drop)
}

/// Has the users do as planned, and checks what they read.
///
/// # Panics
///
/// If a statement fails: what goes on beside it must not make one fail.
pub async fn run(db: &RoutedConnection, plan: &Plan) -> Outcome {
    let keys = TokenKeys::new([7; 32]).expect("a secret");
    let users = (0..plan.users).map(|id| {
        let user = User {
            db: db.clone(),
            plan: plan.clone(),
            keys: keys.clone(),
            id,
            number: 0,
            token: None,
            outcome: Outcome::default(),
        };
        tokio::spawn(user.act())
    });
    let mut outcome = Outcome::default();
    for user in join_all(users.collect::<Vec<_>>()).await {
        outcome.add(user.expect("no panic"));
    }
    outcome
}

/// Does something over and over while something else goes on.
pub async fn while_going_on<T, F: Future<Output = ()>>(
    going_on: impl Future<Output = T>,
    mut again: impl FnMut(usize) -> F,
) -> T {
    let over = Arc::new(AtomicBool::new(false));
    let beside = async {
        let mut turn = 0;
        while !over.load(Ordering::Relaxed) {
            again(turn).await;
            turn += 1;
        }
    };
    let going_on = async {
        let done = going_on.await;
        over.store(true, Ordering::Relaxed);
        done
    };
    tokio::join!(going_on, beside).0
}

struct User {
    db: RoutedConnection,
    plan: Plan,
    keys: TokenKeys,
    id: usize,
    /// What he has written last.
    number: i64,
    /// What his client keeps.
    token: Option<String>,
    outcome: Outcome,
}

impl User {
    async fn act(mut self) -> Outcome {
        // The table may be one that users have written to before: numbers only ever grow.
        self.number = self.last_number().await;
        // Not all at once.
        tokio::time::sleep(
            self.plan
                .think
                .mul_f64(self.id as f64 / self.plan.users as f64),
        )
        .await;
        for _ in 0..self.plan.writes {
            // The request that writes reads back at once, the others twice each.
            let session = self.begin();
            self.write(&session).await;
            let mut left = self.plan.reads_per_write;
            if left > 0 {
                self.read(&session, 0).await;
                left -= 1;
            }
            self.end(&session).await;
            while left > 0 {
                tokio::time::sleep(self.plan.think).await;
                let session = self.begin();
                let mut seen = 0;
                for _ in 0..left.min(2) {
                    seen = self.read(&session, seen).await;
                    left -= 1;
                }
                self.end(&session).await;
            }
            tokio::time::sleep(self.plan.think).await;
        }
        self.outcome
    }

    async fn last_number(&self) -> i64 {
        let db = self.db.scoped(Scope::primary());
        let sql = format!("SELECT number FROM register WHERE id = {}", self.id);
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await.expect("a read");
        row.expect("a row").try_get("", "number").expect("a number")
    }

    fn begin(&self) -> Session {
        match self.plan.strategy {
            Strategy::PrimaryOnly | Strategy::SessionPin => Session::new(),
            Strategy::TimePin | Strategy::Positions(_) | Strategy::Unfenced => {
                self.keys.resume(self.token.as_deref())
            }
        }
    }

    async fn end(&mut self, session: &Session) {
        if !session.has_written() {
            return;
        }
        let start = SystemClock.now();
        match self.plan.strategy {
            Strategy::PrimaryOnly | Strategy::SessionPin => {}
            Strategy::TimePin => {
                let mut told = routing_core::HandOver::new("default");
                told.pinned_for = Some(Duration::from_secs(15));
                self.token = Some(self.keys.seal_all(&[told]));
            }
            Strategy::Positions(_) | Strategy::Unfenced => {
                let limit = Duration::from_secs(1);
                let _settled = tokio::time::timeout(limit, session.when_settled()).await;
                self.token = self.keys.seal(session);
            }
        }
        if let Some(write) = self.outcome.writes.last_mut() {
            *write += SystemClock.now().since(start);
        }
    }

    async fn write(&mut self, session: &Session) {
        let start = SystemClock.now();
        self.number += 1;
        let (number, id) = (self.number, self.id);
        let sql = format!("UPDATE register SET number = {number} WHERE id = {id}");
        let db = self.db.with_session(session);
        db.execute_unprepared(&sql).await.expect("a write");
        self.outcome.writes.push(SystemClock.now().since(start));
    }

    /// Another user's row would show another number, or none.
    async fn read_as_tenant(
        &self,
        db: &RoutedConnection,
        read: Statement,
    ) -> Result<Option<QueryResult>, DbErr> {
        let transaction = db
            .begin_with_config(None, Some(AccessMode::ReadOnly))
            .await?;
        let set = format!("SET LOCAL shop.reader = '{}'", self.id);
        transaction.execute_unprepared(&set).await?;
        let row = transaction.query_one_raw(read).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Reads the user's own register and a neighbour's, of which the request has `seen` so much.
    async fn read(&mut self, session: &Session, seen: i64) -> i64 {
        let mut db = self.db.with_session(session);
        if self.plan.strategy == Strategy::Unfenced {
            db = db.scoped(Scope::replica());
        }
        let (id, other) = (self.id, (self.id + 1) % self.plan.users);
        let role = match db.get_database_backend() {
            DbBackend::Postgres => "CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END",
            // A number or, as MariaDB 10.11.19 has it, a word.
            _ => "(@@global.read_only IN ('1', 'ON'))",
        };
        let sql = |own: &str| {
            let sql = format!(
                "SELECT (SELECT number FROM register WHERE id = {own}) AS own, \
                 (SELECT number FROM register WHERE id = {other}) AS neighbour, {role} AS role"
            );
            Statement::from_string(db.get_database_backend(), sql)
        };
        let at = SystemClock.now();
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        let is_tenant = self.plan.is_tenant && is_postgres && self.outcome.reads.len() % 4 == 3;
        let by_setting = if is_tenant {
            let own = sql("current_setting('shop.reader')::int");
            let read = self.read_as_tenant(&db, own).await;
            let is_without = |error: &DbErr| error.to_string().contains("shop.reader");
            assert!(!read.as_ref().is_err_and(is_without), "{read:?}");
            read.ok().flatten()
        } else {
            None
        };
        let is_by_setting = by_setting.is_some();
        let row = match by_setting {
            Some(row) => row,
            // Also if the connection was cut: a transaction is not run again by itself.
            None => {
                let row = db.query_one_raw(sql(&id.to_string())).await;
                row.expect("a read").expect("a row")
            }
        };
        let took = SystemClock.now().since(at);
        let get = |column| row.try_get::<i64>("", column);
        let (own, neighbour) = (
            get("own").expect("own"),
            get("neighbour").expect("neighbour"),
        );
        let on_replica = match db.get_database_backend() {
            DbBackend::Postgres => row.try_get::<i32>("", "role").expect("a role") == 1,
            _ => row.try_get::<i64>("", "role").expect("a role") == 1,
        };
        self.outcome.by_setting += usize::from(is_by_setting && on_replica);
        self.outcome.stale += usize::from(own < self.number);
        assert!(own <= self.number, "another user's number: {own}");
        self.outcome.backwards += usize::from(neighbour < seen);
        self.outcome.reads.push(Read {
            at,
            took,
            on_replica,
            user: id,
            own: self.number,
            neighbour: seen,
        });
        neighbour.max(seen)
    }
}
