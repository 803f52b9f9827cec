//! The engine inside of a transaction: one attempt, on the transaction's node.

use crate::adapter::driver::{
    AsyncConnections, AsyncStatement, Attempt, BlockingConnections, ErrorOf, OrmErrors as _,
};
use crate::adapter::open_transaction::OpenTransaction;
use crate::observe::failure::Failure;
use crate::session::context::Context;
use crate::sql::kind::{Access, StatementKind};
use crate::time::timer::Timer;

/// Runs a statement of this kind in a transaction, on its node.
///
/// # Errors
///
/// The ORM's error, or the rule's refusal.
pub async fn run_in<T, C, S>(
    open: &OpenTransaction<C::Pool>,
    kind: StatementKind,
    caller: &Context,
    connections: &mut C,
    statement: &mut S,
) -> Result<S::Output, ErrorOf<C>>
where
    T: Timer,
    C: AsyncConnections<Pool: Send + Sync>,
    S: AsyncStatement<C>,
{
    open.check(kind, caller).map_err(C::Orm::refused)?;
    let unanswered = open.sending(kind, caller);
    let suspect = open.suspect(kind);
    let attempt = Attempt::new(open.permit(), open.access(), open.access() == Access::Read);
    let sending = statement.send(connections, attempt);
    match open.watch::<T, _>(sending).await {
        Some(Ok(output)) => {
            unanswered.answered();
            drop(suspect);
            open.record(caller);
            Ok(output)
        }
        Some(Err(error)) => {
            let failure = connections.classify(&error, open.node(), open.role()).await;
            unanswered.answered();
            let sql = || statement.sql().into_owned();
            suspect.failed(C::Orm::is_syntax_error(&error), sql);
            open.record_failure(failure.is_some_and(Failure::may_go_on), caller);
            let refusal = open.failed(failure, C::Orm::is_deadlock(&error), sql);
            Err(refusal.map_or(error, C::Orm::refused))
        }
        None => {
            unanswered.answered();
            drop(suspect);
            open.record_failure(true, caller);
            connections.close(open.node(), open.role());
            Err(C::Orm::refused(open.timed_out(kind)))
        }
    }
}

/// Runs a statement of this kind in a transaction, on its node, on a thread.
///
/// # Errors
///
/// The ORM's error, or the rule's refusal.
pub fn run_in_blocking<'r, C: BlockingConnections, O>(
    open: &'r OpenTransaction<C::Pool>,
    kind: StatementKind,
    caller: &Context,
    connections: &mut C,
    sql: impl Fn() -> String,
    send: impl FnOnce(&mut C, Attempt<'r, C::Pool>) -> Result<O, ErrorOf<C>>,
) -> Result<O, ErrorOf<C>> {
    open.check(kind, caller).map_err(C::Orm::refused)?;
    let suspect = open.suspect(kind);
    match send(
        connections,
        Attempt::new(open.permit(), open.access(), open.access() == Access::Read),
    ) {
        Ok(output) => {
            drop(suspect);
            open.record(caller);
            Ok(output)
        }
        Err(error) => {
            let failure = connections.classify(&error, open.node(), open.role());
            suspect.failed(C::Orm::is_syntax_error(&error), &sql);
            open.record_failure(failure.is_some_and(Failure::may_go_on), caller);
            let refusal = open.failed(failure, C::Orm::is_deadlock(&error), sql);
            Err(refusal.map_or(error, C::Orm::refused))
        }
    }
}
