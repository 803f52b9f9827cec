//! The same small shop over Diesel.

use std::sync::atomic::Ordering;

use diesel::connection::LoadConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;

use crate::tally::Tally;

pub use table::orders;

#[expect(
    missing_docs,
    clippy::exhaustive_structs,
    reason = "the macro makes the public items"
)]
mod table {
    diesel::table! {
        orders (id) {
            id -> Integer,
            customer -> Text,
            status -> Text,
        }
    }
}

/// A connection that a query can run on.
pub trait Queries: Connection<Backend = Sqlite> + LoadConnection {}

impl<C: Connection<Backend = Sqlite> + LoadConnection> Queries for C {}

/// The connection for reading and the one for writing, as code has it that splits by hand. A routed
/// connection is both.
pub trait Hands {
    /// The type of the one for reading.
    type Reads: Queries;
    /// The type of the one for writing.
    type Writes: Queries;

    /// The one for reading.
    fn reads(&mut self) -> &mut Self::Reads;

    /// The one for writing.
    fn writes(&mut self) -> &mut Self::Writes;
}

#[derive(QueryableByName)]
struct Shipped {
    #[diesel(sql_type = Text)]
    status: String,
}

/// A customer orders, looks, pays, looks again, and has the order shipped.
///
/// # Errors
///
/// The database's.
pub fn buy(db: &mut impl Hands, customer: &str, tally: &Tally) -> QueryResult<()> {
    let id: i32 = diesel::insert_into(orders::table)
        .values((orders::customer.eq(customer), orders::status.eq("new")))
        .returning(orders::id)
        .get_result(db.writes())?;

    let order = orders::table.find(id).select(orders::status);
    let seen: Option<String> = order.first(db.reads()).optional()?;
    tally.read(seen.is_some());

    let mine: Vec<i32> = orders::table
        .filter(orders::customer.eq(customer))
        .select(orders::id)
        .load(db.reads())?;
    tally.read(mine.contains(&id));

    diesel::update(orders::table.find(id))
        .set(orders::status.eq("paid"))
        .execute(db.writes())?;

    let seen: Option<String> = order.first(db.reads()).optional()?;
    tally.read(seen.is_some_and(|status| status == "paid"));

    ship(db, id, tally)
}

/// It returns a row, so whoever split the calls by their names gave it the connection for reading.
fn ship(db: &mut impl Hands, id: i32, tally: &Tally) -> QueryResult<()> {
    let ship = || {
        diesel::sql_query("UPDATE orders SET status = 'shipped' WHERE id = ? RETURNING status")
            .bind::<diesel::sql_types::Integer, _>(id)
    };
    let shipped: QueryResult<Shipped> = ship().get_result(db.reads());
    let shipped = match shipped {
        Err(refused) if refused.to_string().contains("readonly") => {
            tally.writes_on_replicas.fetch_add(1, Ordering::Relaxed);
            ship().get_result(db.writes())?
        }
        other => other?,
    };
    debug_assert_eq!(shipped.status, "shipped");
    Ok(())
}

/// A visitor looks at the newest orders.
///
/// # Errors
///
/// The database's.
pub fn browse(db: &mut impl Hands, tally: &Tally) -> QueryResult<()> {
    let _: Vec<(i32, String, String)> = orders::table
        .order(orders::id.desc())
        .limit(5)
        .load(db.reads())?;
    tally.read(true);
    Ok(())
}
