//! A server that cannot be asked: what is said, and that nothing is changed or made in its place.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::certificates::reload;
use super::line::{Act, LOGIN, Line};
use super::{URL, WAIT, assert_says, fresh, quiet, ready, url};
use crate::sandbox::{Sandbox, tool};
use crate::server::Server;

const PASSWORD: &str = "TRUSTPOINT_DATABASE_PASSWORD";
/// No test waits that long: what is said before is said at once.
const LONG: &str = "1000h";

/// A start of a ready node, and one of a node whose database would be made.
struct Nodes([Sandbox; 2]);

impl Nodes {
    fn new(wait: &str) -> Self {
        let mut nodes = [ready(), fresh()];
        for node in &mut nodes {
            node.set(WAIT, wait);
        }
        Self(nodes)
    }

    /// Asserts that a start at this URL ends so, and says so much.
    #[track_caller]
    fn are_refused(&mut self, url: &str, code: i32, kind: &str, says: &[&str]) {
        for node in &mut self.0 {
            node.set(URL, url);
            let said = node.fails_unchanged(&["startup"], code, kind);
            assert_says(&said, says);
            assert!(!node.database().exists(), "nothing of it is a file");
        }
    }
}

#[test]
fn what_passes_is_waited_for_and_is_69_then() {
    let _quiet = quiet();
    let server = Server::shared();
    server.sql("postgres", "CREATE ROLE only_one LOGIN CONNECTION LIMIT 0");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = |begins, which, act| Line::to(server, begins, which, act).url("tests");
    let says = |code| line(LOGIN, 1..=usize::MAX, Act::Refuse(code, "FATAL"));
    let mut nodes = Nodes::new("1s");
    for (url, why) in [
        (
            "postgresql://tests@%2Fnowhere/postgres".to_owned(),
            "No such file",
        ),
        (url("tests", 1, ""), "Connection refused"),
        (
            url("tests", silent.local_addr().unwrap().port(), ""),
            "does not answer",
        ),
        (says("57P03"), "57P03"),
        (says("57P01"), "57P01"),
        (says("08006"), "08006"),
        (url("only_one", server.port(), ""), "too many connections"),
        (
            line(LOGIN, 1..=usize::MAX, Act::CutBefore),
            "connection closed",
        ),
        (line(LOGIN, 1..=usize::MAX, Act::Silence), "does not answer"),
    ] {
        let said = [
            "within 1 s",
            why,
            "check that the server runs",
            "database.wait",
        ];
        let begun = Instant::now();
        nodes.are_refused(&url, 69, "database_unavailable", &said);
        // Two nodes, and each has waited in full.
        assert!(begun.elapsed() >= Duration::from_secs(2), "{url}");
    }
}

#[test]
fn what_passes_in_the_middle_of_a_transaction_is_69_too() {
    let _quiet = quiet();
    let server = Server::shared();
    let mut nodes = Nodes::new("1s");
    for (act, why) in [
        (Act::Silence, "does not answer"),
        (Act::CutBefore, "connection closed"),
        (Act::Refuse("57P01", "FATAL"), "57P01"),
    ] {
        let line = Line::to(server, "BEGIN", 1..=usize::MAX, act);
        let said = ["failed in the database", why, "check that the server runs"];
        let begun = Instant::now();
        nodes.are_refused(&line.url("tests"), 69, "database_unavailable", &said);
        assert!(begun.elapsed() >= Duration::from_secs(2), "{act:?}");
    }
}

#[test]
fn a_server_that_lets_nobody_in_at_once_is_not_said_to_be_silent() {
    let _quiet = quiet();
    let mut nodes = Nodes::new("1s");
    let line = Line::to(Server::shared(), "BEGIN", 1..=usize::MAX, Act::CutBefore).late();
    let said = ["failed in the database", "connection closed"];
    nodes.are_refused(&line.url("tests"), 69, "database_unavailable", &said);
}

#[test]
fn what_stays_is_said_at_once() {
    let server = Server::shared();
    let create = "CREATE ROLE with_password LOGIN PASSWORD 'right'; CREATE ROLE with_tls LOGIN";
    server.sql("postgres", create);
    let mut nodes = Nodes::new(LONG);
    let to = |user: &str| url(user, server.port(), "");
    let login = "database.password_file";
    nodes.are_refused(
        &to("nobody_known"),
        77,
        "denied",
        &["does not exist", login],
    );
    nodes.are_refused(&to("with_password"), 77, "denied", &["password", login]);
    let sslmode = ["no encryption", "sslmode"];
    nodes.are_refused(&to("with_tls"), 77, "denied", &sslmode);
    for node in &mut nodes.0 {
        node.set(PASSWORD, "wrong");
    }
    let said = ["password authentication failed", "28P01", login];
    nodes.are_refused(&to("with_password"), 77, "denied", &said);
    server.sql("postgres", "CREATE DATABASE closed ALLOW_CONNECTIONS false");
    let said = [
        "not currently accepting connections (SQLSTATE 55000)",
        "ALTER DATABASE closed ALLOW_CONNECTIONS true",
    ];
    nodes.are_refused(
        &server.url("tests", "closed"),
        69,
        "database_unavailable",
        &said,
    );
    // Whatever else a server, or a pool in its place, may say to a login.
    for code in ["XX000", "22023", "0A000", "55000"] {
        let refuse = Act::Refuse(code, "FATAL");
        let line = Line::to(server, LOGIN, 1..=usize::MAX, refuse);
        nodes.are_refused(&line.url("tests"), 69, "database_unavailable", &[code]);
    }
    let nothing = server.url("tests", "nothing");
    let said = [
        "does not exist (SQLSTATE 3D000)",
        "createdb --owner=tests nothing",
    ];
    nodes.are_refused(&nothing, 69, "database_unavailable", &said);
}

#[test]
fn a_certificate_that_is_not_trusted_is_69_and_named_with_what_is() {
    let server = Server::start();
    let file = |name: &str| server.directory().join(name).display().to_string();
    let own = file("server.crt");
    let mut nodes = Nodes::new(LONG);
    let mut refused = |mode: &str, roots: &str, says: &[&str]| {
        let rest = format!("?sslmode={mode}&sslrootcert={roots}");
        let url = url("tests", server.port(), &rest);
        nodes.are_refused(&url, 69, "database_unavailable", says);
    };
    refused(
        "verify-full",
        &own,
        &["db.example.org", "127.0.0.1", "sslmode=verify-ca"],
    );

    // An authority that has nothing to do with it.
    let (key, other) = (file("other.key"), file("other.crt"));
    let made = format!(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=elsewhere -keyout {key} -out {other}"
    );
    tool("openssl", made.split(' '));
    for mode in ["verify-full", "verify-ca"] {
        refused(mode, &other, &["CN=db.example.org", &other, "sslrootcert"]);
    }

    let (key, served) = (file("data/server.key"), file("data/server.crt"));
    let expire = format!("x509 -in {own} -signkey {key} -days -1 -out {served}");
    tool("openssl", expire.split(' '));
    reload(&server);
    refused("verify-ca", &served, &["Expired"]);
    let says = ["No such file", "name files of PEM"];
    refused("verify-ca", "/nowhere.pem", &says);

    let says = ["does not support TLS", "`ssl = on`"];
    let url = url("tests", without_tls(), "?sslmode=require");
    nodes.are_refused(&url, 69, "database_unavailable", &says);
}

/// The port of a server that answers whoever asks for TLS that it has none.
fn without_tls() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            client.read_exact(&mut [0; 8]).unwrap();
            client.write_all(b"N").unwrap();
        }
    });
    port
}
