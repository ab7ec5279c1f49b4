//! Which TLS the page speaks, and what it says to what is none.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use super::Waiting;
use super::client::connect;
use crate::sandbox::Sandbox;

/// A ClientHello of this version at most, with this cipher, compression and extensions.
pub fn hello(version: [u8; 2], compression: &[u8], extensions: &[u8]) -> Vec<u8> {
    let two = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let mut body = [&version[..], &[7; 32], &[0]].concat();
    // Of TLS 1.0 to 1.1: ECDHE_ECDSA and ECDHE_RSA with AES_128_CBC_SHA; of 1.2 the same with GCM.
    body.extend([0, 8, 0xc0, 0x09, 0xc0, 0x13, 0xc0, 0x2b, 0xc0, 0x2f]);
    body.push(u8::try_from(compression.len()).unwrap());
    body.extend(compression);
    // Curves P-256 and X25519, and two signatures: what the server needs.
    let needed = [
        &[0, 10, 0, 6, 0, 4, 0, 23, 0, 29][..],
        &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4],
        &[0, 11, 0, 2, 1, 0],
        extensions,
    ]
    .concat();
    body.extend(two(needed.len()));
    body.extend(needed);
    let message = [&[1, 0][..], &two(body.len()), &body].concat();
    [&[22, 3, 1][..], &two(message.len()), &message].concat()
}

/// What the server says to these bytes. It ends the connection, or has said what it has to say.
fn said(waiting: &Waiting, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(waiting.address).unwrap();
    socket.write_all(bytes).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said);
    said
}

/// A fatal alert with this number.
#[track_caller]
fn is_alert(said: &[u8], number: u8) {
    assert!(
        matches!(said, [21, 3, _, 0, 2, 2, last] if *last == number),
        "{said:?}"
    );
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let connection = connect(waiting.address, &[version]).unwrap();
        assert_eq!(connection.conn.protocol_version(), Some(version.version));
    }
    // SSL 3.0, TLS 1.0, TLS 1.1: protocol_version.
    for minor in 0..3 {
        is_alert(&said(&waiting, &hello([3, minor], &[0], &[])), 70);
    }
    // The same hello of 1.2 is answered by a ServerHello.
    let answered = said(&waiting, &hello([3, 3], &[0], &[]));
    assert!(
        matches!(&answered[..], [22, 3, 3, _, _, 2, ..]),
        "{answered:?}"
    );
    // What compresses is not taken, where it is offered beside what does not (the byte behind the
    // cipher), and nothing without.
    let answered = said(&waiting, &hello([3, 3], &[1, 0], &[]));
    let session = usize::from(answered[43]);
    assert_eq!(answered[43 + session + 3], 0, "{answered:?}");
    let answered = said(&waiting, &hello([3, 3], &[1], &[]));
    assert!(answered.starts_with(&[21]), "{answered:?}");
}

#[test]
fn http_2_alone_is_refused() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    // no_application_protocol
    let only = [0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
    is_alert(&said(&waiting, &hello([3, 3], &[0], &only)), 120);
    let both = b"\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1";
    let answered = said(&waiting, &hello([3, 3], &[0], both));
    assert!(answered.starts_with(&[22]), "{answered:?}");
    assert!(answered.windows(8).any(|part| part == b"http/1.1"));
}

#[test]
fn what_is_no_tls_is_told_nothing() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-x\r\n",
        &[0x80, 0x2e, 1, 0, 2, 0, 0x15],
        &[0; 64],
        b"",
    ] {
        let said = said(&waiting, bytes);
        assert!(
            said.is_empty() || said.len() == 7 && said[0] == 21,
            "{said:?}"
        );
    }
    waiting.client().get("/").expect(200);
}

#[test]
fn nothing_is_negotiated_twice() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let address = waiting.address.to_string();
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // "R" is openssl's word for a renegotiation.
    let mut typed = openssl.stdin.take().unwrap();
    typed.write_all(b"R\n").unwrap();
    let ended = openssl.wait_with_output().unwrap();
    drop(typed);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(
        said.contains("no renegotiation") || said.contains("alert"),
        "{said}"
    );
    waiting.client().get("/").expect(200);
}
