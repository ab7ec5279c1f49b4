//! What an attack on the program found: ways to lose a key or a state, and to misjudge a node.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{PASSWORD, SO_PIN, SOFTHSM, Sandbox, put, tool};

fn recover(sandbox: &Sandbox) -> crate::sandbox::Run {
    let file = sandbox.password_file(PASSWORD);
    sandbox.run(&["recover", "--backup-password-file", file.to_str().unwrap()])
}

#[test]
fn c14_a_new_database_that_was_cut_short_is_never_a_completed_node() {
    for point in (1..=40).step_by(3) {
        let sandbox = Sandbox::software();
        fs::remove_dir_all(sandbox.root("var")).unwrap();
        let inject =
            format!("inject=fsync,rename,renameat,renameat2,pwrite64:signal=SIGKILL:when={point}");
        let strace = [
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync,rename,renameat,renameat2,pwrite64",
            "-e",
            &inject,
        ];
        sandbox.run_under(&strace, &["startup", "--accept-new-database"]);
        let next = sandbox.run(&["startup"]);
        assert!(
            next.code == 65 || (next.code == 0 && next.outcome() == "setup_required"),
            "killed at {point}: {} {}",
            next.code,
            next.stdout
        );
        let again = sandbox.run(&["startup", "--accept-new-database"]).expect(0);
        assert_eq!(again.outcome(), "setup_required", "killed at {point}");
    }
}

#[test]
fn c22_a_cache_that_is_not_trusted_is_kept_while_nothing_else_has_the_dek() {
    let sandbox = Sandbox::softhsm_without_password();
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    sandbox.lose_token();
    fs::set_permissions(sandbox.dek_cache(), fs::Permissions::from_mode(0o640)).unwrap();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert_eq!(run.step("drop_dek_cache"), "skipped");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
    fs::set_permissions(sandbox.dek_cache(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
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

#[test]
fn a_token_whose_initialisation_was_cut_short_is_finished_by_recover() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    sandbox.lose_token();
    let conf = format!("SOFTHSM2_CONF={}", sandbox.path("softhsm2.conf").display());
    let initialise = [
        "--init-token",
        "--slot-index",
        "0",
        "--label",
        "Trustpoint-SoftHSM",
    ];
    let module = ["pkcs11-tool", "--module", SOFTHSM, "--so-pin", SO_PIN];
    tool("env", [&[conf.as_str()][..], &module, &initialise].concat());
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
    );
    recover(&sandbox).expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn a_wrapped_dek_that_is_damaged_is_mended_by_the_backup_password() {
    let sandbox = Sandbox::softhsm();
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    recover(&sandbox).expect_error(78, "config");
    sandbox.lose_runtime();
    sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = substr(encrypted_dek, 1, 40)");
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    recover(&sandbox).expect(0);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        (run.outcome().as_str(), run.fingerprint()),
        ("ready", before)
    );
}

#[test]
fn c14_two_tokens_of_one_label_are_not_taken_for_a_fresh_node() {
    let sandbox = Sandbox::softhsm();
    sandbox.initialise_token();
    fs::remove_dir_all(sandbox.root("")).unwrap();
    sandbox.run(&["startup"]).expect_error(78, "config");
    assert!(!sandbox.database().exists());
}

#[test]
fn c06_a_newer_database_is_changed_by_no_command() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("UPDATE app_version SET version = '99.0.0'");
    for command in [&["setup", "--reset"][..], &["keys", "rotate-kek"]] {
        sandbox.fails_unchanged(command, 12, "version_downgrade");
    }
}

#[test]
fn a_setup_that_is_refused_makes_no_token() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.lose_runtime();
    sandbox.lose_token();
    let file = sandbox.password_file(PASSWORD);
    let file = file.to_str().unwrap();
    let setup = [
        "setup",
        "--storage",
        "softhsm",
        "--backup-password-file",
        file,
    ];
    sandbox.fails_unchanged(&setup, 78, "config");
    assert_eq!(fs::read_dir(sandbox.path("tokens")).unwrap().count(), 0);
}

/// A module in front of SoftHSM whose exit handler would end the process by a signal.
const CRASHES_AT_EXIT: &str = r#"
#define _DEFAULT_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
static void end(int code, void *unused) { abort(); }
unsigned long C_GetFunctionList(void **list) {
    void *module = dlopen(SOFTHSM, RTLD_NOW);
    on_exit(end, 0);
    return ((unsigned long (*)(void **))dlsym(module, "C_GetFunctionList"))(list);
}
"#;

#[test]
fn a_module_that_crashes_at_exit_does_not_fail_a_start_that_worked() {
    let mut sandbox = Sandbox::softhsm();
    let (source, module) = (sandbox.path("module.c"), sandbox.path("module.so"));
    put(&source, CRASHES_AT_EXIT);
    let define = format!("-DSOFTHSM=\"{SOFTHSM}\"");
    let [source, module] = [source, module].map(|path| path.to_str().unwrap().to_owned());
    tool("cc", ["-shared", "-fPIC", &define, "-o", &module, &source]);
    sandbox.set("TRUSTPOINT_HSM_MODULE", &module);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}
