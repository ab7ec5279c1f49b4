//! What a client cannot do to the page: be slow, long or many.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::Waiting;
use super::access::HEADERS;
use super::client::connect;
use crate::sandbox::Sandbox;

#[test]
fn what_is_too_long_is_refused() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let long = "x".repeat(17 << 10);
    let fields = [("form_token", token.as_str()), ("san", &long)];
    client.post("/setup", &fields).expect(413);
    client.post("/login", &[("code", &long)]).expect(413);
    let mut refused = vec![client.get(&format!("/{long}")).expect(431)];
    client.headers = format!("X-Long: {long}\r\n");
    refused.push(client.get("/").expect(431));
    client.headers = "X-Many: 1\r\n".repeat(300);
    refused.push(client.get("/").expect(431));
    client.headers.clear();
    refused.push(client.send("nonsense\r\n\r\n").expect(400));
    for answer in refused {
        for (name, value) in HEADERS {
            assert_eq!(answer.header(name), value, "{answer:?}");
        }
    }
    // A body without an end is not waited for to the end either.
    let endless = format!(
        "POST /login HTTP/1.1\r\nHost: node\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 1000000000\r\n\r\n{long}"
    );
    client.send(&endless).expect(413);
    client.get("/").expect_redirect("/setup");
}

#[test]
fn slow_clients_keep_nobody_out_and_are_cut_off() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    // Silent before TLS, in its middle, after it, and in the middle of a request.
    let mut slow: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(waiting.address).unwrap())
        .collect();
    for stream in &mut slow[..10] {
        stream.write_all(&[0x16, 0x03, 0x01, 0x02]).unwrap();
    }
    let mut connected: Vec<_> = (0..20)
        .map(|_| connect(waiting.address, rustls::ALL_VERSIONS).unwrap())
        .collect();
    for connection in &mut connected[..10] {
        connection.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    }
    let (mut client, _) = waiting.operator();
    client.get("/setup").expect(200);
    // More than there may be: each gets its turn, once the slow ones are cut off.
    let more: Vec<_> = (0..40)
        .map(|_| TcpStream::connect(waiting.address).unwrap())
        .collect();
    client.get("/setup").expect(200);
    drop(more);
    for connection in &mut connected {
        let mut rest = Vec::new();
        // An end, however it is told.
        let _ = connection.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    }
    client.get("/setup").expect(200);
}
