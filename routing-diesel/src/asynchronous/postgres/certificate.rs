//! Certificates of servers, by rustls.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::security::{Roots, Verification};

/// The settings of connections that verify a server so.
///
/// # Errors
///
/// What is wrong with the roots, for a configuration error.
pub(super) fn client_config(verification: &Verification) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (roots, has_to_match) = match verification {
        Verification::None => (None, false),
        Verification::Ca(roots) => (Some(roots), false),
        Verification::Full(roots) => (Some(roots), true),
    };
    let by_roots = |roots: &Roots| {
        let roots = Arc::new(store(roots)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        verifier.build().map_err(|error| error.to_string())
    };
    let verifier = Verifier {
        by_roots: roots.map(by_roots).transpose()?,
        has_to_match,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn store(roots: &Roots) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            let loaded = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(loaded.certs);
            if store.is_empty() {
                return Err(
                    "the machine has no root certificates; name some by `sslrootcert`".into(),
                );
            }
        }
        Roots::File(path) => {
            let unfit = |error: String| format!("`sslrootcert={}`: {error}", path.display());
            let certificates = CertificateDer::pem_file_iter(path);
            for certificate in certificates.map_err(|error| unfit(error.to_string()))? {
                let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
                let added = store.add(certificate);
                added.map_err(|error| unfit(error.to_string()))?;
            }
            if store.is_empty() {
                return Err(unfit("has no certificate".into()));
            }
        }
    }
    Ok(store)
}

/// Verifies as much as libpq does in the URL's mode.
#[derive(Debug)]
struct Verifier {
    /// Nothing if any certificate will do.
    by_roots: Option<Arc<WebPkiServerVerifier>>,
    /// Whether it has to be the host's.
    has_to_match: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(by_roots) = &self.by_roots else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            by_roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The roots have been asked before the name.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.has_to_match => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
