//! Diesel and diesel-async connections that route by themselves.
//!
//! An application holds a [`RoutedPool`] where it held an r2d2 pool, or an `AsyncRoutedPool` where it
//! held one of bb8 or deadpool. What they hand out implements the ORM's own connection traits, so
//! queries through models go to the right server by themselves; the rule, the sessions and the
//! errors are those of [`routing_core`].
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use diesel::prelude::*;
//! use diesel::sqlite::SqliteConnection; // or PgConnection, MysqlConnection
//! use routing_diesel::{RoutedPool, RoutingConfig, Session};
//!
//! diesel::table! {
//!     cake (id) { id -> Integer, name -> Text, }
//! }
//!
//! # let directory = tempfile::tempdir()?;
//! # let url = |name: &str| format!("sqlite://{}/{name}.db?mode=rwc", directory.path().display());
//! # let (primary, replica) = (url("primary"), url("replica"));
//! # for url in [&primary, &replica] {
//! #     use diesel::connection::SimpleConnection;
//! #     SqliteConnection::establish(url)?.batch_execute("CREATE TABLE cake (id integer PRIMARY KEY, name text)")?;
//! # }
//! let config = RoutingConfig::builder().primary(primary).replica(replica).build()?;
//! let pool = RoutedPool::<SqliteConnection>::new(&config)?; // connects when first used
//!
//! let session = Session::new(); // one unit of work
//! let mut conn = pool.get_in(&session)?;
//! let cakes: i64 = cake::table.count().get_result(&mut conn)?; // the replica
//! diesel::insert_into(cake::table)
//!     .values(cake::name.eq("Opera"))
//!     .execute(&mut conn)?; // the primary; the session is pinned
//! let more: i64 = cake::table.count().get_result(&mut conn)?; // the primary
//! assert_eq!((cakes, more), (0, 1));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! The same without blocking is `AsyncRoutedPool::<AsyncPgConnection>::new(&config)?`,
//! `pool.get_in(&session).await?` and `.await` behind each query.
//!
//! # Features
//!
//! `postgres`, `mysql` and `sqlite` are Diesel's own connections; no runtime is in their tree of
//! dependencies. `async-postgres`, `async-mysql` and `async-sqlite` are diesel-async's, over bb8;
//! `deadpool` takes that one's pools too, with `from_pools`; `rustls` adds TLS to `async-postgres`. `token`,
//! `tower` and `redis` carry sessions across requests.
//!
//! # A connection is checked out when it is needed
//!
//! `get` hands out a connection that has none behind it. A statement that goes to a replica checks
//! one out there, the first write one on the primary; both are kept until the routed connection is
//! dropped. So drop it where you dropped a pooled one: at the end of a request.
//!
//! # What Diesel lets no other connection do
//!
//! | | instead |
//! |---|---|
//! | `COPY … TO`, sync | `diesel::copy_to(…).load(&mut pool.dedicated_connection()?)`: libpq is left in a state in which a query that is prepared and returns no rows may never end, so that the connection is not to go back to a pool |
//! | SQLite: an insert of several rows with `RETURNING` | the same, or one by one |
//! | what only a driver's type has: notifications, cancel tokens, SQLite's functions and collations | `conn.primary()`, or `pool.dedicated_connection()` for a `LISTEN` that is to stay; for all connections, pools of your own with a customizer: `from_pools` |
//! | `#[derive(MultiConnection)]` | a type alias for each routed connection: `type Routed = RoutedConnection<PgConnection>` |
//! | `AnsiTransactionManager::begin_transaction_sql(conn, …)`, async | `conn.build_transaction()`, `conn.read_transaction(…)` |
//! | rows one by one from MySQL, async | they are taken first; `load_stream` on `conn.primary().await?` |
//! | SQLite, async, on a runtime of one thread | as in diesel-async: a statement's future cannot be dropped there |
//!
//! Functions that take a `&mut PgConnection` are the subject of a guide: `docs/concrete-connections.md`.
//!
//! # What is seen of an error
//!
//! Diesel keeps no error codes. A connection that may have broken is asked whether it works before
//! its node is blamed, which is one more round trip after an error that could be either.

#[cfg(feature = "async")]
mod asynchronous;
mod database;
mod error;
mod failure;
mod instrumentation;
mod kinds;
mod known;
mod methods;
mod read_only;
mod size;
mod sync;
mod transaction;
mod unlocked_select;
mod url;

#[cfg(feature = "async-postgres")]
pub use asynchronous::AsyncTransactionBuilder;
#[cfg(feature = "async")]
pub use asynchronous::{
    AsyncPool, AsyncRoutable, AsyncRoutedConnection, AsyncRoutedPool, AsyncRoutedPoolBuilder,
    RoutedTransactionManager,
};
pub use database::{Database, Routable};
pub use error::RoutingErrExt;
pub use read_only::ReadOnly;
pub use sync::{RoutedConnection, RoutedPool, RoutedPoolBuilder};

pub use unlocked_select::{Boxed, Combined, Plain, UnlockedSelect};

pub use routing_core::application::*;
