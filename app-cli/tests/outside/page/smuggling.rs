//! Requests that two servers could read otherwise, and what is none: each is refused, or read as what it
//! says and nothing more. A connection has one request, so whatever is behind it is never one.

use super::Waiting;
use super::access::HEADERS;
use super::client::{Answer, Client};
use crate::sandbox::Sandbox;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// That an answer is one, has every header, and says nothing of another host.
#[track_caller]
fn check(what: &str, answer: &Answer) {
    let all = format!("{}\r\n\r\n{}", answer.head, answer.body);
    assert_eq!(all.matches("HTTP/1.").count(), 1, "{what:?}: {all}");
    assert!(!all.contains("evil.example"), "{what:?}: {all}");
    for (name, value) in HEADERS {
        assert_eq!(answer.header(name), value, "{what:?}: {all}");
    }
}

#[test]
fn a_request_that_could_be_read_otherwise_is_refused() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (operator, token) = waiting.operator();
    let cookie = format!("Cookie: __Host-session={}\r\n", operator.session());
    let body = format!("form_token={token}&storage=software");
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let before = sandbox.picture();
    // What would set the node up, were it not for these headers.
    let post = |headers: &str, body: &str| {
        format!("POST /setup HTTP/1.1\r\nHost: node\r\n{cookie}{FORM}{headers}\r\n{body}")
    };
    let get = |line: &str, headers: &str| format!("{line}\r\n{headers}{cookie}\r\n");
    let both = format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n");
    let other_way = format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n");
    let two = format!("Content-Length: {length}\r\nContent-Length: 3\r\n");
    let list = format!("Content-Length: {length}, 3\r\n");
    let signed = format!("Content-Length: +{length}\r\n");
    let spaced = format!("Content-Length : {length}\r\n");
    let folded = format!("Content-Length:\r\n {length}\r\n");
    let endless = "Content-Length: 99999999999999999999\r\n";
    let hidden = format!("X: a\rContent-Length: {length}\r\n");
    let nul = format!("Content-Length: {length}\r\nX: a\0b\r\n");
    let control = format!("Content-Length: {length}\r\nX: a\x01b\r\n");
    let name = format!("Content-Length: {length}\r\nX\x7f: a\r\n");
    let empty = format!("Content-Length: {length}\r\n: a\r\n");
    let no_colon = format!("Content-Length: {length}\r\nabc\r\n");
    let host = "Host: node\r\n";
    for (what, status) in [
        // Lengths: one Content-Length, or no body.
        (post(&both, &chunked), 411),
        (post(&other_way, &body), 411),
        (post("Transfer-Encoding: chunked\r\n", &chunked), 411),
        (post("Transfer-Encoding:\tchunked\r\n", &chunked), 411),
        (post("Transfer-Encoding: gzip, chunked\r\n", &chunked), 411),
        (
            post(
                "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
                &chunked,
            ),
            411,
        ),
        (post("Transfer-Encoding: xchunked\r\n", &chunked), 400),
        (
            post("Transfer-Encoding: chunked, identity\r\n", &chunked),
            400,
        ),
        (post("Transfer-Encoding: chunked;q=1\r\n", &chunked), 400),
        (post("Transfer-Encoding : chunked\r\n", &chunked), 400),
        (post("Transfer-Encoding:\r\n chunked\r\n", &chunked), 400),
        (post("Transfer-Encoding: \x0bchunked\r\n", &chunked), 400),
        (post(&two, &body), 400),
        (post(&list, &body), 400),
        (post(&signed, &body), 400),
        (post(&spaced, &body), 400),
        (post(&folded, &body), 400),
        (post(endless, &body), 400),
        (post("Content-Length: -1\r\n", &body), 400),
        (post("Content-Length: 0x10\r\n", &body), 400),
        (post("Content-Length:\r\n", &body), 400),
        (post(&hidden, &body), 400),
        // Without a length there is no body, and so no token.
        (post("", &body), 403),
        (post("Content-Length: 0\r\n", &body), 403),
        (post(&nul, &body), 400),
        (post(&control, &body), 400),
        (post(&name, &body), 400),
        (post(&empty, &body), 400),
        (post(&no_colon, &body), 400),
        (
            post(
                &format!("Content-Length: {length}\r\nHost: evil.example\r\n"),
                &body,
            ),
            400,
        ),
        // Hosts: one.
        (get("GET /setup HTTP/1.1", ""), 400),
        (
            get("GET /setup HTTP/1.1", "Host: node\r\nHost: node\r\n"),
            400,
        ),
        (get("GET /setup HTTP/1.1", "Host:\r\n"), 400),
        (get("GET /setup HTTP/1.1", "Host: a b\r\n"), 400),
        (
            get("GET /setup HTTP/1.1", "Host: evil.example/setup\r\n"),
            400,
        ),
        (get("GET /setup HTTP/1.1", "Host: evil.example\r\n"), 200),
        (get("GET /setup HTTP/1.0", ""), 200),
        (get("GET /setup HTTP/1.0", "Host: a\r\nHost: b\r\n"), 400),
        // Targets: a path.
        (get("GET https://evil.example/setup HTTP/1.1", host), 400),
        (get("GET http://node/setup HTTP/1.1", host), 400),
        (get("GET evil.example:443 HTTP/1.1", host), 400),
        (get("CONNECT evil.example:443 HTTP/1.1", host), 400),
        (get("OPTIONS * HTTP/1.1", host), 404),
        (get("GET //evil.example/setup HTTP/1.1", host), 404),
        (get("GET /setup/../setup HTTP/1.1", host), 404),
        (get("GET /%73etup HTTP/1.1", host), 404),
        (get("GET /setup;a HTTP/1.1", host), 404),
        (get("GET /setup?a=https://evil.example HTTP/1.1", host), 200),
        (get("GET /setup#a HTTP/1.1", host), 200),
        (get("GET /se tup HTTP/1.1", host), 400),
        (get("GET /se\0tup HTTP/1.1", host), 400),
        (get("GET  /setup HTTP/1.1", host), 400),
        (get("GET\t/setup HTTP/1.1", host), 400),
        (get(" GET /setup HTTP/1.1", host), 400),
        (get("G\0T /setup HTTP/1.1", host), 400),
        (get("get /setup HTTP/1.1", host), 405),
        (get("GET /setup HTTP/1.1 ", host), 400),
        // Versions: 1.0 and 1.1. Before 1.0 there were none.
        (get("GET /setup HTTP/0.9", host), 400),
        (get("GET /setup HTTP/1.2", host), 400),
        (get("GET /setup HTTP/2.0", host), 400),
        (get("GET /setup http/1.1", host), 400),
        ("GET /setup\r\n\r\n".to_owned(), 400),
        ("GET\r\n\r\n".to_owned(), 400),
        // An end of line is one with or without its CR: there is nobody before us to disagree.
        (get("GET /setup HTTP/1.1", host).replace("\r\n", "\n"), 200),
        (get("\r\n\r\nGET /setup HTTP/1.1", host), 200),
    ] {
        let answer = operator.send(&what);
        assert_eq!(answer.status, status, "{what:?}: {answer:?}");
        check(&what, &answer);
    }
    // The preface of HTTP/2 is met by the end of the connection.
    assert_eq!(operator.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").head, "");
    assert_eq!(sandbox.picture(), before);
    // So it was these headers, and nothing else.
    let right = operator.send(post(&format!("Content-Length: {length}\r\n"), &body));
    right.expect_redirect("/progress");
    waiting.application();
}

#[test]
fn what_is_behind_a_request_is_no_request() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (operator, token) = waiting.operator();
    let cookie = format!("Cookie: __Host-session={}\r\n", operator.session());
    let body = format!("form_token={token}&storage=software");
    let before = sandbox.picture();
    let second = format!(
        "POST /setup HTTP/1.1\r\nHost: node\r\n{cookie}{FORM}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let login = "code=wrong";
    let first = |line: &str, headers: &str, body: &str| {
        format!("{line} HTTP/1.1\r\nHost: node\r\n{headers}\r\n{body}{second}")
    };
    for (what, status) in [
        (first("GET /", "", ""), 200),
        (first("GET /", "Connection: keep-alive\r\n", ""), 200),
        (first("GET /healthz", "", ""), 503),
        (first("GET /", "Content-Length: 5\r\n", "12345"), 200),
        // The second is the body of the first, all of it or a part.
        (first("GET /", "Content-Length: 4000\r\n", ""), 200),
        (
            first("GET /", "Upgrade: h2c\r\nConnection: Upgrade\r\n", ""),
            200,
        ),
        (
            first(
                "POST /login",
                &format!("{FORM}Content-Length: 10\r\n"),
                login,
            ),
            403,
        ),
        (
            first("POST /login", &format!("{FORM}Content-Length: 0\r\n"), ""),
            403,
        ),
        (first("HEAD /", "", ""), 405),
        (first("nonsense", "", ""), 400),
        (first("CONNECT node:443", "", ""), 400),
    ] {
        let answer = operator.send(&what);
        assert_eq!(answer.status, status, "{what:?}: {answer:?}");
        check(&what, &answer);
        assert_eq!(answer.header("connection"), "close", "{what:?}: {answer:?}");
    }
    assert_eq!(sandbox.picture(), before);
}

#[test]
fn an_expectation_is_met_by_one_answer() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let expecting = format!(
        "POST /login HTTP/1.1\r\nHost: node\r\n{FORM}Content-Length: 10\r\n\
         Expect: 100-continue\r\n\r\ncode=wrong"
    );
    let answer = Client::new(waiting.address).send(&expecting);
    let all = format!("{}\r\n\r\n{}", answer.head, answer.body);
    let all = all.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
    assert!(all.starts_with("HTTP/1.1 403 "), "{all}");
    assert_eq!(all.matches("HTTP/1.").count(), 1, "{all}");
}
