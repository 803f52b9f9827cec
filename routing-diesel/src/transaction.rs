//! A transaction that is open on a connection, and what is called when it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use routing_core::sql::TransactionControl;
use routing_core::{Access, Callbacks, Committed, Node, SetName};

/// One open transaction, with the savepoints inside it.
pub(crate) struct OpenTransaction<P> {
    pub(crate) node: Arc<Node<P>>,
    pub(crate) access: Access,
    /// The transaction itself, and a level for each savepoint.
    levels: Vec<Level>,
    /// Whether something that was not understood has, or may have, ended or divided it.
    unclear: bool,
}

struct Level {
    name: String,
    callbacks: Callbacks,
    /// Whether a statement has failed: PostgreSQL then answers a commit with a rollback, and calls
    /// that a success.
    failed: AtomicBool,
}

impl Level {
    const fn new(name: String, callbacks: Callbacks) -> Self {
        Self {
            name,
            callbacks,
            failed: AtomicBool::new(false),
        }
    }
}

impl<P> OpenTransaction<P> {
    /// `name` is that of the savepoint it is, if there is a transaction around it that nobody here
    /// has begun.
    pub(crate) fn new(node: &Arc<Node<P>>, access: Access, name: String) -> Self {
        Self {
            node: Arc::clone(node),
            access,
            levels: vec![Level::new(name, Callbacks::new())],
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
        name.strip_prefix("diesel_savepoint_")?.parse().ok()
    }

    /// Whether a statement has failed outside of the savepoints that are rolled back.
    pub(crate) fn has_failed(&self) -> bool {
        self.levels
            .iter()
            .any(|level| level.failed.load(Ordering::Relaxed))
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
                // Diesel does not go on in a savepoint that it has rolled back to.
                Some(position) => {
                    for level in self.levels.drain(position..).rev() {
                        level.callbacks.rolled_back();
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
            if level.failed.into_inner() {
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
