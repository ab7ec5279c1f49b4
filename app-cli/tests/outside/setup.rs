//! Setup: run again, refused, and where its secrets come from.

use crate::sandbox::{PASSWORD, PIN, SO_PIN, Sandbox};

#[test]
fn a_secret_by_process_substitution_is_waited_for() {
    let sandbox = Sandbox::softhsm();
    let script = format!("exec \"$@\" --backup-password-file <(sleep 0.3; echo '{PASSWORD}')");
    let run = sandbox.run_under(
        &["bash", "-c", &script, "bash"],
        &["keys", "verify-backup-password"],
    );
    run.expect(0);
}

#[test]
fn setup_again_without_a_password_keeps_the_one_of_before_and_says_so() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["setup", "--reset"]).expect(0);
    let again = ["setup", "--storage", "softhsm", "--no-backup-password"];
    let run = sandbox.run(&again).expect(0);
    assert!(
        !run.warnings().contains("no backup password"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("the one of before is kept"),
        "{}",
        run.stdout
    );
    let file = sandbox.password_file(PASSWORD);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    sandbox
        .run(&[&["keys", "verify-backup-password"][..], &file].concat())
        .expect(0);
}

#[test]
fn a_pin_of_the_environment_loses_its_line_break_as_one_of_a_file_does() {
    let mut sandbox = Sandbox::new();
    sandbox.set("HSM_PIN", &format!("{PIN}\n"));
    sandbox.set("HSM_SO_PIN", &format!("{SO_PIN}\r\n"));
    sandbox.setup_softhsm();
    sandbox.set("HSM_PIN", PIN);
    sandbox.lose_runtime();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn a_setup_that_is_refused_makes_no_token() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.lose_runtime();
    sandbox.lose_token();
    let tokens = sandbox.store().count().unwrap();
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
    assert_eq!(sandbox.store().count().unwrap(), tokens);
}

#[test]
fn who_goes_without_a_backup_password_is_told_in_every_report() {
    let told = "no backup password is set";
    let sandbox = Sandbox::softhsm_without_password();
    for arguments in [
        &["status"][..],
        &["keys", "show"],
        &["keys", "rotate-kek"],
        &["tls", "show"],
        &["tls", "renew"],
        &["tls", "history"],
        &["history"],
        &["doctor"],
        &["hsm", "check"],
        &["startup"],
    ] {
        let said = sandbox.run(arguments).expect(0).warnings();
        assert_eq!(said.matches(told).count(), 1, "{arguments:?}: {said}");
    }
    let sandbox = Sandbox::softhsm();
    let said = sandbox.run(&["keys", "show"]).expect(0).warnings();
    assert!(!said.contains(told), "{said}");
}
