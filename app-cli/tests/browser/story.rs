//! The life of a node by its page, with the keyboard alone: set up, its token lost, recovered; in every
//! language.

use std::fs::File;

use crate::audit::{look, show};
use crate::browser::{Browser, DOWN, ENTER, until};
use crate::sandbox::{PASSWORD, Sandbox, openssl_fingerprint};
use crate::served::Served;

#[test]
fn a_node_is_set_up_and_recovered_in_english() {
    story("en-GB,en", "en", "This node is not set up yet");
}

#[test]
fn a_node_is_set_up_and_recovered_in_german() {
    story(
        "de-AT,de,en",
        "de",
        "Dieser Knoten ist noch nicht eingerichtet",
    );
}

#[track_caller]
fn story(accepted: &str, language: &str, heading: &str) {
    let browser = Browser::start(accepted);
    let sandbox = Sandbox::new();
    set_up(&browser, &sandbox, language, heading);
    sandbox.lose_token();
    sandbox.new_container();
    recover(&browser, &sandbox, language);
    no_password_helps(&browser, language);
}

#[track_caller]
fn set_up(browser: &Browser, sandbox: &Sandbox, language: &str, heading: &str) {
    let look = |name| look(browser, language, name);
    let show = |name| show(browser, language, name);
    let served = Served::start(sandbox);
    browser.go(&served.url("/"));
    assert_eq!(
        browser.text("return document.querySelector('h1').textContent"),
        heading
    );
    let shown = browser.text("return document.querySelector('.fingerprint').textContent");
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    assert_eq!(shown.trim(), openssl_fingerprint(&certificate));
    show("login");
    browser.give_code("not-the-code");
    browser.is_told_what_is_wrong_with("code");
    look("login-wrong");
    browser.give_code(&served.code());
    assert_eq!(browser.path(), "/setup");
    show("setup");

    // A browser asks for one of them by itself; the page does where it does not.
    browser
        .run("document.querySelectorAll('[required]').forEach((field) => field.required = false)");
    browser.send();
    assert_eq!(browser.focused(), "software");
    look("setup-nothing");
    browser.tab_to("#software");
    browser.press(DOWN);
    assert_eq!(browser.focused(), "softhsm");
    browser.send();
    browser.is_told_what_is_wrong_with("password");
    browser.fill("san", "node.example.org\u{e007}no name");
    browser.fill("password", "short");
    browser.send();
    let said = browser.is_told_what_is_wrong_with("san");
    assert!(said.contains("no name"), "{said}");
    assert_eq!(said.contains("DNS-Namen"), language == "de", "{said}");
    let kept = |id: &str| browser.text(&format!("return document.getElementById('{id}').value"));
    assert_eq!(kept("san").trim(), "node.example.org\nno name");
    assert_eq!(kept("password"), "");
    assert!(
        !browser
            .text("return document.getElementById('password-problem').textContent")
            .is_empty()
    );
    show("setup-wrong");
    browser.fill("san", "node.example.org");
    browser.fill("password", PASSWORD);
    browser.fill("password_again", "another");
    browser.send();
    browser.is_told_what_is_wrong_with("password_again");

    // Another process is at work on the node: the page says that it waits.
    let lock = File::open(sandbox.root("var/lib/trustpoint/trustpoint.db.lock")).unwrap();
    lock.lock().unwrap();
    browser.fill("password", PASSWORD);
    browser.fill("password_again", PASSWORD);
    browser.send();
    assert_eq!(browser.path(), "/progress");
    show("progress");
    browser.leave_by(|| drop(lock));
    is_done(browser);
    show("done");
    served.becomes_the_application();
    let certificate = openssl_names(sandbox);
    assert!(
        certificate.contains("DNS:node.example.org"),
        "{certificate}"
    );
}

/// `/progress` looks again by itself until all is done.
#[track_caller]
pub fn is_done(browser: &Browser) {
    until("the last page", || {
        let is_done = browser.try_run("return !!document.querySelector('main a[href=\"/\"]')");
        (is_done == Ok(true.into())).then_some(())
    });
}

#[track_caller]
fn recover(browser: &Browser, sandbox: &Sandbox, language: &str) {
    let look = |name| look(browser, language, name);
    let show = |name| show(browser, language, name);
    let served = Served::start(sandbox);
    browser.log_in(&served);
    assert_eq!(browser.path(), "/recover");
    show("recover");
    browser.send();
    browser.is_told_what_is_wrong_with("password");
    browser.fill("password", "not the backup password");
    browser.send();
    browser.is_told_what_is_wrong_with("password");
    assert_eq!(
        browser.text("return document.getElementById('password').value"),
        ""
    );
    show("recover-wrong");
    browser.tab_to("button[name=look_again]");
    browser.leave_by(|| browser.press(ENTER));
    assert_eq!(browser.path(), "/recover");
    look("recover-again");
    browser.fill("password", PASSWORD);
    browser.send();
    is_done(browser);
    look("recovered");
    served.becomes_the_application();
}

#[track_caller]
fn no_password_helps(browser: &Browser, language: &str) {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.lose_token();
    sandbox.new_container();
    let served = Served::start(&sandbox);
    browser.log_in(&served);
    assert_eq!(browser.path(), "/recover");
    let fields = "return document.querySelectorAll('main input:not([type=hidden])').length";
    assert_eq!(browser.run(fields), 0);
    show(browser, language, "no-way");
    // By the one button that there is.
    browser.send();
    assert_eq!(browser.path(), "/recover");
    look(browser, language, "no-way-again");
    sandbox.bring_token_back();
    browser.send();
    is_done(browser);
    look(browser, language, "token-back");
    let buttons = browser.run("return document.querySelectorAll('button').length");
    assert_eq!(buttons, 0, "nobody logs out of a page that ends");
    served.becomes_the_application();
}

fn openssl_names(sandbox: &Sandbox) -> String {
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    let certificate = certificate.to_str().unwrap();
    crate::sandbox::tool(
        "openssl",
        [
            "x509",
            "-noout",
            "-ext",
            "subjectAltName",
            "-in",
            certificate,
        ],
    )
}
