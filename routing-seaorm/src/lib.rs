//! A SeaORM connection that routes reads to replicas and writes to the primary.
//!
//! An application holds a [`RoutedConnection`] where it held a
//! [`DatabaseConnection`](sea_orm::DatabaseConnection). It implements SeaORM's own connection
//! traits, so queries through models go to the right server by themselves; the rule, the sessions
//! and the errors are those of [`routing_core`].
//!
//! ```no_run
//! use routing_seaorm::{RoutedConnection, RoutingConfig, Session};
//! # mod cake {
//! #     use sea_orm::entity::prelude::*;
//! #     #[derive(Clone, Debug, DeriveEntityModel)]
//! #     #[sea_orm(table_name = "cake")]
//! #     pub struct Model { #[sea_orm(primary_key)] pub id: i32, pub name: String }
//! #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//! #     pub enum Relation {}
//! #     impl ActiveModelBehavior for ActiveModel {}
//! # }
//! use sea_orm::{ActiveModelTrait, EntityTrait, Set};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = RoutingConfig::builder()
//!     .primary("postgres://app:secret@db-1/shop")
//!     .replica("postgres://db-2")
//!     .build()?;
//! let db = RoutedConnection::new(&config)?; // connects when first used
//!
//! let session = Session::new(); // one unit of work
//! let db = db.with_session(&session);
//! let _cakes = cake::Entity::find().all(&db).await?; // a replica
//! let new = cake::ActiveModel { name: Set("Opera".into()), ..Default::default() };
//! new.insert(&db).await?; // the primary; the session is pinned
//! let _cakes = cake::Entity::find().all(&db).await?; // the primary
//! # Ok(()) }
//! ```
//!
//! # Functions that take a `&DatabaseConnection`
//!
//! Change the type they name, once: `use routing_seaorm::RoutedConnection as DatabaseConnection`.
//! The same goes for `&DatabaseTransaction` and [`RoutedTransaction`]. Functions that are generic
//! over [`ConnectionTrait`](sea_orm::ConnectionTrait) need no change.
//!
//! # What stays outside
//!
//! - Migrations run on the primary: `Migrator::up(&db, None)` does by itself; give the status
//!   functions, which are generic, [`db.primary()`](RoutedConnection::primary).
//! - RBAC's restricted connection reads and writes on the primary, and pins nobody.
//! - There is no `set_metric_callback`: an [`Observer`] is told of every decision.
//! - A pool that is made from a configuration logs its statements at the driver's level, `DEBUG`,
//!   where SeaORM's own has `INFO`. For SeaORM's options, such as a schema search path, hand over
//!   connections: [`RoutedConnection::from_connections`].
//! - Without Tokio, a pool that runs out of time is taken for exhausted, even if its node is down.

mod background;
mod begin;
mod commit;
mod connection;
mod connections;
mod dedicated;
mod error;
mod executor;
mod failure;
mod handle;
mod opened;
mod pool;
#[cfg(feature = "rbac")]
mod rbac;
mod read_back;
mod read_only;
mod statement;
#[cfg(feature = "stream")]
mod stream;
mod target;
mod transaction;

pub use error::RoutingErrExt;
pub use handle::{RoutedConnection, RoutedConnectionBuilder};
pub use read_only::ReadOnly;
#[cfg(feature = "stream")]
pub use stream::RoutedStream;
pub use transaction::RoutedTransaction;

pub use routing_core::application::*;
