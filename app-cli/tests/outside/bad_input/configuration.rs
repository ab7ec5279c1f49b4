//! A configuration that cannot be right.

use super::assert_names;
use crate::sandbox::{Sandbox, put};

/// A ready software node with this configuration file.
#[track_caller]
fn refuses(text: &str) -> String {
    let sandbox = Sandbox::software();
    let file = sandbox.root("etc/trustpoint/trustpointctl.toml");
    put(&file, text);
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert_names(&said, &[file.to_str().unwrap()]);
    said
}

#[test]
fn a_version_that_is_none_is_named_with_its_place() {
    let said = refuses("[app]\nversion = \"banana\"\n");
    assert_names(&said, &["banana", "app.version"]);

    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_APP_VERSION", "banana");
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert_names(&said, &["banana", "TRUSTPOINT_APP_VERSION"]);
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let said = refuses("[tls]\nsan = \"a.example\"\n\n[hsm]\nlabel = \"x\"\n");
    assert_names(&said, &["line 5", "label", "token_label"]);
    let said = refuses("# a comment\n[banana]\n");
    assert_names(&said, &["line 2", "banana"]);
}

#[test]
fn a_file_that_does_not_parse_is_named_with_its_line() {
    let said = refuses("[tls]\nsan = \"a.example\n");
    assert_names(&said, &["line 2"]);
    let said = refuses("[tls]\nsan = 5\n");
    assert_names(&said, &["line 2"]);
}

#[test]
fn a_length_of_time_and_a_name_that_are_none_are_named() {
    let said = refuses("[hsm]\nwait = \"banana\"\n");
    assert_names(&said, &["banana", "hsm.wait"]);
    let mut sandbox = Sandbox::new();
    sandbox.set("TRUSTPOINT_TLS_SAN", "not a name!");
    let said = sandbox.run(&["startup"]).expect_error(78, "config");
    assert_names(&said, &["name!", "tls.san"]);
    assert!(!sandbox.database().exists(), "no half-made node");
}

#[test]
fn a_configuration_file_that_was_asked_for_must_be_there() {
    let sandbox = Sandbox::software();
    let file = sandbox.path("missing.toml").display().to_string();
    let said = sandbox.fails_unchanged(&["--config", &file, "startup"], 78, "config");
    assert_names(&said, &[&file, "--config"]);
}

#[test]
fn an_empty_path_is_named_with_its_place() {
    for (section, line, key) in [
        ("database", "path = \"\"", "database.path"),
        ("database", "snapshots = \"\"", "database.snapshots"),
        ("wizard", "state_dir = \"\"", "wizard.state_dir"),
        ("tls", "dir = \"\"", "tls.dir"),
        ("runtime", "dir = \"\"", "runtime.dir"),
        ("hsm", "module = \"\"", "hsm.module"),
        ("hsm", "pin_file = \"\"", "hsm.pin_file"),
        ("hsm", "so_pin_file = \"\"", "hsm.so_pin_file"),
        (
            "static",
            "sources = [\"/nonexistent\", \"\"]",
            "static.sources",
        ),
        ("static", "root = \"\"", "static.root"),
        ("messages", "dirs = [\"\"]", "messages.dirs"),
    ] {
        let said = refuses(&format!("[{section}]\n{line}\n"));
        assert_names(&said, &[key, "empty path"]);
    }
    for (variable, key) in [
        ("TRUSTPOINT_CONFIG", "--config"),
        ("TRUSTPOINT_DATABASE", "database.path"),
        ("TRUSTPOINT_WIZARD_STATE_DIR", "wizard.state_dir"),
        ("TRUSTPOINT_TLS_DIR", "tls.dir"),
        ("TRUSTPOINT_RUNTIME_DIR", "runtime.dir"),
        ("TRUSTPOINT_HSM_MODULE", "hsm.module"),
        ("HSM_PIN_FILE", "hsm.pin_file"),
        ("HSM_SO_PIN_FILE", "hsm.so_pin_file"),
    ] {
        let mut sandbox = Sandbox::software();
        sandbox.set(variable, "");
        let said = sandbox.fails_unchanged(&["startup"], 78, "config");
        assert_names(&said, &[key, variable, "empty path"]);
    }
    let sandbox = Sandbox::new();
    for (flag, other) in [("--root", "--config"), ("--config", "--root")] {
        let elsewhere = sandbox.path("elsewhere").display().to_string();
        // The sandbox has given its --root already.
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trustpointctl"));
        command
            .current_dir(sandbox.path(""))
            .args(["--format", "json", flag, "", other, &elsewhere, "startup"]);
        let said = crate::sandbox::Run::end_of(&mut command).expect_error(78, "config");
        assert_names(&said, &[flag, "empty path", "flag"]);
    }
    assert!(!sandbox.path("etc").exists() && !sandbox.path("elsewhere").exists());
}
