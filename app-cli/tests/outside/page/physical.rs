//! A physical HSM by the page: where somebody opted in, and its officer initialised a token.

use super::Waiting;
use crate::sandbox::PASSWORD;
use crate::scenarios::physical::{opted_in, ready, replace_token};

#[test]
fn a_node_is_set_up_on_the_officers_token_once_there_is_one() {
    let sandbox = opted_in();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let form = client.get("/setup").expect(200);
    assert!(
        form.body.contains("value=\"physical_hsm\""),
        "{}",
        form.body
    );
    let fields = [
        ("form_token", token.as_str()),
        ("storage", "physical_hsm"),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    client.post("/setup", &fields).expect_redirect("/progress");
    let failed = client.end_of_work();
    assert!(
        failed.body.contains("security officer initialise one"),
        "{}",
        failed.body
    );
    assert!(failed.body.contains("href=\"/setup\""), "{}", failed.body);

    sandbox.initialise_token();
    client.post("/setup", &fields).expect_redirect("/progress");
    let line = waiting.application();
    assert!(
        line.ends_with(&sandbox.dek_cache().display().to_string()),
        "{line}"
    );
}

#[test]
fn a_replaced_device_is_given_a_key_by_the_backup_password() {
    let sandbox = ready();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    replace_token(&sandbox);
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let fields = [("form_token", token.as_str()), ("password", PASSWORD)];
    client
        .post("/recover", &fields)
        .expect_redirect("/progress");
    waiting.application();
    let ready = sandbox.run(&["startup"]).expect(0);
    assert_eq!(ready.fingerprint(), fingerprint);
}
