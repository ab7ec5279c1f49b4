//! TLS to a server: rustls with ring, and SCRAM bound to the server's certificate (RFC 5929).

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use ports::ServerTrouble;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore};
use rustls::{Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client;

use super::address::{TlsFiles, TlsMode};
use super::certificate::{alternative_name, end_point, nameless, names_in, unusable, verify_named};

/// Where a Debian keeps what the machine trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why TLS is not spoken: a file, a certificate, a server.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct TlsFailure {
    what: String,
    trouble: ServerTrouble,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TlsFailure {
    fn new(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            what: what.into(),
            trouble: ServerTrouble::Certificate,
            source: Some(source.into()),
        }
    }

    /// A file of this machine.
    fn of_file(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let trouble = ServerTrouble::TlsFile;
        Self {
            trouble,
            ..Self::new(what, source)
        }
    }

    /// It is a certificate that lacks this extension.
    fn lacking(self, needs: String) -> Self {
        let trouble = ServerTrouble::UnusableCertificate { needs };
        Self { trouble, ..self }
    }

    /// What that means of the server.
    pub(super) fn trouble(&self) -> ServerTrouble {
        self.trouble.clone()
    }

    /// Whether the other side was cut off, and not this one that refused.
    pub(super) fn is_cut(&self) -> bool {
        let source = self.source.as_ref();
        let io = source.and_then(|source| source.downcast_ref::<io::Error>());
        io.is_some_and(|error| error.kind() != io::ErrorKind::InvalidData)
    }
}

/// Makes the TLS client of one mode.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    refused: Refused,
}

/// What the verifier tells of a certificate that it did not take.
type Refused = Arc<OnceLock<Refusal>>;

/// Why a server's certificate was not taken.
#[derive(Debug)]
struct Refusal {
    what: String,
    /// The extension that the certificate has to have and does not.
    needs: Option<String>,
}

/// What makes a certificate a client's.
const OF_A_CLIENT: &str = "extendedKeyUsage=clientAuth";

impl Tls {
    /// With these files; `None` where no TLS is spoken.
    pub(super) fn of(mode: TlsMode, files: &TlsFiles) -> Result<Option<Self>, TlsFailure> {
        if mode == TlsMode::Disable {
            return Ok(None);
        }
        let provider = Arc::new(provider::default_provider());
        let refused = Refused::default();
        let trusted = match mode {
            TlsMode::Disable | TlsMode::Require => None,
            TlsMode::VerifyCa | TlsMode::VerifyFull => Some(certificates(roots(files))?),
        };
        let verifier = Arc::new(Verifier {
            chain: trusted
                .as_deref()
                .map(|trusted| chain_verifier(files, trusted, &provider))
                .transpose()?,
            compares_name: mode == TlsMode::VerifyFull,
            provider: Arc::clone(&provider),
            named: match &files.roots {
                Some(_) => trusted.unwrap_or_default(),
                None => Vec::new(),
            },
            trusted: roots(files).display().to_string(),
            refused: Arc::clone(&refused),
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsFailure::new("no version of TLS is left", error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &files.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                if let Some(why) = chain.first().and_then(|own| unusable(own)) {
                    let file = certificate.display();
                    let failure =
                        TlsFailure::new(format!("the certificate {file} cannot be used"), why);
                    return Err(failure.lacking(OF_A_CLIENT.to_owned()));
                }
                let own = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                    TlsFailure::of_file(format!("reading the key {}", key.display()), error)
                })?;
                builder.with_client_auth_cert(chain, own).map_err(|error| {
                    let file = certificate.display();
                    TlsFailure::of_file(format!("the certificate {file} and its key"), error)
                })?
            }
        };
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Some(Self { connector, refused }))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFailure> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| {
            TlsFailure::of_file(
                format!("reading the certificates {}", file.display()),
                error,
            )
        })
}

fn roots(files: &TlsFiles) -> &Path {
    files.roots.as_deref().unwrap_or(Path::new(SYSTEM_ROOTS))
}

fn chain_verifier(
    files: &TlsFiles,
    trusted: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsFailure> {
    let file = roots(files);
    let mut roots = RootCertStore::empty();
    // Certificates of authorities that rustls cannot use are none that our server has.
    roots.add_parsable_certificates(trusted.iter().cloned());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| TlsFailure::of_file(format!("trusting {}", file.display()), error))
}

/// Leaves the name out, or the whole certificate, as the URL asked for; and tells whose certificate it
/// does not take.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    compares_name: bool,
    provider: Arc<CryptoProvider>,
    /// The certificates that an operator has named.
    named: Vec<CertificateDer<'static>>,
    trusted: String,
    refused: Refused,
}

impl Verifier {
    fn verify(
        &self,
        server: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let compared = self.compares_name.then_some(name);
        match verifier.verify_server_cert(server, chain, name, ocsp, now) {
            // The name is compared last.
            Err(error) if is_of_name(&error) && !self.compares_name => {
                Ok(ServerCertVerified::assertion())
            }
            Err(_) if self.named.iter().any(|named| named == server) => {
                verify_named(server, compared, now).map(|()| ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    /// Keeps whose certificate it is, and why it is not taken.
    fn refuse(&self, server: &CertificateDer<'_>, name: &ServerName<'_>, error: &Error) {
        let mut why = unusable(server);
        if is_of_name(error) {
            why = why.or_else(|| nameless(server));
        }
        self.refused.get_or_init(|| {
            let (own, trusted) = (names_in(server), &self.trusted);
            match why {
                Some(why) => Refusal {
                    what: format!(": its certificate is {own}, and {why}"),
                    needs: Some(alternative_name(name)),
                },
                None => Refusal {
                    what: format!(": its certificate is {own}, and {trusted} is trusted"),
                    needs: None,
                },
            }
        });
    }
}

fn is_of_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // What cannot be used at all would fail at the signature, without a word of whose it is.
        let verified = match unusable(server) {
            Some(_) => Err(CertificateError::BadEncoding.into()),
            None => self.verify(server, chain, name, ocsp, now),
        };
        verified.inspect_err(|error| self.refuse(server, name, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = Handshake;
    type Error = TlsFailure;

    fn make_tls_connect(&mut self, name: &str) -> Result<Handshake, TlsFailure> {
        let server = ServerName::try_from(name.to_owned())
            .map_err(|error| TlsFailure::new(format!("{name:?} is no name of a server"), error))?;
        Ok(Handshake {
            tls: self.clone(),
            server,
            name: name.to_owned(),
        })
    }
}

/// A handshake with one server.
pub(super) struct Handshake {
    tls: Tls,
    server: ServerName<'static>,
    name: String,
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = TlsFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream<S>, TlsFailure>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connected = self.tls.connector.connect(self.server, stream).await;
            connected.map(Stream).map_err(|error| {
                let refused = self.tls.refused.get();
                let why = refused.map_or("", |refusal| &refusal.what);
                let what = format!("the TLS handshake with {}{why}", self.name);
                let failure = TlsFailure::new(what, error);
                match refused.and_then(|refusal| refusal.needs.clone()) {
                    Some(needs) => failure.lacking(needs),
                    None => failure,
                }
            })
        })
    }
}

/// A connection with TLS.
pub(super) struct Stream<S>(client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        certificate
            .and_then(|certificate| end_point(certificate))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
