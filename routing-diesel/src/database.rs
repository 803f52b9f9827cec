//! The databases that Diesel speaks to and the rule knows.

use std::borrow::Cow;

use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, Connection};
use diesel::r2d2::R2D2Connection;
use diesel::result::QueryResult;
use routing_core::sql::{CatalogFunction, Dialect};
use routing_core::{PoolConfig, PoolMode, Role};

/// A backend of Diesel's whose statements can be classified: PostgreSQL, MySQL and SQLite.
pub trait Database: Backend<QueryBuilder: Default> + Default + 'static {
    /// The dialect of its SQL.
    const DIALECT: Dialect;

    /// The functions of the database, if it says which of them may write.
    #[doc(hidden)]
    fn catalog<C: 'static>(connection: &mut C) -> QueryResult<Vec<CatalogFunction>> {
        let _ = connection;
        Ok(Vec::new())
    }

    /// The one text that a question is answered with, by a connection of Diesel's own.
    #[doc(hidden)]
    fn text<C: 'static>(connection: &mut C, question: &str) -> QueryResult<String> {
        let _ = (connection, question);
        Err(diesel::result::Error::NotFound)
    }
}

/// Asks a connection of Diesel's own for one text.
#[cfg(any(feature = "postgres", feature = "mysql"))]
macro_rules! text_of {
    ($connection:ty) => {
        fn text<C: 'static>(connection: &mut C, question: &str) -> QueryResult<String> {
            use diesel::RunQueryDsl;

            let connection: &mut dyn std::any::Any = connection;
            match connection.downcast_mut::<$connection>() {
                Some(connection) => {
                    diesel::dsl::sql::<diesel::sql_types::Text>(question).get_result(connection)
                }
                None => Err(diesel::result::Error::NotFound),
            }
        }
    };
}

#[cfg(any(feature = "postgres", feature = "async-postgres"))]
impl Database for diesel::pg::Pg {
    const DIALECT: Dialect = Dialect::Postgres;

    #[cfg(feature = "postgres")]
    fn catalog<C: 'static>(connection: &mut C) -> QueryResult<Vec<CatalogFunction>> {
        use diesel::RunQueryDsl;

        let connection: &mut dyn std::any::Any = connection;
        let Some(connection) = connection.downcast_mut::<diesel::PgConnection>() else {
            return Ok(Vec::new());
        };
        let rows = catalog_query().load::<CatalogRow>(connection)?;
        Ok(rows.into_iter().map(function).collect())
    }

    #[cfg(feature = "postgres")]
    text_of!(diesel::PgConnection);
}

/// Schema, name and whether one of that name is volatile.
#[cfg(any(feature = "postgres", feature = "async-postgres"))]
pub(crate) type CatalogRow = (String, String, bool);

#[cfg(any(feature = "postgres", feature = "async-postgres"))]
type CatalogTypes = (
    diesel::sql_types::Text,
    diesel::sql_types::Text,
    diesel::sql_types::Bool,
);

/// Asks PostgreSQL for its functions.
#[cfg(any(feature = "postgres", feature = "async-postgres"))]
pub(crate) fn catalog_query() -> diesel::expression::SqlLiteral<CatalogTypes> {
    diesel::dsl::sql(routing_core::sql::CATALOG_QUERY)
}

#[cfg(any(feature = "postgres", feature = "async-postgres"))]
pub(crate) fn function((schema, name, is_volatile): CatalogRow) -> CatalogFunction {
    CatalogFunction {
        schema,
        name,
        is_volatile,
    }
}

/// Asks MySQL for its stored functions.
#[cfg(any(feature = "mysql", feature = "async-mysql"))]
pub(crate) fn routines_query()
-> diesel::expression::SqlLiteral<(diesel::sql_types::Text, diesel::sql_types::Text)> {
    diesel::dsl::sql(routing_core::sql::ROUTINES_QUERY)
}

#[cfg(any(feature = "mysql", feature = "async-mysql"))]
pub(crate) fn routine((schema, name): (String, String)) -> CatalogFunction {
    CatalogFunction::stored(schema, name)
}

#[cfg(any(feature = "mysql", feature = "async-mysql"))]
impl Database for diesel::mysql::Mysql {
    const DIALECT: Dialect = Dialect::MySql;

    #[cfg(feature = "mysql")]
    fn catalog<C: 'static>(connection: &mut C) -> QueryResult<Vec<CatalogFunction>> {
        use diesel::RunQueryDsl;

        let connection: &mut dyn std::any::Any = connection;
        let Some(connection) = connection.downcast_mut::<diesel::MysqlConnection>() else {
            return Ok(Vec::new());
        };
        let rows = routines_query().load(connection)?;
        Ok(rows.into_iter().map(routine).collect())
    }

    #[cfg(feature = "mysql")]
    text_of!(diesel::MysqlConnection);
}

#[cfg(feature = "sqlite")]
impl Database for diesel::sqlite::Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;
}

/// A connection of Diesel's that can be routed: of a known database, and with Diesel's own way to
/// count transactions.
pub trait Routable:
    R2D2Connection
    + Connection<Backend: Database, TransactionManager = AnsiTransactionManager>
    + 'static
{
}

impl<C> Routable for C where
    C: R2D2Connection
        + Connection<Backend: Database, TransactionManager = AnsiTransactionManager>
        + 'static
{
}

/// SQLite refuses at once what another connection has locked, unless it is told to wait.
const WAIT_FOR_LOCKS: &str = "PRAGMA busy_timeout = 5000";

/// What a new connection to a node is told: what the configuration says, and last, so that nothing undoes
/// it, a replica's to refuse writes, so that what calls
/// itself a replica, and is none, does so too; unless a pooler gives each transaction another server
/// process, where it would not last.
pub(crate) fn set_up(dialect: Dialect, role: Role, config: &PoolConfig) -> Vec<String> {
    let is_replica = role == Role::Replica;
    let keeps = config.pool_mode == PoolMode::Session;
    let first = (dialect == Dialect::Sqlite).then_some(WAIT_FOR_LOCKS);
    let last = match dialect {
        Dialect::Sqlite if is_replica => Some("PRAGMA query_only = ON"),
        Dialect::Postgres if is_replica && keeps => Some("SET default_transaction_read_only = on"),
        Dialect::MySql if is_replica && keeps => Some("SET SESSION TRANSACTION READ ONLY"),
        _ => None,
    };
    let own = config.on_connect.iter().map(String::as_str);
    let all = first.into_iter().chain(own).chain(last);
    all.map(str::to_owned).collect()
}

/// A statement that begins a transaction, changed so that it begins a read-only one.
pub(crate) fn begin_read_only(begin: &str, dialect: Dialect) -> Cow<'_, str> {
    match dialect {
        // Of two access modes the last counts.
        Dialect::Postgres => {
            // On a line of its own: the one before may end in a comment.
            format!("{}\nREAD ONLY", begin.trim_end_matches([';', ' '])).into()
        }
        Dialect::MySql => "START TRANSACTION READ ONLY".into(),
        // Whoever asks for a lock at once would write.
        _ => "BEGIN".into(),
    }
}
