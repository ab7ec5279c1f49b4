//! What pkcs11-tool and softhsm2-util make of the token.

use std::process::Command;

use crate::sandbox::Sandbox;

#[test]
fn pkcs11_tool_sees_a_kek_that_never_leaves_the_token() {
    let sandbox = Sandbox::softhsm();
    let listed = sandbox.pkcs11_tool(&["--list-objects", "--type", "secrkey"]);
    assert_eq!(listed.matches("Secret Key Object").count(), 1, "{listed}");
    let field = |name: &str| {
        let mut lines = listed.lines().map(str::trim);
        let line = lines.find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {listed}"))
            .trim()
            .to_owned()
    };
    assert_eq!(field("Secret Key Object;"), "AES length 32");
    assert_eq!(field("label:"), "trustpoint-kek");
    let access = field("Access:");
    let access: Vec<_> = access.split(", ").collect();
    for wanted in [
        "sensitive",
        "always sensitive",
        "never extractable",
        "local",
    ] {
        assert!(access.contains(&wanted), "not {wanted}: {listed}");
    }
    let id = sandbox.sql("SELECT lower(hex(key_id)) FROM pkcs11_key");
    assert_eq!(field("ID:"), id.trim());
    assert_eq!(id.trim().len(), 32, "a random id of 16 bytes");
}

#[test]
fn a_token_that_was_initialised_beforehand_is_used_as_it_is() {
    let mut sandbox = Sandbox::new();
    sandbox.initialise_token();
    let before = slots(&sandbox);
    sandbox.run(&["startup"]).expect(0);
    // Nothing is initialised, so nobody has to know the SO PIN.
    sandbox.unset("HSM_SO_PIN");
    sandbox.setup_softhsm();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(slots(&sandbox), before);
    let serial = sandbox.sql("SELECT serial FROM pkcs11_token");
    assert!(before.contains(serial.trim()), "{serial} of {before}");
}

#[test]
fn a_setup_leaves_the_tokens_of_others_alone() {
    let sandbox = Sandbox::new();
    let other = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "somebody else's"])
        .args(["--pin", "1111", "--so-pin", "2222"])
        .env("SOFTHSM2_CONF", sandbox.path("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(other.status.success(), "{other:?}");
    let theirs = Sandbox::picture_below(&sandbox.path("tokens"));
    sandbox.setup_softhsm();
    sandbox.run(&["startup"]).expect(0);
    let now = Sandbox::picture_below(&sandbox.path("tokens"));
    let changed = theirs
        .iter()
        .filter(|(path, was)| path.is_file() && now.get(*path) != Some(was));
    assert_eq!(changed.count(), 0);
    let listed = slots(&sandbox);
    for label in ["somebody else's", "Trustpoint-SoftHSM"] {
        let of_label = listed
            .lines()
            .filter(|line| line.trim_end().ends_with(label));
        assert_eq!(of_label.count(), 1, "{label}: {listed}");
    }
}

fn slots(sandbox: &Sandbox) -> String {
    let output = Command::new("softhsm2-util")
        .arg("--show-slots")
        .env("SOFTHSM2_CONF", sandbox.path("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_string_for_the_module_that_it_does_not_take_is_named() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_HSM_MODULE_INIT", "configdir='sql:/nonexistent'");
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert!(said.contains("with this string of its own"), "{said}");
    assert!(said.contains("hsm.module_init"), "{said}");
    let shown = sandbox.run_human(&["config", "show"]).expect(0).stdout;
    assert!(shown.contains("hsm.module_init"), "{shown}");
}
