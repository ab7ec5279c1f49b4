//! A browser as far as the page needs one: TLS, a cookie, forms.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
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
    /// The address that it comes from, where that is one of its own.
    pub from: Option<Ipv4Addr>,
    /// How often a request that was cut off is sent again.
    pub patience: usize,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookie: String::new(),
            headers: String::new(),
            from: None,
            patience: 0,
        }
    }

    /// The id of its session.
    pub fn session(&self) -> &str {
        self.cookie.split_once('=').map_or("", |(_, id)| id)
    }

    /// Forgets its session.
    pub fn forget(&mut self) {
        self.cookie.clear();
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
        let answer = self.send(self.text_of(method, path, body));
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

    /// A request as it is sent.
    pub fn text_of(&self, method: &str, path: &str, body: &str) -> String {
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
        format!("{request}\r\n{body}")
    }

    /// Sends these bytes, and reads what there is to read.
    #[track_caller]
    pub fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut tries = (0..self.patience).map(|_| self.try_to_send(&request));
        let answered = tries.find_map(|tried| tried.ok().filter(|answer| answer.status > 0));
        answered.unwrap_or_else(|| self.try_to_send(&request).unwrap())
    }

    fn try_to_send(&self, request: impl AsRef<[u8]>) -> io::Result<Answer> {
        let socket = socket(self.address, self.from)?;
        let mut connection = over(socket, rustls::ALL_VERSIONS)?;
        // A server that refuses early does not read all of it.
        let _ = connection.write_all(request.as_ref());
        let mut bytes = Vec::new();
        let _ = connection.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let certificates = connection.conn.peer_certificates();
        Ok(Answer {
            status: status.unwrap_or_default(),
            head: head.to_owned(),
            body: body.to_owned(),
            certificate: certificates.map_or_else(Vec::new, |all| all[0].to_vec()),
        })
    }
}

/// Connects with one of these versions of TLS.
pub fn connect(
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<Connection> {
    over(socket(address, None)?, versions)
}

/// Connects from this address, where one is given.
pub fn socket(address: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let Some(from) = from else {
        return TcpStream::connect(address);
    };
    // As every other: none of a child that another test starts.
    let (family, kind, flags) = (
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
    );
    let socket = rustix::net::socket_with(family, kind, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(from, 0))?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket.into())
}

/// The same over a socket that there is.
pub fn over(
    socket: TcpStream,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<Connection> {
    let provider = Arc::new(provider::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let name = ServerName::IpAddress(socket.peer_addr()?.ip().into());
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
