//! What a URL says of TLS, in libpq's words: `sslmode` and `sslrootcert`.
//!
//! `tokio-postgres` knows three of libpq's six modes and no root certificate, and what it does not know it
//! refuses when it connects, behind a pool that only says that time has passed. Here a URL is understood
//! once, when the configuration is read.

use std::error::Error;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// A server to connect to.
pub(super) struct Target {
    pub(super) config: Config,
    #[cfg_attr(
        not(feature = "rustls"),
        expect(dead_code, reason = "without TLS there is nothing to verify")
    )]
    pub(super) verification: Verification,
}

/// How a server's certificate is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verification {
    /// Any will do: the connection is encrypted, and may be to somebody else.
    None,
    /// Some root has signed it.
    Ca(Roots),
    /// And it is the host's.
    Full(Roots),
}

/// The certificates that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// The machine's.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

impl Target {
    /// Understands a URL.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a configuration error.
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut file) = (None, None);
        let mut others = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match decoded(name)?.as_str() {
                "sslmode" => mode = Some(decoded(value)?),
                "sslrootcert" => file = Some(decoded(value)?),
                _ => others.push(parameter),
            }
        }
        // As libpq has it: a certificate that anybody can have signed has to be the host's.
        let is_system = file.as_deref() == Some("system");
        let mode = mode.unwrap_or_else(|| if is_system { "verify-full" } else { "prefer" }.into());
        if is_system && mode != "verify-full" {
            return Err("`sslrootcert=system` needs `sslmode=verify-full`".into());
        }
        if mode == "verify-ca" && file.is_none() {
            return Err("`sslmode=verify-ca` needs `sslrootcert`".into());
        }
        let roots = match file.as_deref() {
            None | Some("system") => Roots::System,
            Some(file) => Roots::File(file.into()),
        };
        let (ssl_mode, verification) = match mode.as_str() {
            "disable" | "allow" => (SslMode::Disable, Verification::None),
            "prefer" => (SslMode::Prefer, Verification::None),
            // As libpq has it: who names roots wants them to be asked.
            "require" if file.is_some() => (SslMode::Require, Verification::Ca(roots)),
            "require" => (SslMode::Require, Verification::None),
            "verify-ca" => (SslMode::Require, Verification::Ca(roots)),
            "verify-full" => (SslMode::Require, Verification::Full(roots)),
            other => {
                return Err(format!(
                    "`sslmode={other}` is none of disable, allow, prefer, require, verify-ca, verify-full"
                ));
            }
        };
        if ssl_mode == SslMode::Require && cfg!(not(feature = "rustls")) {
            return Err(format!(
                "`sslmode={mode}` needs the feature `rustls` of `routing-diesel`"
            ));
        }
        let url = format!("{place}?{}", others.join("&"));
        let mut config: Config = url.parse().map_err(|error| text_of(&error))?;
        config.ssl_mode(ssl_mode);
        Ok(Self {
            config,
            verification,
        })
    }
}

/// The driver's error says what failed; its source says why.
pub(super) fn text_of(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Without percent-encoding.
fn decoded(value: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte.unwrap_or_default()).to_digit(16);
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.extend(u8::try_from(high * 16 + low)),
            _ => return Err(format!("`{value}` is not percent-encoded")),
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("`{value}` is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<(SslMode, Verification), String> {
        let target = Target::of(&format!("postgres://app@db.example.com/shop?{query}"))?;
        Ok((target.config.get_ssl_mode(), target.verification))
    }

    #[test]
    fn what_libpq_says_is_understood() {
        assert_eq!(of(""), Ok((SslMode::Prefer, Verification::None)));
        for none in ["sslmode=disable", "sslmode=allow"] {
            assert_eq!(of(none), Ok((SslMode::Disable, Verification::None)));
        }
        let wrong = of("sslmode=sometimes").expect_err("no mode");
        assert!(wrong.contains("verify-full"), "{wrong}");
        let wrong = of("sslrootcert=%zz").expect_err("no encoding");
        assert!(wrong.contains("percent"), "{wrong}");
        let wrong = of("colour=blue").expect_err("no parameter");
        assert!(wrong.contains("colour"), "{wrong}");
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn who_names_roots_wants_them_to_be_asked() {
        let file = || Roots::File("/etc/my ca.pem".into());
        let root = "sslrootcert=/etc/my%20ca.pem";
        let required = |verification| Ok((SslMode::Require, verification));
        assert_eq!(of("sslmode=require"), required(Verification::None));
        assert_eq!(
            of(&format!("sslmode=require&{root}")),
            required(Verification::Ca(file()))
        );
        assert_eq!(
            of(&format!("{root}&sslmode=verify-full&application_name=x")),
            required(Verification::Full(file()))
        );
        for full in [
            "sslrootcert=system",
            "sslmode=verify-full",
            "ssl%6Dode=verify-full",
        ] {
            assert_eq!(
                of(full),
                required(Verification::Full(Roots::System)),
                "{full}"
            );
        }
        for weak in ["sslmode=require&sslrootcert=system", "sslmode=verify-ca"] {
            of(weak).expect_err(weak);
        }
    }

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn what_needs_the_feature_says_so() {
        for mode in ["require", "verify-ca&sslrootcert=a.pem", "verify-full"] {
            let refused = of(&format!("sslmode={mode}")).expect_err("no TLS");
            assert!(refused.contains("`rustls`"), "{refused}");
        }
    }
}
