//! The page that another process serves: `cargo xtask e2e` has it walked through in containers.

use std::env;

use crate::audit::look;
use crate::browser::{Browser, DOWN, ENTER};
use crate::network::Network;
use crate::story::is_done;

fn given(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// Somebody who has compared the fingerprint and given the code.
fn operator() -> Browser {
    let browser = Browser::start_in(Network::given(), "en");
    browser.go(&given("BROWSER_TEST_PAGE"));
    let shown = browser.text("return document.querySelector('.fingerprint').textContent");
    assert_eq!(shown.trim(), given("BROWSER_TEST_FINGERPRINT"));
    browser.give_code(&given("BROWSER_TEST_CODE"));
    look(&browser, "en", "elsewhere");
    browser
}

#[test]
#[ignore = "`cargo xtask e2e` gives it a page"]
fn an_operator_gets_the_node_ready() {
    let browser = operator();
    let password = given("BROWSER_TEST_PASSWORD");
    let path = browser.path();
    if path == "/setup" {
        browser.tab_to("#software");
        browser.press(DOWN);
        assert_eq!(browser.focused(), "softhsm");
        browser.fill("password_again", &password);
    } else {
        assert_eq!(path, "/recover");
    }
    browser.fill("password", &password);
    browser.send();
    is_done(&browser);
}

#[test]
#[ignore = "`cargo xtask e2e` gives it a page"]
fn an_operator_has_brought_the_token_back() {
    let browser = operator();
    assert_eq!(browser.path(), "/recover");
    browser.tab_to("[name=look_again]");
    browser.leave_by(|| browser.press(ENTER));
    is_done(&browser);
}
