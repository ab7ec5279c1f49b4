//! What outlives a page, and what does not: who is in, wrong codes, and the file with the code.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use super::client::connect;
use super::{Waiting, lost};
use crate::sandbox::{PASSWORD, Sandbox, put};

/// Somebody begins setup anew beside the page. The start that follows still waits for the password, since
/// the key is lost.
#[track_caller]
fn reset(sandbox: &Sandbox, waiting: Waiting) -> Waiting {
    sandbox.run(&["setup", "--reset"]).expect(0);
    waiting.again()
}

#[test]
fn whoever_is_in_stays_in_when_the_page_is_served_anew() {
    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    client.get("/").expect_redirect("/recover");
    let code = waiting.code.clone();
    let waiting = reset(&sandbox, waiting);
    assert_eq!(waiting.code, code, "another code of the same process");

    let mut client = client.at(waiting.address);
    client.get("/").expect_redirect("/recover");
    assert_eq!(client.get("/recover").form_token(), token);
    let fields = [("form_token", token.as_str())];
    client.post("/logout", &fields).expect_redirect("/");
    client.get("/").expect(200);
}

#[test]
fn a_backup_that_is_restored_beside_the_page_is_noticed() {
    let sandbox = Sandbox::new();
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    let file = sandbox.path("node.backup").display().to_string();
    sandbox.run(&["backup", "create", &file]).expect(0);
    let new = Sandbox::new();
    let waiting = Waiting::start(&new);
    new.run(&["backup", "restore", &file]).expect(0);
    waiting.application();
}

#[test]
fn a_certificate_that_is_new_beside_the_page_is_shown_by_it() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (mut client, _) = waiting.operator();
    let before = client.get("/setup").certificate;
    let renewed = sandbox.run(&["tls", "renew"]).expect(0).fingerprint();
    let waiting = waiting.again();
    assert_eq!(waiting.fingerprint, renewed);
    let mut client = client.at(waiting.address);
    let after = client.get("/setup").expect(200).certificate;
    assert_ne!(after, before);
}

#[test]
fn a_new_database_is_accepted_by_the_first_start_alone() {
    let sandbox = lost();
    let page = ["startup", "--accept-new-database", "--page", "127.0.0.1:0"];
    let mut running = Waiting::run(&sandbox, &page).running;
    sandbox.lose_database();
    // So that the page ends.
    sandbox.put_wizard(&["WIZARD_COMPLETED"]);
    // It would serve its page again.
    let status = (0..400).find_map(|_| {
        sleep(Duration::from_millis(50));
        running.child.try_wait().unwrap()
    });
    assert_eq!(status.and_then(|status| status.code()), Some(65));
}

#[test]
fn a_form_that_arrives_after_the_end_begins_nothing() {
    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    let (client, token) = waiting.operator();
    let body = format!("form_token={token}&password=of+no+use");
    let request = client.text_of("POST", "/recover", &body);
    let (most, last) = request.split_at(request.len() - 1);
    let mut late = connect(waiting.address, rustls::ALL_VERSIONS).unwrap();
    late.write_all(most.as_bytes()).unwrap();
    let file = sandbox.password_file(PASSWORD);
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.run(&recover).expect(0);
    // Its socket is closed; what has not been answered has a moment left.
    while TcpStream::connect(waiting.address).is_ok() {
        sleep(Duration::from_millis(10));
    }
    late.write_all(last.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = late.read_to_string(&mut answer);
    // Nothing, where the moment is over.
    assert!(
        answer.is_empty() || answer.contains("location: /progress"),
        "{answer}"
    );
    let said = waiting.running.rest();
    assert!(said.contains("application "), "{said}");
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn wrong_codes_are_not_forgotten_when_the_page_is_served_anew() {
    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    let mut client = waiting.client();
    let wrong = [("code", "wrong")];
    while client.post("/login", &wrong).status != 429 {}
    let waiting = reset(&sandbox, waiting);
    // Where that wait is over by now, the one after it is longer.
    let mut client = waiting.client();
    let answers = [(); 4].map(|()| client.post("/login", &wrong).status);
    assert!(answers.contains(&429), "{answers:?}");
}

#[test]
fn a_code_that_was_left_behind_is_gone_after_the_next_start() {
    let sandbox = Sandbox::new();
    let code = sandbox.root("run/trustpoint/page-code");
    let waiting = Waiting::start(&sandbox);
    // What somebody types beside the page leaves its code alone.
    sandbox.run(&["startup"]).expect(0);
    sandbox.run(&["startup", "--dry-run"]).expect(0);
    let kept = fs::read_to_string(&code).unwrap();
    assert_eq!(kept.trim(), waiting.code);
    waiting.running.signal("KILL");
    waiting.running.end();
    assert!(code.exists());

    let waiting = Waiting::start(&sandbox);
    let kept = fs::read_to_string(&code).unwrap();
    assert_eq!(kept.trim(), waiting.code);
    drop(waiting);
    assert!(code.exists());
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    assert!(!code.exists());

    put(&code, "left behind\n");
    put(&sandbox.wizard_dir().join("WIZARD_SETUP_MODE"), "");
    sandbox.run(&["startup"]).expect_error(65, "data_corrupt");
    assert!(!code.exists());
}

#[test]
fn a_page_that_ends_leaves_the_code_of_another_alone() {
    let sandbox = Sandbox::new();
    let code = sandbox.root("run/trustpoint/page-code");
    let first = Waiting::start(&sandbox);
    let second = Waiting::start(&sandbox);
    first.running.signal("TERM");
    first.running.end();
    let kept = fs::read_to_string(&code).unwrap();
    assert_eq!(kept.trim(), second.code);
    second.running.signal("TERM");
    second.running.end();
    assert!(!code.exists());
}

#[test]
fn the_report_on_the_screen_says_to_open_the_page_first() {
    for sandbox in [Sandbox::new(), lost()] {
        let run = sandbox.run_human(&["startup"]).expect(0);
        assert!(!run.stdout.contains("in a browser"), "{}", run.stdout);
        let mut waiting = crate::commands::Running::start(&mut sandbox.command(&[
            "startup",
            "--page",
            "127.0.0.1:0",
        ]));
        let next = waiting.wait_for_output("next  ");
        assert!(next.contains("page in a browser"), "{next}");
        waiting.wait_for_output(" page: https://");
    }
}
