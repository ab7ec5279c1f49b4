//! A TLS client from outside: what it is shown, and that the server has the key of it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    Stream,
};

use crate::run::Result;

const TIMEOUT: Duration = Duration::from_secs(10);

/// What a client saw.
#[derive(Debug)]
pub struct Seen {
    /// SHA-256 of the server's certificate, as the program writes it.
    pub fingerprint: String,
    /// How many certificates the server sent.
    pub chain: usize,
    /// The outcome of the start, as `/healthz` says.
    pub state: String,
    /// Header and page.
    pub page: String,
}

/// Fingerprint and length of the chain.
type Shown = (String, usize);

/// Takes any certificate and keeps it. That the server has its key is checked: the signature of the
/// handshake has to be made with it.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<Shown>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, Error> {
        let mut shown = self
            .shown
            .lock()
            .map_err(|_| Error::General("a witness was lost".to_owned()))?;
        *shown = Some((fingerprint(end_entity), 1 + intermediates.len()));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The node as a client sees it.
pub fn get(address: SocketAddr) -> Result<Seen> {
    let state = health(address)?;
    let ((fingerprint, chain), page) = get_path(address, "/")?;
    expect_status(&page, "200")?;
    Ok(Seen {
        fingerprint,
        chain,
        state,
        page,
    })
}

/// What a load balancer asks for: the outcome, with 200 where the node is ready and nowhere else.
pub fn health(address: SocketAddr) -> Result<String> {
    let (_, answer) = get_path(address, "/healthz")?;
    let outcome = answer
        .split_once("\r\n\r\n{\"outcome\":\"")
        .and_then(|(_, rest)| rest.strip_suffix("\"}"))
        .ok_or_else(|| format!("no outcome, but: {answer}"))?;
    let status = if outcome == "ready" { "200" } else { "503" };
    expect_status(&answer, status)?;
    Ok(outcome.to_owned())
}

fn expect_status(answer: &str, status: &str) -> Result<()> {
    if answer.starts_with(&format!("HTTP/1.1 {status} ")) {
        return Ok(());
    }
    Err(format!("not {status}, but: {answer}"))
}

/// What was shown, and the answer.
fn get_path(address: SocketAddr, path: &str) -> Result<(Shown, String)> {
    let mut answer = Vec::new();
    let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    let shown = connect(address, |stream| {
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut answer).map(drop)
    })?;
    Ok((shown, String::from_utf8_lossy(&answer).into_owned()))
}

/// Shakes hands and goes; the fingerprint that was shown.
pub fn handshake(address: SocketAddr) -> Result<String> {
    connect(address, |stream| {
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(stream.sock)?;
        }
        Ok(())
    })
    .map(|(fingerprint, _)| fingerprint)
}

/// Shakes hands as a client that trusts this root alone and asks for the address 127.0.0.1: the
/// whole chain is judged.
pub fn trusting(address: SocketAddr, root: &CertificateDer<'static>) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots
        .add(root.clone())
        .map_err(|error| format!("the root: {error}"))?;
    let config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("the client: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    talk(address, config, |stream| {
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(stream.sock)?;
        }
        Ok(())
    })
}

type Tls<'a> = Stream<'a, ClientConnection, TcpStream>;

fn connect(
    address: SocketAddr,
    converse: impl FnOnce(&mut Tls<'_>) -> std::io::Result<()>,
) -> Result<Shown> {
    let provider = Arc::new(provider::default_provider());
    let witness = Arc::new(Witness {
        provider: Arc::clone(&provider),
        shown: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("the client: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    talk(address, config, converse)?;
    let mut shown = witness.shown.lock().map_err(|_| "a witness was lost")?;
    shown
        .take()
        .ok_or_else(|| format!("{address}: no certificate was shown"))
}

fn talk(
    address: SocketAddr,
    config: ClientConfig,
    converse: impl FnOnce(&mut Tls<'_>) -> std::io::Result<()>,
) -> Result<()> {
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT).map_err(failed)?;
    socket.set_nodelay(true).map_err(failed)?;
    socket.set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
    socket.set_write_timeout(Some(TIMEOUT)).map_err(failed)?;
    let name = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
    let mut connection = ClientConnection::new(Arc::new(config), name)
        .map_err(|error| format!("the client: {error}"))?;
    converse(&mut Stream::new(&mut connection, &mut socket)).map_err(failed)
}

/// `AB:CD:…`, as the program writes a fingerprint.
pub fn fingerprint(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    let mut text = String::new();
    for byte in digest.as_ref() {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}
