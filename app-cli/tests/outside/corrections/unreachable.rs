//! C3: unreachable is not lost. Each case is a new container, where the reference saw a lost KEK.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use crate::sandbox::Sandbox;

/// Debian's p11-kit client module, wherever this machine's architecture has it.
fn p11_kit_client() -> PathBuf {
    let directories = std::fs::read_dir("/usr/lib").unwrap();
    let mut candidates =
        directories.map(|entry| entry.unwrap().path().join("pkcs11/p11-kit-client.so"));
    let found = candidates.find(|path| path.exists());
    found.expect("install p11-kit-modules; `cargo xtask test` does")
}

fn new_container() -> Sandbox {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    sandbox
}

/// One that is patient for a second.
fn impatient() -> Sandbox {
    let mut sandbox = new_container();
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    sandbox
}

/// Neither start nor look takes the KEK for lost, whatever the wizard says, and nothing changes.
#[track_caller]
fn assert_not_lost(sandbox: &Sandbox, code: i32, kind: &str) -> String {
    for state in ["WIZARD_AUTO_RESTORE_PASSWORD", "WIZARD_COMPLETED"] {
        sandbox.put_wizard(&[state]);
        sandbox.fails_unchanged(&["startup"], code, kind);
        assert!(!sandbox.dek_cache().exists());
    }
    let run = sandbox.run(&["status"]);
    assert_eq!(run.restore_scenario(), "", "{}", run.stdout);
    run.expect_error(code, kind)
}

#[test]
fn c03_unreachable_is_not_lost() {
    let sandbox = lost_module("/nowhere/module.so");
    let said = assert_not_lost(&sandbox, 69, "hsm_unavailable");
    assert!(said.contains("/nowhere/module.so"), "{said}");
}

fn lost_module(path: &str) -> Sandbox {
    let mut sandbox = impatient();
    sandbox.set("TRUSTPOINT_HSM_MODULE", path);
    sandbox
}

#[test]
fn c03_a_daemon_that_refuses_is_not_a_lost_kek() {
    let mut sandbox = impatient();
    sandbox.set("TRUSTPOINT_HSM_DAEMON", "tcp://127.0.0.1:1");
    let said = assert_not_lost(&sandbox, 69, "hsm_unavailable");
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

#[test]
fn c03_a_module_without_slots_is_not_a_lost_kek() {
    let mut sandbox = lost_module(p11_kit_client().to_str().unwrap());
    let address = format!("unix:path={}", sandbox.path("no-server").display());
    sandbox.set("P11_KIT_SERVER_ADDRESS", &address);
    assert_not_lost(&sandbox, 69, "hsm_unavailable");
}

#[test]
fn c03_a_token_that_accepts_and_never_answers_is_not_a_lost_kek() {
    let mut sandbox = lost_module(p11_kit_client().to_str().unwrap());
    let socket = sandbox.path("silent");
    let _silent = UnixListener::bind(&socket).unwrap();
    let address = format!("unix:path={}", socket.display());
    sandbox.set("P11_KIT_SERVER_ADDRESS", &address);
    assert_not_lost(&sandbox, 69, "hsm_unavailable");
}

#[test]
fn c03_a_refused_login_is_not_a_lost_kek() {
    let mut sandbox = new_container();
    sandbox.set("HSM_PIN", "wrong-4711");
    assert_not_lost(&sandbox, 77, "denied");
    sandbox.unset("HSM_PIN");
    assert_not_lost(&sandbox, 77, "denied");
}

#[test]
fn c03_a_cached_dek_does_not_hide_an_hsm_that_is_down() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    sandbox.set("TRUSTPOINT_HSM_DAEMON", "tcp://127.0.0.1:1");
    sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
    assert!(sandbox.dek_cache().exists());
}

#[test]
fn c03_a_reachable_module_without_the_token_is_a_lost_kek() {
    let sandbox = new_container();
    sandbox.lose_token();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
    );
    assert_eq!(run.report["context"]["has_kek"], false);
}

#[test]
fn c03_a_token_that_is_not_shown_is_said_to_be_not_shown() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    sandbox.lose_token();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert!(
        run.warnings().contains("mounted and readable"),
        "{}",
        run.warnings()
    );
}
