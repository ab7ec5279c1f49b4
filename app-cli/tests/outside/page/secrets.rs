//! What is typed into a password field, and what lets an operator in, stands nowhere that it can be read.

use std::fs;
use std::path::Path;

use super::Waiting;
use super::client::{Answer, Client};
use crate::sandbox::{PIN, Sandbox, is_on_server};

/// Everything of the page that anybody could read later.
#[derive(Default)]
struct Seen(String);

impl Seen {
    fn answer(&mut self, answer: Answer) -> Answer {
        self.0.push_str(&answer.head);
        self.0.push_str(&answer.body);
        answer
    }

    /// Ends a page, and adds what its process said.
    fn end(&mut self, waiting: Waiting) {
        waiting.running.terminate();
        self.0.push_str(&waiting.running.rest());
    }

    /// Adds what the node has kept: its files, and its database, wherever that stands.
    fn node(&mut self, sandbox: &Sandbox) {
        self.files(&sandbox.path("root"));
        self.0.push_str(&sandbox.dump());
    }

    /// Adds every file below.
    fn files(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            self.0.push_str(&path.to_string_lossy());
            if path.is_dir() {
                self.files(&path);
            } else if let Ok(bytes) = fs::read(&path) {
                self.0.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }

    #[track_caller]
    fn has_none_of(&self, secrets: &[&str]) {
        for secret in secrets {
            if let Some(at) = self.0.find(secret) {
                let around: String = self.0[at..].chars().take(300).collect();
                panic!("a secret stands here: {around:?}");
            }
        }
    }
}

/// The two passwords of a form that is wrong, and those of the right one.
const WRONG: &str = "wrongCanary0815wrong";
const OTHER: &str = "otherCanary0816other";
const RIGHT: &str = "rightCanary0817right";
const CODE: &str = "codecanary0818";

fn setup<'a>(token: &'a str, password: &'a str, again: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("form_token", token),
        ("storage", "softhsm"),
        ("password", password),
        ("password_again", again),
    ]
}

/// Waits for the end of what was begun.
fn progress(client: &mut Client, seen: &mut Seen) {
    loop {
        let page = seen.answer(client.get("/progress"));
        if page.status != 200 || !page.body.contains("http-equiv=\"refresh\"") {
            return;
        }
    }
}

#[test]
fn no_secret_stands_in_an_answer_a_log_or_a_file() {
    let mut sandbox = Sandbox::new();
    let mut seen = Seen::default();

    // A setup that fails, after entries that are wrong.
    sandbox.unset("HSM_PIN");
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    for _ in 0..7 {
        seen.answer(client.post("/login", &[("code", CODE)]));
    }
    for (path, password, again, status) in [
        ("/setup", WRONG, OTHER, 422),
        ("/setup", WRONG, "", 422),
        ("/setup", "", OTHER, 422),
        ("/recover", WRONG, OTHER, 409),
        ("/login", WRONG, OTHER, 429),
        ("/nothing", WRONG, OTHER, 404),
        ("/progress", WRONG, OTHER, 405),
    ] {
        let mut send = || seen.answer(client.post(path, &setup(&token, password, again)));
        let mut answer = send();
        // Where the wait after the codes above is over by now, the one after this code is longer.
        while path == "/login" && answer.status == 403 {
            answer = send();
        }
        answer.expect(status);
    }
    let foreign = setup("0", WRONG, OTHER);
    seen.answer(client.post("/setup", &foreign)).expect(403);
    for path in ["/", "/setup", "/recover", "/progress", "/login", "/nothing"] {
        let path = format!("{path}?password={WRONG}&code={CODE}");
        seen.answer(client.get(&path));
    }
    let fails = setup(&token, OTHER, OTHER);
    seen.answer(client.post("/setup", &fails))
        .expect_redirect("/progress");
    progress(&mut client, &mut seen);
    let id = client.session().to_owned();
    let code = waiting.code.clone();
    seen.end(waiting);
    seen.node(&sandbox);

    // A setup that works.
    sandbox.set("HSM_PIN", PIN);
    let waiting = Waiting::start(&sandbox);
    let (mut client, new_token) = waiting.operator();
    let works = setup(&new_token, RIGHT, RIGHT);
    seen.answer(client.post("/setup", &works))
        .expect_redirect("/progress");
    progress(&mut client, &mut seen);
    let ids = [id, client.session().to_owned()];
    let codes = [code, waiting.code.clone()];
    seen.0.push_str(&waiting.running.rest());
    seen.node(&sandbox);

    // Recovery, with a wrong password and the right one.
    sandbox.lose_token();
    sandbox.new_container();
    let waiting = Waiting::start(&sandbox);
    let (mut client, last_token) = waiting.operator();
    for (password, status) in [(WRONG, 422), ("", 422), (RIGHT, 303)] {
        let fields = [("form_token", last_token.as_str()), ("password", password)];
        seen.answer(client.post("/recover", &fields)).expect(status);
    }
    progress(&mut client, &mut seen);
    seen.0.push_str(&waiting.running.rest());
    seen.node(&sandbox);

    seen.has_none_of(&[
        WRONG,
        OTHER,
        RIGHT,
        CODE,
        PIN,
        &ids[0],
        &ids[1],
        client.session(),
    ]);
    // The log has the code by design, where this test found it, and `page-code` as long as it counts.
    seen.has_none_of(&[&codes[0], &codes[1]]);
    for token in [&token, &new_token, &last_token] {
        assert!(
            !seen
                .0
                .replace(&format!("value=\"{token}\""), "")
                .contains(token.as_str())
        );
    }
    // All of it was looked at.
    assert!(seen.0.contains("HSM_PIN") && seen.0.contains("INSERT INTO "));
    assert!(seen.0.contains("SQLite format 3") || is_on_server());
}
