//! With Diesel.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use routing_diesel::RoutedConnection;

use super::schema::memo;

/// The tenant's memos, from a replica if one has what the session requires.
///
/// # Errors
///
/// Diesel's.
pub fn memos(
    connection: &mut RoutedConnection<PgConnection>,
    tenant: &str,
) -> QueryResult<Vec<String>> {
    connection.read_transaction(|connection| {
        act_for(connection, tenant)?;
        memo::table
            .select(memo::text)
            .order(memo::id)
            .load(connection)
    })
}

/// Writes a memo.
///
/// # Errors
///
/// Diesel's.
pub fn write_memo(
    connection: &mut RoutedConnection<PgConnection>,
    tenant: &str,
    text: &str,
) -> QueryResult<()> {
    connection.transaction(|connection| {
        act_for(connection, tenant)?;
        diesel::insert_into(memo::table)
            .values((memo::tenant.eq(tenant), memo::text.eq(text)))
            .execute(connection)?;
        Ok(())
    })
}

/// Until the transaction ends.
fn act_for(connection: &mut RoutedConnection<PgConnection>, tenant: &str) -> QueryResult<()> {
    let set = sql_query("SELECT set_config('app.tenant', $1, true)");
    set.bind::<Text, _>(tenant).execute(connection).map(drop)
}
