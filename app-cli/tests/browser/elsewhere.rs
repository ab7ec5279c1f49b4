//! The page that another process serves: `cargo xtask e2e` has it walked through in containers.

use std::env;

use crate::audit::look;
use crate::browser::Browser;
use crate::story::is_done;

#[test]
#[ignore = "`cargo xtask e2e` gives it a page"]
fn an_operator_gets_the_node_ready() {
    let given = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let password = given("BROWSER_TEST_PASSWORD");
    let browser = Browser::start("en");
    browser.go(&given("BROWSER_TEST_PAGE"));
    let shown = browser.text("return document.querySelector('.fingerprint').textContent");
    assert_eq!(shown.trim(), given("BROWSER_TEST_FINGERPRINT"));
    browser.give_code(&given("BROWSER_TEST_CODE"));
    let path = browser.path();
    if path == "/setup" {
        browser.tab_to("#software");
        browser.press(crate::browser::DOWN);
        assert_eq!(browser.focused(), "softhsm");
        browser.fill("password_again", &password);
    } else {
        assert_eq!(path, "/recover");
    }
    look(&browser, "en", "elsewhere");
    browser.fill("password", &password);
    browser.send();
    is_done(&browser);
}
