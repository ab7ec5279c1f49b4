//! Sessions in a browser, what it is told to refuse, and a node that is set up elsewhere.

use crate::audit;
use crate::browser::{Browser, ENTER, until};
use crate::sandbox::Sandbox;
use crate::served::Served;

const COOKIE: &str = "__Host-session";

#[test]
fn a_session_ends_and_the_page_goes_on_when_the_node_is_set_up_elsewhere() {
    let browser = Browser::start("fr,en;q=0.5");
    let sandbox = Sandbox::new();
    let served = Served::start(&sandbox);
    browser.go(&served.url("/setup"));
    assert_eq!(browser.path(), "/", "without a session there is no form");
    audit::finds_what_is_wrong(&browser, "en");

    // The browser takes nothing that the page does not bring along.
    browser.complaints();
    browser.run(
        "document.body.append(Object.assign(document.createElement('style'), \
                 { textContent: 'h1 { display: none }' }))",
    );
    let complaints = until("a complaint", || {
        let complaints = browser.complaints();
        (!complaints.is_empty()).then_some(complaints)
    });
    assert!(
        complaints[0].contains("Content Security Policy"),
        "{complaints:?}"
    );

    browser.log_in(&served);
    let cookie = browser.cookie(COOKIE);
    assert_eq!(cookie["httpOnly"], true);
    assert_eq!(cookie["secure"], true);
    assert_eq!(cookie["sameSite"], "Strict");
    assert_eq!(
        browser.text("return document.cookie"),
        "",
        "a script sees it"
    );
    browser.fill("password", "typed and never sent");
    browser.tab_to("header button");
    browser.leave_by(|| browser.press(ENTER));
    assert_eq!(browser.path(), "/");
    browser.back();
    assert_eq!(
        browser.path(),
        "/",
        "the form is shown after the end of its session, with what was typed"
    );
    browser.put_cookie(&cookie);
    browser.go(&served.url("/setup"));
    assert_eq!(browser.path(), "/", "a session goes on after its end");

    browser.log_in(&served);
    assert_eq!(browser.path(), "/setup");
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    served.becomes_the_application();
}

#[test]
fn a_node_with_its_secrets_in_the_clear_is_set_up() {
    let browser = Browser::start("en");
    let sandbox = Sandbox::new();
    let served = Served::start(&sandbox);
    browser.log_in(&served);
    browser.tab_to("#software");
    browser.press(" ");
    browser.send();
    served.becomes_the_application();
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
}
