//! A token that was merely away: the page looks again, and no password is needed.

use std::fs;

use super::client::{Answer, Client};
use super::{Waiting, lost};
use crate::p11_kit::{self, Served};
use crate::sandbox::{PIN, Sandbox, put};

/// Has the page look again, and gives back where that leads to.
#[track_caller]
fn look_again(client: &mut Client, token: &str) -> Answer {
    let fields = [("form_token", token), ("look_again", "yes")];
    client
        .post("/recover", &fields)
        .expect_redirect("/progress");
    client.end_of_work()
}

/// It still waits, and says what it has seen.
#[track_caller]
fn nothing_has_changed(client: &mut Client, token: &str) -> String {
    look_again(client, token).expect_redirect("/recover");
    let page = client.get("/recover").expect(200).body;
    assert!(page.contains("Nothing has changed"), "{page}");
    page
}

/// It waits no longer; the line of the application.
#[track_caller]
fn is_found(waiting: Waiting, client: &mut Client, token: &str) -> String {
    let last = look_again(client, token).expect(200).body;
    assert!(last.contains("<h1>Done</h1>"), "{last}");
    assert!(!last.contains("/logout"), "{last}");
    waiting.application()
}

#[test]
fn a_token_that_is_back_is_found_without_a_password() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.lose_token();
    sandbox.new_container();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let first = client.get("/recover").expect(200).body;
    assert!(!first.contains("Nothing has changed"), "{first}");
    assert!(first.contains("none was found"), "{first}");
    let before = sandbox.picture();
    nothing_has_changed(&mut client, &token);
    assert_eq!(sandbox.picture(), before);

    // Another token is shown by now.
    sandbox.initialise_token();
    let page = nothing_has_changed(&mut client, &token);
    assert!(page.contains("Trustpoint-SoftHSM, serial number"), "{page}");
    let front = Client::new(waiting.address).get("/").expect(200);
    assert!(super::shows(&front.body, &waiting.fingerprint));

    sandbox.bring_token_back();
    let line = is_found(waiting, &mut client, &token);
    assert!(line.contains("run/trustpoint/dek"), "{line}");
    let ready = sandbox.run(&["startup"]).expect(0);
    assert_eq!(ready.fingerprint(), fingerprint);
}

#[test]
fn where_no_password_can_help_the_old_token_does() {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.lose_token();
    sandbox.new_container();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let page = nothing_has_changed(&mut client, &token);
    assert!(page.contains("Here no password helps"), "{page}");
    sandbox.bring_token_back();
    is_found(waiting, &mut client, &token);
}

#[test]
fn a_look_is_asked_for_by_whoever_may() {
    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    sandbox.bring_token_back();
    let look = [("look_again", "yes")];
    let mut stranger = waiting.client();
    stranger.post("/recover", &look).expect_redirect("/");
    let (mut client, token) = waiting.operator();
    client.post("/recover", &look).expect(403);
    client.get("/progress").expect_redirect("/recover");
    is_found(waiting, &mut client, &token);
}

#[test]
fn a_look_at_a_token_that_cannot_be_asked_says_so_and_can_be_repeated() {
    let mut sandbox = lost();
    p11_kit::configure_daemon(&mut sandbox);
    let server = Served::start(&sandbox);
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    nothing_has_changed(&mut client, &token);

    drop(server);
    let failed = look_again(&mut client, &token).expect(200).body;
    for word in [
        "hsm_unavailable",
        "no key is taken for lost",
        "href=\"/recover\"",
    ] {
        assert!(failed.contains(word), "{word}: {failed}");
    }
    client.get("/").expect_redirect("/recover");
    client.get("/recover").expect(200);

    sandbox.bring_token_back();
    let _server = Served::start(&sandbox);
    is_found(waiting, &mut client, &token);
}

#[test]
fn a_look_spends_one_try_of_a_wrong_pin_and_no_more() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.use_shim();
    let logins = sandbox.path("logins");
    let pin = sandbox.path("pin");
    put(&pin, PIN);
    sandbox.set("HSM_PIN_FILE", pin.to_str().unwrap());
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.set("SHIM_LOGINS", logins.to_str().unwrap());
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    sandbox.bring_token_back();
    put(&pin, "3141-5926");
    for _ in 0..3 {
        let failed = look_again(&mut client, &token).expect(200).body;
        assert!(failed.contains("denied"), "{failed}");
    }
    assert_eq!(fs::read(&logins).unwrap().len(), 1);
    put(&pin, PIN);
    is_found(waiting, &mut client, &token);
}
