//! Static files, and messages as gettext reads them.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::{Sandbox, put, tool};

const PO: &str = r#"msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

msgid "Certificate"
msgstr "Zertifikat für \"alle\"\n"
"und jeden"

msgctxt "menu"
msgid "Open"
msgstr "Öffnen"

msgid "%d key"
msgid_plural "%d keys"
msgstr[0] "%d Schlüssel"
msgstr[1] "%d Schlüssel (viele)"

#, fuzzy
msgid "Guess"
msgstr "Geraten"

msgid "Untranslated"
msgstr ""
"#;

fn catalogue(sandbox: &Sandbox, language: &str, end: &str) -> PathBuf {
    sandbox.path(&format!("locale/{language}/LC_MESSAGES/django.{end}"))
}

/// Two static sources, two languages, and the file that names them.
fn configured() -> Sandbox {
    let sandbox = Sandbox::new();
    put(&sandbox.path("own/css/a.css"), "own");
    put(&sandbox.path("lib/css/a.css"), "lib");
    put(&sandbox.path("lib/js/b.js"), [0, 159, 146, 150]);
    put(&catalogue(&sandbox, "de", "po"), PO);
    let english = PO.replace("Zertifikat für", "Certificate for");
    put(&catalogue(&sandbox, "en", "po"), english);
    let path = |name| sandbox.path(name).display().to_string();
    let toml = format!(
        "[static]\nsources = [{:?}, {:?}]\nroot = {:?}\n[messages]\ndirs = [{:?}]\n",
        path("own"),
        path("lib"),
        path("root/static"),
        path("locale"),
    );
    put(&sandbox.root("etc/trustpoint/trustpointctl.toml"), toml);
    sandbox
}

#[test]
fn msgunfmt_reads_what_msgfmt_would_have_written() {
    let sandbox = configured();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("compile_messages"), "done");
    for language in ["de", "en"] {
        let name = |end| catalogue(&sandbox, language, end).display().to_string();
        let reference = sandbox.path("reference.mo").display().to_string();
        tool("msgfmt", ["-o", &reference, &name("po")]);
        let ours = tool("msgunfmt", [&name("mo")]);
        assert_eq!(ours, tool("msgunfmt", [&reference]));
        assert!(ours.contains("Öffnen") && !ours.contains("Geraten"));
    }
}

#[test]
fn static_files_are_collected_and_the_first_of_two_wins() {
    let sandbox = configured();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("collect_static_files"), "done");
    let collected = |name: &str| fs::read(sandbox.root("static").join(name)).unwrap();
    assert_eq!(collected("css/a.css"), b"own");
    assert_eq!(collected("js/b.js"), [0, 159, 146, 150]);
    assert!(run.warnings().contains("css/a.css"), "{}", run.warnings());
}

#[test]
fn assets_that_are_right_are_not_written_again() {
    let sandbox = configured();
    sandbox.run(&["startup"]).expect(0);
    let pictures = || {
        [sandbox.root("static"), sandbox.path("locale")]
            .map(|directory| Sandbox::picture_below(&directory))
    };
    let before = pictures();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("collect_static_files"), "unchanged");
    assert_eq!(run.step("compile_messages"), "unchanged");
    assert_eq!(pictures(), before);

    put(&sandbox.path("own/css/a.css"), "new");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("collect_static_files"), "done");
    let changed = pictures()[0]
        .iter()
        .filter(|(path, now)| before[0].get(*path) != Some(now))
        .map(|(path, _)| path.clone())
        .collect::<Vec<_>>();
    assert_eq!(changed, [sandbox.root("static/css/a.css")]);
}

#[test]
fn a_catalogue_that_does_not_parse_is_named_with_its_line_and_changes_nothing() {
    let sandbox = configured();
    sandbox.run(&["startup"]).expect(0);
    let broken = catalogue(&sandbox, "de", "po");
    put(&broken, format!("{PO}\nmsgid \"open\nmsgstr \"\"\n"));
    let line = PO.lines().count() + 2;
    let before = fs::read(catalogue(&sandbox, "de", "mo")).unwrap();
    let run = sandbox.run(&["startup"]);
    assert!(run.code == 65 || run.code == 78, "{}", run.stdout);
    let message = run.text("/error/message");
    assert!(message.contains(&broken.display().to_string()), "{message}");
    assert!(message.contains(&line.to_string()), "{message}");
    assert_eq!(fs::read(catalogue(&sandbox, "de", "mo")).unwrap(), before);
}

#[test]
fn where_nothing_is_configured_the_report_says_so() {
    let run = Sandbox::new().run(&["startup"]).expect(0);
    assert_eq!(run.step("collect_static_files"), "skipped");
    assert_eq!(run.step("compile_messages"), "skipped");
}
