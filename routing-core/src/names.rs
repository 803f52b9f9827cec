//! Names of replica sets and nodes, and the number of nodes that a set may have.

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Equality that looks at the text only when the two do not share it.
            #[inline]
            pub(crate) fn same(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl From<&Self> for $name {
            fn from(name: &Self) -> Self {
                name.clone()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name! {
    /// The name of a replica set, and its identity: a session keeps one pin per `SetName`.
    ///
    /// Two databases whose sets have the same name share their pins in a session that uses both,
    /// so give different databases different names. The set of a program that names none is
    /// `default`.
    SetName
}

name! {
    /// The name of a node, unique in its set.
    ///
    /// The primary is `primary` and the replicas are `replica-1`, `replica-2`, … unless the
    /// configuration names them.
    NodeName
}

impl Default for SetName {
    fn default() -> Self {
        Self::from("default")
    }
}

/// Identifies a node within the process: sets that share a name do not share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(NonZeroU32);

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

impl NodeId {
    pub(crate) fn next() -> Self {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU32::new(id).unwrap_or(NonZeroU32::MIN))
    }

    pub(crate) fn from_word(word: u32) -> Option<Self> {
        NonZeroU32::new(word).map(Self)
    }

    pub(crate) const fn to_word(self) -> u32 {
        self.0.get()
    }
}

/// The most nodes a set can have: the candidates of a choice are one word.
pub(crate) const MAX_NODES: usize = u64::BITS as usize;

/// The most attempts at a statement.
pub(crate) const MAX_ATTEMPTS: usize = 8;

/// The name of a primary that is not named.
pub(crate) const PRIMARY_NAME: &str = "primary";

/// The name of the `index`-th replica, from 0, if it is not named.
pub(crate) fn replica_name(index: usize) -> NodeName {
    NodeName::from(format!("replica-{}", index + 1))
}

/// The nodes whose name another has taken before, by index; the primary is first.
pub(crate) fn taken_names<'a>(names: &'a [NodeName]) -> impl Iterator<Item = usize> + 'a {
    (0..names.len()).filter(|&i| names[..i].contains(&names[i]))
}
