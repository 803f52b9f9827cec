//! A transaction that is open on a connection, and what is called when it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use routing_core::sql::TransactionControl;
use routing_core::{Access, Callbacks, Committed, Node, Role, SetName};

/// How the savepoints begin that Diesel sets by itself.
const DIESELS: &str = "diesel_savepoint_";

/// One open transaction, with the savepoints inside it.
pub(crate) struct OpenTransaction<P> {
    pub(crate) node: Arc<Node<P>>,
    /// The role for which the node was chosen.
    pub(crate) side: Role,
    pub(crate) access: Access,
    /// The transaction itself, and a level for each savepoint.
    levels: Vec<Level>,
    /// Whether Diesel has counted it: then it is over when Diesel counts no more.
    counted: bool,
    /// Whether something that was not understood has, or may have, ended or divided it.
    unclear: bool,
}

struct Level {
    name: String,
    callbacks: Callbacks,
    /// Whether a statement has failed: PostgreSQL then answers a commit with a rollback, and calls
    /// that a success.
    failed: Arc<AtomicBool>,
}

impl Level {
    fn new(name: String, callbacks: Callbacks) -> Self {
        Self {
            name,
            callbacks,
            failed: Arc::default(),
        }
    }
}

impl<P> OpenTransaction<P> {
    /// `name` is that of the savepoint it is, if there is a transaction around it that nobody here
    /// has begun.
    pub(crate) fn new(node: &Arc<Node<P>>, side: Role, access: Access, name: String) -> Self {
        Self {
            node: Arc::clone(node),
            side,
            access,
            levels: vec![Level::new(name, Callbacks::new())],
            counted: false,
            unclear: false,
        }
    }

    /// The callbacks of the innermost savepoint.
    pub(crate) fn callbacks(&self) -> Option<&Callbacks> {
        self.levels.last().map(|level| &level.callbacks)
    }

    pub(crate) fn statement_failed(&self) {
        if let Some(level) = self.levels.last() {
            level.failed.store(true, Ordering::Relaxed);
        }
    }

    /// The depth of what is around it, if there is anything.
    pub(crate) fn around(&self) -> Option<u32> {
        let name = &self.levels.first()?.name;
        name.strip_prefix(DIESELS)?.parse().ok()
    }

    /// A flag to be raised when a statement of the innermost level is found to have failed later.
    #[cfg(feature = "async")]
    pub(crate) fn failure_flag(&self) -> Option<Arc<AtomicBool>> {
        self.levels.last().map(|level| Arc::clone(&level.failed))
    }

    /// Whether somebody waits for its end, and a statement has failed outside of the savepoints
    /// that are rolled back.
    pub(crate) fn is_in_doubt(&self) -> bool {
        let awaited = self.levels.iter().any(|level| !level.callbacks.is_empty());
        let failed = |level: &Level| level.failed.load(Ordering::Relaxed);
        awaited && self.levels.iter().any(failed)
    }

    /// Compares the transaction with the depth that Diesel counts on its connection; says whether
    /// the server has ended it by itself.
    pub(crate) fn is_over_at(&mut self, depth: Option<u32>) -> bool {
        let is_around = depth == self.around();
        self.counted |= !is_around;
        self.counted && is_around
    }

    /// Something happened to the transaction that nobody here understands.
    pub(crate) const fn lose_track(&mut self) {
        self.unclear = true;
    }

    /// What a statement does to this transaction, which may be a savepoint itself.
    pub(crate) fn resolve<'a>(&self, control: TransactionControl<'a>) -> TransactionControl<'a> {
        let is_this = |name| self.levels.first().is_some_and(|level| level.name == name);
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
                if let Some(around) = self.levels.last() {
                    let callbacks = around.callbacks.savepoint();
                    self.levels.push(Level::new(name.to_owned(), callbacks));
                }
            }
            TransactionControl::Release(name) => match self.position(name) {
                Some(position) => {
                    while self.levels.len() > position {
                        self.release_innermost();
                    }
                }
                None => self.unclear = true,
            },
            TransactionControl::RollbackTo(name) => match self.position(name) {
                Some(position) => {
                    for level in self.levels.drain(position..).rev() {
                        level.callbacks.rolled_back();
                    }
                    // Diesel does not go on in a savepoint that it has rolled back to; others may.
                    if !name.starts_with(DIESELS) {
                        self.divided(TransactionControl::Savepoint(name));
                    }
                }
                None => self.unclear = true,
            },
            TransactionControl::Begin { .. }
            | TransactionControl::Commit
            | TransactionControl::Rollback => self.unclear = true,
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        let savepoints = self.levels.iter().enumerate().skip(1);
        let found = savepoints.rev().find(|(_, level)| level.name == name);
        found.map(|(position, _)| position)
    }

    fn release_innermost(&mut self) {
        if let Some(level) = self.levels.pop() {
            // The set matters to the outermost commit only.
            level
                .callbacks
                .committed(&Committed::new(SetName::default()));
            if level.failed.load(Ordering::Relaxed) {
                self.statement_failed();
            }
        }
    }

    /// The commit was acknowledged.
    pub(crate) fn committed(mut self, set: &SetName) {
        if self.unclear {
            return self.ended_unknown();
        }
        while self.levels.len() > 1 {
            self.release_innermost();
        }
        if let Some(outermost) = self.levels.pop() {
            outermost.callbacks.committed(&Committed::new(set.clone()));
        }
    }

    /// It was rolled back for certain.
    pub(crate) fn rolled_back(mut self) {
        while let Some(level) = self.levels.pop() {
            level.callbacks.rolled_back();
        }
    }

    /// Its connection is given up, which rolls it back if it was still open.
    pub(crate) fn abandoned(self) {
        if self.unclear {
            self.ended_unknown();
        } else {
            self.rolled_back();
        }
    }

    /// Nobody knows how it ended: nobody is called.
    pub(crate) fn ended_unknown(mut self) {
        for level in &mut self.levels {
            level.callbacks.committing();
        }
    }
}
