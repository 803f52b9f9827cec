//! The attempt loop: a statement is sent to a node, and to the next one while the rule allows it.
//!
//! An adapter has its ORM's connections ([`AsyncConnections`], [`BlockingConnections`]); which node, how
//! often, how long and with what error is decided here. [`run`] awaits, [`run_blocking`] blocks: the same
//! steps in the same order, but a statement that blocks is not watched.

use std::sync::Arc;

use tracing::Instrument;

use crate::adapter::driver::{
    AsyncConnections, AsyncStatement, Attempt, BlockingConnections, BoxError, Connections, Done,
    ErrorOf, OrmErrors as _,
};
use crate::adapter::pool::Pool;
use crate::cluster::node::Node;
use crate::cluster::replica_set::ReplicaSet;
use crate::decide::admission::node_unavailable;
use crate::error::RoutingError;
use crate::execute::attempt::{Running, while_usable};
use crate::execute::next::Next;
use crate::execute::route::Route;
use crate::execute::router::Router;
use crate::observe::failure::Failure;
use crate::session::context::Context;
use crate::sql::kind::StatementKind;
use crate::time::timer::Timer;

/// A statement's set and caller.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "an adapter makes it")]
pub struct Call<'r, 'c, P> {
    /// The router.
    pub router: &'r Router<P>,
    /// The set that the statement runs on.
    pub set: &'r Arc<ReplicaSet<P>>,
    /// The session and the scopes of the caller's handle.
    pub caller: &'c Context,
}

impl<P> Clone for Call<'_, '_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Call<'_, '_, P> {}

/// Runs a statement of this kind outside of a transaction.
///
/// # Errors
///
/// The ORM's error, or the rule's refusal.
pub async fn run<'r, T, C, S>(
    call: Call<'r, '_, C::Pool>,
    kind: StatementKind,
    connections: &mut C,
    statement: &mut S,
) -> Result<Done<'r, C::Pool, S::Output>, ErrorOf<C>>
where
    T: Timer,
    C: AsyncConnections<Pool: Pool + Send + Sync>,
    S: AsyncStatement<C>,
{
    let mut route = connect::<T, C>(call, kind, connections).await?;
    loop {
        let (node, role, access) = (route.node(), route.role(), route.access());
        let (span, keep) = (route.span(), route.may_move());
        let (permit, running) = route.start();
        let attempt = Attempt::new(permit, access, keep);
        let sending = statement.send(connections, attempt).instrument(span);
        let Some(outcome) = running.attend::<T, _>(sending).await else {
            connections.close(node, role);
            let next = running.silent(call.caller).map_err(C::Orm::refused)?;
            route = check_out::<T, C>(call, next, connections).await?;
            continue;
        };
        let failure = match &outcome {
            Ok(_) => None,
            Err(error) => connections.classify(error, node, role).await,
        };
        let (error, failure) = match (outcome, failure) {
            (Err(error), Some(failure)) => (error, failure),
            _ if !C::CHECKS_OUT && running.shows_less_patiently::<T>().await => {
                // An error of the user's may come of what the node does not have yet, too.
                route = elsewhere::<C>(call, running)?;
                continue;
            }
            (outcome, _) => {
                running.succeeded(call.caller);
                return outcome.map(|value| Done {
                    value,
                    node,
                    role,
                    access,
                });
            }
        };
        let next = if failure == Failure::ReadOnly {
            running
                .refused_as_write_patiently::<T>(&statement.sql(), call.caller)
                .await
        } else {
            leave(call.set, connections, &running, &error, failure, || {
                statement.sql().into_owned()
            });
            running.failed_patiently::<T>(failure, call.caller).await
        };
        let next = follow::<C>(call, next, error)?;
        route = check_out::<T, C>(call, next, connections).await?;
    }
}

/// Decides where a statement runs, and checks out a connection.
///
/// # Errors
///
/// The rule's refusal, or the ORM's error if the adapter has no connection.
pub async fn connect<'r, T, C>(
    call: Call<'r, '_, C::Pool>,
    kind: StatementKind,
    connections: &mut C,
) -> Result<Route<'r, C::Pool>, ErrorOf<C>>
where
    T: Timer,
    C: AsyncConnections<Pool: Pool + Send + Sync>,
{
    call.router.start_background(call.set);
    let route = call
        .router
        .route_patiently::<T>(call.set, kind, call.caller);
    let route = route.await.map_err(C::Orm::refused)?;
    check_out::<T, C>(call, route, connections).await
}

/// Follows a route to the first node that has a connection.
async fn check_out<'r, T, C>(
    call: Call<'r, '_, C::Pool>,
    mut route: Route<'r, C::Pool>,
    connections: &mut C,
) -> Result<Route<'r, C::Pool>, ErrorOf<C>>
where
    T: Timer,
    C: AsyncConnections<Pool: Pool + Send + Sync>,
{
    if !C::CHECKS_OUT {
        return Ok(route);
    }
    loop {
        let node = route.node();
        let checked_out = while_usable(&route, connections.check_out(&route)).await;
        match checked_out.unwrap_or_else(|| Err(went_down())) {
            Ok(()) if call.caller.has_lost_state() => return Err(state_lost::<C>(&route)),
            Ok(()) if route.holds_patiently::<T>().await => return Ok(route),
            Ok(()) => {
                connections.give_back(node, route.role());
                route = route.decide_anew(call.caller).map_err(C::Orm::refused)?;
            }
            Err((failure, error)) => {
                call.set.log_failure(node, &error, failure);
                let failed = route.not_sent();
                let next = failed.failed_patiently::<T>(failure, call.caller).await;
                route = follow_unsent::<C>(call.set, node, next, error)?;
            }
        }
    }
}

/// Runs a statement of this kind outside of a transaction, on a thread.
///
/// # Errors
///
/// The ORM's error, or the rule's refusal.
pub fn run_blocking<'r, C, O>(
    call: Call<'r, '_, C::Pool>,
    kind: StatementKind,
    connections: &mut C,
    sql: impl Fn() -> String,
    mut send: impl FnMut(&mut C, Attempt<'r, C::Pool>) -> Result<O, ErrorOf<C>>,
) -> Result<Done<'r, C::Pool, O>, ErrorOf<C>>
where
    C: BlockingConnections<Pool: Pool>,
{
    let mut route = connect_blocking(call, kind, connections)?;
    loop {
        let (node, role, access) = (route.node(), route.role(), route.access());
        let (span, keep) = (route.span(), route.may_move());
        let (permit, running) = route.start();
        let outcome = {
            let _entered = span.enter();
            send(connections, Attempt::new(permit, access, keep))
        };
        let failure = match &outcome {
            Ok(_) => None,
            Err(error) => connections.classify(error, node, role),
        };
        let (error, failure) = match (outcome, failure) {
            (Err(error), Some(failure)) => (error, failure),
            (outcome, _) => {
                running.succeeded(call.caller);
                return outcome.map(|value| Done {
                    value,
                    node,
                    role,
                    access,
                });
            }
        };
        let next = if failure == Failure::ReadOnly {
            running.refused_as_write_blocking(&sql(), call.caller)
        } else {
            leave(call.set, connections, &running, &error, failure, &sql);
            running.failed_blocking(failure, call.caller)
        };
        let next = follow::<C>(call, next, error)?;
        route = check_out_blocking(call, next, connections)?;
    }
}

/// Decides where a statement runs, and checks out a connection, on a thread.
///
/// # Errors
///
/// The rule's refusal, or the ORM's error if the adapter has no connection.
pub fn connect_blocking<'r, C>(
    call: Call<'r, '_, C::Pool>,
    kind: StatementKind,
    connections: &mut C,
) -> Result<Route<'r, C::Pool>, ErrorOf<C>>
where
    C: BlockingConnections<Pool: Pool>,
{
    call.router.start_background(call.set);
    let route = call.router.route_blocking(call.set, kind, call.caller);
    check_out_blocking(call, route.map_err(C::Orm::refused)?, connections)
}

fn check_out_blocking<'r, C: BlockingConnections>(
    call: Call<'r, '_, C::Pool>,
    mut route: Route<'r, C::Pool>,
    connections: &mut C,
) -> Result<Route<'r, C::Pool>, ErrorOf<C>> {
    loop {
        let node = route.node();
        match connections.check_out(&route) {
            Ok(()) if call.caller.has_lost_state() => return Err(state_lost::<C>(&route)),
            Ok(()) if route.holds_blocking() => return Ok(route),
            Ok(()) => {
                connections.give_back(node, route.role());
                route = route.decide_anew(call.caller).map_err(C::Orm::refused)?;
            }
            Err((failure, error)) => {
                call.set.log_failure(node, &error, failure);
                let next = route.not_sent().failed_blocking(failure, call.caller);
                route = follow_unsent::<C>(call.set, node, next, error)?;
            }
        }
    }
}

/// The connection has gone that the caller has left state in, and another was checked out.
#[cold]
fn state_lost<C: Connections>(route: &Route<'_, C::Pool>) -> ErrorOf<C> {
    let set = route.set.name().clone();
    let node = route.node().name().clone();
    C::Orm::refused(RoutingError::StateLost { set, node })
}

/// The node went down while a statement waited for a connection to it.
fn went_down() -> (Failure, BoxError) {
    let error = "the node went down while a statement waited for a connection";
    (Failure::Unreachable, error.into())
}

/// Leaves a node that a statement has failed on.
fn leave<C: Connections>(
    set: &ReplicaSet<C::Pool>,
    connections: &mut C,
    running: &Running<'_, C::Pool>,
    error: &ErrorOf<C>,
    failure: Failure,
    sql: impl FnOnce() -> String,
) {
    set.log_failure(running.node(), error, failure);
    if failure == Failure::NotOnStandby {
        running.refused_by_standby(&sql());
    }
    if failure.ends_connection() {
        connections.close(running.node(), running.role());
    }
}

/// The route after a failed attempt, or the error to return.
fn follow<'r, C: Connections>(
    call: Call<'r, '_, C::Pool>,
    next: Next<'r, C::Pool>,
    error: ErrorOf<C>,
) -> Result<Route<'r, C::Pool>, ErrorOf<C>> {
    match next {
        // Another connection would not have what the caller has left in this one.
        Next::Route(_) if call.caller.has_lost_state() => Err(error),
        Next::Route(route) => Ok(route),
        Next::Refused(refusal) => Err(C::Orm::refused(refusal.because(&error))),
        Next::Unchanged => Err(error),
    }
}

/// The route after a node that had no connection.
fn follow_unsent<'r, C: Connections>(
    set: &ReplicaSet<C::Pool>,
    node: &Node<C::Pool>,
    next: Next<'r, C::Pool>,
    error: BoxError,
) -> Result<Route<'r, C::Pool>, ErrorOf<C>> {
    match next {
        Next::Route(route) => Ok(route),
        Next::Refused(refusal) => Err(C::Orm::refused(refusal.because(&error))),
        Next::Unchanged => Err(C::Orm::no_connection(set.name(), node.name(), error)),
    }
}

/// The route of a read whose replica may show less than its session requires.
fn elsewhere<'r, C: Connections>(
    call: Call<'r, '_, C::Pool>,
    running: Running<'r, C::Pool>,
) -> Result<Route<'r, C::Pool>, ErrorOf<C>> {
    let node = running.node();
    match running.failed(Failure::Ended, call.caller) {
        Next::Route(route) => Ok(route),
        Next::Refused(refusal) => Err(C::Orm::refused(refusal)),
        Next::Unchanged => Err(C::Orm::refused(node_unavailable(call.set, node, None))),
    }
}
