//! What a session hands to the next one through a client.
//!
//! The obvious cookie holds the time of the last write. The client can change it, it says nothing of
//! which database, and it sends everybody to the primary for a guessed number of seconds. A token
//! holds positions, with the history that they are of; it is authenticated, so that no client can
//! ask for the primary by hand; it expires; and nothing that is wrong with it is an error: a token
//! that is not ours, too old or broken is dropped and counted.
//!
//! A token is not encrypted. Whoever holds it can read how far the primary's log was.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::names::SetName;
use crate::position::{Position, binary};
use crate::session::Session;
use crate::session::hand_over::{EVERYWHERE, HandOver, TIME_PIN};

const VERSION: u8 = 1;
/// Half of the hash, the least that RFC 2104 advises.
const MAC_BYTES: usize = 16;
/// What MACs of ours are over besides the token, so that no other use of the key makes one.
const PURPOSE: &[u8] = b"routing token 1\0";
#[cfg(feature = "tower")]
const IDENTITY: &[u8] = b"routing identity 1\0";
/// Browsers keep 4,096 bytes of a cookie, with its name and attributes.
const LONGEST: usize = 3_000;
const SHORTEST_SECRET: usize = 32;
const MAX_AGE: Duration = Duration::from_secs(600);

/// Seals and opens tokens.
///
/// ```
/// use routing_core::{Session, TokenKeys};
///
/// let keys = TokenKeys::new("a secret of at least 32 bytes, from your vault")?;
/// let session = Session::new();
/// // … it writes …
/// assert_eq!(keys.seal(&session), None, "it has not");
///
/// // The next request. Whatever the client sends, this is a session.
/// let session = keys.resume(Some("nonsense"));
/// assert_eq!(keys.counts().malformed, 1);
/// # Ok::<(), routing_core::WeakSecret>(())
/// ```
#[derive(Clone)]
pub struct TokenKeys {
    /// The first signs.
    keys: Vec<Hmac<Sha256>>,
    max_age: Duration,
    wall_clock: fn() -> SystemTime,
    counters: Arc<Counters>,
}

/// A secret that is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a secret for tokens needs at least 32 bytes; this one has {0}")]
#[non_exhaustive]
pub struct WeakSecret(pub usize);

/// Why a token was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no token, or one of another version.
    #[error("no token of this version")]
    Malformed,
    /// None of the keys has sealed it.
    #[error("sealed with none of the keys")]
    NotAuthentic,
    /// It is older than [`TokenKeys::max_age`].
    #[error("expired")]
    Expired,
}

/// How many tokens were opened, and how many dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TokenCounts {
    /// Taken over.
    pub accepted: u64,
    /// No token, or of another version.
    pub malformed: u64,
    /// Sealed with none of the keys.
    pub not_authentic: u64,
    /// Too old.
    pub expired: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    malformed: AtomicU64,
    not_authentic: AtomicU64,
    expired: AtomicU64,
}

impl TokenKeys {
    /// Keys with one secret.
    ///
    /// # Errors
    ///
    /// [`WeakSecret`] if it has less than 32 bytes.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, WeakSecret> {
        Ok(Self {
            keys: vec![key(secret.as_ref())?],
            max_age: MAX_AGE,
            wall_clock: read_wall_clock,
            counters: Arc::default(),
        })
    }

    /// Also opens what was sealed with this secret, which seals no more. To rotate: add the new one
    /// as an old one everywhere, then make it the first everywhere, then drop the other.
    ///
    /// # Errors
    ///
    /// [`WeakSecret`] if it has less than 32 bytes.
    pub fn and_old(mut self, secret: impl AsRef<[u8]>) -> Result<Self, WeakSecret> {
        self.keys.push(key(secret.as_ref())?);
        Ok(self)
    }

    /// For how long a token is taken; **10 minutes**. It has to be longer than replicas may lag.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// For how long a token is taken.
    #[must_use]
    pub const fn get_max_age(&self) -> Duration {
        self.max_age
    }

    /// The same with another clock, for tests.
    #[must_use]
    pub const fn wall_clock(mut self, now: fn() -> SystemTime) -> Self {
        self.wall_clock = now;
        self
    }

    /// The token of what the session has to hand over, if it has written. Await
    /// [`Session::when_settled`] before, or what is not known yet is told as a time.
    #[must_use]
    pub fn seal(&self, session: &Session) -> Option<String> {
        if !session.has_written() {
            return None;
        }
        let told = session.hand_over();
        (!told.is_empty()).then(|| self.seal_all(&told))
    }

    /// The token of this.
    #[must_use]
    pub fn seal_all(&self, told: &[HandOver]) -> String {
        let fits = |told: &HandOver| told.set.as_str().len() <= usize::from(u8::MAX);
        if !told.iter().all(fits) {
            return self.seal_everywhere(told);
        }
        let sealed = self.seal_entries(told);
        if sealed.len() <= LONGEST {
            return sealed;
        }
        // A set of GTIDs with many gaps: a time is told instead.
        let shorter = told.iter().cloned().map(|mut told| {
            if told.position.take().is_some() {
                told.pinned_for = told.pinned_for.max(Some(TIME_PIN));
            }
            told
        });
        let sealed = self.seal_entries(&shorter.collect::<Vec<_>>());
        if sealed.len() <= LONGEST {
            return sealed;
        }
        self.seal_everywhere(told)
    }

    /// What cannot be told of each set is told of all.
    fn seal_everywhere(&self, told: &[HandOver]) -> String {
        let longest = told.iter().filter_map(|told| told.pinned_for).max();
        let mut everywhere = HandOver::new(EVERYWHERE);
        everywhere.pinned_for = longest.max(Some(TIME_PIN));
        self.seal_entries(&[everywhere])
    }

    fn seal_entries(&self, told: &[HandOver]) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.now().to_be_bytes());
        for told in told {
            let name = told.set.as_str().as_bytes();
            // It fits, or it would be told of all sets.
            bytes.push(name.len() as u8);
            bytes.extend(name);
            let millis = told.pinned_for.map_or(0, |lasts| lasts.as_millis());
            binary::put(u64::try_from(millis).unwrap_or(u64::MAX), &mut bytes);
            let position = told.position.as_ref().unwrap_or(&Position::UNKNOWN);
            position.encode(&mut bytes);
        }
        let mac = self.keys[0]
            .clone()
            .chain_update(PURPOSE)
            .chain_update(&bytes)
            .finalize();
        bytes.extend(&mac.into_bytes()[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token tells.
    ///
    /// # Errors
    ///
    /// Why it is to be dropped; it is counted.
    pub fn open(&self, token: &str) -> Result<Vec<HandOver>, TokenError> {
        let opened = self.open_uncounted(token);
        let counter = match &opened {
            Ok(_) => &self.counters.accepted,
            Err(TokenError::Malformed) => &self.counters.malformed,
            Err(TokenError::NotAuthentic) => &self.counters.not_authentic,
            Err(TokenError::Expired) => &self.counters.expired,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = &opened {
            tracing::debug!(target: "routing", %error, "a token was dropped");
        }
        opened
    }

    fn open_uncounted(&self, token: &str) -> Result<Vec<HandOver>, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| TokenError::Malformed)?;
        let (body, mac) = bytes
            .split_last_chunk::<MAC_BYTES>()
            .ok_or(TokenError::Malformed)?;
        if body.first() != Some(&VERSION) {
            return Err(TokenError::Malformed);
        }
        let is_ours = self.keys.iter().any(|key| {
            let key = key.clone().chain_update(PURPOSE).chain_update(body);
            key.verify_truncated_left(mac).is_ok()
        });
        if !is_ours {
            return Err(TokenError::NotAuthentic);
        }
        let mut rest = &body[1..];
        let sealed_at = binary::take(&mut rest).map(u64::from_be_bytes);
        let sealed_at = sealed_at.ok_or(TokenError::Malformed)?;
        // A machine whose clock is behind takes it as sealed now.
        let age = Duration::from_millis(self.now().saturating_sub(sealed_at));
        if age > self.max_age {
            return Err(TokenError::Expired);
        }
        let mut told = Vec::new();
        while !rest.is_empty() {
            told.push(entry(&mut rest, age, self.max_age).ok_or(TokenError::Malformed)?);
        }
        Ok(told)
    }

    /// A session that takes over what the token tells, if there is one and it is good, and whose own
    /// writes can be told by the next.
    #[must_use]
    pub fn resume(&self, token: Option<&str>) -> Session {
        let session = Session::new();
        session.expect_hand_over();
        if let Some(told) = token.and_then(|token| self.open(token).ok()) {
            session.take_over(told);
        }
        session
    }

    /// Hashes of an identity, which nobody else can make: one for each key, that of the first first.
    #[cfg(feature = "tower")]
    pub(crate) fn hashes(&self, identity: &str) -> impl Iterator<Item = String> {
        self.keys.iter().map(move |key| {
            let key = key.clone().chain_update(IDENTITY);
            let hash = key.chain_update(identity.as_bytes()).finalize();
            URL_SAFE_NO_PAD.encode(hash.into_bytes())
        })
    }

    /// How many tokens were opened, and how many dropped, by these keys and their clones.
    #[must_use]
    pub fn counts(&self) -> TokenCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TokenCounts {
            accepted: count(&self.counters.accepted),
            malformed: count(&self.counters.malformed),
            not_authentic: count(&self.counters.not_authentic),
            expired: count(&self.counters.expired),
        }
    }

    /// Milliseconds since 1970; none by a clock that stands before that, where every token is new.
    fn now(&self) -> u64 {
        let since = (self.wall_clock)()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn read_wall_clock() -> SystemTime {
    SystemTime::now()
}

fn key(secret: &[u8]) -> Result<Hmac<Sha256>, WeakSecret> {
    let is_weak = secret.len() < SHORTEST_SECRET;
    let key = Hmac::new_from_slice(secret).ok().filter(|_| !is_weak);
    key.ok_or(WeakSecret(secret.len()))
}

fn entry(rest: &mut &[u8], age: Duration, longest: Duration) -> Option<HandOver> {
    let [length] = binary::take(rest)?;
    let (name, after) = rest.split_at_checked(usize::from(length))?;
    *rest = after;
    let mut told = HandOver::new(SetName::from(std::str::from_utf8(name).ok()?));
    let lasts = Duration::from_millis(binary::get(rest)?).min(longest);
    told.pinned_for = lasts.checked_sub(age).filter(|left| !left.is_zero());
    let position = Position::decode(rest)?;
    told.position = Some(position).filter(Position::is_known);
    Some(told)
}

/// Without the keys.
impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys")
            .field("max_age", &self.max_age)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
