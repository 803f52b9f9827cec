//! With diesel-async.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use routing_diesel::AsyncRoutedConnection;

use super::schema::memo;

/// The tenant's memos, from a replica if one has what the session requires.
///
/// # Errors
///
/// Diesel's.
pub async fn memos(
    connection: &mut AsyncRoutedConnection<AsyncPgConnection>,
    tenant: &str,
) -> QueryResult<Vec<String>> {
    let reading = connection.read_transaction(async |connection| {
        act_for(connection, tenant).await?;
        let texts = memo::table.select(memo::text).order(memo::id);
        texts.load(connection).await
    });
    reading.await
}

/// Writes a memo.
///
/// # Errors
///
/// Diesel's.
pub async fn write_memo(
    connection: &mut AsyncRoutedConnection<AsyncPgConnection>,
    tenant: &str,
    text: &str,
) -> QueryResult<()> {
    let writing = connection.transaction(async |connection| {
        act_for(connection, tenant).await?;
        let memo = (memo::tenant.eq(tenant), memo::text.eq(text));
        let inserting = diesel::insert_into(memo::table).values(memo);
        inserting.execute(connection).await.map(drop)
    });
    writing.await
}

/// Until the transaction ends.
async fn act_for(
    connection: &mut AsyncRoutedConnection<AsyncPgConnection>,
    tenant: &str,
) -> QueryResult<()> {
    let set = sql_query("SELECT set_config('app.tenant', $1, true)");
    set.bind::<Text, _>(tenant)
        .execute(connection)
        .await
        .map(drop)
}
