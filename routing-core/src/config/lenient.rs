//! Values that may be of the wrong type, so that a wrong one is reported with the others.
//!
//! Deserialization stops at the first value that does not fit. A field of this type takes
//! whatever there is, and says later what it found.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A value that may be left out.
pub(super) type Given<T> = Option<Lenient<T>>;

/// A `T`, or what was there instead.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Lenient<T> {
    Fits(T),
    Other(Other),
}

/// What was there instead of what was wanted.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Other {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    #[serde(deserialize_with = "ignore")]
    Structure(()),
}

fn ignore<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| ())
}

impl<T> From<T> for Lenient<T> {
    fn from(value: T) -> Self {
        Self::Fits(value)
    }
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            // It may be a URL, with a password in it.
            Self::Text(value) if value.contains([':', '@']) => f.write_str("text"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Structure(()) => f.write_str("a list or a table"),
        }
    }
}

/// Without the value, which may be a secret.
impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The value of a key that nobody knows.
#[derive(Debug, Clone)]
pub(super) struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// A duration as people write it: `"250ms"`, `"5s"`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Seconds(f64),
            Text(String),
        }

        match Written::deserialize(deserializer)? {
            Written::Seconds(seconds) => {
                Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)
            }
            Written::Text(text) => humantime::parse_duration(&text).map_err(D::Error::custom),
        }
        .map(Self)
    }
}
