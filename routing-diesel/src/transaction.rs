//! A transaction that is open on a connection, with the savepoints inside it.

use std::ops::Deref;

use routing_core::adapter::{Level, OpenTransaction};
use routing_core::sql::{Dialect, TransactionControl};
use routing_core::{Callbacks, Failure};

/// How the savepoints begin that Diesel sets by itself.
const DIESELS: &str = "diesel_savepoint_";

/// The name of the savepoint that Diesel sets at this depth.
pub(crate) fn savepoint(depth: u32) -> String {
    format!("{DIESELS}{depth}")
}

/// One open transaction, with the savepoints inside it.
pub(crate) struct Transaction<P> {
    open: OpenTransaction<P>,
    /// The transaction itself, and a level for each savepoint.
    levels: Vec<Named>,
    /// Whether Diesel has counted it: then it is over when Diesel counts no more.
    counted: bool,
    /// Whether a text began it, so that a text ends it.
    #[cfg(feature = "async")]
    pub(crate) is_text: bool,
}

struct Named {
    name: String,
    level: Level,
}

/// The state of a transaction after its commit has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailedCommit {
    /// The server may have committed it. Only a rollback leads out of it, as a program that repeats the commit must not
    /// get an acknowledgement.
    Unknown,
    /// The server has rolled it back.
    RolledBack,
    /// A rollback comes next: SQLite leaves it open, and Diesel's manager ends what it counts.
    Open,
}

impl<P> Deref for Transaction<P> {
    type Target = OpenTransaction<P>;

    fn deref(&self) -> &OpenTransaction<P> {
        &self.open
    }
}

impl<P> Transaction<P> {
    /// `name` is that of the savepoint it is, if it is inside a transaction that the router has not
    /// begun.
    pub(crate) fn new(open: OpenTransaction<P>, name: String) -> Self {
        let level = open.level();
        Self {
            open,
            levels: vec![Named { name, level }],
            counted: false,
            #[cfg(feature = "async")]
            is_text: false,
        }
    }

    /// The innermost savepoint, or the transaction itself.
    pub(crate) fn innermost(&self) -> &Level {
        // The first level stays until the transaction ends.
        &self.levels[self.levels.len() - 1].level
    }

    /// The callbacks of the innermost savepoint.
    pub(crate) fn callbacks(&self) -> &Callbacks {
        self.innermost().callbacks()
    }

    /// The depth of what is around it, if there is anything.
    pub(crate) fn around(&self) -> Option<u32> {
        let name = &self.levels.first()?.name;
        name.strip_prefix(DIESELS)?.parse().ok()
    }

    /// Whether its connection goes back to the pool while it is open: the pool closes it then, unless the transaction
    /// around it is the pool's own. The pool would not notice what Diesel does not count, and would keep what
    /// `begin_test_transaction` began; a database in memory it has to keep.
    pub(crate) fn goes_back_open(&self, depth: Option<u32>, is_in_memory: bool) -> bool {
        depth.is_some() && (is_in_memory || self.around().is_some())
    }

    /// Whether a callback waits for its end, and a statement has failed outside of the savepoints
    /// that are rolled back.
    pub(crate) fn is_in_doubt(&self) -> bool {
        let mut levels = self.levels.iter();
        let is_awaited = levels.any(|named| !named.level.callbacks().is_empty());
        is_awaited && self.levels.iter().any(|named| named.level.has_failed())
    }

    /// Compares the transaction with the depth that Diesel counts on its connection; returns whether
    /// the server has ended it by itself.
    pub(crate) fn is_over_at(&mut self, depth: Option<u32>) -> bool {
        let is_around = depth.is_none() || depth == self.around();
        self.counted |= !is_around;
        self.counted && is_around
    }

    /// Decides what a failed commit leaves of it, by what the error says of the node, and by the depth that Diesel counts
    /// on its connection afterwards.
    pub(crate) fn failed_commit(
        &mut self,
        failure: Option<Failure>,
        dialect: Dialect,
        depth: Option<u32>,
    ) -> FailedCommit {
        match failure {
            Some(_) => FailedCommit::Unknown,
            // The server has rolled back, and Diesel counts on: its manager rolls back next.
            None if self.counted && dialect == Dialect::MySql && !self.is_over_at(depth) => {
                FailedCommit::Open
            }
            None if dialect == Dialect::Sqlite && !self.is_over_at(depth) => FailedCommit::Open,
            None => FailedCommit::RolledBack,
        }
    }

    /// Whether Diesel counts it, so that Diesel's manager ends it.
    pub(crate) const fn is_counted(&self) -> bool {
        self.counted
    }

    /// The text that rolls it back, and nothing around it.
    pub(crate) fn rollback_sql(&self) -> String {
        let inner = self.inner_end(TransactionControl::Rollback);
        inner.unwrap_or_else(|| "ROLLBACK".to_owned())
    }

    /// The text for a `COMMIT` or `ROLLBACK` inside a transaction that the router has not begun, which would end that
    /// one, too.
    pub(crate) fn inner_end(&self, control: TransactionControl<'_>) -> Option<String> {
        let name = savepoint(self.around()?);
        match control {
            TransactionControl::Commit => Some(format!("RELEASE SAVEPOINT {name}")),
            TransactionControl::Rollback => Some(format!("ROLLBACK TO SAVEPOINT {name}")),
            _ => None,
        }
    }

    /// What a statement does to this transaction, which may be a savepoint itself.
    pub(crate) fn resolve<'a>(&self, control: TransactionControl<'a>) -> TransactionControl<'a> {
        let is_this = |name| self.levels.first().is_some_and(|named| named.name == name);
        match control {
            TransactionControl::Release(name) if is_this(name) => TransactionControl::Commit,
            TransactionControl::RollbackTo(name) if is_this(name) => TransactionControl::Rollback,
            other => other,
        }
    }

    /// A savepoint was set, released or rolled back to.
    pub(crate) fn divided(&mut self, control: TransactionControl<'_>) {
        match control {
            TransactionControl::Savepoint(name) => {
                let level = self.innermost().savepoint();
                let name = name.to_owned();
                self.levels.push(Named { name, level });
            }
            TransactionControl::Release(name) => match self.position(name) {
                Some(position) => {
                    while self.levels.len() > position {
                        self.release_innermost();
                    }
                }
                None => self.open.lose_track(),
            },
            TransactionControl::RollbackTo(name) => match self.position(name) {
                Some(position) => {
                    for named in self.levels.drain(position..).rev() {
                        named.level.rolled_back();
                    }
                    // Diesel does not go on in a savepoint that it has rolled back to; texts may.
                    if !name.starts_with(DIESELS) {
                        self.divided(TransactionControl::Savepoint(name));
                    }
                }
                None => self.open.lose_track(),
            },
            TransactionControl::Begin(_)
            | TransactionControl::Commit
            | TransactionControl::Rollback => self.open.lose_track(),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        let savepoints = self.levels.iter().enumerate().skip(1);
        let found = savepoints.rev().find(|(_, named)| named.name == name);
        found.map(|(position, _)| position)
    }

    fn release_innermost(&mut self) {
        if let Some(Named { level, .. }) = self.levels.pop() {
            let has_failed = level.has_failed();
            level.committed(self.open.set().name());
            if has_failed {
                self.innermost().fail();
            }
        }
    }

    /// The commit was acknowledged.
    pub(crate) fn committed(mut self) {
        while self.levels.len() > 1 {
            self.release_innermost();
        }
        if let Some(Named { level, .. }) = self.levels.pop() {
            level.committed(self.open.set().name());
        }
    }

    /// It was rolled back: by the server, or as its connection is given up.
    pub(crate) fn rolled_back(mut self) {
        while let Some(Named { level, .. }) = self.levels.pop() {
            level.rolled_back();
        }
    }

    /// Its outcome is unknown: no callback runs.
    pub(crate) fn ended_unknown(mut self) {
        for named in &mut self.levels {
            named.level.committing();
        }
    }
}
