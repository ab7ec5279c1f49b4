//! TLS with the set that the web server was given.

use std::sync::Arc;

use ports::TlsCredential;
use rustls::ServerConfig;
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// A file of the set is no PEM.
    #[error("the TLS set cannot be read")]
    Unreadable(#[from] pem::Error),
    /// The key or the certificate is of a kind that cannot be served.
    #[error("the TLS set cannot be served")]
    Unusable(#[from] rustls::Error),
}

/// A server of TLS 1.2 and 1.3 that shows this certificate.
pub fn config(credential: &TlsCredential) -> Result<Arc<ServerConfig>, NoTls> {
    let own = certificates(&credential.certificate_pem)?;
    let own = own.into_iter().next().ok_or(pem::Error::NoItemsFound)?;
    let issuers = credential.chain_pem.as_deref().map(certificates);
    let issuers = issuers.transpose()?.unwrap_or_default();
    // A self-signed certificate is its own chain, and is sent once.
    let others = issuers.into_iter().filter(|issuer| *issuer != own);
    let chain = std::iter::once(own.clone()).chain(others).collect();
    let key = PrivateKeyDer::from_pem_slice(credential.private_key_pem.expose())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(text.as_bytes()).collect()
}
