//! A browser as far as the page needs one: TLS, a cookie, forms.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

/// Nothing of a page takes that long: a server that is silent fails the test.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A TLS connection.
pub type Connection = StreamOwned<ClientConnection, TcpStream>;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// DER.
    pub certificate: Vec<u8>,
}

impl Answer {
    /// The value of a header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        let is_it = |(found, _): &(&str, &str)| found.eq_ignore_ascii_case(name);
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(is_it).map_or("", |(_, value)| value)
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        self
    }

    #[track_caller]
    pub fn expect_redirect(self, to: &str) -> Self {
        let answer = self.expect(303);
        assert_eq!(answer.header("location"), to);
        answer
    }

    /// The token that the forms of this page carry.
    #[track_caller]
    pub fn form_token(&self) -> String {
        let mark = "name=\"form_token\" value=\"";
        let at = self.body.find(mark).expect("no form of a session");
        let rest = &self.body[at + mark.len()..];
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A browser with one cookie.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    cookie: String,
    /// Headers of every request, each with its end of line.
    pub headers: String,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookie: String::new(),
            headers: String::new(),
        }
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    #[track_caller]
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| -> String {
            let encoded = text.bytes().map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            });
            encoded.collect()
        };
        let pairs: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        self.request("POST", path, &pairs.join("&"))
    }

    /// The same browser, at the address of another page.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// Waits for what becomes of that which was begun.
    #[track_caller]
    pub fn end_of_work(&mut self) -> Answer {
        loop {
            let page = self.get("/progress");
            if !page.body.contains("http-equiv=\"refresh\"") {
                return page;
            }
        }
    }

    /// Gives the code, which must be right.
    #[track_caller]
    pub fn log_in(&mut self, code: &str) -> Answer {
        self.post("/login", &[("code", code)]).expect(303)
    }

    #[track_caller]
    pub fn request(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        request.push_str(&self.headers);
        if !self.cookie.is_empty() {
            request.push_str(&format!("Cookie: {}\r\n", self.cookie));
        }
        if method == "POST" {
            let length = body.len();
            request.push_str(&format!(
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"
            ));
        }
        let answer = self.send(&format!("{request}\r\n{body}"));
        let cookie = answer
            .header("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default();
        if !cookie.is_empty() {
            self.cookie = cookie.to_owned();
        }
        answer
    }

    /// Sends these bytes, and reads what there is to read.
    #[track_caller]
    pub fn send(&self, request: &str) -> Answer {
        let mut connection = connect(self.address, rustls::ALL_VERSIONS).unwrap();
        // A server that refuses early does not read all of it.
        let _ = connection.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = connection.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let certificates = connection.conn.peer_certificates();
        Answer {
            status: status.unwrap_or_default(),
            head: head.to_owned(),
            body: body.to_owned(),
            certificate: certificates.map_or_else(Vec::new, |all| all[0].to_vec()),
        }
    }
}

/// Connects with one of these versions of TLS.
pub fn connect(
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<Connection> {
    let provider = Arc::new(provider::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let name = ServerName::IpAddress(address.ip().into());
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut connection = StreamOwned::new(client, socket);
    while connection.conn.is_handshaking() {
        connection.conn.complete_io(&mut connection.sock)?;
    }
    Ok(connection)
}

/// Takes any certificate, of which the server has to have the key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
