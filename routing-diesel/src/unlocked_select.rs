//! What a query's type proves of it.
//!
//! Diesel's types tell a `SELECT` from what writes, and a locked one from one that is not. The
//! obvious bound, `SelectQuery`, is met by a locked one too; but the type of a lock is the last
//! parameter of a `SELECT`'s, and its default is none.

use diesel::query_builder::{BoxedSelectStatement, SelectStatement};
use diesel::query_dsl::positional_order_dsl::PositionalOrderDsl;

/// A `SELECT` that takes no locks, by its type: joins, aggregates, `DISTINCT`, `GROUP BY`, boxed
/// ones, and unions, intersections and differences of them.
///
/// `Form` is found by the compiler, and keeps the forms apart.
///
/// The types do not say what an SQL function does, nor what a raw fragment is. A query that calls
/// `nextval` has the type of a read; that one is found by its text, when it is run.
#[diagnostic::on_unimplemented(
    message = "a `ReadOnly` connection runs only `SELECT`s that take no locks",
    label = "this may write, or it locks rows",
    note = "`INSERT`, `UPDATE`, `DELETE`, `for_update()` and its like, and `sql_query` need a \
            connection that may write: get one with `pool.get()`",
    note = "found the query `{Self}`"
)]
pub trait UnlockedSelect<Form> {}

/// The form of a `SELECT` whose clauses are in its type.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Plain {}

/// The form of one that is boxed.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Boxed {}

/// The form of a union, an intersection or a difference.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Combined {}

/// Without its last parameter, which is the lock's.
impl<F, S, D, W, O, L, G, H> UnlockedSelect<Plain> for SelectStatement<F, S, D, W, O, L, G, H> {}

/// Diesel boxes no query that is locked, and locks none that is boxed.
impl<ST, QS, DB, GB> UnlockedSelect<Boxed> for BoxedSelectStatement<'_, ST, QS, DB, GB> {}

/// The type of a combination has no name outside of Diesel, but it is the only one whose rows are
/// ordered by the numbers of their columns.
impl<Q: PositionalOrderDsl<u32>> UnlockedSelect<Combined> for Q {}
