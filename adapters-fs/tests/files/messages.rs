use std::process::Command;

use adapters_fs::MessageCompiler;
use camino::Utf8Path;
use ports::{FaultKind, Messages as _};

use crate::support::{Sandbox, assert_fault, put, run_well};

const CATALOGUE: &str = r#"# Comment
#, fuzzy
msgid ""
msgstr ""
"Language: de\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: views.py:1
msgid "Certificate"
msgstr "Zertifikat"

msgctxt "verb"
msgid "Issue"
msgstr "Ausstellen"

msgid "Issue"
msgstr "Ausgabe"

#, python-format
msgid "%(count)d key"
msgid_plural "%(count)d keys"
msgstr[0] "%(count)d Schlüssel"
msgstr[1] "%(count)d Schlüssel"

msgctxt "c"
msgid "one"
msgid_plural "many"
msgstr[0] ""
"eins "
"und \"eins\"\t\\"
msgstr[1] "\x41\102c"

#, fuzzy
#| msgid "Former"
msgid "Fuzzy"
msgstr "Unscharf"

msgid "Untranslated"
msgstr ""

msgid "Certificates"
msgstr "Zertifikate"

#~ msgid "Obsolete"
#~ msgstr "Alt"
"#;

fn compiler(dir: &Utf8Path, languages: &[&str]) -> MessageCompiler {
    let languages = languages.iter().map(|&language| language.to_owned());
    MessageCompiler::new(vec![dir.to_owned()], languages.collect())
}

#[test]
fn gettext_reads_the_same_as_from_its_own_compiler() {
    let sandbox = Sandbox::new();
    let directory = sandbox.join("de/LC_MESSAGES");
    let source = directory.join("django.po");
    put(&source, CATALOGUE, 0o644);
    let report = compiler(sandbox.path(), &["de"]).compile().unwrap();
    assert_eq!((report.written, report.warnings.len()), (1, 0));
    let theirs = sandbox.join("theirs.mo");
    let mut msgfmt = Command::new("msgfmt");
    run_well(
        "gettext",
        msgfmt.args([source.as_str(), "-o", theirs.as_str()]),
    );
    let read = |path: &Utf8Path| {
        run_well(
            "gettext",
            Command::new("msgunfmt").arg("--no-wrap").arg(path),
        )
    };
    let ours = read(&directory.join("django.mo"));
    assert_eq!(ours, read(&theirs));
    assert!(
        ours.contains("Ausstellen") && !ours.contains("Unscharf"),
        "{ours}"
    );
}

#[test]
fn gettext_finds_the_messages() {
    let sandbox = Sandbox::new();
    put(&sandbox.join("de/LC_MESSAGES/d.po"), CATALOGUE, 0o644);
    compiler(sandbox.path(), &["de"]).compile().unwrap();
    for (key, text) in [
        ("Certificate", "Zertifikat"),
        ("Certificates", "Zertifikate"),
        ("Issue", "Ausgabe"),
        ("Untranslated", "Untranslated"),
        ("Fuzzy", "Fuzzy"),
    ] {
        let mut gettext = Command::new("gettext");
        gettext
            .args(["-d", "d", key])
            .env("TEXTDOMAINDIR", sandbox.path())
            .env("LC_ALL", "C.UTF-8")
            .env("LANGUAGE", "de");
        let found = run_well("gettext-base", &mut gettext);
        assert!(found == text || found == key, "{found}");
    }
}

#[test]
fn what_msgfmt_refuses_is_refused() {
    let sandbox = Sandbox::new();
    let source = sandbox.join("de/LC_MESSAGES/d.po");
    for wrong in [
        "msgid \"a\"\n",
        "msgid \"a\nmsgstr \"b\"\n",
        "msgid \"a\"\nmsgstr \"b\"\nmsgid \"a\"\nmsgstr \"c\"\n",
        "msgid \"a\"\nmsgid_plural \"b\"\nmsgstr[1] \"c\"\n",
        "msgid \"a\"\nmsgid_plural \"b\"\nmsgstr \"c\"\n",
        "msgid \"a\"\nmsgstr[0] \"c\"\n",
        "msgid \"a\"\nmsgstr \"\\q\"\n",
        "msgid \"a\" b\nmsgstr \"c\"\n",
        "noise\n",
    ] {
        put(&source, wrong, 0o644);
        let output = Command::new("msgfmt")
            .args([source.as_str(), "-o", "/dev/null"])
            .output();
        assert!(
            !output.unwrap().status.success(),
            "msgfmt accepts {wrong:?}"
        );
        let result = compiler(sandbox.path(), &["de"]).compile();
        assert_fault(result, FaultKind::DataCorrupt, &format!("{source}:"));
    }
    assert!(!source.with_extension("mo").exists());
}

#[test]
fn a_language_that_is_missing_is_a_warning() {
    let sandbox = Sandbox::new();
    put(&sandbox.join("de/LC_MESSAGES/d.po"), CATALOGUE, 0o644);
    let report = compiler(sandbox.path(), &["de", "en"]).compile().unwrap();
    assert_eq!(report.written, 1);
    assert_eq!(report.warnings.len(), 1);
    assert!(report.warnings[0].contains("en/LC_MESSAGES"));
}

#[test]
fn nothing_configured_is_said() {
    let sandbox = Sandbox::new();
    let no_dirs = MessageCompiler::new(Vec::new(), vec!["de".to_owned()]);
    for compiler in [no_dirs, compiler(sandbox.path(), &[])] {
        assert!(compiler.compile().unwrap().nothing_configured);
    }
}

#[test]
fn configurations_that_cannot_be_right() {
    let sandbox = Sandbox::new();
    let missing = sandbox.join("missing");
    let result = compiler(&missing, &["de"]).compile();
    assert_fault(result, FaultKind::Config, missing.as_str());
    for language in ["", "..", "de/x"] {
        let result = compiler(sandbox.path(), &[language]).compile();
        assert_fault(result, FaultKind::Config, language);
    }
}
