//! The adapter: everything that the engine needs of the toy ORM.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use routing_core::adapter::{
    Attempt, BlockingConnections, BoxError, Connections, Handle, Level, OpenTransaction,
    run_blocking, run_in_blocking,
};
use routing_core::sql::Dialect;
use routing_core::{
    Access, BackgroundTasks, Callbacks, Failure, Node, NodeConfig, Permit, ReplicaSet, Role, Route,
    Router, RoutingError, StatementKind, catch_up, routed_handle,
};

use super::error::{Error, Orm};
use super::orm;

type Result<T> = std::result::Result<T, Error>;

/// A pool of connections to a file.
#[derive(Debug)]
pub(crate) struct FilePool {
    node: NodeConfig,
    path: PathBuf,
    role: Role,
    idle: Mutex<Vec<orm::Connection>>,
}

impl FilePool {
    fn idle(&self) -> MutexGuard<'_, Vec<orm::Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_out(&self) -> orm::Result<orm::Connection> {
        self.idle().pop().map_or_else(
            || orm::Connection::open(&self.path, self.role == Role::Replica),
            Ok,
        )
    }

    fn give_back(&self, connection: orm::Connection) {
        if !connection.is_in_transaction() {
            self.idle().push(connection);
        }
    }
}

impl BackgroundTasks for FilePool {
    fn start_monitors(_: &Router<Self>, _: &Arc<ReplicaSet<Self>>) {}

    fn start_catalog(_: &Arc<ReplicaSet<Self>>) {}
}

impl routing_core::Pool for FilePool {
    type Given = Self;

    fn configured(node: &NodeConfig, role: Role) -> std::result::Result<Self, String> {
        let path = node.url().strip_prefix("sqlite://").ok_or("is no file")?;
        Ok(Self {
            path: path.split('?').next().unwrap_or_default().into(),
            node: node.clone(),
            role,
            idle: Mutex::default(),
        })
    }

    fn given(pool: Self) -> std::result::Result<Self, String> {
        Ok(pool)
    }

    fn is_of(&self, node: &NodeConfig) -> bool {
        self.node.url() == node.url()
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::Sqlite)
    }

    fn can_be_probed(&self) -> bool {
        false
    }

    // A file has no monitor, and no catalog of functions.
    fn retire(&self) {
        self.idle().clear();
    }
}

/// A routed database.
#[derive(Debug, Clone)]
pub(crate) struct RoutedFiles {
    pub(super) handle: Handle<FilePool>,
}

routed_handle! {
    impl[] RoutedFiles,
    pool: FilePool,
    error: RoutingError,
    into_error: std::convert::identity,
}

catch_up!(impl[] RoutedFiles, blocking);

impl RoutedFiles {
    pub(super) fn connection(&self) -> RoutedConnection {
        RoutedConnection {
            handle: self.handle.with_current_session(),
            checkouts: Checkouts(Vec::new()),
            transaction: None,
        }
    }
}

/// The connections that are checked out: one to each node.
struct Checkouts(Vec<(Arc<Node<FilePool>>, orm::Connection)>);

impl Checkouts {
    #[expect(clippy::needless_pass_by_value, reason = "it uses the permit up")]
    fn permitted(&self, permit: Permit<'_, FilePool>) -> &orm::Connection {
        let mut checkouts = self.0.iter();
        let found = checkouts.find(|(node, _)| Arc::ptr_eq(node, permit.node()));
        &found.expect("it is checked out").1
    }
}

impl Drop for Checkouts {
    fn drop(&mut self) {
        for (node, connection) in self.0.drain(..) {
            node.pool().give_back(connection);
        }
    }
}

impl Connections for Checkouts {
    type Pool = FilePool;
    type Orm = Orm;

    fn give_back(&mut self, node: &Arc<Node<FilePool>>, _: Role) {
        let is_other = |(other, _): &(Arc<_>, _)| !Arc::ptr_eq(other, node);
        self.0.retain(is_other);
    }

    fn close(&mut self, node: &Arc<Node<FilePool>>, role: Role) {
        self.give_back(node, role);
    }
}

impl BlockingConnections for Checkouts {
    fn check_out(
        &mut self,
        route: &Route<'_, FilePool>,
    ) -> std::result::Result<(), (Failure, BoxError)> {
        let node = route.node();
        if !self.0.iter().any(|(other, _)| Arc::ptr_eq(other, node)) {
            let connection = node.pool().check_out();
            let connection = connection.map_err(|error| (Failure::Unreachable, error.into()))?;
            self.0.push((Arc::clone(node), connection));
        }
        Ok(())
    }

    fn classify(&mut self, error: &Error, _: &Arc<Node<FilePool>>, _: Role) -> Option<Failure> {
        match error {
            Error::Driver(rusqlite::Error::SqliteFailure(failure, _)) => {
                Failure::from_sqlite_code(failure.extended_code)
            }
            Error::Driver(_) | Error::Routing(_) => None,
        }
    }
}

/// A connection to the routed database.
pub(super) struct RoutedConnection {
    handle: Handle<FilePool>,
    checkouts: Checkouts,
    transaction: Option<(OpenTransaction<FilePool>, Vec<Level>)>,
}

impl RoutedConnection {
    /// Runs a method of the toy ORM's connection, which sends this text.
    pub(super) fn run<T>(
        &mut self,
        sql: &str,
        method: impl Fn(&orm::Connection) -> orm::Result<T>,
    ) -> Result<T> {
        let Self {
            handle,
            checkouts,
            transaction,
        } = self;
        let kind = handle
            .router
            .examine(&handle.set, sql)
            .map_err(Error::Routing)?;
        let text = || sql.to_owned();
        let send = |checkouts: &mut Checkouts, attempt: Attempt<'_, FilePool>| {
            method(checkouts.permitted(attempt.permit)).map_err(Error::Driver)
        };
        match transaction {
            None => run_blocking(handle.call(), kind, checkouts, text, send).map(|done| done.value),
            Some((open, levels)) => {
                if matches!(kind, StatementKind::Transaction | StatementKind::Multiple) {
                    open.lose_track();
                }
                let outcome = run_in_blocking(open, kind, &handle.context, checkouts, text, send);
                outcome.inspect_err(|_| levels.iter().for_each(Level::fail))
            }
        }
    }

    /// Begins a transaction or, inside one, a savepoint.
    pub(super) fn begin(&mut self, read_only: bool) -> Result<()> {
        let Self {
            handle,
            checkouts,
            transaction,
        } = self;
        let text = || "BEGIN".to_owned();
        let Some((open, levels)) = transaction else {
            let kind = if read_only {
                StatementKind::BeginReadOnly
            } else {
                StatementKind::Transaction
            };
            let begun = run_blocking(
                handle.call(),
                kind,
                checkouts,
                text,
                |checkouts, attempt| {
                    checkouts
                        .permitted(attempt.permit)
                        .begin()
                        .map_err(Error::Driver)
                },
            )?;
            let open = OpenTransaction::new(handle, &begun);
            let levels = vec![open.level()];
            self.transaction = Some((open, levels));
            return Ok(());
        };
        let (kind, depth) = (open.kind_of_savepoint(), levels.len());
        run_in_blocking(
            open,
            kind,
            &handle.context,
            checkouts,
            text,
            |checkouts, attempt| {
                checkouts
                    .permitted(attempt.permit)
                    .savepoint(depth)
                    .map_err(Error::Driver)
            },
        )?;
        levels.push(levels[depth - 1].savepoint());
        Ok(())
    }

    /// Ends the transaction, or the innermost savepoint.
    pub(super) fn end(&mut self, commits: bool) -> Result<()> {
        let Some((open, mut levels)) = self.transaction.take() else {
            return Ok(());
        };
        let checked = open.check_commit().map_err(Error::Routing);
        let commits = commits && checked.is_ok();
        let connection = self.checkouts.permitted(open.permit());
        let depth = levels.len() - 1;
        let ended = match (depth, commits) {
            (0, true) => connection.commit(),
            (0, false) => connection.rollback(),
            (_, true) => connection.release(depth),
            (_, false) => connection.rollback_to(depth),
        };
        let level = levels.pop().expect("one for each");
        if commits && ended.is_ok() {
            level.committed(self.handle.set.name());
        } else {
            level.rolled_back();
        }
        if depth == 0 {
            open.record_end(
                commits && open.access() == Access::Write,
                &self.handle.context,
            );
        } else {
            self.transaction = Some((open, levels));
        }
        checked.and(ended.map_err(Error::Driver))
    }

    pub(super) fn callbacks(&self) -> Option<&Callbacks> {
        let (_, levels) = self.transaction.as_ref()?;
        levels.last().map(Level::callbacks)
    }
}
