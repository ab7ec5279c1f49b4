//! What has to hold of every page: it can be read, by eye and by a screen reader, in every window.

use std::path::Path;

use data_encoding::BASE64;

use crate::browser::{Browser, until};
use crate::sandbox::put;

/// Where `cargo xtask screens --page` wants pictures.
const PICTURES: &str = "TRUSTPOINT_TEST_PICTURES";

/// Looks at the page that is shown, narrow and wide, light and dark.
#[track_caller]
pub fn look(browser: &Browser, language: &str, name: &str) {
    for (width, scheme) in [
        (320, "light"),
        (1280, "dark"),
        (320, "dark"),
        (1280, "light"),
    ] {
        browser.look_through(width, 800, scheme);
        let faults = faults(browser, language);
        assert!(faults.is_empty(), "{name}, {width}, {scheme}: {faults:#?}");
    }
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{name}: {complaints:#?}");
}

/// The same, and takes its pictures for the documents where they are wanted.
#[track_caller]
pub fn show(browser: &Browser, language: &str, name: &str) {
    look(browser, language, name);
    if let Some(folder) = std::env::var_os(PICTURES) {
        take_pictures(browser, language, Path::new(&folder), name);
    }
}

/// What is wrong with it as it is shown.
#[track_caller]
fn faults(browser: &Browser, language: &str) -> Vec<String> {
    let script = include_str!("audit.js").replace("LANGUAGE", &format!("{language:?}"));
    // A page that looks again by itself may be between two.
    let found = until("a loaded page", || {
        let found = browser.try_run(&script).ok()?;
        found.is_array().then_some(found)
    });
    let texts = found.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn take_pictures(browser: &Browser, language: &str, folder: &Path, name: &str) {
    let kinds: &[_] = if language == "en" {
        &[("", 720, "light"), ("-narrow", 320, "light")]
    } else {
        &[("-de", 720, "dark")]
    };
    // A reader's node has its files where they are by default.
    browser.run(
        "for (const element of document.querySelectorAll('main p')) { \
         element.innerHTML = element.innerHTML.replace(/\\/dev\\/shm\\/[^/]+\\/root(?=\\/)/g, '') }",
    );
    for (kind, width, scheme) in kinds {
        browser.look_through(*width, 200, scheme);
        let height = browser.run("return document.documentElement.scrollHeight");
        let height = u32::try_from(height.as_u64().unwrap()).unwrap();
        browser.look_through(*width, height, scheme);
        let png = BASE64.decode(browser.picture().as_bytes()).unwrap();
        put(&folder.join(format!("{name}{kind}.png")), png);
    }
}

/// What is asked of every page is found where it is missing: each of these does one thing wrong.
#[track_caller]
pub fn finds_what_is_wrong(browser: &Browser, language: &str) {
    for (wrong, said) in [
        (
            "document.querySelector('main').append(document.createElement('h1'))",
            "2 h1",
        ),
        ("document.documentElement.lang = 'fr'", "another language"),
        (
            "document.querySelector('link[rel=stylesheet]').remove()",
            "no style sheet",
        ),
        (
            "document.querySelector('img').removeAttribute('alt')",
            "no alt",
        ),
        ("document.querySelector('label').remove()", "no label"),
        (
            "document.querySelector('.hint[id]').id = 'elsewhere'",
            "nothing to describe it",
        ),
        (
            "document.querySelector('main p').className = 'wrong'",
            "tied to no field",
        ),
        (
            "document.querySelector('input[type=text]').ariaInvalid = 'true'",
            "wrong, and not told",
        ),
        (
            "document.querySelector('button').textContent = ''",
            "no name",
        ),
        (
            "document.querySelector('h1').style.width = '1300px'",
            "wide in a window",
        ),
        (
            "document.querySelector('h1').style.color = '#888'",
            "contrast 3.5",
        ),
        (
            "document.querySelector('input[type=text]').style.borderColor = '#999'",
            "edge 2.8",
        ),
        (
            "document.activeElement.style.outline = 'none'",
            "focus does not show",
        ),
        (
            "const [field] = document.querySelectorAll('input[type=text]'); \
             field.ariaInvalid = 'true'; \
             document.querySelector('.hint[id]').className = 'wrong'; \
             field.style.borderColor = '#777'",
            "wrong, and not marked",
        ),
    ] {
        browser.look_through(1280, 800, "light");
        browser.leave_by(|| {
            browser.run("location.reload()");
        });
        until("a clean page", || {
            faults(browser, language).is_empty().then_some(())
        });
        browser.run(wrong);
        let faults = faults(browser, language);
        assert!(
            faults.iter().any(|fault| fault.contains(said)),
            "{wrong}: {faults:#?}"
        );
    }
}
