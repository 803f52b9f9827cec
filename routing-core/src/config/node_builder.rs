//! A node as it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::PoolMode;
use super::lenient::{Given, Ignored, Lenient, Span};

/// Collects the configuration of one node.
///
/// A replica inherits what it leaves out from its primary: of the URL the credentials (unless it
/// has a user of its own), database and parameters, the port if it has no URL of its own, and all
/// pool options. Of an SQLite URL nothing is inherited.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "UrlOrNode")]
#[must_use = "it belongs into a `SetBuilder`"]
pub struct NodeBuilder(pub(super) NodeFields);

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeFields {
    pub(super) url: Given<String>,
    pub(super) host: Given<String>,
    pub(super) port: Given<u16>,
    pub(super) user: Given<String>,
    pub(super) password: Given<String>,
    pub(super) database: Given<String>,
    pub(super) name: Given<String>,
    pub(super) weight: Given<u16>,
    pub(super) max_connections: Given<u32>,
    pub(super) min_connections: Given<u32>,
    pub(super) acquire_timeout: Given<Span>,
    pub(super) idle_timeout: Given<Span>,
    pub(super) max_lifetime: Given<Span>,
    pub(super) test_before_acquire: Given<bool>,
    pub(super) pool_mode: Given<PoolMode>,
    pub(super) on_connect: Given<Vec<String>>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, Ignored>,
}

/// `"postgres://…"` is short for `{ url = "postgres://…" }`.
#[derive(Deserialize)]
#[serde(untagged)]
enum UrlOrNode {
    Url(String),
    Node(Box<NodeFields>),
}

impl From<UrlOrNode> for NodeBuilder {
    fn from(written: UrlOrNode) -> Self {
        match written {
            UrlOrNode::Url(url) => Self::url(url),
            UrlOrNode::Node(fields) => Self(*fields),
        }
    }
}

macro_rules! node_setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $convert:expr,)*) => {
        impl NodeBuilder {
            $($(#[$doc])*
            pub fn $name(mut self, value: $type) -> Self {
                let convert: fn(_) -> _ = $convert;
                self.0.$name = Some(Lenient::Fits(convert(value.into())));
                self
            })*
        }
    };
}

node_setters! {
    /// The host, in place of the primary's.
    host: impl Into<String> => |value| value,
    /// The port, in place of the primary's.
    port: u16 => |value| value,
    /// The user, in place of the primary's.
    user: impl Into<String> => |value| value,
    /// The password, in place of the primary's.
    password: impl Into<String> => |value| value,
    /// The database, in place of the primary's.
    database: impl Into<String> => |value| value,
    /// The name; **`primary`**, **`replica-1`**, **`replica-2`**, ….
    name: impl Into<String> => |value| value,
    /// A replica's share of reads, relative to the others'; **1**.
    weight: u16 => |value| value,
    /// The most connections to the node; the driver's default.
    max_connections: u32 => |value| value,
    /// Connections that are kept open; **0**.
    min_connections: u32 => |value| value,
    /// How long a statement waits for a connection; **5 s** on the primary, **1 s** on replicas.
    acquire_timeout: Duration => Span,
    /// After which time unused a connection is closed; the driver's default.
    idle_timeout: Duration => Span,
    /// After which time any connection is closed; the driver's default.
    max_lifetime: Duration => Span,
    /// Whether a connection is pinged before it is used; the driver's default.
    test_before_acquire: bool => |value| value,
    /// Whether a connection is the same server process for as long as it is open; **`Session`**.
    pool_mode: PoolMode => |value| value,
}

impl NodeBuilder {
    /// A node with this URL, or with as much of one as the primary's does not give.
    pub fn url(url: impl Into<String>) -> Self {
        let mut node = Self::default();
        node.0.url = Some(url.into().into());
        node
    }

    /// Statements that each new connection of the node's pool runs before it is used, in place of the
    /// primary's: a timeout, a time zone. A statement that fails costs the connection.
    ///
    /// ```
    /// use routing_core::NodeBuilder;
    ///
    /// let url = "postgres://app@db.example.com/shop";
    /// let primary = NodeBuilder::url(url).on_connect(["SET statement_timeout = '5s'"]);
    /// ```
    pub fn on_connect<S: Into<String>>(mut self, statements: impl IntoIterator<Item = S>) -> Self {
        let statements = statements.into_iter().map(Into::into).collect();
        self.0.on_connect = Some(Lenient::Fits(statements));
        self
    }

    /// A replica that differs from its primary in nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<U: Into<String>> From<U> for NodeBuilder {
    fn from(url: U) -> Self {
        Self::url(url)
    }
}

/// Without its settings, among which the password may be.
impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder").finish_non_exhaustive()
    }
}
