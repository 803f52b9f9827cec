//! Which set a statement belongs to.

use std::fmt;

use crate::names::SetName;
use crate::sql::TableName;

/// Says which replica set has a table, or what the caller names: a tenant, a shard, a region.
///
/// A program whose tables are spread over sets in a way that a list can say needs none: it names
/// them in the configuration (`tables`). Statements are asked about when they run on the default
/// set, so it is called on the query path, and must be quick and not block.
///
/// ```
/// use routing_core::sql::TableName;
/// use routing_core::{Delegate, SetName};
///
/// #[derive(Debug)]
/// struct ByTenant;
///
/// impl Delegate for ByTenant {
///     fn set_of_table(&self, table: &TableName<'_>) -> Option<SetName> {
///         table.is("audit_log").then(|| "audit".into())
///     }
///
///     fn set_of_key(&self, tenant: &str) -> Option<SetName> {
///         tenant.starts_with("eu-").then(|| "europe".into())
///     }
/// }
/// ```
pub trait Delegate: fmt::Debug + Send + Sync + 'static {
    /// The set that has a table. `None` is not known: the statement's other tables decide, and if
    /// none is known the default set has it.
    fn set_of_table(&self, table: &TableName<'_>) -> Option<SetName>;

    /// The set that a caller's value leads to, as for a handle's `for_key`; `None` is the default
    /// set.
    fn set_of_key(&self, key: &str) -> Option<SetName> {
        let _ = key;
        None
    }
}
