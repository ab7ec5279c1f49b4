//! Who may, and what a browser is told.

use super::Waiting;
use super::client::Client;
use crate::sandbox::Sandbox;

/// What every answer says.
pub const HEADERS: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
];

const WRONG: [(&str, &str); 1] = [("code", "aaaaaaa-aaaaaaa-aaaaaaa-aaaaa")];

#[test]
fn every_path_and_method_is_answered_as_it_should_be() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let mut client = waiting.client();
    for (method, path, status) in [
        ("GET", "/", 200),
        ("GET", "/healthz", 503),
        ("GET", "/style.css", 200),
        ("GET", "/icon.svg", 200),
        ("GET", "/setup", 303),
        ("GET", "/recover", 303),
        ("GET", "/progress", 303),
        ("GET", "/login", 405),
        ("GET", "/logout", 405),
        ("POST", "/", 405),
        ("POST", "/healthz", 405),
        ("POST", "/setup", 303),
        ("POST", "/recover", 303),
        ("POST", "/logout", 303),
        ("HEAD", "/", 405),
        ("PUT", "/setup", 405),
        ("OPTIONS", "/setup", 405),
        ("TRACE", "/", 405),
        ("GET", "/favicon.ico", 404),
        ("GET", "/setup/", 404),
        ("GET", "/../setup", 404),
        ("POST", "/nothing", 404),
    ] {
        let answer = client.request(method, path, "").expect(status);
        for (name, value) in HEADERS {
            assert_eq!(answer.header(name), value, "{method} {path}");
        }
        if status == 303 {
            assert_eq!(answer.header("location"), "/", "{method} {path}");
        }
        if status == 405 {
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
    // Whatever is said of the host, it is not said back.
    let evil = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let answer = client.send(evil).expect(200);
    assert!(!format!("{answer:?}").contains("evil.example"));
    assert!(sandbox.wizard().contains("WIZARD_SETUP_CRYPTO_STORAGE"));
}

#[test]
fn a_session_begins_with_the_code_and_ends_at_logout() {
    let sandbox = Sandbox::new();
    let mut waiting = Waiting::start(&sandbox);
    let mut client = waiting.client();
    let wrong = client.post("/login", &WRONG).expect(403);
    assert!(wrong.header("set-cookie").is_empty());
    let right = client.log_in(&waiting.code).expect_redirect("/setup");
    for line in ["a wrong access code was given", "the access code was given"] {
        let line = format!("{line} on the page, from 127.0.0.1");
        waiting.running.wait_for_output(&line);
    }
    let cookie = right.header("set-cookie");
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    let mut other = waiting.client();
    other.log_in(&waiting.code);
    let token = client.get("/setup").expect(200).form_token();

    let mut kept = client.clone();
    let fields = [("form_token", token.as_str())];
    client.post("/logout", &fields).expect_redirect("/");
    kept.get("/setup").expect_redirect("/");
    other.get("/setup").expect(200);
}

#[test]
fn a_form_of_another_is_not_taken() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let (_, of_another) = waiting.operator();
    assert_ne!(token, of_another);
    let before = sandbox.picture();
    for token in ["", "0", of_another.as_str(), &token[2..], &waiting.code] {
        let fields = [("form_token", token), ("storage", "software")];
        client.post("/setup", &fields).expect(403);
        client.post("/logout", &fields).expect(403);
    }
    client
        .post("/setup", &[("storage", "software")])
        .expect(403);

    let own = format!("https://{}", waiting.address);
    for foreign in [
        "Origin: https://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        format!("Origin: {own}\r\nSec-Fetch-Site: cross-site\r\n"),
        "Origin: https://evil.example\r\nSec-Fetch-Site: same-origin\r\n".to_owned(),
    ] {
        client.headers.clone_from(&foreign);
        let fields = [("form_token", token.as_str()), ("storage", "software")];
        client.post("/setup", &fields).expect(403);
        client.post("/recover", &fields).expect(403);
        let mut stranger = waiting.client();
        stranger.headers = foreign;
        stranger
            .post("/login", &[("code", &waiting.code)])
            .expect(403);
    }
    assert_eq!(sandbox.picture(), before);

    // As browsers send a form of ours.
    client.headers = "Origin: null\r\nSec-Fetch-Site: same-origin\r\n".to_owned();
    client.post("/setup", &[("form_token", &token)]).expect(422);
    client.headers = format!("Origin: {own}\r\n");
    client.post("/setup", &[("form_token", &token)]).expect(422);
    let plain = "POST /login HTTP/1.1\r\nHost: node\r\nContent-Type: text/plain\r\n\
                 Content-Length: 5\r\n\r\ncode=";
    client.send(plain).expect(415);
}

#[test]
fn wrong_codes_have_everybody_wait() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (mut operator, _) = waiting.operator();
    let mut client = waiting.client();
    for _ in 0..5 {
        client.post("/login", &WRONG).expect(403);
    }
    let answer = client.post("/login", &WRONG);
    // Another wrong one, where the second was over by then.
    assert!(matches!(answer.status, 429 | 403), "{answer:?}");
    let answer = Client::new(waiting.address).post("/login", &[("code", &waiting.code)]);
    match answer.status {
        429 => {
            let seconds: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=4).contains(&seconds), "{seconds}");
        }
        status => assert_eq!(status, 303, "{answer:?}"),
    }
    // Whoever is in stays in.
    operator.get("/setup").expect(200);
}

#[test]
fn of_many_wrong_codes_at_once_few_are_looked_at() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let address = waiting.address;
    let tries: Vec<_> = (0..40)
        .map(|_| std::thread::spawn(move || Client::new(address).post("/login", &WRONG).status))
        .collect();
    let answers: Vec<_> = tries.into_iter().map(|one| one.join().unwrap()).collect();
    let looked_at = answers.iter().filter(|status| **status == 403).count();
    let waited = answers.iter().filter(|status| **status == 429).count();
    assert_eq!(looked_at + waited, 40, "{answers:?}");
    // Five, and one more for each wait that was over: 1, 2, 4, … seconds.
    assert!((5..12).contains(&looked_at), "{answers:?}");
}
