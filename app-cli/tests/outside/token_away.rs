//! A token that is away before, during and after a start, and two tokens of one label. On Kryoptic,
//! whose files and slots are as movable as a token in a reader.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::sandbox::token::{Kind, kryoptic_conf};
use crate::sandbox::{LABEL, Sandbox, put, run_tool};

/// A node in a new container, and its DEK.
fn node() -> (Sandbox, Vec<u8>) {
    let sandbox = Sandbox::softhsm_on(Kind::Kryoptic);
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    sandbox.new_container();
    (sandbox, dek)
}

/// Takes a file or directory away, and gives back where it is kept.
fn take_away(sandbox: &Sandbox, path: &Path) -> PathBuf {
    let away = sandbox.path("away");
    fs::rename(path, &away).unwrap();
    away
}

#[track_caller]
fn nothing_was_lost(sandbox: &Sandbox, dek: &[u8]) {
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    assert!(fs::read(sandbox.dek_cache()).unwrap() == dek);
}

/// A start that waits for the token by now.
fn waiting(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(&["--format", "json", "startup"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let waits = lines.any(|line| line.unwrap().contains("waiting for the HSM"));
    // Whoever reads no more must not stand in the way of what is said later.
    std::thread::spawn(move || lines.for_each(drop));
    assert!(waits, "it does not wait: {:?}", child.wait());
    child
}

#[test]
fn c03_a_module_whose_configuration_is_away_is_waited_for() {
    let (mut sandbox, dek) = node();
    let conf = sandbox.store().conf();
    let away = take_away(&sandbox, &conf);
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
    sandbox.set("TRUSTPOINT_HSM_WAIT", "60s");
    let mut start = waiting(&sandbox);
    fs::rename(&away, &conf).unwrap();
    assert_eq!(start.wait().unwrap().code(), Some(0));
    nothing_was_lost(&sandbox, &dek);
}

#[test]
fn c03_a_token_whose_volume_is_away_is_waited_for() {
    let (mut sandbox, dek) = node();
    let tokens = sandbox.store().tokens();
    let away = take_away(&sandbox, &tokens);
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
    sandbox.set("TRUSTPOINT_HSM_WAIT", "60s");
    let mut start = waiting(&sandbox);
    fs::rename(&away, &tokens).unwrap();
    assert_eq!(start.wait().unwrap().code(), Some(0));
    nothing_was_lost(&sandbox, &dek);
}

/// A slot without its token looks like a token that is lost: the node asks for its password, and
/// needs none when the token is back.
#[test]
fn c02_a_token_that_is_pulled_out_of_its_slot_needs_no_password_when_it_is_back() {
    let (sandbox, dek) = node();
    let token = sandbox.store().list().unwrap().remove(0);
    let away = take_away(&sandbox, &token);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    fs::rename(&away, &token).unwrap();
    nothing_was_lost(&sandbox, &dek);
}

#[test]
fn c03_a_token_that_goes_away_during_a_start_is_not_lost() {
    let (mut sandbox, dek) = node();
    let tokens = sandbox.store().tokens();
    sandbox.use_shim();
    sandbox.set("TRUSTPOINT_HSM_WAIT", "30s");
    let go = sandbox.path("go");
    sandbox.set("SHIM_GO", go.to_str().unwrap());
    // C_OpenSession waits, C_Login, C_FindObjectsInit, C_UnwrapKey.
    for function in [12, 18, 26, 61] {
        sandbox.new_container();
        sandbox.set("SHIM_FAULT", &format!("{function}:wait"));
        let calls = sandbox.path("calls");
        for file in [&calls, &go] {
            let _ = fs::remove_file(file);
        }
        sandbox.set("SHIM_CALLS", calls.to_str().unwrap());
        let mut start = sandbox.command(&["startup"]);
        let mut start = start.stdout(Stdio::null()).spawn().unwrap();
        while !fs::read(&calls).is_ok_and(|made| made.contains(&function)) {
            assert!(start.try_wait().unwrap().is_none(), "it ended before");
            std::thread::yield_now();
        }
        let away = take_away(&sandbox, &tokens);
        put(&go, "");
        let code = start.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 69)), "away in {function}: {code:?}");
        fs::rename(&away, &tokens).unwrap();
        sandbox.unset("SHIM_FAULT");
        nothing_was_lost(&sandbox, &dek);
    }
}

#[test]
fn c03_a_token_that_moves_to_another_slot_is_found() {
    let (sandbox, dek) = node();
    let conf = kryoptic_conf(&sandbox.store().tokens(), [3, 2, 1, 0], &[]);
    for slot in ["slot = 17\n", "slot = 4\n"] {
        let moved = conf.replace("slot = 0\n", slot);
        sandbox.store().put_conf(&moved).unwrap();
        sandbox.new_container();
        nothing_was_lost(&sandbox, &dek);
    }
}

#[test]
fn two_tokens_of_one_label_are_told_apart_by_their_serial() {
    let mut sandbox = Sandbox::on(Kind::Kryoptic);
    sandbox.initialise_token();
    sandbox.initialise_token();
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    sandbox.run(&["startup"]).expect_error(78, "config");
    let said = sandbox.run(&setup).expect_error(78, "config");
    let mut tool = sandbox.store().pkcs11_tool().unwrap();
    let slots = run_tool(tool.arg("--list-slots"));
    let serials: Vec<_> = slots
        .lines()
        .filter_map(|line| line.trim().strip_prefix("serial num         : "))
        .collect();
    assert_eq!(serials.len(), 2, "{slots}");
    assert!(serials.iter().all(|serial| said.contains(serial)), "{said}");

    let uri = format!("pkcs11:token={LABEL};serial={}", serials[1]);
    sandbox.set("TRUSTPOINT_HSM_URI", &uri);
    sandbox.run(&setup).expect(0);
    assert_eq!(
        sandbox.sql("SELECT serial FROM pkcs11_token").trim(),
        serials[1]
    );
    // From now on the database knows it.
    sandbox.unset("TRUSTPOINT_HSM_URI");
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    sandbox.new_container();
    nothing_was_lost(&sandbox, &dek);
    let moved = kryoptic_conf(&sandbox.store().tokens(), [1, 0], &[]);
    sandbox.store().put_conf(&moved).unwrap();
    sandbox.new_container();
    nothing_was_lost(&sandbox, &dek);
}

/// What wraps the DEK is not offered any more: a matter of configuration, and no damage.
#[test]
fn c16_a_mechanism_that_is_taken_away_is_no_damage() {
    let (sandbox, dek) = node();
    let tokens = sandbox.store().tokens();
    let denied = kryoptic_conf(&tokens, 0..4, &["CKM_AES_KEY_WRAP"]);
    sandbox.store().put_conf(&denied).unwrap();
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert!(said.contains("AES_KEY_WRAP"), "{said}");
    let whole = kryoptic_conf(&tokens, 0..4, &[]);
    sandbox.store().put_conf(&whole).unwrap();
    nothing_was_lost(&sandbox, &dek);
}

/// A token that does not answer is not lost, and no PIN is given to another one under its label.
#[test]
fn c03_another_token_of_the_label_is_not_taken_for_one_that_does_not_answer() {
    let (mut sandbox, dek) = node();
    let token = sandbox.store().list().unwrap().remove(0);
    sandbox.initialise_token();
    let whole = fs::read(&token).unwrap();
    put(&token, "no database at all");
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    let ledger = sandbox.database().with_file_name("pin-rejected");
    let before = fs::read_to_string(&ledger).unwrap();
    sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
    assert_eq!(fs::read_to_string(&ledger).unwrap(), before);
    put(&token, whole);
    sandbox.unset("TRUSTPOINT_HSM_WAIT");
    nothing_was_lost(&sandbox, &dek);
}

#[test]
fn a_serial_number_that_is_asked_for_is_binding() {
    let (mut sandbox, dek) = node();
    let uri = format!("pkcs11:token={LABEL};serial=deadbeef00000000");
    sandbox.set("TRUSTPOINT_HSM_URI", &uri);
    for command in [&["startup"][..], &["hsm", "check", "--login"]] {
        let said = sandbox.fails_unchanged(command, 78, "config");
        assert!(said.contains("deadbeef00000000"), "{said}");
        assert!(said.contains("hsm.uri"), "{said}");
    }
    sandbox.unset("TRUSTPOINT_HSM_URI");
    nothing_was_lost(&sandbox, &dek);
}
