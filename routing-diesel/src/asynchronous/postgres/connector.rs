//! Connecting to PostgreSQL.

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use futures_util::FutureExt;
#[cfg(not(feature = "rustls"))]
use tokio_postgres::NoTls;
#[cfg(feature = "rustls")]
use tokio_postgres_rustls::MakeRustlsConnect;

#[cfg(feature = "rustls")]
use super::certificate::client_config;
use super::security::{Target, text_of};

/// Connects to one server.
struct Connector {
    target: Target,
    #[cfg(feature = "rustls")]
    tls: MakeRustlsConnect,
}

/// Whether such a URL can be connected to.
///
/// # Errors
///
/// What is wrong with it, for a configuration error.
pub(super) fn check(url: &str) -> Result<(), String> {
    Connector::of(url).map(drop)
}

/// A manager whose connections use TLS as the URL says. Each reads the roots anew, as they may have been
/// exchanged since the last.
pub(super) fn manager(url: String) -> AsyncDieselConnectionManager<AsyncPgConnection> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(|url| {
        let connector = Connector::of(url);
        async move {
            let connector = connector.map_err(ConnectionError::InvalidConnectionUrl)?;
            connector.connect().await
        }
        .boxed()
    });
    AsyncDieselConnectionManager::new_with_config(url, config)
}

impl Connector {
    fn of(url: &str) -> Result<Self, String> {
        let target = Target::of(url)?;
        Ok(Self {
            #[cfg(feature = "rustls")]
            tls: MakeRustlsConnect::new(client_config(&target.verification)?),
            target,
        })
    }

    async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        #[cfg(feature = "rustls")]
        let tls = self.tls.clone();
        #[cfg(not(feature = "rustls"))]
        let tls = NoTls;
        let connected = self.target.config.connect(tls).await;
        let (client, connection) =
            connected.map_err(|error| ConnectionError::BadConnection(text_of(&error)))?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    }
}
