//! `startup -- CMD`: the program is replaced by the application.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use super::Running;
use crate::sandbox::{Sandbox, put, tool};

const SHOW: &str = "echo pid=$$ dek=${TRUSTPOINT_DEK_FILE-unset} pin=${HSM_PIN-unset}; exit 7";

/// Runs a start that becomes a shell, and gives back the shell's line and exit code.
fn becomes_a_shell(sandbox: &Sandbox, arguments: &[&str]) -> (String, Option<i32>, u32) {
    let all = [&["--format", "json"], arguments, &["--", "sh", "-c", SHOW]].concat();
    let mut running = Running::start(&mut sandbox.command(&all));
    let id = running.child.id();
    let line = running.wait_for_output("pid=");
    (line, running.end().0.code(), id)
}

#[test]
fn has_the_same_process_id_its_own_exit_code_and_the_cached_dek() {
    let sandbox = Sandbox::softhsm();
    let (line, code, id) = becomes_a_shell(&sandbox, &["startup"]);
    let cache = sandbox.dek_cache();
    let expected = format!("pid={id} dek={} pin=", cache.display());
    assert!(line.starts_with(&expected), "{line}");
    assert_eq!(code, Some(7));
}

#[test]
fn is_told_of_no_dek_where_none_is_cached() {
    let mut sandbox = Sandbox::software();
    // Left over from whoever started this program.
    sandbox.set("TRUSTPOINT_DEK_FILE", "/run/of/another/node");
    let (line, _, id) = becomes_a_shell(&sandbox, &["startup", "--require-ready"]);
    assert!(line.starts_with(&format!("pid={id} dek=unset")), "{line}");

    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    let (line, _, _) = becomes_a_shell(&sandbox, &["startup"]);
    assert!(line.contains("dek=unset"), "it serves the page: {line}");
}

#[test]
fn is_not_run_where_the_exit_code_is_not_0() {
    let sandbox = Sandbox::new();
    let marker = sandbox.path("marker");
    let touch = ["--", "touch", marker.to_str().unwrap()];
    let run = |before: &[&str]| sandbox.run(&[before, &touch].concat());
    run(&["startup", "--require-ready"]).expect(10);
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_RESTORE"]);
    run(&["startup"]).expect(65);
    assert!(!marker.exists());
    sandbox.put_wizard(&["WIZARD_SETUP_CRYPTO_STORAGE"]);
    run(&["startup"]).expect(0);
    assert!(marker.exists());
}

#[test]
fn a_missing_command_is_an_error_before_anything_is_begun() {
    let sandbox = Sandbox::new();
    let dead = sandbox.path("no-program");
    put(&dead, "");
    let dead = dead.to_str().unwrap();
    for (command, code) in [
        ("/nonexistent/application", 78),
        ("no-such-application", 78),
        ("/", 78),
        (dead, 77),
    ] {
        let run = sandbox.run_human(&["startup", "--", command]).expect(code);
        assert!(run.stderr.contains(command), "{}", run.stderr);
        assert!(run.stderr.contains("hint:"), "{}", run.stderr);
        let run = sandbox.run(&["startup", "--", command]).expect(code);
        assert_eq!(run.report["exit_code"], code);
        assert!(!sandbox.path("root").exists(), "nothing was begun");
    }
}

/// The report is out by then: the error follows it, in the form that was asked for.
#[test]
fn a_command_that_the_kernel_refuses_is_an_error_on_standard_error() {
    let sandbox = Sandbox::software();
    let [text, script] = ["text", "script"].map(|name| sandbox.path(name));
    put(&text, "#!/nonexistent/interpreter\n");
    // By another process: a file that is open for writing, in a child of another test, is not executed.
    tool("cp", [&text, &script]);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let script = script.to_str().unwrap();
    let run = sandbox.run_human(&["startup", "--", script]).expect(78);
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    assert!(run.stderr.contains(script), "{}", run.stderr);
    let run = sandbox.run(&["startup", "--", script]).expect(78);
    assert_eq!(run.outcome(), "ready", "one object: {}", run.stdout);
    let last = crate::schema::read(run.stderr.lines().last().unwrap());
    assert_eq!(last["error"]["kind"], "config");
}

#[test]
fn signals_reach_it() {
    let sandbox = Sandbox::software();
    let shell = ["--", "sh", "-c", "echo application: $$; exec sleep 1000"];
    let mut running = Running::start(&mut sandbox.command(&[&["startup"], &shell[..]].concat()));
    running.wait_for_output("application: ");
    running.terminate();
    assert_eq!(
        running.end().0.signal(),
        Some(15),
        "not caught, not ignored"
    );
}

#[test]
fn holds_no_lock_and_no_file_of_the_start() {
    let sandbox = Sandbox::softhsm();
    let show = ["--", "sh", "-c", "ls -l /proc/$$/fd; echo end"];
    let mut running = Running::start(&mut sandbox.command(&[&["startup"], &show[..]].concat()));
    let mut files = String::new();
    std::io::Read::read_to_string(&mut running.out, &mut files).unwrap();
    assert!(files.contains("end"));
    let root = sandbox.path("root").display().to_string();
    let open = files
        .lines()
        .find(|line| line.contains("->") && line.contains(&root));
    assert_eq!(open, None);
}

#[test]
fn a_stray_dek_file_is_not_handed_to_the_application_of_a_software_node() {
    let sandbox = Sandbox::software();
    put(&sandbox.dek_cache(), [7; 32]);
    fs::set_permissions(sandbox.dek_cache(), fs::Permissions::from_mode(0o600)).unwrap();
    let show = "echo \"dek file: [$TRUSTPOINT_DEK_FILE]\"";
    let run = sandbox.run(&["startup", "--", "sh", "-c", show]).expect(0);
    assert!(run.stdout.contains("dek file: []"), "{}", run.stdout);
}
