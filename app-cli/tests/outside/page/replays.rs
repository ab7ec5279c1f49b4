//! Sessions and forms that are shown again where they should not count, and ids that a client chose.

use super::Waiting;
use super::client::{Answer, Client};
use crate::sandbox::Sandbox;

/// What `/setup` answers to these headers of a client without a session of its own.
fn with(client: &Client, headers: &str) -> Answer {
    let mut client = client.clone();
    client.headers = headers.to_owned();
    client.forget();
    client.get("/setup")
}

#[test]
fn only_the_very_cookie_of_the_page_is_a_session() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (client, _) = waiting.operator();
    let id = client.session();
    let name = "__Host-session";
    let shown = |cookies: &str| with(&client, cookies).status;
    assert_eq!(shown(&format!("Cookie: {name}={id}\r\n")), 200);
    assert_eq!(shown(&format!("Cookie: a=b; {name}={id}; c=d\r\n")), 200);
    assert_eq!(shown(&format!("Cookie: a=ä; {name}={id}\r\n")), 200);
    let upper = id.to_uppercase();
    assert_ne!(upper, id);
    for not_it in [
        format!("Cookie: {name}={upper}\r\n"),
        format!("Cookie: __host-session={id}\r\n"),
        format!("Cookie: __HOST-SESSION={id}\r\n"),
        format!("Cookie: session={id}\r\n"),
        format!("Cookie: {name}=\"{id}\"\r\n"),
        format!("Cookie: {name}={id}0\r\n"),
        format!("Cookie: {name}={}\r\n", &id[..id.len() - 1]),
        format!("Cookie: {name}={id}, a=b\r\n"),
        format!("Cookie: {name}\r\n"),
        format!("Cookie: {name}=\r\n"),
        // The first of two counts, which is not the page's: whoever could put one in front would
        // else only have to wait.
        format!("Cookie: {name}=0; {name}={id}\r\n"),
        format!("Cookie: {name}=0\r\nCookie: {name}={id}\r\n"),
        format!("Authorization: Bearer {id}\r\n"),
        format!("X-Cookie: {name}={id}\r\n"),
    ] {
        assert_eq!(shown(&not_it), 303, "{not_it}");
    }
}

#[test]
fn an_id_that_a_client_chose_is_never_a_session() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let chosen = "0123456789abcdef".repeat(4);
    let mut client = waiting.client();
    client.headers = format!("Cookie: __Host-session={chosen}\r\n");
    let answer = client.log_in(&waiting.code);
    assert!(!format!("{answer:?}").contains(&chosen), "{answer:?}");
    assert_eq!(client.session().len(), chosen.len());
    assert_ne!(client.session(), chosen);
    let fixed = format!("Cookie: __Host-session={chosen}\r\n");
    with(&client, &fixed).expect_redirect("/");

    // Nor does a second login keep the id of the first, or one browser get that of another.
    let first = client.session().to_owned();
    client.headers.clear();
    client.log_in(&waiting.code);
    assert_ne!(client.session(), first);
    let (other, _) = waiting.operator();
    assert_ne!(client.session(), other.session());
}

#[test]
fn nothing_of_a_session_counts_after_its_end() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let ended = client.clone();
    let fields = [("form_token", token.as_str()), ("storage", "software")];
    client.post("/logout", &fields).expect_redirect("/");
    let before = sandbox.picture();
    for path in ["/setup", "/recover", "/logout"] {
        ended.clone().post(path, &fields).expect_redirect("/");
    }
    for path in ["/setup", "/recover", "/progress"] {
        ended.clone().get(path).expect_redirect("/");
    }
    ended.clone().get("/").expect(200);
    // The token is of no use in the session that comes next either.
    client.log_in(&waiting.code);
    client.post("/setup", &fields).expect(403);
    assert_eq!(sandbox.picture(), before);
}

#[test]
fn nothing_of_a_page_counts_on_the_next_one_at_its_address() {
    let sandbox = Sandbox::new();
    // An address of its own: nobody else is given its port meanwhile.
    let first = Waiting::run(&sandbox, &["startup", "--page", "127.0.0.3:0"]);
    let (mut client, token) = first.operator();
    let (address, code) = (first.address.to_string(), first.code.clone());
    first.running.terminate();
    assert_eq!(first.running.end().0.code(), Some(128 + 15));
    let second = Waiting::run(&sandbox, &["startup", "--page", &address]);
    assert_eq!(second.address.to_string(), address);
    let before = sandbox.picture();
    client.get("/setup").expect_redirect("/");
    let fields = [("form_token", token.as_str()), ("storage", "software")];
    client.post("/setup", &fields).expect_redirect("/");
    assert_ne!(second.code, code);
    client.post("/login", &[("code", &code)]).expect(403);
    let (mut operator, _) = second.operator();
    operator.post("/setup", &fields).expect(403);
    assert_eq!(sandbox.picture(), before);
}
